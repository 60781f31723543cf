//! Databases of original servers, of both ages, damaged ones, and what comes of them.

#![expect(clippy::unwrap_used, reason = "helpers of a test fail as it does")]

use std::{
    fs,
    io::{Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use koor_core::{
    Caller, Error, Koor, MemoryStore,
    domain::audit::AuditFilter,
    ids::{DocumentKey, StateKey, Version},
    page::Limit,
    use_cases::History,
    use_cases::{Imported, Takeover, Unfit},
};
use koor_store_sqlite::{OriginalError, SqliteOptions, SqliteStore, read_original};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

const NEWER: &str = include_str!("original/newer.sql");
const OLDER: &str = include_str!("original/older.sql");

struct Old {
    directory: TempDir,
    scratch: TempDir,
}

impl Old {
    async fn of(script: &str) -> Self {
        let old = Self { directory: TempDir::new().unwrap(), scratch: TempDir::new().unwrap() };
        old.run(script).await;
        old
    }

    async fn run(&self, script: &str) {
        let options = SqliteConnectOptions::new().filename(self.file()).create_if_missing(true);
        let mut conn = options.connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(script.to_owned())).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("data.db")
    }

    fn read(&self) -> Result<koor_core::domain::original::Original, OriginalError> {
        read_original(&self.file(), self.scratch.path())
    }

    async fn bring(&self, koor: &Koor, unfit: Unfit) -> Result<Imported, Error> {
        let takeover = Takeover::of(self.read().unwrap(), unfit, koor.now())?;
        koor.import_original(&Caller::local(), takeover).await.map(|done| done.output)
    }
}

async fn sqlite(directory: &Path) -> Koor {
    let store = SqliteStore::open(SqliteOptions::new(directory)).await.unwrap();
    Koor::on(store).open().await.unwrap()
}

fn state(key: &str) -> DocumentKey {
    StateKey::new(key).unwrap().into()
}

async fn values(koor: &Koor, key: &str) -> Vec<(u64, Vec<u8>, String, bool)> {
    let mut values = Vec::new();
    let mut history = koor.history(&state(key), Limit::MAX).await.unwrap();
    history.reverse();
    for revision in history {
        let bytes = if revision.deleted {
            Vec::new()
        } else {
            koor.document_at(&state(key), revision.version).await.unwrap().value.to_vec()
        };
        values.push((revision.version.get(), bytes, revision.updated_at.to_string(), revision.deleted));
    }
    values
}

fn all_of_newer() -> Imported {
    Imported {
        state: 4,
        state_versions: 9,
        specs: 1,
        rules: 2,
        events: 2,
        instances: 1,
        webhooks: 1,
        compliance_runs: 1,
        templates: 1,
        audit: 2,
        metrics: 1,
        usage: 1,
        renumbered: 1,
        left_out: Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_database_comes_over_with_versions_bytes_and_times() {
    let (old, new) = (Old::of(NEWER).await, TempDir::new().unwrap());
    let before = fs::read(old.file()).unwrap();
    let koor = sqlite(new.path()).await;
    assert_eq!(old.bring(&koor, Unfit::Refuse).await.unwrap(), all_of_newer());

    let due =
        |version, value: &[u8], at: &str| (version, value.to_vec(), format!("2026-02-{at}.000Z"), false);
    assert_eq!(
        values(&koor, "Truck-Wash/plan").await,
        [
            due(1, b"{\"step\": 1}", "09T14:00:00"),
            due(2, b"{\"step\": 2}", "09T14:10:00"),
            due(3, b"{\"step\":  3}", "09T14:30:00"),
        ]
    );
    assert_eq!(values(&koor, "logo").await, [due(1, &[0, 255, 16], "10T08:00:00")]);
    let logo = koor.document(&state("logo")).await.unwrap();
    assert_eq!(logo.revision.content_type.as_str(), "image/png");
    // Begun again at 1 after a delete: the later one moves on.
    let again = values(&koor, "again").await;
    assert_eq!(again.iter().map(|(version, ..)| *version).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(again[2].1, b"\"new\"");
    // Deleted: its versions stay, and it is not there.
    assert!(koor.document(&state("gone")).await.is_err());
    assert_eq!(values(&koor, "gone").await.last().map(|last| (last.0, last.3)), Some((2, true)));

    let events = koor.event_history(History::default()).await.unwrap();
    let events: Vec<_> = events.iter().map(|event| (event.id.get(), event.data.as_str())).collect();
    assert_eq!(events, [(2, "null"), (1, "{\"n\": 1.0}")]);
    let audit = koor.verify_audit().await.unwrap();
    assert!(audit.valid && audit.entries == 3, "{audit:?}");
    let entries = koor.audit(AuditFilter::default(), Limit::MAX).await.unwrap();
    assert_eq!(
        entries.last().map(|first| first.timestamp.to_string()),
        Some("2026-02-09T14:00:00.000Z".into())
    );
    // What no question answers with: what deliveries are signed by.
    let options = SqliteConnectOptions::new().filename(new.path().join("data.db")).read_only(true);
    let secret: String = sqlx::query_scalar("SELECT secret FROM webhook WHERE id = 'ci'")
        .fetch_one(&mut options.connect().await.unwrap())
        .await
        .unwrap();
    assert_eq!(secret, "s3cret");
    assert_eq!(fs::read(old.file()).unwrap(), before, "the old file was touched");
    assert_eq!(
        fs::read_dir(old.directory.path()).unwrap().count(),
        1,
        "something was left beside the old file"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_database_comes_over_without_what_it_lacks() {
    let old = Old::of(OLDER).await;
    let koor = Koor::on(MemoryStore::default()).open().await.unwrap();
    let due = Imported { state: 1, state_versions: 1, events: 1, instances: 1, ..Imported::default() };
    assert_eq!(old.bring(&koor, Unfit::Refuse).await.unwrap(), due);
    let plan = koor.document(&state("plan")).await.unwrap();
    assert_eq!(
        (plan.revision.version, &*plan.value),
        (Version::new(5).unwrap(), &b"{\"text\": \"as text\"}"[..])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_still_in_the_write_ahead_log_comes_too() {
    let old = Old::of(OLDER).await;
    let options = SqliteConnectOptions::new().filename(old.file()).pragma("journal_mode", "WAL");
    let mut open = options.connect().await.unwrap();
    let late = "INSERT INTO state VALUES ('late', '1', 1, '', '2026-01-06 10:00:00')";
    sqlx::query(late).execute(&mut open).await.unwrap();
    let koor = Koor::on(MemoryStore::default()).open().await.unwrap();
    assert_eq!(old.bring(&koor, Unfit::Refuse).await.unwrap().state, 2);
    open.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_row_that_cannot_be_kept_keeps_everything_out_unless_it_may_be_left_out() {
    let (old, new) = (Old::of(NEWER).await, TempDir::new().unwrap());
    old.run("INSERT INTO state VALUES ('a//b', '1', 1, '', 'text/plain', NULL, NULL)").await;
    let koor = sqlite(new.path()).await;
    let refused = old.bring(&koor, Unfit::Refuse).await.unwrap_err().to_string();
    assert_eq!(
        refused,
        "1 rows cannot be taken over: state a//b: invalid key \"a//b\": it has an empty, '.' or '..' segment"
    );
    assert!(koor.document(&state("logo")).await.is_err(), "something came over");
    let imported = old.bring(&koor, Unfit::LeaveOut).await.unwrap();
    assert_eq!(imported.left_out.len(), 1);
    assert_eq!(Imported { left_out: Vec::new(), ..imported }, all_of_newer());
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_do_not_have_their_hash_are_not_taken_over() {
    let old = Old::of(NEWER).await;
    old.run("UPDATE state SET value = X'00FF11' WHERE key = 'logo'").await;
    let koor = Koor::on(MemoryStore::default()).open().await.unwrap();
    let refused = old.bring(&koor, Unfit::Refuse).await.unwrap_err().to_string();
    assert_eq!(refused, "1 rows cannot be taken over: state logo: its bytes do not have its hash");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_with_something_in_it_stays_as_it_is() {
    let old = Old::of(NEWER).await;
    let koor = Koor::on(MemoryStore::default()).open().await.unwrap();
    old.bring(&koor, Unfit::Refuse).await.unwrap();
    let before = values(&koor, "again").await;
    let refused = old.bring(&koor, Unfit::Refuse).await.unwrap_err().to_string();
    assert_eq!(refused, "data already exists: an import needs an empty data directory");
    assert_eq!(values(&koor, "again").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_database_is_named_as_such() {
    let old = Old::of(NEWER).await;
    let mut file = fs::OpenOptions::new().write(true).open(old.file()).unwrap();
    // The second page and a bit: the first one holds the header and the schema.
    file.seek(SeekFrom::Start(4096)).unwrap();
    file.write_all(&[0xA5; 4096 * 3]).unwrap();
    drop(file);
    assert!(matches!(old.read(), Err(OriginalError::Damaged { .. })), "{:?}", old.read().err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_such_database_is_named_as_such() {
    let old = Old::of("CREATE TABLE recipes (id INTEGER)").await;
    assert!(matches!(old.read(), Err(OriginalError::Other { why: "none of its tables are there", .. })));
    fs::write(old.file(), "hello").unwrap();
    assert!(matches!(old.read(), Err(OriginalError::Other { why: "no SQLite database", .. })));
    fs::remove_file(old.file()).unwrap();
    assert!(matches!(old.read(), Err(OriginalError::Io { attempted: "open", .. })));
    let ours = TempDir::new().unwrap();
    sqlite(ours.path()).await.close().await;
    let read = read_original(&ours.path().join("data.db"), old.scratch.path());
    assert!(matches!(read, Err(OriginalError::Other { .. })));
}
