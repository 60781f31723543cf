//! The suite that every store must pass, on `SQLite`.

#![expect(clippy::unwrap_used, reason = "helpers of a test fail as it does")]

use std::sync::Arc;

use koor_core::{contract_suite, testkit::Ground};
use koor_store_sqlite::{SqliteOptions, SqliteStore};
use tempfile::TempDir;

/// A store in a directory of its own, which lives as long as it can be opened again.
async fn ground() -> Ground {
    let directory = Arc::new(TempDir::new().unwrap());
    Ground::reopening(move || {
        let directory = directory.clone();
        async move { SqliteStore::open(SqliteOptions::new(directory.path())).await.unwrap() }
    })
    .await
}

contract_suite!(ground().await, restarts);
