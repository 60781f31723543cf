//! Recording and summing what models cost.

mod commands;
mod queries;

pub use commands::{RecordUsage, UsageDraft};
