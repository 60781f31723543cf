//! What a store takes for its own in a data directory, and what it leaves alone.

#![expect(clippy::unwrap_used, reason = "helpers of a test fail as it does")]

mod common;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use common::{ask, open, put_one, walk};
use koor_core::ports::Store as _;
use koor_store_sqlite::{OpenError, SqliteOptions, SqliteStore, check_database};
use sqlx::{Connection as _, Executor as _, Row as _, SqliteConnection};
use tempfile::TempDir;

/// "Koor", where `SQLite` keeps the application id.
const MARK: (usize, [u8; 4]) = (68, *b"Koor");

const NEWER: &str = include_str!("original/newer.sql");
const OLDER: &str = include_str!("original/older.sql");

async fn raw(database: &Path) -> SqliteConnection {
    let url = format!("sqlite://{}?mode=rwc", database.display());
    SqliteConnection::connect(&url).await.unwrap()
}

/// A directory with a `data.db` that this script makes, closed in order.
async fn made_by(script: &'static str) -> TempDir {
    let directory = TempDir::new().unwrap();
    let mut conn = raw(&directory.path().join("data.db")).await;
    conn.execute(script).await.unwrap();
    conn.close().await.unwrap();
    directory
}

/// Everything in a directory and below: bytes and the time of the last change.
fn everything(directory: &Path) -> BTreeMap<PathBuf, (SystemTime, Option<Vec<u8>>)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let about = fs::metadata(&path).unwrap();
        if about.is_dir() {
            found.append(&mut everything(&path));
        }
        found.insert(path.clone(), (about.modified().unwrap(), fs::read(&path).ok()));
    }
    found
}

async fn refusal(directory: &Path) -> OpenError {
    SqliteStore::open(SqliteOptions::new(directory)).await.unwrap_err()
}

/// Opens a directory that must be refused, and sees to it that nothing in it has changed.
async fn refused_and_untouched(directory: &Path) -> OpenError {
    let before = everything(directory);
    let said = refusal(directory).await;
    assert!(everything(directory) == before, "{said}: something has changed");
    let checked = check_database(directory).unwrap_err();
    assert_eq!(checked.to_string(), said.to_string());
    assert!(everything(directory) == before, "{said}: looking has changed something");
    said
}

/// As a killed process leaves a directory: without the shared memory, and with the rest unclosed.
fn killed(directory: &Path) -> TempDir {
    let killed = TempDir::new().unwrap();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if !name.ends_with("-shm") && name != "data.lock" {
            fs::copy(entry.path(), killed.path().join(name)).unwrap();
        }
    }
    killed
}

fn mark(directory: &Path) -> [u8; 4] {
    let (at, mark) = MARK;
    let bytes = fs::read(directory.join("data.db")).unwrap();
    bytes[at..at + mark.len()].try_into().unwrap()
}

async fn unmark(directory: &Path) {
    let mut conn = raw(&directory.join("data.db")).await;
    conn.execute("PRAGMA application_id = 0").await.unwrap();
    conn.close().await.unwrap();
    assert_eq!(mark(directory), [0; 4]);
}

#[tokio::test]
async fn files_that_koor_did_not_make_stay() {
    let directory = TempDir::new().unwrap();
    let path = directory.path();
    let mine = ["copy-assets.sh", "copy-1-0.db", "data.copies/copy-notes.txt", "data.copies/copy-1-0.db.bak"];
    fs::create_dir(path.join("data.copies")).unwrap();
    fs::create_dir(path.join("copy-me")).unwrap();
    fs::create_dir(path.join("data.copies/copy-2-0.db")).unwrap();
    for name in mine {
        fs::write(path.join(name), name).unwrap();
    }
    // This one is named exactly as a copy of a killed process is.
    fs::write(path.join("data.copies/copy-1-0.db"), "left behind").unwrap();
    let store = open(path).await;
    store.read_detached(Box::new(|_| Ok(()))).await.unwrap();
    store.close().await;
    for name in mine {
        assert_eq!(fs::read_to_string(path.join(name)).unwrap(), name);
    }
    assert!(path.join("copy-me").is_dir() && path.join("data.copies/copy-2-0.db").is_dir());
    assert!(!path.join("data.copies/copy-1-0.db").exists());
}

#[tokio::test]
async fn a_file_where_copies_should_go_stops_copies_only() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("data.copies"), "mine").unwrap();
    let store = open(directory.path()).await;
    put_one(&store, "a", b"1").await.unwrap();
    let copied = store.read_detached(Box::new(|_| Ok(()))).await;
    assert!(copied.is_err(), "{copied:?}");
    store.close().await;
    assert_eq!(fs::read_to_string(directory.path().join("data.copies")).unwrap(), "mine");
}

