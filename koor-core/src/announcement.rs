//! What the server itself says in the event log.

/// The topics that the server itself publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is documented by the topic it is written as")]
pub enum SystemTopic {
    StateChanged,
    SpecChanged,
    InstanceRegistered,
    InstanceActivated,
    InstanceStale,
    InstanceUpdated,
    InstanceDeregistered,
    RuleProposed,
    RuleAccepted,
    RuleRejected,
    RuleDeleted,
    RulesChanged,
    WebhookCreated,
    WebhookDeleted,
    WebhookEnabled,
    WebhookDisabled,
    TemplateCreated,
    TemplateUpdated,
    TemplateDeleted,
    TemplateApplied,
    BackupRestored,
    AgentStale,
    ComplianceViolation,
    UsageRecorded,
}

impl SystemTopic {
    /// Every one of them.
    pub const ALL: [Self; 24] = [
        Self::StateChanged,
        Self::SpecChanged,
        Self::InstanceRegistered,
        Self::InstanceActivated,
        Self::InstanceStale,
        Self::InstanceUpdated,
        Self::InstanceDeregistered,
        Self::RuleProposed,
        Self::RuleAccepted,
        Self::RuleRejected,
        Self::RuleDeleted,
        Self::RulesChanged,
        Self::WebhookCreated,
        Self::WebhookDeleted,
        Self::WebhookEnabled,
        Self::WebhookDisabled,
        Self::TemplateCreated,
        Self::TemplateUpdated,
        Self::TemplateDeleted,
        Self::TemplateApplied,
        Self::BackupRestored,
        Self::AgentStale,
        Self::ComplianceViolation,
        Self::UsageRecorded,
    ];

    /// The topic as it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StateChanged => "$state.changed",
            Self::SpecChanged => "$spec.changed",
            Self::InstanceRegistered => "$instance.registered",
            Self::InstanceActivated => "$instance.activated",
            Self::InstanceStale => "$instance.stale",
            Self::InstanceUpdated => "$instance.updated",
            Self::InstanceDeregistered => "$instance.deregistered",
            Self::RuleProposed => "$rule.proposed",
            Self::RuleAccepted => "$rule.accepted",
            Self::RuleRejected => "$rule.rejected",
            Self::RuleDeleted => "$rule.deleted",
            Self::RulesChanged => "$rules.changed",
            Self::WebhookCreated => "$webhook.created",
            Self::WebhookDeleted => "$webhook.deleted",
            Self::WebhookEnabled => "$webhook.enabled",
            Self::WebhookDisabled => "$webhook.disabled",
            Self::TemplateCreated => "$template.created",
            Self::TemplateUpdated => "$template.updated",
            Self::TemplateDeleted => "$template.deleted",
            Self::TemplateApplied => "$template.applied",
            Self::BackupRestored => "$backup.restored",
            Self::AgentStale => "agent.stale",
            Self::ComplianceViolation => "compliance.violation",
            Self::UsageRecorded => "llm.usage.recorded",
        }
    }

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
