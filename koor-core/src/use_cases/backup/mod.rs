//! Saving everything, and restoring it.

mod commands;
mod queries;

pub use commands::{CreateBackup, RestoreBackup, Restored};
