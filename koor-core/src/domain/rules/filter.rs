//! A filter of rules.

use crate::{
    domain::rules::{Rule, RuleSource, RuleStatus},
    ids::ProjectName,
};

/// A filter of rules; all given conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleFilter {
    /// Of one of these projects; empty: of any.
    pub projects: Vec<ProjectName>,
    /// For this stack, or for every stack.
    pub stack: Option<String>,
    /// From one of these sources; empty: from any.
    pub sources: Vec<RuleSource>,
    /// With this status.
    pub status: Option<RuleStatus>,
}

impl RuleFilter {
    /// Whether the rule is one of those looked for.
    #[must_use]
    pub fn matches(&self, rule: &Rule) -> bool {
        (self.projects.is_empty() || self.projects.contains(&rule.project))
            && rule.is_for_stack(self.stack.as_deref())
            && (self.sources.is_empty() || self.sources.contains(&rule.source))
            && self.status.is_none_or(|status| status == rule.status)
    }
}
