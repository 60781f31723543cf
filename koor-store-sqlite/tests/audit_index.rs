//! The audit log is found by what it says, wherever the end of the index is just then.

#![expect(clippy::unwrap_used, reason = "helpers of a test fail as it does")]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod common;

use std::{
    path::Path,
    sync::{Arc, mpsc},
};

use common::{ask, open, put_one};
use koor_core::{
    domain::audit::AuditFilter,
    page::TimeRange,
    ports::{ReadTx, Store, StoreResult},
};
use koor_store_sqlite::{SqliteOptions, SqliteStore};
use sqlx::{Connection as _, Executor as _, Row as _, SqliteConnection};
use tempfile::TempDir;

async fn open_with(directory: &Path, index_after: u32) -> SqliteStore {
    SqliteStore::open(SqliteOptions { index_after, ..SqliteOptions::new(directory) }).await.unwrap()
}

async fn raw(directory: &Path) -> SqliteConnection {
    let url = format!("sqlite://{}", directory.join("data.db").display());
    SqliteConnection::connect(&url).await.unwrap()
}

/// The ids of the entries that say this of a resource, newest first.
fn of(tx: &mut dyn ReadTx, resource: &str) -> StoreResult<Vec<u64>> {
    let filter = AuditFilter { resource: Some(resource.into()), ..AuditFilter::default() };
    Ok(tx.audit(&filter, 100)?.iter().map(|entry| entry.entry.id.get()).collect())
}

async fn found(store: &dyn Store, resource: &'static str) -> Vec<u64> {
    ask(store, move |tx| of(tx, resource)).await.unwrap()
}

/// Up to where the index has the log, and how many lines it has for resources.
async fn indexed(directory: &Path) -> (i64, i64) {
    let mut conn = raw(directory).await;
    let sql = "SELECT through, (SELECT count(*) FROM audit_by WHERE field = 0) FROM audit_indexed";
    let row = sqlx::query(sql).fetch_one(&mut conn).await.unwrap();
    (row.get(0), row.get(1))
}

/// Waits until the index has the log up to there: the writer extends it while it is idle.
async fn until_indexed(directory: &Path, through: i64) {
    while indexed(directory).await != (through, through) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn entries_are_found_before_and_after_they_are_in_the_index() {
    let directory = TempDir::new().unwrap();
    let store = open_with(directory.path(), 4).await;
    for turn in 1..=10_u64 {
        put_one(&store, if turn % 2 == 1 { "odd" } else { "even" }, b"1").await.unwrap();
        let odd: Vec<u64> = (1..=turn).filter(|id| id % 2 == 1).rev().collect();
        assert_eq!(found(&store, "odd").await, odd, "after {turn}");
    }
    until_indexed(directory.path(), 8).await;
    assert_eq!(found(&store, "odd").await, [9, 7, 5, 3, 1]);
}

#[tokio::test]
async fn what_a_run_before_left_out_is_found_too() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path()).await;
    for name in ["a", "b", "a"] {
        put_one(&store, name, b"1").await.unwrap();
    }
    store.close().await;
    assert_eq!(indexed(directory.path()).await, (0, 0));
    let store = open(directory.path()).await;
    put_one(&store, "a", b"1").await.unwrap();
    assert_eq!(found(&store, "a").await, [4, 3, 1]);
    store.close().await;
    assert_eq!(indexed(directory.path()).await, (0, 0), "three are too few");
    let store = open_with(directory.path(), 4).await;
    assert_eq!(found(&store, "a").await, [4, 3, 1]);
    until_indexed(directory.path(), 4).await;
    assert_eq!(found(&store, "a").await, [4, 3, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_from_before_the_index_was_brought_on_stays_as_it_is() {
    let directory = TempDir::new().unwrap();
    let store = Arc::new(open_with(directory.path(), 4).await);
    for name in ["a", "b", "a"] {
        put_one(&*store, name, b"1").await.unwrap();
    }
    let (looks, looking) = mpsc::channel();
    let (goes_on, go_on) = mpsc::channel::<()>();
    let reader = store.clone();
    let asking = tokio::spawn(async move {
        ask(&*reader, move |tx| {
            let head = tx.audit_head()?;
            looks.send(()).unwrap();
            go_on.recv().unwrap();
            Ok((head.unwrap().id.get(), of(tx, "a")?, of(tx, "b")?))
        })
        .await
        .unwrap()
    });
    tokio::task::spawn_blocking(move || looking.recv().unwrap()).await.unwrap();
    for _ in 0..6 {
        put_one(&*store, "a", b"1").await.unwrap();
    }
    until_indexed(directory.path(), 8).await;
    assert_eq!(found(&*store, "a").await.len(), 8);
    goes_on.send(()).unwrap();
    assert_eq!(asking.await.unwrap(), (3, vec![3, 1], vec![2]));
}

#[tokio::test]
async fn what_was_taken_in_by_half_counts_once() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path()).await;
    for name in ["a", "b", "a", "a"] {
        put_one(&store, name, b"1").await.unwrap();
    }
    store.close().await;
    // As a process leaves it that was killed in the middle of a round.
    let mut conn = raw(directory.path()).await;
    conn.execute("INSERT INTO audit_by VALUES (0, 'a', 1), (0, 'a', 3), (2, 'state.put', 1)").await.unwrap();
    conn.close().await.unwrap();
    for index_after in [5, 4] {
        let store = open_with(directory.path(), index_after).await;
        if index_after == 4 {
            until_indexed(directory.path(), 4).await;
        }
        assert_eq!(found(&store, "a").await, [4, 3, 1]);
        let summary = ask(&store, |tx| tx.audit_summary(TimeRange::default())).await.unwrap();
        assert_eq!(summary.action_counts, [("state.put".to_owned(), 4)].into());
        assert_eq!((summary.unique_actors, summary.unique_resources), (1, 2));
        store.close().await;
    }
}

#[tokio::test]
async fn a_database_of_the_first_format_is_indexed_when_it_is_opened() {
    let directory = TempDir::new().unwrap();
    let url = format!("sqlite://{}?mode=rwc", directory.path().join("data.db").display());
    let mut conn = SqliteConnection::connect(&url).await.unwrap();
    conn.execute(include_str!("../migrations/0001_nouns.sql")).await.unwrap();
    conn.execute("PRAGMA user_version = 1").await.unwrap();
    conn.execute(
        "INSERT INTO audit_log (id, timestamp, actor, action, resource, outcome, hash, detail) \
         SELECT value, 1700000000000, 'tester', 'state.put', iif(value % 2, 'odd', 'even'), 'success', zeroblob(32), '{}' \
         FROM json_each('[1,2,3,4,5]')",
    )
    .await
    .unwrap();
    conn.close().await.unwrap();
    let store = open(directory.path()).await;
    assert_eq!(found(&store, "odd").await, [5, 3, 1]);
    store.close().await;
    assert_eq!(indexed(directory.path()).await, (5, 5));
}
