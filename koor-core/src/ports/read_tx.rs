//! A snapshot, over all nouns.

use crate::ports::{
    AuditLog, ComplianceLog, EventLog, InstanceRegistry, MetricsRepo, RuleBook, SpecRegistry, StateRepo,
    TaskRepo, TemplateRepo, UsageLog, WebhookRepo,
};

/// A snapshot to read from: everything in it is as of one moment.
pub trait ReadTx:
    StateRepo
    + SpecRegistry
    + EventLog
    + InstanceRegistry
    + RuleBook
    + WebhookRepo
    + ComplianceLog
    + TaskRepo
    + TemplateRepo
    + AuditLog
    + MetricsRepo
    + UsageLog
{
}

impl<T> ReadTx for T where
    T: StateRepo
        + SpecRegistry
        + EventLog
        + InstanceRegistry
        + RuleBook
        + WebhookRepo
        + ComplianceLog
        + TaskRepo
        + TemplateRepo
        + AuditLog
        + MetricsRepo
        + UsageLog
{
}
