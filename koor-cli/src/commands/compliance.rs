//! Whether agents keep to their project's contracts.

use clap::{Args, Subcommand};

use crate::{
    context::Context,
    exit::Failure,
    output::{Column, Kind, Rows, Table},
};

/// What is done with compliance runs.
#[derive(Debug, Subcommand)]
pub(crate) enum ComplianceCommand {
    /// List runs, newest first
    #[command(after_help = "\
Examples:
  koor compliance history --limit 10
  koor compliance history --project Truck-Wash --pass false")]
    History(History),

    /// Check the contracts of all active instances now
    #[command(after_help = "Example:\n  koor compliance run")]
    Run,
}

/// Which runs.
#[derive(Debug, Args)]
pub(crate) struct History {
    /// Only of this instance
    #[arg(long, value_name = "ID")]
    instance_id: Option<String>,
    /// Only of this project
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
    /// Only runs that passed, or only those that failed
    #[arg(long, value_name = "BOOL")]
    pass: Option<bool>,
    /// Maximum number of entries
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

const COLUMNS: &[Column] = &[
    Column("TIME", "/run_at", Kind::Time),
    Column("PASS", "/pass", Kind::State),
    Column("PROJECT", "/project", Kind::Name),
    Column("CONTRACT", "/contract", Kind::Name),
    Column("INSTANCE", "/instance_id", Kind::Text),
    Column("VIOLATIONS", "/violations", Kind::Text),
];

const RUNS: Table = Table { rows: Rows::Whole, columns: COLUMNS, empty: "no runs" };

const NOW: Table =
    Table { rows: Rows::In("runs"), columns: COLUMNS, empty: "no active instance has a contract" };

/// Does what was typed.
///
/// # Errors
/// When the server refuses, or can't be reached.
pub(crate) fn run(command: &ComplianceCommand, context: &Context) -> Result<(), Failure> {
    match command {
        ComplianceCommand::History(History { instance_id, project, pass, limit }) => {
            let runs = context.client.get("/api/compliance/history").queries("instance_id", instance_id);
            context
                .table(runs.queries("project", project).queries("pass", pass).queries("limit", limit), &RUNS)
        }
        ComplianceCommand::Run => context.table(context.client.post("/api/compliance/run"), &NOW),
    }
}
