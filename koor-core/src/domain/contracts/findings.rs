//! Violations as they are found: with the path of the place, and within bounds.

use std::fmt::{self, Write as _};

use serde_json::Value;

use super::Violation;

/// More would not be fixed at once.
const MAX_VIOLATIONS: usize = 100;

/// A violation may name a key of megabytes, and list as many defined names; a hundred such must not follow.
const MAX_BYTES: usize = 1 << 20;

/// The violations found so far, and the place where the search is.
#[derive(Debug)]
pub(super) struct Findings {
    path: String,
    root: usize,
    bytes: usize,
    violations: Vec<Violation>,
}

impl Findings {
    /// Nothing found yet, at the place of that name.
    pub(super) fn at(root: &str) -> Self {
        Self { path: root.to_owned(), root: root.len(), bytes: 0, violations: Vec::new() }
    }

    /// Looks at the value under a key of the one it is at.
    pub(super) fn key<R>(&mut self, key: &str, look: impl FnOnce(&mut Self) -> R) -> R {
        let dot = if self.path.is_empty() { "" } else { "." };
        self.step(format_args!("{dot}{key}"), look)
    }

    /// Looks at an item of the array it is at.
    pub(super) fn index<R>(&mut self, index: usize, look: impl FnOnce(&mut Self) -> R) -> R {
        self.step(format_args!("[{index}]"), look)
    }

    fn step<R>(&mut self, segment: fmt::Arguments<'_>, look: impl FnOnce(&mut Self) -> R) -> R {
        let parent = self.path.len();
        // Writing to a string cannot fail.
        _ = self.path.write_fmt(segment);
        let result = look(self);
        self.path.truncate(parent);
        result
    }

    /// Notes that something is wrong here.
    pub(super) fn add(&mut self, message: impl Into<String>) {
        let violation = Violation { path: self.path.clone(), message: message.into() };
        self.take(violation);
    }

    /// Takes over what was found elsewhere.
    pub(super) fn extend(&mut self, violations: Vec<Violation>) {
        for violation in violations {
            self.take(violation);
        }
    }

    fn take(&mut self, violation: Violation) {
        if !self.is_full() {
            self.bytes += violation.path.len() + violation.message.len();
            self.violations.push(violation);
        }
    }

    /// Whether there is any use in looking further.
    pub(super) fn is_full(&self) -> bool {
        self.violations.len() > MAX_VIOLATIONS || self.bytes > MAX_BYTES
    }

    /// The path of the place it is at.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// What was found, sorted by path; where it was too much, the last entry says so.
    pub(super) fn into_violations(mut self) -> Vec<Violation> {
        let more = self.is_full();
        self.violations.truncate(MAX_VIOLATIONS);
        self.violations.sort();
        if more {
            self.path.truncate(self.root);
            let message = format!("only the first {} violations are listed", self.violations.len());
            self.violations.push(Violation { path: self.path, message });
        }
        self.violations
    }
}

/// The name of a value's JSON type.
pub(in crate::domain) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// `expected string, got number`
pub(super) fn mismatch(expected: &str, got: &Value) -> String {
    format!("expected {expected}, got {}", type_name(got))
}
