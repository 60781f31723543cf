//! JSON Schemas: compiled without reaching outside, and checked without taking for ever.

use jsonschema::{PatternOptions, ValidationError, Validator, paths::LocationSegment};
use serde_json::Value;

use super::{
    Violation,
    effort::{self, Effort},
    findings::Findings,
};

/// How often the pattern of a string may backtrack.
const BACKTRACK_LIMIT: usize = 100_000;

/// The size that a compiled pattern may have.
const MAX_COMPILED: usize = 4 << 20;

/// As much of a value as a message repeats.
const MAX_SHOWN: usize = 200;

/// As much as a message says.
const MAX_MESSAGE_CHARS: usize = 500;

/// A JSON Schema, ready to check values: draft 2020-12, or an older one that it names in `$schema`.
#[derive(Debug)]
pub struct Schema {
    validator: Validator,
    effort: Effort,
}

impl Schema {
    /// Compiles a schema. References stay inside it: nothing is ever fetched.
    ///
    /// # Errors
    /// When it is not a valid schema, refers to something that is not in it, or could not be checked in
    /// reasonable time. Paths begin at the schema itself.
    pub fn compile(schema: &Value) -> Result<Self, Vec<Violation>> {
        Self::compile_at("", schema)
    }

    /// As [`compile`](Self::compile), for a schema that stands at this path of a document.
    pub(super) fn compile_at(root: &str, schema: &Value) -> Result<Self, Vec<Violation>> {
        let mut findings = Findings::at(root);
        // First, so that the compiler never sees what it could not cope with.
        match effort::of(schema) {
            Ok(effort) => match compile(schema) {
                Ok(validator) => return Ok(Self { validator, effort }),
                Err(error) => add(&error, &mut findings),
            },
            Err(refused) => findings.add(refused.to_string()),
        }
        Err(findings.into_violations())
    }

    /// What is wrong with a value, sorted by path; paths begin with `root`.
    #[must_use]
    pub fn check(&self, root: &str, value: &Value) -> Vec<Violation> {
        let mut findings = Findings::at(root);
        if !self.effort.allows(value) {
            findings.add("too large and too deeply nested to be checked against this schema");
            return findings.into_violations();
        }
        for error in self.validator.iter_errors(value) {
            if findings.is_full() {
                break;
            }
            add(&error, &mut findings);
        }
        findings.into_violations()
    }
}

fn compile(schema: &Value) -> Result<Validator, Box<ValidationError<'static>>> {
    jsonschema::options()
        .offline()
        .with_pattern_options(
            PatternOptions::fancy_regex().backtrack_limit(BACKTRACK_LIMIT).size_limit(MAX_COMPILED),
        )
        .build(schema)
        .map_err(Box::new)
}

fn add(error: &ValidationError<'_>, findings: &mut Findings) {
    let message = message(error);
    let segments: Vec<LocationSegment<'_>> = error.instance_path().iter().collect();
    add_at(&segments, message, findings);
}

fn add_at(segments: &[LocationSegment<'_>], message: String, findings: &mut Findings) {
    match segments.split_first() {
        None => findings.add(message),
        Some((LocationSegment::Property(key), rest)) => {
            findings.key(key, |findings| add_at(rest, message, findings));
        }
        Some((LocationSegment::Index(index), rest)) => {
            findings.index(*index, |findings| add_at(rest, message, findings));
        }
    }
}

/// What the validator says, the value itself left out where it is long.
fn message(error: &ValidationError<'_>) -> String {
    let short = match &**error.instance() {
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) => text.len() <= MAX_SHOWN,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    };
    let message = if short { error.to_string() } else { error.masked().to_string() };
    match message.char_indices().nth(MAX_MESSAGE_CHARS) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message,
    }
}

#[cfg(test)]
mod tests;
