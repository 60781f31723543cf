//! Who did what: the log that cannot be rewritten.

use clap::{Args, Subcommand};
use serde::Deserialize;

use crate::{
    context::Context,
    exit::Failure,
    output::{Column, Kind, Rows, Table},
};

pub(crate) const EXAMPLES: &str = "\
Examples:
  koor audit --limit 20
  koor audit --actor 550e8400-e29b-41d4-a716-446655440000 --action state.put --from 2026-02-16
  koor audit verify";

/// The log, or what is made of it.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Audit {
    #[command(subcommand)]
    of: Option<AuditCommand>,
    #[command(flatten)]
    entries: Entries,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Summarize the log
    #[command(after_help = "Example:\n  koor audit summary --from 2026-02-16")]
    Summary {
        /// Only from this time on
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// Only up to this time
        #[arg(long, value_name = "TIME")]
        to: Option<String>,
    },

    /// Verify the hash chain; exit with 1 if an entry was changed or removed
    #[command(after_help = "Example:\n  koor audit verify")]
    Verify,
}

/// Which entries.
#[derive(Debug, Args)]
struct Entries {
    /// Only by this actor
    #[arg(long, value_name = "ACTOR")]
    actor: Option<String>,
    /// Only with this action, such as state.put
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Only on this resource
    #[arg(long, value_name = "RESOURCE")]
    resource: Option<String>,
    /// Only with this outcome: success, denied or error
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<String>,
    /// Only from this time on
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only up to this time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Maximum number of entries
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Only after this id, oldest first
    #[arg(long, value_name = "ID")]
    after: Option<u64>,
}

const TABLE: Table = Table {
    rows: Rows::Whole,
    columns: &[
        Column("ID", "/id", Kind::Number),
        Column("TIME", "/timestamp", Kind::Time),
        Column("OUTCOME", "/outcome", Kind::State),
        Column("ACTION", "/action", Kind::Name),
        Column("RESOURCE", "/resource", Kind::Text),
        Column("ACTOR", "/actor", Kind::Text),
        Column("DETAIL", "/detail", Kind::Text),
    ],
    empty: "no entries",
};

/// Does what was typed.
///
/// # Errors
/// When the server refuses, or can't be reached, or the log was tampered with.
pub(crate) fn run(audit: &Audit, context: &Context) -> Result<(), Failure> {
    let client = &context.client;
    match &audit.of {
        None => {
            let Entries { actor, action, resource, outcome, from, to, limit, after } = &audit.entries;
            let log = client.get("/api/audit").queries("actor", actor).queries("action", action);
            let log = log.queries("resource", resource).queries("outcome", outcome);
            let log = log.queries("from", from).queries("to", to).queries("limit", limit);
            context.table(log.queries("after", after), &TABLE)
        }
        Some(AuditCommand::Summary { from, to }) => {
            context.show(client.get("/api/audit/summary").queries("from", from).queries("to", to))
        }
        Some(AuditCommand::Verify) => {
            #[derive(Deserialize)]
            struct Report {
                valid: bool,
            }
            let report = client.get("/api/audit/verify").send()?.bytes()?;
            context.output.json(&report)?;
            match serde_json::from_slice(&report) {
                Ok(Report { valid: true }) => Ok(()),
                Ok(Report { valid: false }) | Err(_) => {
                    Err(Failure::refused("the audit log is not what it was when it was written"))
                }
            }
        }
    }
}
