//! Checking that instances keep to the contracts of their projects.

mod commands;
mod queries;

pub use commands::RecordRuns;
