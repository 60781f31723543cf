//! The nouns: their types and the rules that are theirs alone. Pure: no store, no clock, no I/O.

pub mod agents;
pub mod audit;
pub mod backup;
pub mod briefs;
pub mod budgets;
pub mod compliance;
pub mod contracts;
pub mod events;
pub mod hooks;
pub mod instances;
pub mod json;
pub mod leases;
pub mod messages;
pub mod metrics;
pub mod original;
pub mod prices;
pub mod rules;
pub mod sessions;
pub mod state;
pub mod tasks;
pub mod telemetry;
pub mod templates;
pub mod usage;
pub mod webhooks;

mod lease_time;
mod string_enum;
mod text;
pub(crate) mod whole_number;

pub use json::RawJson;
pub use lease_time::LeaseTime;
pub(crate) use string_enum::string_enum;
pub use text::{Actor, ContentType};
pub(crate) use text::{line, prose};
