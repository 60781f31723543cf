//! Rules are proposed, decided on, replaced, imported and deleted.

use std::collections::BTreeSet;

use serde_json::json;

use crate::{
    announcement::SystemTopic,
    caller::{Access, Caller},
    clock::Timestamp,
    command::{Applied, Command, CommandContext, Operation},
    domain::{
        audit::Action,
        rules::{Intake, MAX_RULES, MAX_WEIGHT, Rule, RuleDraft, RuleStatus, TOO_LARGE},
    },
    error::{Error, Invalid},
    ids::{ProjectName, RuleId},
    ports::{Change, FactSet, RuleChange},
};

/// Replaces the accepted rules of a project; proposed and rejected ones stay, unless one of the new ones has their id.
#[derive(Debug)]
pub struct PutRules {
    project: ProjectName,
    rules: Vec<Rule>,
}

impl PutRules {
    /// To replace them by these.
    ///
    /// # Errors
    /// When one of them can't be a rule, or an id is there twice.
    pub fn new(project: ProjectName, drafts: Vec<RuleDraft>) -> Result<Self, Invalid> {
        let rules = RuleDraft::check_all(drafts, Intake::Put(&project), SET_LATER)?;
        Ok(Self { project, rules })
    }
}

/// The time of a rule that is not stored yet: the command that stores it knows better.
const SET_LATER: Timestamp = Timestamp::EPOCH;

impl Command for PutRules {
    type Output = usize;

    fn operation(&self) -> Operation {
        Operation::to(Action::RulesPut, &self.project, Access::Admin("replace rules"))
    }

    fn reads(&self, wanted: &mut FactSet) {
        wanted.project_rules.insert(self.project.clone());
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<usize>, Error> {
        let there = cx.project_rules(&self.project)?;
        for old in there.into_iter().filter(|old| old.status == RuleStatus::Accepted) {
            if !self.rules.iter().any(|rule| rule.rule_id == old.rule_id) {
                cx.remove_rule(old.project, old.rule_id);
            }
        }
        store(cx, &self.rules)?;
        bound(cx, &self.project)?;
        let count = self.rules.len();
        cx.announce(SystemTopic::RulesChanged, &json!({"project": self.project, "count": count}))?;
        Ok(Applied::with(count, json!({"count": count})))
    }
}

/// Inserts rules, or updates those that are there, by project and id.
#[derive(Debug)]
pub struct ImportRules(Vec<Rule>);

impl ImportRules {
    /// To import these.
    ///
    /// # Errors
    /// When there are none, or one of them can't be a rule.
    pub fn new(drafts: Vec<RuleDraft>) -> Result<Self, Invalid> {
        if drafts.is_empty() {
            return Err(Invalid::new("empty rules array"));
        }
        RuleDraft::check_all(drafts, Intake::Import, SET_LATER).map(Self)
    }
}

impl Command for ImportRules {
    type Output = usize;

    fn operation(&self) -> Operation {
        Operation::to(Action::RulesImport, "bulk", Access::Admin("import rules"))
    }

    fn reads(&self, wanted: &mut FactSet) {
        wanted.project_rules.extend(self.0.iter().map(|rule| rule.project.clone()));
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<usize>, Error> {
        import(cx, &self.0)?;
        Ok(Applied::with(self.0.len(), json!({"count": self.0.len()})))
    }
}

/// Inserts or updates rules and announces it, once for each project.
pub(crate) fn import(cx: &mut CommandContext<'_>, rules: &[Rule]) -> Result<(), Error> {
    store(cx, rules)?;
    let projects: BTreeSet<&ProjectName> = rules.iter().map(|rule| &rule.project).collect();
    for project in projects {
        bound(cx, project)?;
        let count = rules.iter().filter(|rule| rule.project == *project).count();
        cx.announce(SystemTopic::RulesChanged, &json!({"project": project, "count": count}))?;
    }
    Ok(())
}

/// Keeps the rules; one that was there keeps the time at which it was made.
fn store(cx: &mut CommandContext<'_>, rules: &[Rule]) -> Result<(), Error> {
    for rule in rules {
        let old = cx.rule(&rule.project, &rule.rule_id)?;
        let created_at = old.map_or(cx.now, |old| old.created_at);
        cx.put_rule(Rule { created_at, ..rule.clone() });
    }
    Ok(())
}

/// Holds a project to as many rules as one request may bring: each check of a file reads them all.
pub(crate) fn bound(cx: &mut CommandContext<'_>, project: &ProjectName) -> Result<(), Error> {
    let rules = cx.project_rules(project)?;
    if rules.len() > MAX_RULES {
        let count = rules.len();
        return Err(Invalid::new(format!(
            "project {project} would have {count} rules, at most {MAX_RULES} are allowed"
        ))
        .into());
    }
    if rules.iter().map(Rule::weight).sum::<usize>() > MAX_WEIGHT {
        return Err(Invalid::new(format!("project {project}: {TOO_LARGE}")).into());
    }
    Ok(())
}

/// Proposes a rule, to be decided on by a person.
#[derive(Debug)]
pub struct ProposeRule(Rule);

impl ProposeRule {
    /// Proposes that. If the draft names no proposer, it is the calling instance.
    ///
    /// # Errors
    /// When it can't be a rule.
    pub fn new(caller: &Caller, draft: RuleDraft) -> Result<Self, Invalid> {
        let mut rule = draft.check(Intake::Propose, SET_LATER)?;
        if let Some(own) = caller.as_instance().filter(|_| rule.proposed_by.is_empty()) {
            rule.proposed_by = own.id.to_string();
        }
        Ok(Self(rule))
    }
}

impl Command for ProposeRule {
    type Output = Rule;

