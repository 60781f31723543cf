//! The server and its agents in numbers.

use clap::{Args, Subcommand};

use crate::{
    context::Context,
    exit::Failure,
    output::{Column, Kind, Rows, Table},
};

pub(crate) const EXAMPLES: &str = "\
Examples:
  koor metrics --pretty
  koor metrics agents --period 2026-02-16";

/// The server's numbers, or its agents'.
#[derive(Debug, Args)]
pub(crate) struct Metrics {
    #[command(subcommand)]
    of: Option<MetricsCommand>,
}

#[derive(Debug, Subcommand)]
enum MetricsCommand {
    /// Show counters of all instances, or of one by the hour
    #[command(after_help = "\
Examples:
  koor metrics agents
  koor metrics agents 550e8400-e29b-41d4-a716-446655440000 --period 2026-02-16")]
    Agents(Agents),
}

#[derive(Debug, Args)]
struct Agents {
    /// Only of this instance
    #[arg(conflicts_with = "instance_id")]
    id: Option<String>,
    /// Only of this instance
    #[arg(long, value_name = "ID")]
    instance_id: Option<String>,
    /// Only periods with this prefix: 2026-02-16 is a day, 2026-02-16T14 an hour
    #[arg(long, value_name = "PERIOD")]
    period: Option<String>,
}

const ALL: Table = Table {
    rows: Rows::Whole,
    columns: &[
        Column("INSTANCE", "/instance_id", Kind::Name),
        Column("REST", "/metrics/rest_calls", Kind::Number),
        Column("MCP", "/metrics/mcp_calls", Kind::Number),
        Column("EVENTS", "/metrics/events_published", Kind::Number),
        Column("WRITES", "/metrics/state_writes", Kind::Number),
        Column("ROLLBACKS", "/metrics/rollbacks", Kind::Number),
        Column("VIOLATIONS", "/metrics/violations", Kind::Number),
        Column("CONFLICTS", "/metrics/conflicts", Kind::Number),
    ],
    empty: "no counters",
};

const ONE: Table = Table {
    rows: Rows::Whole,
    columns: &[
        Column("PERIOD", "/period", Kind::Name),
        Column("METRIC", "/metric_name", Kind::Text),
        Column("VALUE", "/metric_value", Kind::Number),
    ],
    empty: "no counters",
};

/// Does what was typed.
///
/// # Errors
/// When the server refuses, or can't be reached.
pub(crate) fn run(metrics: &Metrics, context: &Context) -> Result<(), Failure> {
    let client = &context.client;
    match &metrics.of {
        None => context.show(client.get("/api/metrics")),
        Some(MetricsCommand::Agents(Agents { id, instance_id, period })) => {
            let agents = client.get("/api/metrics/agents");
            match (id, instance_id) {
                (Some(id), _) => context.table(agents.segment(id).queries("period", period), &ONE),
                (None, Some(id)) => {
                    context.table(agents.query("instance_id", id).queries("period", period), &ONE)
                }
                (None, None) => context.table(agents.queries("period", period), &ALL),
            }
        }
    }
}
