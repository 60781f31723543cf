//! The validation rules of all projects.

use crate::{
    domain::rules::{Rule, RuleFilter},
    ids::{ProjectName, RuleId},
    ports::StoreResult,
};

/// The read half of the rules.
pub trait RuleRead {
    /// The rule of that id in that project.
    fn rule(&mut self, project: &ProjectName, id: &RuleId) -> StoreResult<Option<Rule>>;

    /// Matching rules, by project and id.
    fn rules(&mut self, filter: &RuleFilter) -> StoreResult<Vec<Rule>>;
}

/// The whole of it.
pub trait RuleBook: RuleRead {
    /// Keeps a rule under its project and id, new or changed.
    fn put_rule(&mut self, rule: &Rule) -> StoreResult<()>;

    /// Forgets a rule.
    fn remove_rule(&mut self, project: &ProjectName, id: &RuleId) -> StoreResult<()>;
}
