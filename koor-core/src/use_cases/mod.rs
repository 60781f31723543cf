//! What can be done: one module for each noun. A change is a struct that implements [`Command`](crate::Command); a question
//! is a method of [`Koor`](crate::Koor).

mod audit;
mod backup;
mod briefs;
mod budgets;
mod compliance;
mod contracts;
mod copy;
mod events;
mod expiry;
mod identity;
mod import;
mod instances;
mod leases;
mod messages;
mod metrics;
mod rules;
mod specs;
mod state;
mod tasks;
mod templates;
mod usage;
mod webhooks;

pub use backup::{CreateBackup, RestoreBackup, Restored};
pub use budgets::{DeleteBudget, SetBudget};
pub use compliance::RecordRuns;
pub use contracts::{ContractSummary, ContractTest, TestRequest};
pub use copy::{Copied, CopyError, copy_store};
pub use events::{History, HistoryJson, PublishEvent, Waited};
pub use import::{Imported, Takeover, Unfit};
pub use instances::{
    ActivateInstance, CheckLiveness, DeregisterInstance, InstanceDraft, RegisterInstance, Registered,
    RenewToken, SetCapabilities, SetIntent,
};
pub use leases::{LeaseRequest, RenewLease};
pub use messages::{MarkMessages, MessageBox, SendMessage, Sent};
pub use metrics::{CoordinationMetrics, ResetMetrics, RuntimeStats, ServerMetrics};
pub use rules::{
    DecideRule, Decision, DeleteRule, FileToCheck, ImportRules, ProposeRule, PutRules, Validation,
};
pub use specs::SchemaCheck;
pub use state::{DeleteDocument, Diff, PutDocument, RollbackDocument, StateQuery, Written};
pub use tasks::{
    AddTaskNote, ClaimRequest, ClaimView, Claimed, CreateTasks, Created, DecideTask, EditTask, FailTask,
    FinishTask, Holding, ReleaseTask, RenewClaim, TaskSummary, TaskView,
};
pub use templates::{ApplyTemplate, CreateTemplate, DeleteTemplate, ReplaceTemplate, TemplateDraft};
pub use usage::{AnnounceSession, Announced, Ingested, RecordReported, RecordUsage, UsageDraft};
pub use webhooks::{
    CreateWebhook, DeleteWebhook, EnableWebhook, RecordTest, Step, WebhookDraft, WebhookView,
};
