//! Durable puts per second: the store against the naive way, interleaved in one run.
//!
//! A put is one kilobyte of value, its history, an audit entry and an event, all durable (`synchronous=FULL`) when it is
//! answered. The naive way writes each on its own, as one does without thinking: three commits for a put, on one
//! connection behind a mutex.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on has nothing better to do than to stop"
)]

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use koor_core::{
    Caller, Koor,
    clock::Timestamp,
    commands::PutDocument,
    domain::{
        Actor, ContentType,
        audit::{AuditEntry, AuditHead, Outcome},
    },
    ids::{AuditId, DocumentKey, Hash, StateKey, Version},
};
use koor_store_sqlite::{SqliteOptions, SqliteStore};
use sqlx::{
    ConnectOptions as _, Row as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use tokio::sync::Mutex;

const WRITERS: [usize; 4] = [1, 16, 64, 256];
const ROUNDS: usize = 5;
const SPAN: Duration = Duration::from_millis(1500);
const KEYS: u64 = 10_000;

/// A way to put.
#[derive(Clone)]
enum Way {
    Koor(Koor),
    Naive(Arc<Mutex<SqliteConnection>>),
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(run());
}

async fn run() {
    // In the working directory: the temporary one may be in memory, where nothing is durable.
    let directory = tempfile::tempdir_in(".").unwrap();
    let store = SqliteStore::open(SqliteOptions::new(directory.path().join("koor"))).await.unwrap();
    let koor = Way::Koor(Koor::on(store).open().await.unwrap());
    let naive = Way::Naive(Arc::new(Mutex::new(naive(directory.path()).await)));
    let value = Bytes::from(vec![b'x'; 1024]);
    let mut rates = [(); 4].map(|()| [Vec::new(), Vec::new()]);
    for _ in 0..ROUNDS {
        for (writers, rates) in WRITERS.into_iter().zip(&mut rates) {
            for (way, rates) in [&koor, &naive].into_iter().zip(rates) {
                rates.push(measure(way, writers, &value).await);
            }
        }
    }
    println!("{:>8} {:>12} {:>12} {:>8}", "writers", "koor puts/s", "naive puts/s", "ratio");
    for (writers, [koor, naive]) in WRITERS.into_iter().zip(rates) {
        let (koor, naive) = (median(koor), median(naive));
        println!("{writers:>8} {koor:>12.0} {naive:>12.0} {:>8.1}", koor / naive);
    }
    if let Way::Koor(koor) = koor {
        koor.close().await;
    }
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark fit into 52 bits")]
async fn measure(way: &Way, writers: usize, value: &Bytes) -> f64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let begin = Instant::now();
    let tasks: Vec<_> = (0..writers)
        .map(|_| {
            let (way, value) = (way.clone(), value.clone());
            tokio::spawn(async move {
                let mut puts = 0_u64;
                while begin.elapsed() < SPAN {
                    // Keys far from each other one after the other, each of them again and again.
                    let key = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_mul(7919) % KEYS;
                    let key = StateKey::new(format!("bench/{key}")).unwrap();
                    match &way {
                        Way::Koor(koor) => put(koor, key, value.clone()).await,
                        Way::Naive(conn) => put_naively(conn, &key, &value).await,
                    }
                    puts += 1;
                }
                puts
            })
        })
        .collect();
    let mut puts = 0;
    for task in tasks {
        puts += task.await.unwrap();
    }
    puts as f64 / begin.elapsed().as_secs_f64()
}

async fn put(koor: &Koor, key: StateKey, value: Bytes) {
    let put = PutDocument::state(key, value, ContentType::json()).unwrap();
    koor.execute(&Caller::local(), put).await.unwrap();
}

fn entry(id: AuditId, key: &DocumentKey, version: Version, now: Timestamp) -> AuditEntry {
    AuditEntry {
        id,
        timestamp: now,
        actor: Actor::new("bench"),
        action: "state.put".into(),
        resource: key.to_string(),
        detail: format!(r#"{{"version":{version}}}"#),
        outcome: Outcome::Success,
    }
}

const NAIVE_SCHEMA: &str = "
    CREATE TABLE state (key TEXT PRIMARY KEY, version INTEGER, hash TEXT, content_type TEXT, value BLOB,
        updated_at TEXT, updated_by TEXT);
    CREATE TABLE state_history (id INTEGER PRIMARY KEY, key TEXT, version INTEGER, hash TEXT, content_type TEXT,
        value BLOB, updated_at TEXT, updated_by TEXT);
    CREATE INDEX state_history_key ON state_history (key, version);
    CREATE TABLE audit_log (id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT, actor TEXT, action TEXT,
        resource TEXT, detail TEXT, outcome TEXT, hash TEXT);
    CREATE INDEX audit_log_actor ON audit_log (actor);
    CREATE INDEX audit_log_action ON audit_log (action);
    CREATE INDEX audit_log_resource ON audit_log (resource);
    CREATE INDEX audit_log_timestamp ON audit_log (timestamp);
    CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT, data TEXT, source TEXT, created_at TEXT);
    CREATE INDEX events_topic ON events (topic);";

async fn naive(directory: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(directory.join("naive.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut conn = options.connect().await.unwrap();
    sqlx::raw_sql(NAIVE_SCHEMA).execute(&mut conn).await.unwrap();
    conn
}

async fn put_naively(conn: &Mutex<SqliteConnection>, key: &StateKey, value: &Bytes) {
    const NOW: &str = "2023-11-14T22:13:20.000Z";
    let hash = Hash::of(value).to_string();
    let mut conn = conn.lock().await;
    let conn = &mut *conn;
    // First commit: the value, and what it replaces as history.
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *conn).await.unwrap();
    sqlx::query(
        "INSERT INTO state_history (key, version, hash, content_type, value, updated_at, updated_by) \
         SELECT key, version, hash, content_type, value, updated_at, updated_by FROM state WHERE key = ?",
    )
    .bind(key.as_str())
    .execute(&mut *conn)
    .await
    .unwrap();
    let version: i64 = sqlx::query(
        "INSERT INTO state (key, version, hash, content_type, value, updated_at, updated_by) \
         VALUES (?, 1, ?, 'application/json', ?, ?, 'bench') ON CONFLICT (key) DO UPDATE SET \
         version = version + 1, hash = excluded.hash, value = excluded.value, updated_at = excluded.updated_at \
         RETURNING version",
    )
    .bind(key.as_str())
    .bind(&hash)
    .bind(&value[..])
    .bind(NOW)
    .fetch_one(&mut *conn)
    .await
    .unwrap()
    .get(0);
    sqlx::query("COMMIT").execute(&mut *conn).await.unwrap();
    // Second commit: the audit entry, chained to the one before.
    let before: Option<(i64, Vec<u8>)> =
        sqlx::query("SELECT id, hash FROM audit_log ORDER BY id DESC LIMIT 1")
            .fetch_optional(&mut *conn)
            .await
            .unwrap()
            .map(|row| (row.get(0), row.get(1)));
    let head = before.map(|(id, hash)| AuditHead {
        id: AuditId::new(id.unsigned_abs()).unwrap(),
        hash: Hash::from_bytes(hash.try_into().unwrap()),
    });
    let key = DocumentKey::from(key.clone());
    let version = Version::new(version.unsigned_abs()).unwrap();
    let id = AuditId::after(head.map(|head| head.id));
    let chained =
        entry(id, &key, version, Timestamp::from_millis(1_700_000_000_000)).chain(head.map(|head| head.hash));
    sqlx::query(
        "INSERT INTO audit_log (timestamp, actor, action, resource, detail, outcome, hash) \
         VALUES (?, 'bench', 'state.put', ?, ?, 'success', ?)",
    )
    .bind(NOW)
    .bind(&chained.entry.resource)
    .bind(&chained.entry.detail)
    .bind(chained.hash.as_bytes().as_slice())
    .execute(&mut *conn)
    .await
    .unwrap();
    // Third commit: the event.
    sqlx::query(
        "INSERT INTO events (topic, data, source, created_at) VALUES ('$change.state', ?, 'bench', ?)",
    )
    .bind(format!(r#"{{"key":"{key}","version":{version}}}"#))
    .bind(NOW)
    .execute(&mut *conn)
    .await
    .unwrap();
}
