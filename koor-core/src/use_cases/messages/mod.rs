//! Agents send each other messages, and say what became of them.

mod commands;
mod queries;
mod recipients;

pub(crate) use commands::keep_name;
pub use commands::{MarkMessages, SendMessage, Sent};
pub use queries::MessageBox;
