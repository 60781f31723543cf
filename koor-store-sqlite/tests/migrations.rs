//! What is in a data directory, and who may open it.

#![expect(clippy::unwrap_used, reason = "helpers of a test fail as it does")]

mod common;

use std::{collections::BTreeMap, fs, path::Path};

use common::{ask, open, put_one, walk};
use koor_core::ports::Store as _;
use koor_store_sqlite::{OpenError, SqliteOptions, SqliteStore};
use sqlx::{Connection as _, Executor as _, Row as _, SqliteConnection};
use tempfile::TempDir;

async fn raw(directory: &Path) -> SqliteConnection {
    let url = format!("sqlite://{}", directory.join("data.db").display());
    SqliteConnection::connect(&url).await.unwrap()
}

/// Every file but the lock, byte for byte.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(directory).unwrap().map(|entry| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
    });
    files.filter(|(name, _)| name != "data.lock").collect()
}

#[tokio::test]
async fn a_database_from_the_future_is_refused_and_not_touched() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path()).await;
    put_one(&store, "a", b"1").await.unwrap();
    store.close().await;
    let mut conn = raw(directory.path()).await;
    conn.execute("PRAGMA user_version = 999").await.unwrap();
    conn.close().await.unwrap();
    let before = files(directory.path());
    let refused = SqliteStore::open(SqliteOptions::new(directory.path())).await.unwrap_err();
    assert!(matches!(refused, OpenError::Newer { found: 999, known: 5 }), "{refused:?}");
    assert!(refused.to_string().contains("format 999"), "{refused}");
    assert!(files(directory.path()) == before, "a file has changed");
}

#[tokio::test]
async fn a_database_from_the_future_is_refused_where_its_format_is_still_in_the_log() {
    let directory = TempDir::new().unwrap();
    open(directory.path()).await.close().await;
    let mut conn = raw(directory.path()).await;
    conn.execute("PRAGMA journal_mode = WAL").await.unwrap();
    conn.execute("PRAGMA user_version = 999").await.unwrap();
    // As a killed process leaves it: the log is not taken over.
    let killed = TempDir::new().unwrap();
    for (name, bytes) in files(directory.path()).into_iter().filter(|(name, _)| !name.ends_with("-shm")) {
        fs::write(killed.path().join(name), bytes).unwrap();
    }
    let read = |name: &str| fs::read(killed.path().join(name)).unwrap();
    let before = (read("data.db"), read("data.db-wal"));
    let refused = SqliteStore::open(SqliteOptions::new(killed.path())).await.unwrap_err();
    assert!(matches!(refused, OpenError::Newer { found: 999, .. }), "{refused:?}");
    assert!((read("data.db"), read("data.db-wal")) == before, "a file has changed");
}

#[tokio::test]
async fn a_second_opener_is_refused_and_told_who_was_first() {
    let directory = TempDir::new().unwrap();
    let first = open(directory.path()).await;
    let refused = SqliteStore::open(SqliteOptions::new(directory.path())).await.unwrap_err();
    let pid = std::process::id();
    assert!(
        matches!(refused, OpenError::Locked { holder: Some(holder), .. } if holder == pid),
        "{refused:?}"
    );
    assert!(refused.to_string().ends_with(&format!("is in use by process {pid}")), "{refused}");
    put_one(&first, "a", b"1").await.unwrap();
    first.close().await;
    open(directory.path()).await.close().await;
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_made_and_a_file_in_its_place_is_an_error() {
    let directory = TempDir::new().unwrap();
    let inner = directory.path().join("a/b");
    open(&inner).await.close().await;
    assert!(inner.join("data.db").exists());
    let file = directory.path().join("file");
    fs::write(&file, "x").unwrap();
    let refused = SqliteStore::open(SqliteOptions::new(&file)).await.unwrap_err();
    assert!(matches!(refused, OpenError::Io { attempted: "make the data directory", .. }), "{refused:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = TempDir::new().unwrap();
    let store = open(directory.path()).await;
    put_one(&store, "a", b"1").await.unwrap();
    for name in ["data.db", "data.db-wal", "data.db-shm"] {
        let mode = fs::metadata(directory.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    store.close().await;
}

#[tokio::test]
async fn what_a_killed_process_left_is_taken_over() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path()).await;
    put_one(&store, "a", b"1").await.unwrap();
    put_one(&store, "a", b"2").await.unwrap();
    let killed = TempDir::new().unwrap();
    for (name, bytes) in files(directory.path()).into_iter().filter(|(name, _)| !name.ends_with("-shm")) {
        fs::write(killed.path().join(name), bytes).unwrap();
    }
    store.close().await;
    let store = open(killed.path()).await;
    let report = ask(&store, walk).await.unwrap();
    assert_eq!((report.valid, report.entries), (true, 2));
    store.close().await;
}

#[tokio::test]
async fn the_database_is_strict_and_durable() {
    let directory = TempDir::new().unwrap();
    open(directory.path()).await.close().await;
    let mut conn = raw(directory.path()).await;
    let lax: i64 = sqlx::query(
        "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND strict = 0 \
         AND name NOT LIKE 'sqlite%'",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap()
    .get(0);
    assert_eq!(lax, 0, "every table is strict");
    let mode: String = sqlx::query("PRAGMA journal_mode").fetch_one(&mut conn).await.unwrap().get(0);
    assert_eq!(mode, "wal");
}
