//! What the core needs from outside: each port is a small trait of one noun.
//!
//! Reading and writing are apart. A question runs on a snapshot, through the traits of [`ReadTx`]. A change is data: a
//! command decides on [`Facts`] that a [`Backend`] has looked up, and leaves [`Change`]s that it commits;
//! [`GroupCommit`] is all that happens between the two, and is the same for every store.
//!
//! Stores find and keep; they decide nothing. Ids, versions and hashes come from the core, and so do all checks.

#![expect(
    clippy::missing_errors_doc,
    reason = "what an `Err` means is the same for every method of a snapshot: it could not be read"
)]

mod audit;
mod backend;
mod budgets;
mod change;
mod commit;
mod compliance;
mod error;
mod events;
mod every_noun;
mod facts;
mod instances;
mod leases;
mod messages;
mod metrics;
mod outbound;
mod read_tx;
mod rules;
mod state;
mod store;
mod tasks;
mod templates;
mod usage;
mod webhooks;

pub use audit::AuditLog;
pub use backend::{Backend, Basis, Outcome};
pub use budgets::{BudgetBook, BudgetChange};
pub use change::Change;
pub use commit::{CommitFeed, CommitObserver, Commits, Committer, GroupCommit, StoreHealth};
pub(crate) use commit::{Job, Ran, View};
pub use compliance::{ComplianceLog, RunChange};
pub use error::{StoreError, StoreResult};
pub use events::{EVENT_PAGE_BYTES, EventChange, EventLog, Retention};
pub use every_noun::EveryNoun;
pub use facts::{Ends, FactSet, Facts, Page, Pages, Point, Records, Scans};
pub use instances::{InstanceChange, InstanceRegistry};
pub use leases::{LeaseBook, LeaseChange};
pub use messages::{MessageBook, MessageChange};
pub use metrics::MetricsRepo;
pub use outbound::{HttpSender, Outbound, OutboundAnswer, OutboundError};
pub use read_tx::ReadTx;
pub use rules::{RuleBook, RuleChange};
pub use state::{DOCUMENT_PAGE_BYTES, DocumentChange, SpecProject, SpecRegistry, StateRepo};
pub use store::{ReadJob, Store};
pub use tasks::{TaskChange, TaskRepo};
pub use templates::{TemplateChange, TemplateRepo};
pub use usage::UsageLog;
pub use webhooks::{WebhookChange, WebhookRepo};
