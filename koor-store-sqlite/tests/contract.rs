//! The suite that every store must pass, on `SQLite`.

#![expect(clippy::unwrap_used, reason = "helpers of a test fail as it does")]

use std::sync::Arc;

use koor_core::{
    MemoryStore, contract_suite,
    testkit::{Harness, StoreFixture, run_random},
};
use koor_store_sqlite::{SqliteOptions, SqliteStore};
use tempfile::TempDir;

/// A store in a directory of its own, which lives as long as it can be opened again.
async fn fixture() -> StoreFixture {
    ground_with(|options| options).await
}

async fn ground_with(set: fn(SqliteOptions) -> SqliteOptions) -> StoreFixture {
    let directory = Arc::new(TempDir::new().unwrap());
    StoreFixture::reopening(move || {
        let directory = directory.clone();
        async move { SqliteStore::open(set(SqliteOptions::new(directory.path()))).await.unwrap() }
    })
    .await
}

/// So that what is asked of the audit log lies on both sides of the end of its index.
async fn indexing() -> StoreFixture {
    ground_with(|options| SqliteOptions { index_after: 3, ..options }).await
}

contract_suite!(fixture().await, restarts);

mod with_an_index_that_moves {
    use super::*;

    contract_suite!(indexing().await, restarts);
}

#[tokio::test(flavor = "multi_thread")]
async fn random_commands_leave_the_same_traces_as_in_memory() {
    for seed in 0..8 {
        let fixture = if seed % 2 == 0 { fixture().await } else { indexing().await };
        let mut sqlite = Harness::on(fixture).await;
        let mut memory = Harness::on(StoreFixture::of(MemoryStore::default())).await;
        for part in 0..4 {
            let seed = seed * 100 + part;
            let (ours, theirs) = (run_random(&sqlite, seed, 100).await, run_random(&memory, seed, 100).await);
            for (index, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
                assert_eq!(ours, theirs, "command {index} of seed {seed}");
            }
            sqlite.restart().await;
            memory.reopen_core().await;
            assert_eq!(sqlite.dump().await, memory.dump().await, "after seed {seed}");
        }
    }
}
