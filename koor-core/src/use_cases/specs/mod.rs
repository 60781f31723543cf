//! Specs, and the schemas that they and state documents must match.

mod commands;
mod queries;

pub use commands::SchemaCheck;
pub(super) use queries::{TRIES, against};
