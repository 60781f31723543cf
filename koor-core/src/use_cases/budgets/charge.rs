//! Charging usage to budgets, and refusing claims where one is used up.

use std::collections::BTreeMap;

use serde_json::json;

use crate::{
    announcement::SystemTopic,
    command::CommandContext,
    domain::{
        budgets::{Budget, BudgetAction, BudgetState, TaskCost},
        tasks::TaskId,
        usage::UsageRecord,
    },
    error::Error,
    ids::ProjectName,
    ports::{BudgetChange, Change},
};

/// Counts records that are new, or newly attributed, for the budgets of their projects and the costs of their tasks, and
/// announces what is passed by that. The command must have named all budgets in `reads`.
pub(crate) fn charge(cx: &mut CommandContext<'_>, records: &[UsageRecord]) -> Result<(), Error> {
    if records.is_empty() {
        return Ok(());
    }
    let budgets = cx.view().budgets()?;
    let mut tokens: BTreeMap<TaskId, u64> = BTreeMap::new();
    for record in records {
        if let Ok(task) = record.task.parse() {
            let spent = tokens.entry(task).or_default();
            *spent = spent.saturating_add(record.budget_tokens());
        }
    }
    // All at once: what is missing is fetched together.
    let before: Vec<_> = tokens.keys().map(|task| cx.view().task_costs(task)).collect();
    for ((task, tokens), before) in tokens.into_iter().zip(before) {
        let mut cost = before?.unwrap_or(TaskCost { task, tokens: 0, announced: false });
        cost.tokens = cost.tokens.saturating_add(tokens).min(i64::MAX as u64);
        let budget = budgets.iter().find(|budget| budget.project == cost.task.project);
        if let Some(budget) = budget.filter(|budget| budget.is_over_for_task(cost.tokens) && !cost.announced)
        {
            cost.announced = true;
            let data = json!({
                "project": budget.project, "number": cost.task.number, "tokens": cost.tokens,
                "per_task_tokens": budget.terms.per_task_tokens, "action": budget.terms.action,
            });
            cx.announce(SystemTopic::BudgetTaskExceeded, &data)?;
        }
        cx.push(Change::Budget(BudgetChange::PutTaskCost(cost)));
    }
    for mut budget in budgets {
        let own: Vec<&UsageRecord> =
            records.iter().filter(|record| record.project == budget.project.as_str()).collect();
        if own.is_empty() {
            continue;
        }
        budget.roll(cx.now);
        for record in own {
            budget.add(record);
        }
        announce_passed(cx, &mut budget)?;
        cx.push(Change::Budget(BudgetChange::Put(budget)));
    }
    Ok(())
}

/// Announces that 80 % or all of a budget is spent, each once in a period.
pub(super) fn announce_passed(cx: &mut CommandContext<'_>, budget: &mut Budget) -> Result<(), Error> {
    let state = budget.state();
    let view = budget.view(cx.now);
    if state != BudgetState::Ok && !budget.warned {
        budget.warned = true;
        cx.announce(SystemTopic::BudgetWarned, &view)?;
    }
    if state == BudgetState::Exceeded && !budget.exceeded {
        budget.exceeded = true;
        cx.announce(SystemTopic::BudgetExceeded, &view)?;
    }
    Ok(())
}

/// Refuses to begin work in a project whose budget is used up and says stop; with a task, also if too much was spent for it. The
/// command must have named all budgets in `reads`.
pub(crate) fn check_budget(
    cx: &mut CommandContext<'_>,
    project: &ProjectName,
    task: Option<&TaskId>,
) -> Result<(), Error> {
    let budgets = cx.view().budgets()?;
    let stops = |budget: &Budget| budget.project == *project && budget.terms.action == BudgetAction::Stop;
    let Some(budget) = budgets.into_iter().find(stops) else { return Ok(()) };
    let mut view = budget.view(cx.now);
    if let Some(task) = task.filter(|_| budget.terms.per_task_tokens.is_some()) {
        let cost = cx.view().task_costs(task)?;
        let is_over = cost.is_some_and(|cost| budget.is_over_for_task(cost.tokens));
        view.exceeded_task = is_over.then_some(task.number);
    }
    view.stop_reason().map_or(Ok(()), |reason| Err(Error::NotAllowed(reason)))
}
