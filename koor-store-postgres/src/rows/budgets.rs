//! `budget` and `task_cost`.

use koor_core::{
    domain::{
        budgets::{Budget, TaskCost},
        tasks::TaskId,
    },
    ids::TaskNumber,
    ports::{BudgetBook, BudgetChange, StoreResult},
};

use crate::{
    conn::{Conn, Row, int, limit},
    rows::as_json,
    snapshot::Snapshot,
    statement::Statement,
};

const TABLE: &str = "budget";
const COSTS: &str = "task_cost";

const SELECT: &str = "SELECT project, budget FROM budget ORDER BY project";
const PUT: &str = "INSERT INTO budget (project, budget) VALUES ($1, $2) \
    ON CONFLICT (project) DO UPDATE SET budget = excluded.budget";
const REMOVE: &str = "DELETE FROM budget WHERE project = $1";
const SELECT_COST: &str =
    "SELECT project, number, tokens, announced FROM task_cost WHERE project = $1 AND number = $2";
const SELECT_COSTS: &str = "SELECT project, number, tokens, announced FROM task_cost \
    WHERE (project, number) > ($1, $2) ORDER BY project, number LIMIT $3";
const PUT_COST: &str = "INSERT INTO task_cost (project, number, tokens, announced) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (project, number) DO UPDATE SET tokens = excluded.tokens, announced = excluded.announced";

fn read_cost(row: Row<'_>) -> StoreResult<TaskCost> {
    let project = row.read("project", |name: &str| name.parse())?;
    let task = TaskId { project, number: row.number("number", TaskNumber::new)? };
    Ok(TaskCost { task, tokens: row.count("tokens")?, announced: row.get("announced")? })
}

impl BudgetBook for Snapshot<'_> {
    fn budgets(&mut self) -> StoreResult<Vec<Budget>> {
        self.conn.rows(Statement::new("list budgets", SELECT), TABLE, |row| row.json("budget"))
    }

    fn task_cost(&mut self, task: &TaskId) -> StoreResult<Option<TaskCost>> {
        let statement = Statement::new("read what a task cost", SELECT_COST)
            .bind(task.project.as_str())
            .bind(int(task.number.get()));
        self.conn.row(statement, COSTS, read_cost)
    }

    fn task_costs_after(&mut self, after: Option<&TaskId>, most: usize) -> StoreResult<Vec<TaskCost>> {
        let (project, number) = after.map_or(("", 0), |task| (task.project.as_str(), task.number.get()));
        let statement = Statement::new("list what tasks cost", SELECT_COSTS)
            .bind(project)
            .bind(int(number))
            .bind(limit(most));
        self.conn.rows(statement, COSTS, read_cost)
    }
}

/// Makes a change.
pub(crate) fn write(conn: &mut Conn, change: &BudgetChange) -> StoreResult<()> {
    let statement = match change {
        BudgetChange::Put(budget) => {
            const ATTEMPTED: &str = "keep a budget";
            let text = as_json(ATTEMPTED, budget)?;
            Statement::new(ATTEMPTED, PUT).bind(budget.project.as_str()).bind(text)
        }
        BudgetChange::Remove(project) => Statement::new("forget a budget", REMOVE).bind(project.as_str()),
        BudgetChange::PutTaskCost(TaskCost { task, tokens, announced }) => {
            Statement::new("keep what a task cost", PUT_COST)
                .bind(task.project.as_str())
                .bind(int(task.number.get()))
                .bind(int(*tokens))
                .bind(*announced)
        }
    };
    conn.execute(statement).map(drop)
}
