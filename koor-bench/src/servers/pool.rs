//! A GET as it is mostly written: a query for each request, on a pool of connections.

use std::{fs, path::Path};

use http_body_util::Full;
use hyper::{Request, Response, body::Bytes};
use sqlx::{
    Row as _,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};

/// Readers in the pool as it is tuned; more of them were no faster.
const READERS: u32 = 8;

const SCHEMA: &str = "CREATE TABLE state (key TEXT PRIMARY KEY, version INTEGER NOT NULL, hash TEXT NOT NULL, \
    content_type TEXT NOT NULL, value BLOB NOT NULL)";

/// Keeps that body under each key that is asked for below, in a database there. The pool is as it comes, or `tuned`:
/// then it has a fixed number of readers, and does not try a connection before it is used.
pub(super) async fn run(database: &str, body: &str, tuned: bool) {
    let options = SqliteConnectOptions::new()
        .filename(Path::new(database))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);
    let mut pool = SqlitePoolOptions::new();
    if tuned {
        pool = pool.max_connections(READERS).test_before_acquire(false);
    }
    let pool = pool.connect_with(options).await.unwrap();
    sqlx::raw_sql(SCHEMA).execute(&pool).await.unwrap();
    sqlx::query("INSERT INTO state VALUES ('bench/value', 1, 'hash', 'application/json', ?)")
        .bind(fs::read(body).unwrap())
        .execute(&pool)
        .await
        .unwrap();
    super::each(move |request: Request<_>| {
        let pool = pool.clone();
        async move {
            let key = request.uri().path().trim_start_matches("/api/state/").to_owned();
            let row = sqlx::query("SELECT version, hash, content_type, value FROM state WHERE key = ?")
                .bind(key)
                .fetch_one(&pool)
                .await
                .unwrap();
            Response::builder()
                .header("content-type", row.get::<&str, _>("content_type"))
                .header("etag", row.get::<&str, _>("hash"))
                .header("x-koor-version", row.get::<i64, _>("version"))
                .body(Full::new(Bytes::from(row.get::<Vec<u8>, _>("value"))))
                .unwrap()
        }
    })
    .await;
}
