//! Takes over the database of an original server, into a data directory that no server has.

use std::path::PathBuf;

use clap::Args;
use koor_core::{
    Caller, Koor,
    clock::{Clock as _, SystemClock},
    use_cases::{Imported, Takeover, Unfit},
};
use koor_store_sqlite::{SqliteOptions, SqliteStore, read_original};
use serde_json::json;

use crate::{
    exit::{Failure, warn},
    output::{Column, Kind, Output, Rows, Table},
};

pub(crate) const EXAMPLES: &str = "\
Keys, versions, bytes and times stay what they were; events keep their order and get new ids. Tokens of instances and
secrets of webhooks go on working. The old file is not touched. Either everything comes over or nothing.

Examples:
  koor import --from /srv/old/data.db --data-dir /var/lib/koor
  koor import --from /srv/old/data.db --data-dir . --leave-out-unfit";

/// What is taken over, and where to.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Database of the original server, `data.db`; stop that server first
    #[arg(long, value_name = "PATH")]
    from: PathBuf,
    /// Data directory to fill; it must be empty or missing
    #[arg(long, value_name = "PATH", default_value = ".")]
    data_dir: PathBuf,
    /// Skip what cannot be imported, such as a key with an empty segment, and report it
    #[arg(long)]
    leave_out_unfit: bool,
}

const TABLE: Table = Table {
    rows: Rows::Fields,
    columns: &[
        Column("state", "/state", Kind::Number),
        Column("its versions", "/state_versions", Kind::Number),
        Column("specs", "/specs", Kind::Number),
        Column("rules", "/rules", Kind::Number),
        Column("events", "/events", Kind::Number),
        Column("instances", "/instances", Kind::Number),
        Column("webhooks", "/webhooks", Kind::Number),
        Column("compliance runs", "/compliance_runs", Kind::Number),
        Column("templates", "/templates", Kind::Number),
        Column("audit entries", "/audit", Kind::Number),
        Column("counters", "/metrics", Kind::Number),
        Column("usage records", "/usage", Kind::Number),
        Column("renumbered", "/renumbered", Kind::Number),
    ],
    empty: "",
};

/// Takes it over, and prints what came.
///
/// # Errors
/// When the old database is damaged or something else, or the data directory is in use or not empty.
pub(crate) fn run(import: &Import, output: &Output) -> Result<(), Failure> {
    let scratch = tempfile::tempdir().map_err(|error| failed(&error))?;
    let original = read_original(&import.from, scratch.path()).map_err(|error| failed(&error))?;
    let unfit = if import.leave_out_unfit { Unfit::LeaveOut } else { Unfit::Refuse };
    // Before there is a store: what is refused leaves no data directory behind.
    let takeover = Takeover::of(original, unfit, SystemClock.now()).map_err(|error| failed(&error))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(&error))?;
    let imported: Imported = runtime.block_on(async {
        let store = SqliteStore::open(SqliteOptions::new(&import.data_dir)).await;
        let store = store.map_err(|error| failed(&error))?;
        let koor = Koor::on(store).open().await.map_err(|error| failed(&error))?;
        let done = koor.import_original(&Caller::local(), takeover).await;
        koor.close().await;
        done.map(|committed| committed.output).map_err(|error| failed(&error))
    })?;
    for row in &imported.left_out {
        warn(format_args!("left out: {row}"));
    }
    output.table(json!(imported).to_string().as_bytes(), &TABLE)
}

fn failed(error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::caused_by(error).about("nothing was imported")
}
