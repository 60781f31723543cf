//! What models cost: `koor llm`.

mod prices;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use crate::{
    context::Context,
    exit::Failure,
    output::{Column, Kind, Rows, Table},
};

/// What is done with usage records.
#[derive(Debug, Subcommand)]
pub(crate) enum LlmCommand {
    /// Record a model's usage and cost
    #[command(after_help = "\
Example:
  koor llm record --provider anthropic --model claude --tokens-in 1200 --tokens-out 300 --cost-usd 0.012 \\
    --project Truck-Wash --session login-page")]
    Record(Box<Record>),

    /// List records, newest first
    #[command(after_help = "Example:\n  koor llm usage --project Truck-Wash --limit 20")]
    Usage(Usage),

    /// Summarize records
    #[command(
        after_help = "Examples:\n  koor llm summary\n  koor llm summary --by model --from 2026-02-16\n  koor llm summary --by task"
    )]
    Summary(Summary),

    /// Print what models cost, in US dollars per million tokens
    #[command(after_help = "\
Where a client reports tokens and no cost, the server takes it from this table; a model that is not in it costs nothing, and \
its records say so (\"priced\": false).

Examples:
  koor llm prices
  koor llm prices --prices prices.json     {\"my-model\": {\"input\": 1.5, \"output\": 6, \"cache_read\": 0.15}}")]
    Prices(prices::Prices),
}

/// What is recorded.
#[derive(Debug, Args, Serialize)]
pub(crate) struct Record {
    /// Provider of the model
    #[arg(long, value_name = "NAME")]
    provider: String,
    /// Name of the model
    #[arg(long, value_name = "NAME")]
    model: String,
    /// Number of input tokens
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens_in: Option<u64>,
    /// Number of output tokens
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens_out: Option<u64>,
    /// Number of input tokens that came from a cache
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_read_tokens: Option<u64>,
    /// Number of input tokens that were written into a cache
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_write_tokens: Option<u64>,
    /// Id of the request: the same one is recorded once
    #[arg(long, value_name = "ID")]
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// Task, as Truck-Wash/12 [default: the one that the instance holds]
    #[arg(long, value_name = "TASK")]
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<String>,
    /// Cost in US dollars [default: as the price table says]
    #[arg(long, value_name = "X")]
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_usd: Option<f64>,
    /// Project
    #[arg(long, value_name = "PROJECT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<String>,
    /// Kind of request [default: completion]
    #[arg(long, value_name = "TYPE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    request_type: Option<String>,
    /// Session tag
    #[arg(long = "session", alias = "session-tag", alias = "session_tag", value_name = "TAG")]
    #[serde(skip_serializing_if = "Option::is_none")]
    session_tag: Option<String>,
    /// Id of the instance [default: the one of this directory]
    #[arg(long = "instance", alias = "instance-id", alias = "instance_id", value_name = "ID")]
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_id: Option<String>,
}

/// Which records.
#[derive(Debug, Args)]
pub(crate) struct Usage {
    /// Only of this instance
    #[arg(long, alias = "instance-id", alias = "instance_id", value_name = "ID")]
    instance: Option<String>,
    /// Only of this project
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
    /// Only of this session
    #[arg(long, alias = "session-tag", alias = "session_tag", value_name = "TAG")]
    session: Option<String>,
    /// Only from this time on
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only up to this time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Maximum number of entries
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

/// How records are summed up.
#[derive(Debug, Args)]
pub(crate) struct Summary {
    /// Group by this field [default: project]
    #[arg(long, alias = "group-by", alias = "group_by", value_name = "WHAT")]
    by: Option<By>,
    /// Only from this time on
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only up to this time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum By {
    Model,
    Instance,
    Project,
    SessionTag,
    Task,
    Day,
}

const RECORDS: Table = Table {
    rows: Rows::Whole,
    columns: &[
        Column("TIME", "/created_at", Kind::Time),
        Column("PROVIDER", "/provider", Kind::Text),
        Column("MODEL", "/model", Kind::Name),
        Column("IN", "/tokens_in", Kind::Number),
        Column("OUT", "/tokens_out", Kind::Number),
        Column("USD", "/cost_usd", Kind::Number),
        Column("PROJECT", "/project", Kind::Text),
        Column("TASK", "/task", Kind::Text),
        Column("SESSION", "/session_tag", Kind::Text),
        Column("INSTANCE", "/instance_id", Kind::Text),
    ],
    empty: "no records",
};

const GROUPS: Table = Table {
    rows: Rows::Named("groups", "total"),
    columns: &[
        Column("GROUP", "/_", Kind::Name),
        Column("REQUESTS", "/request_count", Kind::Number),
        Column("IN", "/total_tokens_in", Kind::Number),
        Column("OUT", "/total_tokens_out", Kind::Number),
        Column("USD", "/total_cost_usd", Kind::Number),
    ],
    empty: "no records",
};

/// Does what was typed.
///
/// # Errors
/// When the server refuses, or can't be reached.
pub(crate) fn run(command: &LlmCommand, context: &Context) -> Result<(), Failure> {
    let client = &context.client;
    match command {
        LlmCommand::Prices(which) => prices::run(which, context),
        LlmCommand::Record(record) => context.show_write(client.post("/api/llm/usage").json(record)?),
        LlmCommand::Usage(Usage { instance, project, session, from, to, limit }) => {
            let records =
                client.get("/api/llm/usage").queries("instance", instance).queries("project", project);
            let records = records.queries("session_tag", session).queries("from", from).queries("to", to);
            context.table(records.queries("limit", limit), &RECORDS)
        }
        LlmCommand::Summary(Summary { by, from, to }) => {
            let by = by.and_then(|by| by.to_possible_value());
            let by = by.as_ref().map(clap::builder::PossibleValue::get_name);
            let sums = client.get("/api/llm/usage/summary").queries("group_by", by);
            context.table(sums.queries("from", from).queries("to", to), &GROUPS)
        }
    }
}
