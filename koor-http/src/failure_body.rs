//! What refusals say, as types of their schemas: `Failure::render` writes them.

use koor_core::domain::contracts::Violation;
use schemars::JsonSchema;

/// A refusal.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Error {
    error: String,
    #[schemars(range(min = 400, max = 599))]
    code: u16,
}

/// A condition that does not hold, and what holds instead.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Conflict {
    #[serde(flatten)]
    refusal: Error,
    version: u64,
    hash: String,
}

/// A cursor from before the oldest event that is kept.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Expired {
    #[serde(flatten)]
    refusal: Error,
    oldest: u64,
}

/// What a schema found.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct SchemaViolations {
    #[serde(flatten)]
    refusal: Error,
    violations: Vec<Violation>,
}

/// A refusal of an export request, as OTLP has it.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Status {
    code: u16,
    message: String,
}
