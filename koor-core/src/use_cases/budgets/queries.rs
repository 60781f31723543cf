//! Reading budgets.

use crate::{
    app::Koor,
    domain::{
        budgets::{Budget, BudgetView},
        tasks::TaskId,
    },
    error::Error,
    ids::ProjectName,
};

impl Koor {
    /// All budgets, by project.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn budgets(&self) -> Result<Vec<BudgetView>, Error> {
        let (budgets, now) = (self.read(|tx| tx.budgets()).await?, self.now());
        Ok(budgets.iter().map(|budget| budget.view(now)).collect())
    }

    /// The budget of a project.
    ///
    /// # Errors
    /// When it has none, or the store can't be read.
    pub async fn budget(&self, project: &ProjectName) -> Result<BudgetView, Error> {
        let found = self.budgets().await?.into_iter().find(|budget| budget.project == *project);
        found.ok_or_else(|| Error::not_found("budget", project))
    }

    /// The budget of a project, and whether too much was spent for one of these tasks; `None` where it has none.
    pub(crate) async fn budget_with(
        &self,
        project: &ProjectName,
        tasks: Vec<TaskId>,
    ) -> Result<Option<BudgetView>, Error> {
        let (of, now) = (project.clone(), self.now());
        self.read(move |tx| {
            let Some(budget) = tx.budgets()?.into_iter().find(|budget: &Budget| budget.project == of) else {
                return Ok(None);
            };
            let mut view = budget.view(now);
            if budget.terms.per_task_tokens.is_some() {
                for task in tasks {
                    if tx.task_cost(&task)?.is_some_and(|cost| budget.is_over_for_task(cost.tokens)) {
                        view.exceeded_task = Some(task.number);
                        break;
                    }
                }
            }
            Ok(Some(view))
        })
        .await
    }
}
