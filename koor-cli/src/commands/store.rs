//! `koor store copy`: everything from one database into another.

use std::path::Path;

use clap::{Args, Subcommand};
use koor_core::use_cases::copy_store;
use koor_store_sqlite::Durability;
use serde_json::json;

use crate::{
    exit::Failure,
    output::{Column, Kind, Output, Rows, Table},
    settings::serve::StoreAddress,
    store,
};

const COPY: &str = "\
Everything comes over: versions, ids, events, the audit chain, tokens and secrets. It is one commit, so the new database has all of
it or nothing, and it is read back and compared. Stop all servers of both databases first. The data is held in memory meanwhile.

Examples:
  koor store copy --from sqlite:/var/lib/koor --to postgres://koor@db1,db2/koor
  koor store copy --from postgres://koor@db1/koor --to sqlite:/srv/koor";

/// What can be done with databases.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Copy everything into a new database
    #[command(after_help = COPY)]
    Copy(Copy),
}

/// From where to where.
#[derive(Debug, Args)]
pub(crate) struct Copy {
    /// Database to read: `sqlite:DIR` or `postgres://user@host/database`
    #[arg(long, value_name = "ADDRESS")]
    from: StoreAddress,
    /// Database to fill, which must be empty: `sqlite:DIR` or `postgres://user@host/database`
    #[arg(long, value_name = "ADDRESS")]
    to: StoreAddress,
}

const TABLE: Table = Table {
    rows: Rows::Fields,
    columns: &[
        Column("document versions", "/document_versions", Kind::Number),
        Column("events", "/events", Kind::Number),
        Column("instances", "/instances", Kind::Number),
        Column("tasks", "/tasks", Kind::Number),
        Column("messages", "/messages", Kind::Number),
        Column("audit entries", "/audit", Kind::Number),
        Column("items in all", "/items", Kind::Number),
    ],
    empty: "",
};

/// Does it.
///
/// # Errors
/// When a database cannot be used, the target is not empty, or the copy is not what was read.
pub(crate) fn run(command: &StoreCommand, output: &Output) -> Result<(), Failure> {
    let StoreCommand::Copy(Copy { from, to }) = command;
    if let StoreAddress::Sqlite(directory) = from
        && !directory.join("data.db").exists()
    {
        // Opening it would make one.
        return Err(Failure::refused(format_args!("there is no database in {}", directory.display())));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(&error))?;
    let copied = runtime.block_on(async {
        let source = store::open(from, Path::new("."), Durability::Full).await?;
        let target = store::open(to, Path::new("."), Durability::Full).await?;
        let copied = copy_store(&*source, &*target).await;
        source.close().await;
        target.close().await;
        copied.map_err(|error| failed(&error))
    })?;
    output.table(json!(copied).to_string().as_bytes(), &TABLE)
}

fn failed(error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::caused_by(error).about("nothing was copied")
}
