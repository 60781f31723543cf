//! What the server itself says in the event log.

/// Declares each topic once: its variant, and how it is written.
macro_rules! topics {
    ($($variant:ident = $text:literal,)+) => {
        /// The topics that the server itself publishes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each variant is documented by the topic it is written as")]
        pub enum SystemTopic { $($variant),+ }

        impl SystemTopic {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The topic as it is written.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

topics! {
    StateChanged = "$state.changed",
    SpecChanged = "$spec.changed",
    InstanceRegistered = "$instance.registered",
    InstanceActivated = "$instance.activated",
    InstanceStale = "$instance.stale",
    InstanceUpdated = "$instance.updated",
    InstanceDeregistered = "$instance.deregistered",
    RuleProposed = "$rule.proposed",
    RuleAccepted = "$rule.accepted",
    RuleRejected = "$rule.rejected",
    RuleDeleted = "$rule.deleted",
    RulesChanged = "$rules.changed",
    WebhookCreated = "$webhook.created",
    WebhookDeleted = "$webhook.deleted",
    WebhookEnabled = "$webhook.enabled",
    WebhookDisabled = "$webhook.disabled",
    TemplateCreated = "$template.created",
    TemplateUpdated = "$template.updated",
    TemplateDeleted = "$template.deleted",
    TemplateApplied = "$template.applied",
    BackupRestored = "$backup.restored",
    LeaseTaken = "$lease.taken",
    LeaseReleased = "$lease.released",
    LeaseExpired = "$lease.expired",
    LeaseBroken = "$lease.broken",
    MessageSent = "$message.sent",
    MessageAcked = "$message.acked",
    AgentStale = "agent.stale",
    ComplianceViolation = "compliance.violation",
    UsageRecorded = "llm.usage.recorded",
    BudgetSet = "$budget.set",
    BudgetDeleted = "$budget.deleted",
    BudgetWarned = "$budget.warned",
    BudgetExceeded = "$budget.exceeded",
    BudgetTaskExceeded = "$budget.task_exceeded",
    TaskCreated = "$task.created",
    TaskUpdated = "$task.updated",
    TaskReady = "$task.ready",
    TaskClaimed = "$task.claimed",
    TaskReleased = "$task.released",
    TaskExpired = "$task.expired",
    TaskReview = "$task.review",
    TaskRejected = "$task.rejected",
    TaskDone = "$task.done",
    TaskFailed = "$task.failed",
    TaskCancelled = "$task.cancelled",
    TaskReopened = "$task.reopened",
    TaskNoted = "$task.noted",
}

impl SystemTopic {
    /// The name under which it is published, where that is not the actor.
    pub(crate) fn source(self) -> Option<&'static str> {
        match self {
            Self::AgentStale => Some("liveness-monitor"),
            Self::ComplianceViolation => Some("compliance-scheduler"),
            Self::UsageRecorded => Some("llmcost"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Topic;

    #[test]
    fn what_the_server_announces_is_a_topic() {
        for announcement in SystemTopic::ALL {
            assert_eq!(Topic::new(announcement.as_str()).unwrap(), Topic::known(announcement.as_str()));
        }
    }
}
