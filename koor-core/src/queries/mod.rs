//! What is asked, as methods of [`Koor`](crate::Koor): one file for each noun.

mod audit;
mod backup;
mod compliance;
mod contracts;
mod event_pages;
mod events;
mod instances;
mod metrics;
mod rules;
pub(crate) mod specs;
pub(crate) mod state;
mod templates;
mod usage;
mod webhooks;

pub use contracts::{ContractSummary, ContractTest, TestRequest};
pub use event_pages::{History, HistoryJson};
pub use events::Waited;
pub use metrics::{Doings, ServerMetrics};
pub use rules::{FileToCheck, Validation};
pub use state::{Diff, StateQuery};
pub use webhooks::{Step, WebhookView};
