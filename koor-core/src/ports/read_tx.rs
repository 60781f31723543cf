//! A snapshot, over all nouns.

use crate::ports::{
    AuditLog, BudgetBook, ComplianceLog, EventLog, InstanceRegistry, LeaseBook, MessageBook, MetricsRepo,
    RuleBook, SpecRegistry, StateRepo, TaskRepo, TemplateRepo, UsageLog, WebhookRepo,
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
    + LeaseBook
    + MessageBook
    + BudgetBook
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
        + LeaseBook
        + MessageBook
        + BudgetBook
{
}
