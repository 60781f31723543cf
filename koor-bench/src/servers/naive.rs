//! A durable PUT as one writes it without thinking: value and history, audit entry and event, each in a commit of its
//! own, on one connection behind a mutex.

use std::{path::Path, sync::Arc};

use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
};
use sha2::{Digest as _, Sha256};
use sqlx::{
    ConnectOptions as _, Row as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use tokio::sync::Mutex;

const NOW: &str = "2023-11-14T22:13:20.000Z";

const SCHEMA: &str = "
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

/// Keeps what is put, in a database there.
pub(super) async fn run(database: &str) {
    let options = SqliteConnectOptions::new()
        .filename(Path::new(database))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut conn = options.connect().await.unwrap();
    sqlx::raw_sql(SCHEMA).execute(&mut conn).await.unwrap();
    let conn = Arc::new(Mutex::new(conn));
    super::each(move |request: Request<Incoming>| {
        let conn = Arc::clone(&conn);
        async move {
            let key = request.uri().path().trim_start_matches("/api/state/").to_owned();
            let value = request.into_body().collect().await.unwrap().to_bytes();
            let hash = hex::encode(Sha256::digest(&value));
            let version = put(&mut *conn.lock().await, &key, &value, &hash).await;
            let told = format!(
                "{{\"key\":\"{key}\",\"version\":{version},\"hash\":\"{hash}\",\"updated_at\":\"{NOW}\"}}"
            );
            Response::new(Full::new(Bytes::from(told)))
        }
    })
    .await;
}

async fn put(conn: &mut SqliteConnection, key: &str, value: &[u8], hash: &str) -> i64 {
    // First commit: the value, and what it replaces as history.
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *conn).await.unwrap();
    sqlx::query(
        "INSERT INTO state_history (key, version, hash, content_type, value, updated_at, updated_by) \
         SELECT key, version, hash, content_type, value, updated_at, updated_by FROM state WHERE key = ?",
    )
    .bind(key)
    .execute(&mut *conn)
    .await
    .unwrap();
    let version: i64 = sqlx::query(
        "INSERT INTO state (key, version, hash, content_type, value, updated_at, updated_by) \
         VALUES (?, 1, ?, 'application/json', ?, ?, 'bench') ON CONFLICT (key) DO UPDATE SET \
         version = version + 1, hash = excluded.hash, value = excluded.value, updated_at = excluded.updated_at \
         RETURNING version",
    )
    .bind(key)
    .bind(hash)
    .bind(value)
    .bind(NOW)
    .fetch_one(&mut *conn)
    .await
    .unwrap()
    .get(0);
    sqlx::query("COMMIT").execute(&mut *conn).await.unwrap();
    // Second commit: the audit entry, chained to the one before.
    let before: Option<String> = sqlx::query("SELECT hash FROM audit_log ORDER BY id DESC LIMIT 1")
        .fetch_optional(&mut *conn)
        .await
        .unwrap()
        .map(|row| row.get(0));
    let detail = format!("{{\"version\":{version}}}");
    let chained =
        Sha256::digest(format!("{}{NOW}bench state.put {key}{detail}success", before.unwrap_or_default()));
    sqlx::query(
        "INSERT INTO audit_log (timestamp, actor, action, resource, detail, outcome, hash) \
         VALUES (?, 'bench', 'state.put', ?, ?, 'success', ?)",
    )
    .bind(NOW)
    .bind(key)
    .bind(&detail)
    .bind(hex::encode(chained))
    .execute(&mut *conn)
    .await
    .unwrap();
    // Third commit: the event.
    sqlx::query(
        "INSERT INTO events (topic, data, source, created_at) VALUES ('$state.changed', ?, 'bench', ?)",
    )
    .bind(format!("{{\"key\":\"{key}\",\"version\":{version},\"hash\":\"{hash}\",\"deleted\":false}}"))
    .bind(NOW)
    .execute(&mut *conn)
    .await
    .unwrap();
    version
}
