//! Recording and summing what models cost.

mod attribute;
mod commands;
mod common;
mod queries;
mod report;
mod session;

pub use commands::{RecordUsage, UsageDraft};
pub use report::{Ingested, RecordReported};
pub use session::{AnnounceSession, Announced};
