//! Budgets and what tasks cost, in memory.

use std::ops::Bound::{Excluded, Unbounded};

use super::Snapshot;
use crate::{
    domain::{
        budgets::{Budget, TaskCost},
        tasks::TaskId,
    },
    ports::{BudgetBook, StoreResult},
};

impl BudgetBook for Snapshot<'_> {
    fn budgets(&mut self) -> StoreResult<Vec<Budget>> {
        Ok(self.0.budgets.values().cloned().collect())
    }

    fn task_cost(&mut self, task: &TaskId) -> StoreResult<Option<TaskCost>> {
        Ok(self.0.task_costs.get(task).cloned())
    }

    fn task_costs_after(&mut self, after: Option<&TaskId>, limit: usize) -> StoreResult<Vec<TaskCost>> {
        let begin = after.map_or(Unbounded, Excluded);
        let later = self.0.task_costs.range((begin, Unbounded));
        Ok(later.take(limit).map(|(_, cost)| cost.clone()).collect())
    }
}
