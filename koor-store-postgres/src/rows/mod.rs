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

use std::borrow::Cow;

use koor_core::{
    clock::Timestamp,
    page::TimeRange,
    ports::{StoreError, StoreResult},
};
use serde::Serialize;

use crate::statement::escape;

/// Compares greater than every name: no name has so many bytes.
const AFTER_ALL_CODE_POINTS: usize = 300;

/// The first text, in the order of bytes, that comes after all names that begin with `prefix`.
///
/// The order of UTF-8 bytes is the order of code points, so the next text that begins otherwise has the next code point in its
/// place.
pub(crate) fn end_of_prefix(prefix: &str) -> String {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        let after = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(after) = after {
            text.push(after);
            return text;
        }
    }
    char::MAX.to_string().repeat(AFTER_ALL_CODE_POINTS)
}

/// The ends of a range as milliseconds, both included.
pub(crate) fn ends(range: TimeRange) -> (i64, i64) {
    (range.from.map_or(0, Timestamp::millis), range.to.map_or(i64::MAX, Timestamp::millis))
}

/// A value as the JSON that a column keeps it as.
pub(crate) fn as_json(attempted: &'static str, value: &impl Serialize) -> StoreResult<String> {
    serde_json::to_string(value).map_err(|error| StoreError::Backend { attempted, source: error.into() })
}

/// Texts as an array that the database can hold.
pub(crate) fn escaped<'t>(texts: impl IntoIterator<Item = &'t String>) -> Vec<Cow<'t, str>> {
    texts.into_iter().map(|text| escape(text)).collect()
}

#[cfg(test)]
mod tests {
    use super::end_of_prefix;

    #[test]
    fn the_end_of_a_prefix_is_the_next_text_that_begins_otherwise() {
        assert_eq!(end_of_prefix("a/b"), "a/c");
        assert_eq!(end_of_prefix("a\u{d7ff}"), "a\u{e000}", "there are no surrogates");
        assert_eq!(end_of_prefix("a\u{10ffff}"), "b");
        let longest_name = "\u{10ffff}".repeat(256);
        for everything in ["", "\u{10ffff}"] {
            assert!(end_of_prefix(everything) > longest_name);
        }
    }
}
