//! The nouns: their types and the rules that are theirs alone. Pure: no store, no clock, no I/O.

pub mod audit;
pub mod backup;
pub mod compliance;
pub mod contracts;
pub mod events;
pub mod instances;
pub mod json;
pub mod metrics;
pub mod original;
pub mod rules;
pub mod state;
pub mod templates;
pub mod usage;
pub mod webhooks;

mod text;
mod words;

pub use json::RawJson;
pub use text::{Actor, ContentType};
pub(crate) use text::{line, prose};
pub(crate) use words::words;
