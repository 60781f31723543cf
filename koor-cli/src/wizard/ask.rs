//! The wizard's questions: with arrow keys, or in plain lines.

mod arrows;
mod plain;

use std::io;

pub(crate) use self::{arrows::Arrows, plain::Plain};
use crate::exit::Failure;

/// Says what is wrong with an answer.
pub(crate) type Check = Box<dyn Fn(&str) -> Result<(), String>>;

/// What an answer is checked for, and when.
pub(crate) enum Checked {
    /// With every key: what is wrong is seen before it is finished.
    AsTyped(Check),
    /// When it is finished: half of it is never right.
    WhenDone(Check),
}

/// One of several answers, and what is said of it.
pub(crate) struct Choice {
    pub(crate) label: String,
    pub(crate) hint: String,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It was not wanted.
    Cancelled,
    /// The input has ended.
    Broken(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::Interrupted { Self::Cancelled } else { Self::Broken(error) }
    }
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Cancelled => Self::refused("cancelled: nothing was written"),
            Stop::Broken(error) => Self::refused(format!("cannot ask: {error}; nothing was written")),
        }
    }
}

/// Asks. Every question goes to stderr, so that stdout holds results alone.
pub(crate) trait Ask {
    /// Says what this is about.
    fn begin(&mut self, title: &str) -> Result<(), Stop>;

    /// Asks for a line of text, until the check is content.
    fn text(&mut self, question: &str, default: Option<&str>, check: Checked) -> Result<String, Stop>;

    /// Asks for a secret, which is not echoed.
    fn secret(&mut self, question: &str) -> Result<String, Stop>;

    /// Asks for one of these; answers its place among them.
    fn choose(&mut self, question: &str, choices: &[Choice]) -> Result<usize, Stop>;

    /// Asks for yes or no.
    fn confirm(&mut self, question: &str, default: bool) -> Result<bool, Stop>;

    /// Tells something of several lines.
    fn note(&mut self, title: &str, text: &str) -> Result<(), Stop>;

    /// Tells of something that may be amiss.
    fn warn(&mut self, text: &str) -> Result<(), Stop>;

    /// Says that it is over, and what comes now.
    fn end(&mut self, text: &str) -> Result<(), Stop>;
}
