//! Publishing events, reading the log and waiting for what is new.

mod commands;
mod pages;
mod queries;

pub use commands::PublishEvent;
pub use pages::{History, HistoryJson};
pub use queries::Waited;
