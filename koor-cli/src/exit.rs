//! How a run ends, for whoever started it.

use std::{
    error::Error as StdError,
    fmt,
    io::{self, Write as _},
    process::ExitCode,
};

/// It was called wrongly: it would end so again.
pub(crate) const USAGE: u8 = 2;

/// It was refused, or something stood in its way.
const REFUSED: u8 = 1;

/// Why a command did not do what it was called for, in one line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    code: u8,
    text: String,
}

impl Failure {
    /// It was called wrongly.
    pub(crate) fn usage(text: impl fmt::Display) -> Self {
        Self { code: USAGE, text: text.to_string() }
    }

    /// Something stood in its way.
    pub(crate) fn refused(text: impl fmt::Display) -> Self {
        Self { code: REFUSED, text: text.to_string() }
    }

    /// An error stood in its way: it and what caused it.
    pub(crate) fn caused_by(error: &(dyn StdError + 'static)) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let said = error.to_string();
            // Some errors say their cause themselves.
            if !text.ends_with(&said) {
                text = format!("{text}: {said}");
            }
            cause = error.source();
        }
        Self::refused(text)
    }

    /// The same, with what was being done in front.
    pub(crate) fn about(self, attempted: impl fmt::Display) -> Self {
        Self { text: format!("{attempted}: {}", self.text), ..self }
    }

    /// Says why, and ends.
    pub(crate) fn report(self) -> ExitCode {
        let line = self.text.replace(['\n', '\r'], " ");
        // Whoever closed stderr does not want to know.
        let _ = writeln!(io::stderr(), "koor: {line}");
        ExitCode::from(self.code)
    }
}
