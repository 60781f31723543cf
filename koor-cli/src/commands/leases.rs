//! Leases on paths.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::{
    commands::{
        coordination::{Project, wait_for},
        documents::Span,
    },
    context::Context,
    exit::Failure,
    output::{Column, Kind, Rows, Table},
};

/// What is done with leases.
#[derive(Debug, Subcommand)]
pub(crate) enum LeaseCommand {
    /// Lease paths: all of them, or none
    #[command(after_help = "\
A path without wildcards covers everything below it. `*`, `?` and `[a-z]` match within a segment, `**` any segments.

Examples:
  koor lease take src/auth docs/auth.md --reason 'the login form'
  koor lease take 'src/**/*.css' --shared --wait 10m")]
    Take(Take),

    /// List leases
    #[command(after_help = "\
Examples:
  koor lease list
  koor lease list --path src/auth/login.rs")]
    List(List),

    /// Check whether paths are free; exits with 1 if one is held
    #[command(after_help = "Example:\n  koor lease check src/auth/login.rs && $EDITOR src/auth/login.rs")]
    Check(Check),

    /// Release a lease; without an id, all of this agent's
    #[command(after_help = "Examples:\n  koor lease release 3\n  koor lease release")]
    Release(Release),
}

/// What is taken.
#[derive(Debug, Args)]
pub(crate) struct Take {
    /// The paths, relative to the project's root
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<String>,
    /// Let other agents hold them shared, too
    #[arg(long)]
    shared: bool,
    /// For how long, after this agent was last heard of [default: 30m]
    #[arg(long, value_name = "TIME")]
    lease: Option<Span>,
    /// What for
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// For which task: the lease ends with its claim
    #[arg(long, value_name = "N")]
    task: Option<u64>,
    /// Wait until they are free, at most this long
    #[arg(long, value_name = "TIME")]
    wait: Option<Span>,
    #[command(flatten)]
    project: Project,
}

/// What is listed.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only leases that cover this path
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// Only leases of the agents with this name
    #[arg(long, value_name = "AGENT")]
    name: Option<String>,
    #[command(flatten)]
    project: Project,
}

/// What is checked.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The paths
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<String>,
    /// Whether they could be held shared
    #[arg(long)]
    shared: bool,
    #[command(flatten)]
    project: Project,
}

/// What is released.
#[derive(Debug, Args)]
pub(crate) struct Release {
    /// The number of the lease
    id: Option<u64>,
    #[command(flatten)]
    project: Project,
}

const TABLE: Table = Table {
    rows: Rows::Whole,
    columns: &[
        Column("ID", "/id", Kind::Number),
        Column("AGENT", "/name", Kind::Name),
        Column("MODE", "/mode", Kind::Text),
        Column("UNTIL", "/expires_at", Kind::Time),
        Column("PATHS", "/paths", Kind::Text),
        Column("REASON", "/reason", Kind::Text),
    ],
    empty: "no leases",
};

const HELD: Table = Table {
    rows: Rows::In("held"),
    columns: &[
        Column("PATH", "/path", Kind::Name),
        Column("AGENT", "/lease/name", Kind::Text),
        Column("MODE", "/lease/mode", Kind::Text),
        Column("UNTIL", "/lease/expires_at", Kind::Time),
    ],
    empty: "all are free",
};

fn mode(shared: bool) -> &'static str {
    if shared { "shared" } else { "exclusive" }
}

/// Does what was typed.
///
/// # Errors
/// When the server refuses, or can't be reached, or a path that is checked is held.
pub(crate) fn run(command: &LeaseCommand, context: &Context) -> Result<(), Failure> {
    match command {
        LeaseCommand::Take(take) => {
            let project = take.project.resolve(context)?;
            let body = json!({
                "paths": take.paths, "mode": mode(take.shared), "reason": take.reason.as_deref().unwrap_or_default(),
                "lease": take.lease.as_ref().map(ToString::to_string), "task": take.task,
            });
            let request = || context.client.post("/api/leases").segment(&project).json(&body);
            let wait = take.wait.as_ref().map(Span::get);
            let taken = wait_for(wait, request, |answer, _| answer.bytes().map(Some))?;
            context.output.json(&taken)
        }
        LeaseCommand::List(List { path, name, project }) => {
            let leases = context.client.get("/api/leases").segment(&project.resolve(context)?);
            context.table(leases.queries("path", path).queries("name", name), &TABLE)
        }
        LeaseCommand::Check(Check { paths, shared, project }) => {
            let project = project.resolve(context)?;
            let check = context.client.post("/api/leases").segment(&project).segment("check");
            let answer = check.json(&json!({"paths": paths, "mode": mode(*shared)}))?.send()?.bytes()?;
            context.output.table(&answer, &HELD)?;
            let answer: Value =
                serde_json::from_slice(&answer).map_err(|error| Failure::caused_by(&error))?;
            let all_free = answer["held"].as_array().is_some_and(Vec::is_empty);
            if all_free { Ok(()) } else { Err(Failure::said_already()) }
        }
        LeaseCommand::Release(Release { id, project }) => {
            let project = project.resolve(context)?;
            match id {
                Some(id) => release(context, &project, *id),
                None => release_all(context, &project),
            }
        }
    }
}

fn release(context: &Context, project: &str, id: u64) -> Result<(), Failure> {
    context.show(context.client.delete("/api/leases").segment(project).segment(&id.to_string()))
}

fn release_all(context: &Context, project: &str) -> Result<(), Failure> {
    let own = context.settings.instance_id.as_deref().ok_or_else(|| {
        Failure::usage("this directory has no agent whose leases could be released: give the id of a lease")
    })?;
    let leases: Vec<Value> = context.client.get("/api/leases").segment(project).send()?.json()?;
    let own = leases.iter().filter(|lease| lease["instance_id"] == own);
    for id in own.filter_map(|lease| lease["id"].as_u64()) {
        release(context, project, id)?;
    }
    Ok(())
}
