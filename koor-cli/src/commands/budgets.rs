//! Budgets: `koor budget`.

use clap::{Args, Subcommand};
use koor_core::domain::budgets::{BudgetAction, BudgetPeriod};
use serde_json::json;

use crate::{
    commands::coordination::Project,
    context::Context,
    exit::Failure,
    output::{Column, Kind, Rows, Table},
};

/// What is done with budgets.
#[derive(Debug, Subcommand)]
pub(crate) enum BudgetCommand {
    /// Give a project a budget
    #[command(after_help = "\
At 80 % and at 100 % of a limit, an event says so. With --action stop, no task can be claimed then until the next period, and \
the hooks of clients refuse new prompts.

Examples:
  koor budget set --period day --usd 20 --action stop
  koor budget set --project Truck-Wash --period month --tokens 50000000
  koor budget set --period total --per-task-tokens 2000000 --action stop")]
    Set(Set),

    /// List budgets
    #[command(after_help = "Example:\n  koor budget list")]
    List,

    /// Show a project's budget, and what is spent of it
    #[command(after_help = "Example:\n  koor budget show --project Truck-Wash")]
    Show(Project),

    /// Remove a project's budget
    #[command(after_help = "Example:\n  koor budget delete --project Truck-Wash")]
    Delete(Project),
}

/// A budget.
#[derive(Debug, Args)]
pub(crate) struct Set {
    #[command(flatten)]
    project: Project,
    /// How long it lasts, in UTC: day, week, month or total
    #[arg(long, value_name = "PERIOD")]
    period: BudgetPeriod,
    /// Maximum cost in US dollars
    #[arg(long, value_name = "X")]
    usd: Option<f64>,
    /// Maximum number of tokens, without those that come from a cache
    #[arg(long, value_name = "N")]
    tokens: Option<u64>,
    /// Maximum number of tokens for one task
    #[arg(long, value_name = "N")]
    per_task_tokens: Option<u64>,
    /// What happens when it is used up: warn or stop
    #[arg(long, value_name = "ACTION", default_value_t = BudgetAction::Warn)]
    action: BudgetAction,
}

const BUDGETS: Table = Table {
    rows: Rows::Whole,
    columns: &[
        Column("PROJECT", "/project", Kind::Name),
        Column("PERIOD", "/period", Kind::Text),
        Column("STATE", "/state", Kind::Text),
        Column("USED USD", "/used_usd", Kind::Number),
        Column("USD", "/usd", Kind::Number),
        Column("USED TOKENS", "/used_tokens", Kind::Number),
        Column("TOKENS", "/tokens", Kind::Number),
        Column("PER TASK", "/per_task_tokens", Kind::Number),
        Column("ACTION", "/action", Kind::Text),
        Column("RESETS", "/resets_at", Kind::Time),
    ],
    empty: "no budgets",
};

/// Does what was typed.
///
/// # Errors
/// When no project is known, the server refuses, or can't be reached.
pub(crate) fn run(command: &BudgetCommand, context: &Context) -> Result<(), Failure> {
    let client = &context.client;
    match command {
        BudgetCommand::Set(set) => {
            let project = set.project.resolve(context)?;
            let body = json!({
                "period": set.period, "usd": set.usd, "tokens": set.tokens, "per_task_tokens": set.per_task_tokens,
                "action": set.action,
            });
            context.show_write(client.put("/api/budgets").segment(&project).json(&body)?)
        }
        BudgetCommand::List => context.table(client.get("/api/budgets"), &BUDGETS),
        BudgetCommand::Show(project) => {
            context.show(client.get("/api/budgets").segment(&project.resolve(context)?))
        }
        BudgetCommand::Delete(project) => {
            context.show_write(client.delete("/api/budgets").segment(&project.resolve(context)?))
        }
    }
}
