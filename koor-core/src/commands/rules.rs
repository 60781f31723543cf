//! Rules are proposed, decided on, replaced, imported and deleted.

use std::collections::BTreeSet;

use serde_json::json;

use crate::{
    announcement::Announcement,
    caller::{Access, Caller},
    clock::Timestamp,
    command::{Command, Done, Intent, Work},
    domain::{
        audit::Action,
        rules::{Intake, MAX_RULES, MAX_WEIGHT, Rule, RuleDraft, RuleFilter, RuleStatus, TOO_LARGE},
    },
    error::{Error, Invalid},
    ids::{ProjectName, RuleId},
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

    fn intent(&self) -> Intent {
        Intent::to(Action::RulesPut, &self.project, Access::Admin("replace rules"))
    }

    fn apply(&self, work: &mut Work<'_>) -> Result<Done<usize>, Error> {
        let accepted = RuleFilter {
            projects: vec![self.project.clone()],
            status: Some(RuleStatus::Accepted),
            ..RuleFilter::default()
        };
        for old in work.tx.rules(&accepted)? {
            if !self.rules.iter().any(|rule| rule.rule_id == old.rule_id) {
                work.tx.remove_rule(&old.project, &old.rule_id)?;
            }
        }
        store(work, &self.rules)?;
        bound(work, &self.project)?;
        let count = self.rules.len();
        work.announce(Announcement::RulesChanged, &json!({"project": self.project, "count": count}))?;
        Ok(Done::with(count, json!({"count": count})))
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

    fn intent(&self) -> Intent {
        Intent::to(Action::RulesImport, "bulk", Access::Admin("import rules"))
    }

    fn apply(&self, work: &mut Work<'_>) -> Result<Done<usize>, Error> {
        import(work, &self.0)?;
        Ok(Done::with(self.0.len(), json!({"count": self.0.len()})))
    }
}

/// Inserts or updates rules and announces it, once for each project.
pub(super) fn import(work: &mut Work<'_>, rules: &[Rule]) -> Result<(), Error> {
    store(work, rules)?;
    let projects: BTreeSet<&ProjectName> = rules.iter().map(|rule| &rule.project).collect();
    for project in projects {
        bound(work, project)?;
        let count = rules.iter().filter(|rule| rule.project == *project).count();
        work.announce(Announcement::RulesChanged, &json!({"project": project, "count": count}))?;
    }
    Ok(())
}

/// Keeps the rules; one that was there keeps the time at which it was made.
fn store(work: &mut Work<'_>, rules: &[Rule]) -> Result<(), Error> {
    for rule in rules {
        let old = work.tx.rule(&rule.project, &rule.rule_id)?;
        let created_at = old.map_or(work.now, |old| old.created_at);
        work.tx.put_rule(&Rule { created_at, ..rule.clone() })?;
    }
    Ok(())
}

/// Holds a project to as many rules as one request may bring: each check of a file reads them all.
fn bound(work: &mut Work<'_>, project: &ProjectName) -> Result<(), Error> {
    let rules = work.tx.rules(&RuleFilter { projects: vec![project.clone()], ..RuleFilter::default() })?;
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
    /// To propose that. Where it does not say by whom, the calling instance it is.
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

    fn intent(&self) -> Intent {
        let resource = format!("{}/{}", self.0.project, self.0.rule_id);
        Intent::to(Action::RulePropose, resource, Access::Anyone)
    }

    fn apply(&self, work: &mut Work<'_>) -> Result<Done<Rule>, Error> {
        let old = work.tx.rule(&self.0.project, &self.0.rule_id)?;
        if old.is_some_and(|old| old.status != RuleStatus::Rejected) {
            return Err(Error::Exists {
                what: "rule",
                name: format!("{}/{}", self.0.project, self.0.rule_id),
            });
        }
        let rule = Rule { created_at: work.now, ..self.0.clone() };
        work.tx.put_rule(&rule)?;
        bound(work, &rule.project)?;
        announce(work, Announcement::RuleProposed, &rule.project, &rule.rule_id)?;
        Ok(Done::new(rule))
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

    fn intent(&self) -> Intent {
        let (action, access) = match self.decision {
            Decision::Accept => (Action::RuleAccept, Access::Admin("accept rules")),
            Decision::Reject => (Action::RuleReject, Access::Admin("reject rules")),
        };
        Intent::to(action, format!("{}/{}", self.project, self.rule_id), access)
    }

    fn apply(&self, work: &mut Work<'_>) -> Result<Done<RuleStatus>, Error> {
        let proposed = work
            .tx
            .rule(&self.project, &self.rule_id)?
            .filter(|rule| rule.status == RuleStatus::Proposed)
            .ok_or_else(|| Error::not_found("proposed rule", format!("{}/{}", self.project, self.rule_id)))?;
        let (status, announcement) = match self.decision {
            Decision::Accept => (RuleStatus::Accepted, Announcement::RuleAccepted),
            Decision::Reject => (RuleStatus::Rejected, Announcement::RuleRejected),
        };
        work.tx.put_rule(&Rule { status, ..proposed })?;
        announce(work, announcement, &self.project, &self.rule_id)?;
        Ok(Done::new(status))
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

    fn intent(&self) -> Intent {
        let resource = format!("{}/{}", self.project, self.rule_id);
        Intent::to(Action::RuleDelete, resource, Access::Admin("delete rules"))
    }

    fn apply(&self, work: &mut Work<'_>) -> Result<Done<()>, Error> {
        if work.tx.rule(&self.project, &self.rule_id)?.is_none() {
            return Err(Error::not_found("rule", format!("{}/{}", self.project, self.rule_id)));
        }
        work.tx.remove_rule(&self.project, &self.rule_id)?;
        announce(work, Announcement::RuleDeleted, &self.project, &self.rule_id)?;
        Ok(Done::new(()))
    }
}

fn announce(
    work: &mut Work<'_>,
    what: Announcement,
    project: &ProjectName,
    rule_id: &RuleId,
) -> Result<(), Error> {
    work.announce(what, &json!({"project": project, "rule_id": rule_id}))
}
