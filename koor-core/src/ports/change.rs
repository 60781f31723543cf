//! Changes: all that a commit can do, as data.

use crate::{
    domain::{audit::ChainedEntry, metrics::MetricRow, sessions::AgentSession, usage::UsageRecord},
    ports::{
        budgets::BudgetChange, compliance::RunChange, events::EventChange, instances::InstanceChange,
        leases::LeaseChange, messages::MessageChange, rules::RuleChange, state::DocumentChange,
        tasks::TaskChange, templates::TemplateChange, webhooks::WebhookChange,
    },
};

/// One change to what is stored. A commit makes a list of them, in order.
///
/// Only the core makes changes; a store matches them exhaustively, so that a new kind does not compile until every
/// store knows it.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Of documents: state and specs.
    Document(DocumentChange),
    /// Of the event log.
    Event(EventChange),
    /// Of the registry of instances.
    Instance(InstanceChange),
    /// Of the rules.
    Rule(RuleChange),
    /// Of the webhooks.
    Webhook(WebhookChange),
    /// Of the compliance runs.
    Run(RunChange),
    /// Of the templates.
    Template(TemplateChange),
    /// Of the tasks.
    Task(TaskChange),
    /// Of the leases on paths.
    Lease(LeaseChange),
    /// Of the messages.
    Message(MessageChange),
    /// Append an entry to the audit log. Its id is the one after the last, and its hash continues the chain.
    AppendAudit(ChainedEntry),
    /// Add to the counter of that instance, name and period, which begins at zero.
    AddMetric(MetricRow),
    /// Append a usage record. Its id is the one after the last.
    AppendUsage(UsageRecord),
    /// Say anew whose a usage record is that is there: its instance, project and task.
    AttributeUsage(UsageRecord),
    /// Keep a session, new or announced by another instance.
    PutSession(AgentSession),
    /// Of budgets, and of what tasks cost.
    Budget(BudgetChange),
}

impl Change {
    /// Roughly how many bytes it carries, beyond a small fixed part.
    #[must_use]
    pub fn weight(&self) -> usize {
        match self {
            Self::Document(DocumentChange::Append(document)) => document.value.len(),
            Self::Event(EventChange::Append(event) | EventChange::Restore(event)) => {
                event.data.as_str().len()
            }
            Self::AppendAudit(chained) => chained.entry.detail.len(),
            Self::Template(TemplateChange::Put(template)) => template.data.as_str().len(),
            Self::Rule(RuleChange::Put(rule)) => rule.pattern.len() + rule.message.len(),
            Self::Task(TaskChange::Put(task)) => {
                task.title.len()
                    + task.body.len()
                    + task.result.as_ref().map_or(0, |result| result.as_str().len())
            }
            Self::Task(TaskChange::AppendNote { note, .. }) => note.text.len(),
            Self::Message(change) => change.weight(),
            Self::Lease(LeaseChange::Put(lease)) => {
                lease.reason.len() + lease.held.paths.iter().map(|path| path.as_str().len()).sum::<usize>()
            }
            Self::Lease(LeaseChange::Remove { .. } | LeaseChange::SetLast { .. })
            | Self::Document(DocumentChange::Trim { .. })
            | Self::Event(EventChange::Prune { .. } | EventChange::SetPruned { .. })
            | Self::Template(TemplateChange::Remove(_))
            | Self::Rule(RuleChange::Remove { .. })
            | Self::Task(TaskChange::Link { .. } | TaskChange::Count(_) | TaskChange::AppendHold { .. })
            | Self::Instance(_)
            | Self::Webhook(_)
            | Self::Run(_)
            | Self::AddMetric(_)
            | Self::AppendUsage(_)
            | Self::AttributeUsage(_)
            | Self::PutSession(_)
            | Self::Budget(_) => 0,
        }
    }
}