#[tokio::test]
async fn a_database_of_the_original_server_is_refused_and_told_how_to_import_it() {
    for script in [NEWER, OLDER] {
        let directory = made_by(script).await;
        let said = refused_and_untouched(directory.path()).await;
        assert!(matches!(said, OpenError::Original { .. }), "{said:?}");
        let import = format!("run `koor import --from {}`", directory.path().join("data.db").display());
        assert!(said.to_string().contains(&import), "{said}");
    }
}

#[tokio::test]
async fn a_database_of_another_program_is_refused() {
    for (script, why) in [
        ("CREATE TABLE recipes (id INTEGER)", "it has a table \"recipes\""),
        ("PRAGMA journal_mode = WAL; CREATE TABLE recipes (id INTEGER)", "it has a table \"recipes\""),
        ("CREATE TABLE document_version (id INTEGER)", "it has a table \"document_version\""),
        ("PRAGMA application_id = 1196444487", "its application id is 0x47504b47"),
        ("PRAGMA user_version = 7", "its format is 7"),
    ] {
        let directory = made_by(script).await;
        let said = refused_and_untouched(directory.path()).await;
        assert!(matches!(said, OpenError::Foreign { .. }), "{said:?}");
        assert!(
            said.to_string().contains(why) && said.to_string().contains("another data directory"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_where_all_of_it_is_still_in_the_log() {
    let directory = made_by("PRAGMA journal_mode = WAL").await;
    let mut conn = raw(&directory.path().join("data.db")).await;
    conn.execute("CREATE TABLE recipes (id INTEGER)").await.unwrap();
    let killed = killed(directory.path());
    let read = |name: &str| {
        let path = killed.path().join(name);
        (fs::metadata(&path).unwrap().modified().unwrap(), fs::read(&path).unwrap())
    };
    let before = (read("data.db"), read("data.db-wal"));
    let said = refusal(killed.path()).await;
    assert!(matches!(said, OpenError::Foreign { .. }), "{said:?}");
    assert!((read("data.db"), read("data.db-wal")) == before, "a file has changed");
    let mut names: Vec<_> = everything(killed.path()).into_keys().collect();
    names.retain(|name| !name.ends_with("data.lock"));
    assert_eq!(names, ["data.db", "data.db-wal"].map(|name| killed.path().join(name)));
}

#[tokio::test]
async fn an_unfinished_transaction_of_another_program_stays_unfinished() {
    let directory =
        made_by("CREATE TABLE recipes (text BLOB); INSERT INTO recipes VALUES (zeroblob(65536))").await;
    let mut conn = raw(&directory.path().join("data.db")).await;
    // With a cache of a few pages, the rest is written before COMMIT.
    conn.execute("PRAGMA cache_size = 1; BEGIN; UPDATE recipes SET text = randomblob(65536)").await.unwrap();
    conn.execute("INSERT INTO recipes VALUES (randomblob(65536))").await.unwrap();
    let killed = killed(directory.path());
    let journal = fs::read(killed.path().join("data.db-journal")).unwrap();
    assert!(journal[0] != 0, "the journal is hot");
    let said = refused_and_untouched(killed.path()).await;
    assert!(matches!(said, OpenError::Foreign { .. }), "{said:?}");

    // Where the database itself is gone, SQLite would delete what is left of it.
    fs::remove_file(killed.path().join("data.db")).unwrap();
    let said = refused_and_untouched(killed.path()).await;
    assert!(matches!(&said, OpenError::Orphan { path } if path.ends_with("data.db-journal")), "{said:?}");
    fs::write(killed.path().join("data.db"), "").unwrap();
    assert!(matches!(refused_and_untouched(killed.path()).await, OpenError::Orphan { .. }));
}

#[tokio::test]
async fn a_log_without_its_database_is_not_deleted() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path()).await;
    put_one(&store, "a", b"1").await.unwrap();
    let killed = killed(directory.path());
    store.close().await;
    fs::remove_file(killed.path().join("data.db")).unwrap();
    let said = refused_and_untouched(killed.path()).await;
    assert!(matches!(&said, OpenError::Orphan { path } if path.ends_with("data.db-wal")), "{said:?}");
}

#[tokio::test]
async fn what_is_no_database_is_refused_whatever_its_length() {
    for bytes in [&b"hello"[..], &[b'x'; 100], &[b'x'; 4096], &[0; 1]] {
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join("data.db"), bytes).unwrap();
        let said = refused_and_untouched(directory.path()).await;
        assert!(said.to_string().contains("it is no SQLite database"), "{said}");
    }
}

#[tokio::test]
async fn an_empty_file_becomes_a_database() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("data.db"), "").unwrap();
    let store = open(directory.path()).await;
    put_one(&store, "a", b"1").await.unwrap();
    store.close().await;
    assert_eq!(mark(directory.path()), MARK.1);
    // Nor does an empty database matter, as a start that was interrupted leaves it.
    let empty = made_by("PRAGMA journal_mode = WAL").await;
    open(empty.path()).await.close().await;
    assert_eq!(mark(empty.path()), MARK.1);
}

