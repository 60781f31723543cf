//! The progress of a transfer, on a terminal.

use std::io::{self, IsTerminal as _, Read};

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on a terminal; elsewhere nothing.
#[derive(Debug, Clone)]
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// For so many bytes, if that is known.
    pub(super) fn new(length: Option<u64>) -> Self {
        if !io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let (bar, template) = match length {
            Some(length) => {
                (ProgressBar::new(length), "{bar:30} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left")
            }
            None => (ProgressBar::new_spinner(), "{spinner} {bytes}, {bytes_per_sec}"),
        };
        // A template that were wrong would show as the default one: a bar all the same.
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(bar.with_style(style))
    }

    /// So many bytes have passed.
    pub(super) fn at(&self, bytes: u64) {
        self.0.set_position(bytes);
    }

    /// The same bytes, watched as they are read.
    pub(super) fn watch(&self, source: impl Read) -> impl Read {
        self.0.wrap_read(source)
    }

    /// It is over.
    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }
}