    fn operation(&self) -> Operation {
        let resource = format!("{}/{}", self.0.project, self.0.rule_id);
        Operation::to(Action::RulePropose, resource, Access::Anyone)
    }

    fn reads(&self, wanted: &mut FactSet) {
        wanted.project_rules.insert(self.0.project.clone());
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Rule>, Error> {
        let old = cx.rule(&self.0.project, &self.0.rule_id)?;
        if old.is_some_and(|old| old.status != RuleStatus::Rejected) {
            return Err(Error::Exists {
                what: "rule",
                name: format!("{}/{}", self.0.project, self.0.rule_id),
            });
        }
        let rule = Rule { created_at: cx.now, ..self.0.clone() };
        cx.put_rule(rule.clone());
        bound(cx, &rule.project)?;
        announce(cx, SystemTopic::RuleProposed, &rule.project, &rule.rule_id)?;
        Ok(Applied::new(rule))
    }
}

/// What becomes of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It becomes a rule.
    Accept,
    /// It does not.
    Reject,
}

/// Decides on a proposal.
#[derive(Debug)]
pub struct DecideRule {
    /// Of which project.
    pub project: ProjectName,
    /// Which rule.
    pub rule_id: RuleId,
    /// And how.
    pub decision: Decision,
}

impl Command for DecideRule {
    type Output = RuleStatus;

    fn operation(&self) -> Operation {
        let (action, access) = match self.decision {
            Decision::Accept => (Action::RuleAccept, Access::Admin("accept rules")),
            Decision::Reject => (Action::RuleReject, Access::Admin("reject rules")),
        };
        Operation::to(action, format!("{}/{}", self.project, self.rule_id), access)
    }

    fn reads(&self, wanted: &mut FactSet) {
        wanted.rules.insert((self.project.clone(), self.rule_id.clone()));
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<RuleStatus>, Error> {
        let proposed = cx
            .rule(&self.project, &self.rule_id)?
            .filter(|rule| rule.status == RuleStatus::Proposed)
            .ok_or_else(|| Error::not_found("proposed rule", format!("{}/{}", self.project, self.rule_id)))?;
        let (status, announcement) = match self.decision {
            Decision::Accept => (RuleStatus::Accepted, SystemTopic::RuleAccepted),
            Decision::Reject => (RuleStatus::Rejected, SystemTopic::RuleRejected),
        };
        cx.put_rule(Rule { status, ..proposed });
        announce(cx, announcement, &self.project, &self.rule_id)?;
        Ok(Applied::new(status))
    }
}

/// Deletes a rule, whatever its status.
#[derive(Debug)]
pub struct DeleteRule {
    /// Of which project.
    pub project: ProjectName,
    /// Which rule.
    pub rule_id: RuleId,
}

impl Command for DeleteRule {
    type Output = ();

    fn operation(&self) -> Operation {
        let resource = format!("{}/{}", self.project, self.rule_id);
        Operation::to(Action::RuleDelete, resource, Access::Admin("delete rules"))
    }

    fn reads(&self, wanted: &mut FactSet) {
        wanted.rules.insert((self.project.clone(), self.rule_id.clone()));
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<()>, Error> {
        if cx.rule(&self.project, &self.rule_id)?.is_none() {
            return Err(Error::not_found("rule", format!("{}/{}", self.project, self.rule_id)));
        }
        cx.remove_rule(self.project.clone(), self.rule_id.clone());
        announce(cx, SystemTopic::RuleDeleted, &self.project, &self.rule_id)?;
        Ok(Applied::new(()))
    }
}

fn announce(
    cx: &mut CommandContext<'_>,
    what: SystemTopic,
    project: &ProjectName,
    rule_id: &RuleId,
) -> Result<(), Error> {
    cx.announce(what, &json!({"project": project, "rule_id": rule_id}))
}

impl CommandContext<'_> {
    /// A rule.
    ///
    /// # Errors
    /// When it has not been fetched yet: pass the error on.
    pub fn rule(&mut self, project: &ProjectName, id: &RuleId) -> Result<Option<Rule>, Error> {
        Ok(self.view().rules(project, id)?)
    }

    /// All rules of a project, by id.
    ///
    /// # Errors
    /// When they have not been fetched yet: pass the error on.
    pub fn project_rules(&mut self, project: &ProjectName) -> Result<Vec<Rule>, Error> {
        Ok(self.view().project_rules(project)?)
    }

    /// Keeps a rule under its project and id, new or changed.
    pub fn put_rule(&mut self, rule: Rule) {
        self.push(Change::Rule(RuleChange::Put(rule)));
    }

    /// Forgets a rule.
    pub fn remove_rule(&mut self, project: ProjectName, id: RuleId) {
        self.push(Change::Rule(RuleChange::Remove { project, id }));
    }
}
