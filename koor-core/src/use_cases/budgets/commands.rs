//! Setting and removing budgets.

use serde_json::json;

use super::charge::announce_passed;
use crate::{
    announcement::SystemTopic,
    app::Koor,
    caller::Access,
    clock::Timestamp,
    command::{Applied, Command, CommandContext, Operation},
    domain::{
        audit::Action,
        budgets::{Budget, BudgetDraft, BudgetTerms, BudgetView},
    },
    error::{Error, Invalid},
    ids::ProjectName,
    ports::{BudgetChange, Change, FactSet},
};

/// Gives a project a budget, instead of the one it has. What was spent since its period began counts.
#[derive(Debug)]
pub struct SetBudget {
    project: ProjectName,
    terms: BudgetTerms,
    now: Timestamp,
}

impl SetBudget {
    /// To set that budget.
    ///
    /// # Errors
    /// When the draft is no budget.
    pub fn new(koor: &Koor, project: ProjectName, draft: &BudgetDraft) -> Result<Self, Invalid> {
        Ok(Self { project, terms: BudgetTerms::new(draft)?, now: koor.now() })
    }

    fn since(&self) -> Timestamp {
        self.terms.period.start(self.now)
    }
}

impl Command for SetBudget {
    type Output = BudgetView;

    fn operation(&self) -> Operation {
        Operation::to(Action::BudgetSet, &self.project, Access::Admin("set budgets"))
    }

    fn reads(&self, wanted: &mut FactSet) {
        wanted.budgets.insert(());
        wanted.spent_since.insert((self.project.clone(), self.since()));
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<BudgetView>, Error> {
        let spent = cx.view().spent_since(&self.project, self.since())?;
        let before = cx.view().budgets()?.into_iter().find(|budget| budget.project == self.project);
        let mut budget = Budget::new(self.project.clone(), self.terms.clone(), self.now, spent);
        // What was announced in this period and still holds, is not announced again.
        if let Some(before) =
            before.filter(|before| before.since == budget.since && before.terms.period == budget.terms.period)
        {
            let state = budget.state();
            budget.warned = before.warned && state != crate::domain::budgets::BudgetState::Ok;
            budget.exceeded = before.exceeded && state == crate::domain::budgets::BudgetState::Exceeded;
        }
        let view = budget.view(self.now);
        cx.announce(SystemTopic::BudgetSet, &view)?;
        announce_passed(cx, &mut budget)?;
        cx.push(Change::Budget(BudgetChange::Put(budget)));
        let BudgetTerms { period, usd, tokens, per_task_tokens, action } = &self.terms;
        let detail = json!({
            "period": period, "usd": usd, "tokens": tokens, "per_task_tokens": per_task_tokens, "action": action,
        });
        Ok(Applied::with(view, detail))
    }
}

/// Removes the budget of a project.
#[derive(Debug)]
pub struct DeleteBudget(
    /// Which project's.
    pub ProjectName,
);

impl Command for DeleteBudget {
    type Output = ProjectName;

    fn operation(&self) -> Operation {
        Operation::to(Action::BudgetDelete, &self.0, Access::Admin("delete budgets"))
    }

    fn reads(&self, wanted: &mut FactSet) {
        wanted.budgets.insert(());
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<ProjectName>, Error> {
        if !cx.view().budgets()?.iter().any(|budget| budget.project == self.0) {
            return Err(Error::not_found("budget", &self.0));
        }
        cx.push(Change::Budget(BudgetChange::Remove(self.0.clone())));
        cx.announce(SystemTopic::BudgetDeleted, &json!({"project": self.0}))?;
        Ok(Applied::new(self.0.clone()))
    }
}
