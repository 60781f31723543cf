//! What the core needs from outside: each port is a small trait of one noun.
//!
//! Every port of the store comes in two halves. The reading half works on any snapshot, the writing half inside a
//! write transaction. Both are synchronous: a transaction is short, and nothing may wait for a network in it.
//! Stores find and keep; they decide nothing. Ids, versions and hashes come from the core, and so do all checks.
//!
//! Guarantees that hold for every method: what the same transaction wrote is read; an `Err` means that the
//! transaction is lost, whatever the caller does next. Freedoms: a store may buffer writes until they are read or
//! committed, and may run a job again from its start.

#![expect(
    clippy::missing_errors_doc,
    reason = "what an `Err` means is the same for every method, and said above"
)]

mod audit;
mod compliance;
mod events;
mod instances;
mod metrics;
mod outbound;
mod rules;
mod state;
mod store;
mod templates;
mod usage;
mod webhooks;

pub use audit::{AuditLog, AuditRead};
pub use compliance::{ComplianceLog, ComplianceRead};
pub use events::{EVENT_PAGE_BYTES, EventLog, EventRead};
pub use instances::{InstanceRead, InstanceRegistry};
pub use metrics::{MetricsRead, MetricsRepo};
pub use outbound::{HttpSender, Outbound, OutboundAnswer, OutboundError};
pub use rules::{RuleBook, RuleRead};
pub use state::{SpecProject, SpecRegistry, StateRead, StateRepo};
pub use store::{
    CommitObserver, Commits, ReadJob, ReadTx, Store, StoreError, StoreHealth, StoreResult, Verdict, WriteJob,
    WriteTx,
};
pub use templates::{TemplateRead, TemplateRepo};
pub use usage::{UsageLog, UsageRead};
pub use webhooks::{WebhookRead, WebhookRepo};
