//! A schema of its own for each case, on the server that tests use.

use std::{
    env,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use koor_store_postgres::{DatabaseUrl, PostgresOptions, PostgresStore};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// The address of the server that tests use, if there is one.
pub(crate) fn server() -> Option<String> {
    env::var("KOOR_TEST_POSTGRES").ok().filter(|url| !url.is_empty())
}

/// A schema that no other case uses.
#[derive(Debug, Clone)]
pub(crate) struct Schema {
    server: String,
    name: String,
}

impl Schema {
    /// Makes a new schema.
    pub(crate) async fn new(server: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("koor_test_{}_{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let schema = Self { server: server.to_owned(), name };
        schema.run_outside(&format!("CREATE SCHEMA {}", schema.name)).await;
        schema
    }

    /// Drops the schema and everything in it.
    pub(crate) async fn drop(self) {
        self.run_outside(&format!("DROP SCHEMA {} CASCADE", self.name)).await;
    }

    /// The address of the schema.
    pub(crate) fn url(&self) -> String {
        let more = if self.server.contains('?') { '&' } else { '?' };
        format!(
            "{}{more}application_name={}&options=-c%20search_path%3D{}",
            self.server, self.name, self.name
        )
    }

    /// The server and the schema, as pgbouncer's settings name a database.
    pub(crate) fn behind_pooler(&self) -> String {
        let url: url::Url = self.server.parse().unwrap();
        let (host, port) = (url.host_str().unwrap(), url.port().unwrap_or(5432));
        let (database, user) = (url.path().trim_start_matches('/'), url.username());
        format!(
            "host={host} port={port} dbname={database} user={user} connect_query='SET search_path = {}'",
            self.name
        )
    }

    /// How a store is opened there.
    pub(crate) fn options(&self) -> PostgresOptions {
        let url: DatabaseUrl = self.url().parse().unwrap();
        PostgresOptions { readers: 2, ..PostgresOptions::new(url) }
    }

    /// Opens a store there.
    pub(crate) async fn open(&self) -> PostgresStore {
        PostgresStore::open(self.options()).await.unwrap()
    }

    async fn run_outside(&self, sql: &str) {
        let mut conn = PgConnection::connect(&self.server).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    }

    /// Runs SQL in the schema, beside the store.
    pub(crate) async fn run(&self, sql: &str) -> Result<u64, sqlx::Error> {
        let mut conn = PgConnection::connect(&self.url()).await?;
        let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut conn).await?;
        conn.close().await?;
        Ok(done.rows_affected())
    }

    /// What a query answers, as one text.
    pub(crate) async fn text(&self, sql: &str) -> String {
        let mut conn = PgConnection::connect(&self.url()).await.unwrap();
        let text = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        text
    }

    /// A number that the database counts, once every session has told what it did: those of the store are ended for that, and
    /// it makes new ones.
    pub(crate) async fn count_settled(&self, sql: &str) -> i64 {
        self.cut_connections().await;
        let mut last = None;
        loop {
            let count: i64 = self.text(&format!("SELECT ({sql})::bigint::text")).await.parse().unwrap();
            if last == Some(count) {
                return count;
            }
            last = Some(count);
            self.run("SELECT pg_sleep(0.3)").await.unwrap();
        }
    }

    /// Ends every connection that a store has to the schema, as when a cable is pulled.
    pub(crate) async fn cut_connections(&self) {
        let cut = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{}' AND pid <> pg_backend_pid()",
            self.name
        );
        self.run_outside(&cut).await;
    }

    /// A session that locks the head of the log and then does nothing.
    pub(crate) async fn hold_lock(&self) -> PgConnection {
        let mut conn = PgConnection::connect(&self.url()).await.unwrap();
        let lock =
            "SET idle_in_transaction_session_timeout = '2s'; BEGIN; SELECT seq FROM log_head FOR UPDATE";
        sqlx::raw_sql(lock).fetch_one(&mut conn).await.unwrap();
        conn
    }
}
