//! The tables, noun by noun: how a row is written and how it is read again.

pub(crate) mod audit;
pub(crate) mod budgets;
pub(crate) mod compliance;
pub(crate) mod events;
pub(crate) mod instances;
pub(crate) mod leases;
pub(crate) mod messages;
pub(crate) mod metrics;
mod offers;
pub(crate) mod rules;
mod specs;
pub(crate) mod state;
pub(crate) mod tasks;
pub(crate) mod templates;
pub(crate) mod usage;
pub(crate) mod webhooks;

use std::fmt::Write as _;

use koor_core::{
    clock::Timestamp,
    page::TimeRange,
    ports::{StoreError, StoreResult},
};
use serde::Serialize;

/// Up to so many rows in a span of time are found through the index on time, and put in order afterwards. More are found
/// by walking through the table until enough have been met.
pub(crate) const FEW: i64 = 4096;

/// From where to where a name lies that begins with a prefix, in the order of bytes: the end as a value that compares
/// greater than all of them.
pub(crate) enum End {
    /// Before this text.
    Text(String),
    /// Nowhere: any blob is greater than every text.
    Never,
}

impl End {
    /// The end of the names that begin with `prefix`. The order of UTF-8 bytes is the order of code points, so the
    /// next text that begins otherwise has the next code point in its place.
    pub(crate) fn of_prefix(prefix: &str) -> Self {
        let mut text = prefix.to_owned();
        while let Some(last) = text.pop() {
            let after = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
            if let Some(after) = after {
                text.push(after);
                return Self::Text(text);
            }
        }
        Self::Never
    }

    /// Binds the end.
    pub(crate) fn bind(self, statement: crate::conn::Statement) -> crate::conn::Statement {
        match self {
            Self::Text(text) => statement.bind(text),
            Self::Never => statement.bind(Vec::new()),
        }
    }
}

/// The ends of a range as milliseconds, both included.
pub(crate) fn ends(range: TimeRange) -> (i64, i64) {
    (range.from.map_or(0, Timestamp::millis), range.to.map_or(i64::MAX, Timestamp::millis))
}

/// A value as the JSON that a column keeps it as.
pub(crate) fn as_json(attempted: &'static str, value: &impl Serialize) -> StoreResult<String> {
    serde_json::to_string(value).map_err(|error| StoreError::Backend { attempted, source: error.into() })
}

/// Conditions that hold together, put together from constants.
#[derive(Default)]
pub(crate) struct Conditions(String);

impl Conditions {
    pub(crate) fn and(&mut self, condition: &str) {
        // Writing to a String cannot fail.
        let _ = write!(self.0, " {} {condition}", if self.0.is_empty() { "WHERE" } else { "AND" });
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::End;

    #[test]
    fn the_end_of_a_prefix_is_the_next_text_that_begins_otherwise() {
        let end = |prefix| match End::of_prefix(prefix) {
            End::Text(text) => Some(text),
            End::Never => None,
        };
        assert_eq!(end("a/b").as_deref(), Some("a/c"));
        assert_eq!(end("a\u{d7ff}").as_deref(), Some("a\u{e000}"), "there are no surrogates");
        assert_eq!(end("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(end("\u{10ffff}"), None);
        assert_eq!(end(""), None);
    }
}
