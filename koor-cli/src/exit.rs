//! Exit codes, and what is printed on stderr.

use std::{
    error::Error as StdError,
    fmt,
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use serde_json::Value;

/// It was called wrongly: it would end so again.
pub(crate) const USAGE: u8 = 2;

/// It was refused, or something stood in its way.
const REFUSED: u8 = 1;

/// The server can't be reached: later, or elsewhere, it may be.
const UNREACHABLE: u8 = 3;

/// The reader of the output has gone: the code that a shell gives to a program ended by SIGPIPE.
const CLOSED_PIPE: u8 = 141;

/// Says something that does not keep a command from doing what it was called for.
pub(crate) fn warn(text: impl fmt::Display) {
    // Without stderr, there is no place to report an error.
    let _ = writeln!(io::stderr(), "koor: {}", text.to_string().replace(['\n', '\r'], " "));
}

/// Why a command did not do what it was called for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    code: u8,
    said: Said,
}

/// What is left to say.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Nothing,
    /// One line of ours.
    Line(String),
    /// What the server answered with that status, and what to do about it.
    Answer {
        status: u16,
        body: Vec<u8>,
        advice: Option<String>,
    },
}

impl Failure {
    /// It was called wrongly.
    pub(crate) fn usage(text: impl fmt::Display) -> Self {
        Self::line(USAGE, text)
    }

    /// It was typed wrongly: what is wrong, what was likely meant, and how it is used, on one line.
    pub(crate) fn typed(error: &clap::Error) -> Self {
        let text = error.render().to_string();
        let text = text.trim_start_matches("error: ");
        let parts = text.split("\n\n").take_while(|part| !part.starts_with("For more information"));
        let parts: Vec<String> =
            parts.map(|part| part.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        Self::usage(parts.join("; ").replace("Usage: ", "usage: "))
    }

    /// Something stood in its way, or a check failed.
    pub(crate) fn refused(text: impl fmt::Display) -> Self {
        Self::line(REFUSED, text)
    }

    /// The server can't be reached.
    pub(crate) fn unreachable(text: impl fmt::Display) -> Self {
        Self::line(UNREACHABLE, text)
    }

    /// The connection ended in the middle of an answer.
    pub(crate) fn broken_off(error: &io::Error) -> Self {
        Self::unreachable(format_args!("the connection broke off before the answer was whole: {error}"))
    }

    /// A check failed, and everything about it has been printed.
    pub(crate) fn said_already() -> Self {
        Self { code: REFUSED, said: Said::Nothing }
    }

    /// The server refused, and says why in JSON.
    pub(crate) fn answered(status: u16, body: Vec<u8>, advice: Option<&'static str>) -> Self {
        let advice = advice.map(str::to_owned);
        Self { code: REFUSED, said: Said::Answer { status, body, advice } }
    }

    /// The same refusal of the server, with other advice.
    pub(crate) fn advise(self, advice: String) -> Self {
        match self.said {
            Said::Answer { status, body, .. } => {
                Self { said: Said::Answer { status, body, advice: Some(advice) }, ..self }
            }
            said @ (Said::Nothing | Said::Line(_)) => Self { said, ..self },
        }
    }

    /// The output can't be written. A closed pipe is not worth a message.
    pub(crate) fn output(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self { code: CLOSED_PIPE, said: Said::Nothing }
        } else {
            Self::refused(format_args!("cannot write the output: {error}"))
        }
    }

    fn line(code: u8, text: impl fmt::Display) -> Self {
        Self { code, said: Said::Line(text.to_string()) }
    }

    /// The status with which the server refused, if it did.
    pub(crate) fn status(&self) -> Option<u16> {
        match self.said {
            Said::Answer { status, .. } => Some(status),
            Said::Line(_) | Said::Nothing => None,
        }
    }

    /// What the server said when it refused.
    pub(crate) fn answer(&self) -> Option<&[u8]> {
        match &self.said {
            Said::Answer { body, .. } => Some(body),
            Said::Line(_) | Said::Nothing => None,
        }
    }

    /// What is said in a line of ours.
    pub(crate) fn line_said(&self) -> Option<&str> {
        match &self.said {
            Said::Line(text) => Some(text),
            Said::Answer { .. } | Said::Nothing => None,
        }
    }

    /// Why, in one line, as part of another one.
    pub(crate) fn text(&self) -> String {
        match &self.said {
            Said::Nothing => String::new(),
            Said::Line(text) => text.clone(),
            Said::Answer { status, body, .. } => {
                let said = serde_json::from_slice::<Value>(body).ok();
                match said.as_ref().and_then(|said| said["error"].as_str()) {
                    Some(error) => format!("{error} ({status})"),
                    None => format!("the server answers {status}"),
                }
            }
        }
    }

    /// An error stood in its way: it and what caused it.
    pub(crate) fn caused_by(error: &(dyn StdError + 'static)) -> Self {
        let text = match koor_core::causes(error) {
            causes if causes.is_empty() => error.to_string(),
            causes => format!("{error}: {causes}"),
        };
        Self::refused(text)
    }

    /// The same, with what was being done in front. What the server says stands for itself.
    pub(crate) fn about(self, attempted: impl fmt::Display) -> Self {
        match self.said {
            Said::Line(text) => Self::line(self.code, format_args!("{attempted}: {text}")),
            said @ (Said::Nothing | Said::Answer { .. }) => Self { said, ..self },
        }
    }

    /// Says why, and ends.
    pub(crate) fn report(self) -> ExitCode {
        let mut stderr = io::stderr().lock();
        // Without stderr, there is no place to report an error.
        let _ = match self.said {
            Said::Nothing => Ok(()),
            Said::Line(text) => writeln!(stderr, "koor: {}", text.replace(['\n', '\r'], " ")),
            // Programs read the answer as JSON; people get sentences.
            Said::Answer { body, advice, .. } => match sentences(&body) {
                Some(lines) if stderr.is_terminal() => {
                    let lines = lines.into_iter().chain(advice);
                    lines.into_iter().try_for_each(|line| writeln!(stderr, "koor: {line}"))
                }
                Some(_) | None => stderr.write_all(body.trim_ascii_end()).and_then(|()| writeln!(stderr)),
            },
        };
        ExitCode::from(self.code)
    }
}

/// What a refusal says, a line each: its text, and what violates which rule. `None` if it is not a refusal of Koor's.
fn sentences(body: &[u8]) -> Option<Vec<String>> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let mut lines = vec![body["error"].as_str()?.to_owned()];
    for violation in body["violations"].as_array().into_iter().flatten() {
        let text = |key: &str| violation[key].as_str().unwrap_or_default();
        lines.push(format!("  - [{}] {}", text("path"), text("message")));
    }
    // What others wrote must not move the cursor.
    let harmless = |line: String| line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    Some(lines.into_iter().map(harmless).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_said_in_sentences() {
        let body = br#"{"error":"2 violations\u001b[2J","code":422,"violations":[{"path":"a.b","message":"is no number"}]}"#;
        assert_eq!(sentences(body).unwrap(), ["2 violations [2J", "  - [a.b] is no number"]);
        assert_eq!(sentences(b"<html>"), None);
        assert_eq!(sentences(b"{}"), None);
    }
}
