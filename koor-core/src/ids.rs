//! Names and numbers that cannot be wrong: each is checked once, where it comes in.

mod hash;
mod names;
mod numbers;

pub use hash::Hash;
pub use names::{
    AgentName, DocumentKey, InstanceId, ProjectName, RuleId, SessionName, SpecKey, SpecName, StateKey,
    TemplateId, Topic, WebhookId,
};
pub use numbers::{AuditId, Cursor, EventId, LeaseId, MAX_RESTORED, RunId, TaskNumber, UsageId, Version};
