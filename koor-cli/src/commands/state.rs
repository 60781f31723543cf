//! Shared values, with every version they had.

use clap::{Args, Subcommand};
use serde::Deserialize;

use crate::{
    client::{Client, Request},
    commands::{
        documents::{self, Document, On},
        edit,
    },
    context::Context,
    exit::Failure,
    output::{Column, Kind, Rows, Table},
};

/// What is done with values.
#[derive(Debug, Subcommand)]
pub(crate) enum StateCommand {
    /// List values by key
    #[command(after_help = "Examples:\n  koor state list\n  koor state list --prefix Truck-Wash/ --limit 20")]
    List(List),

    /// Print a value, byte for byte
    #[command(after_help = "\
Examples:
  koor state get Truck-Wash/plan
  koor state get Truck-Wash/plan --version 3
  koor state get Truck-Wash/logo --output logo.png")]
    Get(On<Key, documents::Get>),

    /// Store a value
    #[command(after_help = "\
A condition that does not hold changes nothing: the exit code is 1, and the answer has the version that is there.

Examples:
  koor state set Truck-Wash/plan --data '{\"step\": 1}'
  koor state set Truck-Wash/logo --file logo.png --content-type image/png
  make report | koor state set Truck-Wash/report --file -
  koor state set Truck-Wash/plan --data '{\"step\": 2}' --if-version 1")]
    Set(On<Key, documents::Set>),

    /// Delete a value; its versions stay
    #[command(after_help = "Example:\n  koor state delete Truck-Wash/plan")]
    Delete(On<Key, documents::Delete>),

    /// List the versions of a value, newest first
    #[command(after_help = "Example:\n  koor state history Truck-Wash/plan --limit 5")]
    History(On<Key, documents::History>),

    /// Restore an older version of a value as the newest
    #[command(after_help = "Example:\n  koor state rollback Truck-Wash/plan --version 2")]
    Rollback(On<Key, documents::Rollback>),

    /// Compare two versions of a value
    #[command(after_help = "\
Examples:
  koor state diff Truck-Wash/plan --v1 1 --v2 3
  koor state diff Truck-Wash/plan --v1 1 --v2 3 --format json-patch")]
    Diff(On<Key, documents::Diff>),

    /// Wait for a value to change, and print the new version
    #[command(after_help = "\
When the time is up, nothing is printed and the exit code is 1. It is 1, too, when the value was deleted.

Examples:
  koor state wait Truck-Wash/plan --timeout 30s
  koor state wait Truck-Wash/plan --after 3        at once, if there is a version 4 already")]
    Wait(On<Key, documents::Wait>),

    /// Edit a value; a concurrent change is reported, never overwritten
    #[command(after_help = edit::EXAMPLES)]
    Edit(edit::EditArgs),
}

/// Which value.
#[derive(Debug, Args)]
pub(crate) struct Key {
    /// Key of the value; slashes are part of it
    key: String,
}

/// Which values.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only keys with this prefix
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,
    /// Maximum number of entries
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

/// The number of keys among which one is looked for that may have been meant.
const MOST_NAMES: usize = 1000;

const TABLE: Table = Table {
    rows: Rows::Whole,
    columns: &[
        Column("KEY", "/key", Kind::Name),
        Column("VERSION", "/version", Kind::Number),
        Column("SIZE", "/size", Kind::Bytes),
        Column("TYPE", "/content_type", Kind::Text),
        Column("UPDATED", "/updated_at", Kind::Time),
        Column("BY", "/updated_by", Kind::Text),
    ],
    empty: "no values",
};

/// Does what was typed.
///
/// # Errors
/// When the server refuses, or can't be reached.
pub(crate) fn run(command: &StateCommand, context: &Context) -> Result<(), Failure> {
    match command {
        StateCommand::List(list) => {
            let all = context.client.get("/api/state");
            context.table(all.queries("prefix", &list.prefix).queries("limit", list.limit), &TABLE)
        }
        StateCommand::Get(on) => on.run(context),
        StateCommand::Set(on) => on.run(context),
        StateCommand::Delete(on) => on.run(context),
        StateCommand::History(on) => on.run(context),
        StateCommand::Rollback(on) => on.run(context),
        StateCommand::Diff(on) => on.run(context),
        StateCommand::Wait(on) => on.run(context),
        StateCommand::Edit(args) => edit::run(args, context),
    }
}

impl Document for Key {
    fn on<'a>(&self, client: &'a Client, method: fn(&'a Client, &str) -> Request<'a>) -> Request<'a> {
        method(client, "/api/state").segments(&self.key)
    }

    fn name(&self) -> String {
        self.key.clone()
    }

    fn others(&self, client: &Client) -> Result<Vec<String>, Failure> {
        #[derive(Deserialize)]
        struct Listed {
            key: String,
        }
        let all: Vec<Listed> = client.get("/api/state").query("limit", MOST_NAMES).send()?.json()?;
        Ok(all.into_iter().map(|Listed { key }| key).collect())
    }
}
