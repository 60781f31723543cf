//! The validation rules of all projects.

use crate::{
    domain::rules::{Rule, RuleFilter},
    ids::{ProjectName, RuleId},
    ports::StoreResult,
};

/// The rules.
pub trait RuleBook {
    /// The rule of that id in that project.
    fn rule(&mut self, project: &ProjectName, id: &RuleId) -> StoreResult<Option<Rule>>;

    /// Matching rules, by project and id.
    fn rules(&mut self, filter: &RuleFilter) -> StoreResult<Vec<Rule>>;
}

/// A change of the rules.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleChange {
    /// Keep a rule under its project and id, new or changed.
    Put(Rule),
    /// Forget a rule.
    Remove {
        /// Of which project.
        project: ProjectName,
        /// Which rule.
        id: RuleId,
    },
}
