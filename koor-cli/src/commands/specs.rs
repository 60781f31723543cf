//! What a project agrees on: JSON documents with versions.

use clap::{Args, Subcommand};
use serde::Deserialize;

use crate::{
    client::{Client, Request},
    commands::documents::{self, Document, On},
    context::Context,
    exit::Failure,
    input::Pair,
    output::{Column, Kind, Rows, Table},
};

/// What is done with specs.
#[derive(Debug, Subcommand)]
pub(crate) enum SpecsCommand {
    /// List the specs of a project; without a project, list the projects
    #[command(after_help = "Examples:\n  koor specs list\n  koor specs list Truck-Wash")]
    List {
        /// Project
        project: Option<String>,
    },

    /// Print a spec, byte for byte
    #[command(
        after_help = "Examples:\n  koor specs get Truck-Wash/button\n  koor specs get Truck-Wash/button --version 2"
    )]
    Get(On<Spec, documents::Get>),

    /// Store a spec
    #[command(after_help = "\
A spec is held against <project>/<name>.schema, if there is one. A condition that does not hold changes nothing.

Examples:
  koor specs set Truck-Wash/button --data '{\"states\": [\"idle\", \"hover\"]}'
  koor specs set Truck-Wash/button --file button.json --if-version 3")]
    Set(On<Spec, documents::Set>),

    /// Delete a spec; its versions stay
    #[command(after_help = "Example:\n  koor specs delete Truck-Wash/button")]
    Delete(On<Spec, documents::Delete>),

    /// List the versions of a spec, newest first
    #[command(after_help = "Example:\n  koor specs history Truck-Wash/button --limit 5")]
    History(On<Spec, documents::History>),

    /// Restore an older version of a spec as the newest
    #[command(after_help = "Example:\n  koor specs rollback Truck-Wash/button --version 2")]
    Rollback(On<Spec, documents::Rollback>),

    /// Compare two versions of a spec
    #[command(after_help = "Example:\n  koor specs diff Truck-Wash/button --v1 1 --v2 3")]
    Diff(On<Spec, documents::Diff>),

    /// Wait for a spec to change, and print the new version
    #[command(after_help = "\
When the time is up, nothing is printed and the exit code is 1. It is 1, too, when the spec was deleted.

Example:
  koor specs wait Truck-Wash/button --timeout 30s")]
    Wait(On<Spec, documents::Wait>),
}

/// Which spec.
#[derive(Debug, Args)]
pub(crate) struct Spec {
    /// Project and name of the spec
    #[arg(value_name = "PROJECT/NAME")]
    spec: Pair,
}

const PROJECTS: Table = Table {
    rows: Rows::In("projects"),
    columns: &[
        Column("PROJECT", "/project", Kind::Name),
        Column("SPECS", "/specs", Kind::Number),
        Column("RULES", "/rules", Kind::Number),
    ],
    empty: "no projects",
};

const SPECS: Table = Table {
    rows: Rows::In("specs"),
    columns: &[
        Column("NAME", "/name", Kind::Name),
        Column("VERSION", "/version", Kind::Number),
        Column("UPDATED", "/updated_at", Kind::Time),
    ],
    empty: "no specs",
};

/// Does what was typed.
///
/// # Errors
/// When the server refuses, or can't be reached.
pub(crate) fn run(command: &SpecsCommand, context: &Context) -> Result<(), Failure> {
    match command {
        SpecsCommand::List { project: None } => context.table(context.client.get("/api/specs"), &PROJECTS),
        SpecsCommand::List { project: Some(project) } => {
            context.table(context.client.get("/api/specs").segment(project), &SPECS)
        }
        SpecsCommand::Get(on) => on.run(context),
        SpecsCommand::Set(on) => on.run(context),
        SpecsCommand::Delete(on) => on.run(context),
        SpecsCommand::History(on) => on.run(context),
        SpecsCommand::Rollback(on) => on.run(context),
        SpecsCommand::Diff(on) => on.run(context),
        SpecsCommand::Wait(on) => on.run(context),
    }
}

impl Document for Spec {
    fn on<'a>(&self, client: &'a Client, method: fn(&'a Client, &str) -> Request<'a>) -> Request<'a> {
        method(client, "/api/specs").pair(&self.spec)
    }

    fn name(&self) -> String {
        self.spec.to_string()
    }

    fn others(&self, client: &Client) -> Result<Vec<String>, Failure> {
        #[derive(Deserialize)]
        struct Listed {
            specs: Vec<Named>,
        }
        #[derive(Deserialize)]
        struct Named {
            name: String,
        }
        let project = &self.spec.first;
        let all: Listed = client.get("/api/specs").segment(project).send()?.json()?;
        Ok(all.specs.into_iter().map(|Named { name }| format!("{project}/{name}")).collect())
    }
}