#[tokio::test]
async fn a_new_database_has_its_mark_in_the_file_before_anything_is_written() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path()).await;
    assert_eq!(mark(directory.path()), MARK.1);
    store.close().await;
}

#[tokio::test]
async fn a_database_from_before_there_was_a_mark_opens_and_gets_it() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path()).await;
    put_one(&store, "a", b"1").await.unwrap();
    store.close().await;
    unmark(directory.path()).await;
    let store = open(directory.path()).await;
    assert_eq!(mark(directory.path()), MARK.1);
    let report = ask(&store, walk).await.unwrap();
    assert_eq!((report.valid, report.entries), (true, 1));
    store.close().await;
}

#[tokio::test]
async fn a_database_that_is_still_in_the_log_is_recognized() {
    let directory = made_by("PRAGMA journal_mode = WAL").await;
    let other = TempDir::new().unwrap();
    open(other.path()).await.close().await;
    let mut schema = raw(&other.path().join("data.db")).await;
    let tables = schema.fetch_all("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").await.unwrap();
    let script: Vec<String> = tables.iter().map(|row| row.get(0)).collect();
    let format: i64 = schema.fetch_one("PRAGMA user_version").await.unwrap().get(0);
    let mut conn = raw(&directory.path().join("data.db")).await;
    let rest = format!(
        "INSERT INTO event_pruned VALUES (0, 0), (1, 0); INSERT INTO audit_indexed VALUES (1, 0); \
         PRAGMA user_version = {format}"
    );
    let script = format!("BEGIN; {}; {rest}; COMMIT", script.join(";"));
    conn.execute(sqlx::AssertSqlSafe(script)).await.unwrap();
    let killed = killed(directory.path());
    assert_eq!(fs::metadata(killed.path().join("data.db")).unwrap().len(), 4096, "one page, without tables");
    let store = open(killed.path()).await;
    put_one(&store, "a", b"1").await.unwrap();
    store.close().await;
    assert_eq!(mark(killed.path()), MARK.1);
}

#[cfg(unix)]
#[tokio::test]
async fn files_that_others_may_read_are_made_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = TempDir::new().unwrap();
    let store = open(directory.path()).await;
    put_one(&store, "a", b"1").await.unwrap();
    let killed = killed(directory.path());
    store.close().await;
    for name in ["data.db", "data.db-wal"] {
        fs::set_permissions(killed.path().join(name), fs::Permissions::from_mode(0o664)).unwrap();
    }
    let store = open(killed.path()).await;
    for name in ["data.db", "data.db-wal", "data.db-shm"] {
        let mode = fs::metadata(killed.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    store.close().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_database_behind_a_link_is_locked_where_it_is() {
    let directory = TempDir::new().unwrap();
    let linked = TempDir::new().unwrap();
    let link = linked.path().join("data.db");
    // The link may be there before the database is.
    std::os::unix::fs::symlink(directory.path().join("data.db"), &link).unwrap();
    let store = open(linked.path()).await;
    put_one(&store, "a", b"1").await.unwrap();
    assert!(directory.path().join("data.db-wal").exists());
    let said = refusal(directory.path()).await;
    assert!(matches!(said, OpenError::Locked { holder: Some(_), .. }), "{said:?}");
    store.close().await;

    let store = open(directory.path()).await;
    let said = refusal(linked.path()).await;
    assert!(matches!(said, OpenError::Locked { holder: Some(_), .. }), "{said:?}");
    put_one(&store, "a", b"2").await.unwrap();
    store.close().await;
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    let store = open(linked.path()).await;
    assert_eq!(put_one(&store, "a", b"3").await.unwrap().get(), 3);
    store.close().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_database_with_two_names_is_locked_by_either() {
    let directory = TempDir::new().unwrap();
    open(directory.path()).await.close().await;
    let other = TempDir::new().unwrap();
    fs::hard_link(directory.path().join("data.db"), other.path().join("data.db")).unwrap();
    let store = open(directory.path()).await;
    let said = refusal(other.path()).await;
    assert!(matches!(said, OpenError::Locked { holder: None, .. }), "{said:?}");
    put_one(&store, "a", b"1").await.unwrap();
    store.close().await;
    open(other.path()).await.close().await;
}
