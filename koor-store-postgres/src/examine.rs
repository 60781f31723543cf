//! A look at a database without a store on it: for an operator who asks whether it is as it should be.

use std::{sync::Arc, thread, time::Duration};

use koor_core::{
    clock::{Clock as _, SystemClock},
    ports::StoreError,
};
use tokio::sync::oneshot;

use crate::{
    conn::Conn, connect::Connector, migrate, open_error::OpenError, statement::Statement,
    suitable::check_suitable, url::DatabaseUrl,
};

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(5);

const SELECT: &str = "SELECT current_setting('server_version') AS version, \
    current_setting('synchronous_standby_names') <> '' AS synchronous, \
    (SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')) AS standbys, \
    (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now, \
    current_setting('max_connections')::bigint AS connections";

/// What was found of a database that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseReport {
    /// The version of `PostgreSQL`.
    pub version: String,
    /// How many hosts the address names.
    pub hosts: usize,
    /// Whether commits wait for a standby.
    pub synchronous: bool,
    /// How many synchronous standbys there are now, as far as the user may see.
    pub standbys: u64,
    /// How far its clock is ahead of this machine's, in milliseconds; negative where it is behind.
    pub clock_ahead_ms: i64,
    /// How many connections it takes.
    pub connections: u64,
    /// The schema of Koor's tables; zero where there are none yet.
    pub schema: i64,
}

/// Looks at a database, and changes nothing.
///
/// # Errors
/// When a server would not start on it, with the reason.
pub async fn examine_database(url: &DatabaseUrl) -> Result<DatabaseReport, OpenError> {
    let (answer, answered) = oneshot::channel();
    let url = url.clone();
    // A connection is used by a thread that waits for it.
    let look = move || {
        // A caller that has gone away does not need to know.
        let _ = answer.send(examine(&url));
    };
    thread::Builder::new().name("koor-examine".into()).spawn(look).map_err(OpenError::Thread)?;
    answered.await.unwrap_or(Err(OpenError::Store(StoreError::Closed)))
}

fn examine(url: &DatabaseUrl) -> Result<DatabaseReport, OpenError> {
    let mut conn = Conn::new(Arc::new(Connector::new(url.clone())), PATIENCE)?;
    conn.connect_first()?;
    check_suitable(&mut conn)?;
    let schema = migrate::check_schema(&mut conn)?;
    let report = conn.row(Statement::new("look at the database", SELECT), "", |row| {
        Ok(DatabaseReport {
            version: row.get("version")?,
            hosts: url.hosts().len(),
            synchronous: row.get("synchronous")?,
            standbys: row.count("standbys")?,
            clock_ahead_ms: row.get::<i64>("now")? - SystemClock.now().millis(),
            connections: row.count("connections")?,
            schema,
        })
    })?;
    conn.close();
    report.ok_or(OpenError::Store(StoreError::Closed))
}
