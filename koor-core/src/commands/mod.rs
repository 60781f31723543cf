//! What changes: one struct for each change, with the rule that makes it.

mod backup;
mod compliance;
mod events;
mod import;
mod instances;
mod metrics;
mod rules;
pub(crate) mod specs;
mod state;
mod templates;
mod usage;
mod webhooks;

pub use backup::{CreateBackup, RestoreBackup, Restored};
pub use compliance::RecordRuns;
pub(crate) use compliance::{Finding, write_down};
pub use events::PublishEvent;
pub use import::{Imported, Takeover, Unfit};
pub use instances::{
    ActivateInstance, CheckLiveness, DeregisterInstance, RegisterInstance, Registered, RenewToken,
    SetCapabilities, SetIntent,
};
pub(crate) use instances::{mark_stale, record_heartbeat};
pub use metrics::ResetMetrics;
pub use rules::{DecideRule, Decision, DeleteRule, ImportRules, ProposeRule, PutRules};
pub use specs::SchemaCheck;
pub use state::{DeleteDocument, PutDocument, RollbackDocument, Written};
pub(crate) use state::{Payload, no_such_version};
pub(crate) use templates::Brought;
pub use templates::{ApplyTemplate, CreateTemplate, DeleteTemplate, ReplaceTemplate, TemplateDraft};
pub use usage::{RecordUsage, UsageDraft};
pub use webhooks::{CreateWebhook, DeleteWebhook, EnableWebhook, RecordTest, WebhookDraft};
