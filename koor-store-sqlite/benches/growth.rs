//! What a store answers when it has grown, against what it answers when it is small: medians in microseconds.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on has nothing better to do than to stop"
)]

use std::{
    future::Future,
    path::Path,
    time::{Duration, Instant},
};

use bytes::Bytes;
use koor_core::{
    Caller, Koor,
    clock::Timestamp,
    commands::PutDocument,
    domain::{ContentType, audit::AuditFilter},
    ids::{DocumentKey, StateKey},
    page::TimeRange,
};
use koor_store_sqlite::{SqliteOptions, SqliteStore};
use sqlx::{ConnectOptions as _, SqliteConnection, sqlite::SqliteConnectOptions};

const TIMES: usize = 300;

/// How much there is.
struct Size {
    keys: i64,
    versions: i64,
    entries: i64,
}

const SMALL: Size = Size { keys: 1000, versions: 1, entries: 1000 };
const LARGE: Size = Size { keys: 1_000_000, versions: 10_000, entries: 1_000_000 };

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let directory = tempfile::tempdir_in(".").unwrap();
        let small = measure(&directory.path().join("small"), &SMALL).await;
        let large = measure(&directory.path().join("large"), &LARGE).await;
        println!("{:<34} {:>10} {:>10} {:>7}", "p50 in µs", "small", "large", "ratio");
        for ((what, small), (_, large)) in small.into_iter().zip(large) {
            println!("{what:<34} {small:>10.1} {large:>10.1} {:>7.2}", large / small);
        }
    });
}

async fn fill(conn: &mut SqliteConnection, sql: &'static str, number: i64) {
    sqlx::query(sql).bind(number).execute(conn).await.unwrap();
}

async fn grow(directory: &Path, size: &Size) {
    use koor_core::ports::Store as _;
    SqliteStore::open(SqliteOptions::new(directory)).await.unwrap().close().await;
    let options = SqliteConnectOptions::new().filename(directory.join("data.db"));
    let mut conn = options.connect().await.unwrap();
    fill(
        &mut conn,
        "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?) INSERT INTO document_key \
         SELECT n, 0, '', printf('project-%d/key-%07d', n % 100, n), 1 FROM n",
        size.keys,
    )
    .await;
    fill(
        &mut conn,
        "INSERT INTO document_version (key_id, version, deleted, size, updated_at, hash, content_type, updated_by, \
         value) SELECT id, 1, 0, 256, 1700000000000, randomblob(32), 'application/json', 'bench', zeroblob(256) \
         FROM document_key WHERE id <= ?",
        size.keys,
    )
    .await;
    fill(
        &mut conn,
        "WITH RECURSIVE n(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM n WHERE n < ?) INSERT INTO document_version \
         (key_id, version, deleted, size, updated_at, hash, content_type, updated_by, value) \
         SELECT 1, n, 0, 256, 1700000000000, randomblob(32), 'application/json', 'bench', zeroblob(256) FROM n \
         WHERE n > 1",
        size.versions,
    )
    .await;
    fill(
        &mut conn,
        "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?) INSERT INTO audit_log \
         SELECT n, 1700000000000 + n * 1000, printf('agent-%d', n % 50), 'state.put', \
         printf('project-%d/key-%07d', n % 100, n % 5000), iif(n % 1000 = 0, 'denied', 'success'), \
         randomblob(32), '{}' FROM n",
        size.entries,
    )
    .await;
}

async fn median<F: Future>(mut call: impl FnMut(usize) -> F) -> f64 {
    let mut spans = Vec::with_capacity(TIMES);
    for time in 0..TIMES {
        let begin = Instant::now();
        call(time).await;
        spans.push(begin.elapsed());
    }
    spans.sort_unstable();
    spans[TIMES / 2].as_secs_f64() * 1e6
}

fn key(number: i64) -> StateKey {
    StateKey::new(format!("project-{}/key-{number:07}", number % 100)).unwrap()
}

async fn measure(directory: &Path, size: &Size) -> Vec<(&'static str, f64)> {
    grow(directory, size).await;
    let store = SqliteStore::open(SqliteOptions::new(directory)).await.unwrap();
    let koor = Koor::on(store).open().await.unwrap();
    let any = |time: usize| key((i64::try_from(time).unwrap() * 7919) % size.keys + 1);
    let put = |key: StateKey| {
        let put = PutDocument::state(key, Bytes::from_static(&[b'x'; 256]), ContentType::json()).unwrap();
        let koor = koor.clone();
        async move { koor.execute(&Caller::local(), put).await.unwrap() }
    };
    let audit = |filter: AuditFilter| {
        let koor = koor.clone();
        async move { koor.read(move |tx| tx.audit(&filter, 50)).await.unwrap() }
    };
    let moment = |entry: i64| Some(Timestamp::from_millis(1_700_000_000_000 + entry * 1000));
    let mut found = Vec::new();
    found.push((
        "GET any key, not cached",
        median(|time| {
            let (koor, key) = (koor.clone(), DocumentKey::from(any(time)));
            async move { koor.read(move |tx| tx.document(&key)).await.unwrap().unwrap() }
        })
        .await,
    ));
    found.push(("PUT any key", median(|time| put(any(time + TIMES))).await));
    found.push(("PUT the key of many versions", median(|_| put(key(1))).await));
    found.push((
        "history of that key, 50",
        median(|_| {
            let koor = koor.clone();
            async move { koor.read(move |tx| tx.revisions(&key(1).into(), 50)).await.unwrap() }
        })
        .await,
    ));
    found.push(
        (
            "list, a page of 50",
            median(|time| {
                let (koor, after) = (koor.clone(), any(time));
                async move {
                    koor.read(move |tx| tx.state_keys("project-", Some(&after), Some(50))).await.unwrap()
                }
            })
            .await,
        ),
    );
    found.push(("audit, newest 50", median(|_| audit(AuditFilter::default())).await));
    found.push((
        "audit of a resource",
        median(|_| {
            let resource = Some("project-7/key-0000007".to_owned());
            audit(AuditFilter { resource, ..AuditFilter::default() })
        })
        .await,
    ));
    found.push((
        "audit of a minute, long ago",
        median(|_| {
            let range = TimeRange { from: moment(100), to: moment(160) };
            audit(AuditFilter { range, ..AuditFilter::default() })
        })
        .await,
    ));
    found.push((
        "audit of denials",
        median(|_| {
            let outcome = Some(koor_core::domain::audit::Outcome::Denied);
            audit(AuditFilter { outcome, ..AuditFilter::default() })
        })
        .await,
    ));
    let begin = Instant::now();
    koor.read(|tx| tx.audit_summary(TimeRange::default())).await.unwrap();
    found.push(("audit summary, once", begin.elapsed().as_secs_f64() * 1e6));
    let begin = Instant::now();
    koor.read(|tx| tx.state_count()).await.unwrap();
    found.push(("count state, once", begin.elapsed().as_secs_f64() * 1e6));
    let begin = Instant::now();
    koor.close().await;
    if begin.elapsed() > Duration::from_secs(5) {
        println!("closing took {:?}", begin.elapsed());
    }
    found
}
