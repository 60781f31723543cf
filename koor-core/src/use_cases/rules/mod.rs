//! Proposing, deciding and importing rules, and checking files against them.

mod commands;
mod queries;

pub use commands::{DecideRule, Decision, DeleteRule, ImportRules, ProposeRule, PutRules};
pub(super) use commands::{bound, import};
pub use queries::{FileToCheck, Validation};
