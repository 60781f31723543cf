//! The budgets of projects, and what tasks cost.

use crate::{
    domain::{
        budgets::{Budget, TaskCost},
        tasks::TaskId,
    },
    ids::ProjectName,
    ports::StoreResult,
};

/// The budgets, and what tasks cost.
pub trait BudgetBook {
    /// All budgets, by project.
    fn budgets(&mut self) -> StoreResult<Vec<Budget>>;

    /// What was spent for a task; `None` where nothing was.
    fn task_cost(&mut self, task: &TaskId) -> StoreResult<Option<TaskCost>>;

    /// What was spent for each task after that one, by task, at most `limit`.
    fn task_costs_after(&mut self, after: Option<&TaskId>, limit: usize) -> StoreResult<Vec<TaskCost>>;
}

/// A change of the budgets, or of what tasks cost.
#[derive(Debug, Clone, PartialEq)]
pub enum BudgetChange {
    /// Keep a budget under its project, new or changed.
    Put(Budget),
    /// Forget the budget of a project.
    Remove(ProjectName),
    /// Keep what was spent for a task.
    PutTaskCost(TaskCost),
}
