//! Connecting: which of the hosts takes writes, found within a deadline.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use sqlx::{Connection as _, PgConnection, Row as _, postgres::PgConnectOptions};
use tokio::time::timeout;

use crate::url::DatabaseUrl;

/// How long one host may take to answer. A host that is gone must not hold up the one that has taken its place.
const PER_HOST: Duration = Duration::from_secs(2);

/// What every session is set to. A client that freezes in a transaction holds the row that every commit changes: the server ends
/// its session. A commit that waits for that row gives up before its caller does.
const PREPARE: &str = "SET idle_in_transaction_session_timeout = '5s'; SET lock_timeout = '5s'; \
    SET client_min_messages = 'warning'; SELECT pg_is_in_recovery() AS standby, \
    current_setting('default_transaction_read_only')::boolean AS read_only";

/// Why no connection could be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The host could not be reached, or refused.
    #[error("cannot connect to the database at {host}")]
    Refused {
        /// Which host.
        host: String,
        /// What it said.
        source: sqlx::Error,
    },
    /// The host did not answer.
    #[error("the database at {host} does not answer")]
    Silent {
        /// Which host.
        host: String,
    },
    /// The host takes no writes.
    #[error("the database at {host} takes no writes: it is a standby, or read-only by default")]
    ReadOnly {
        /// Which host.
        host: String,
    },
}

/// Makes connections to the host that takes writes.
#[derive(Debug)]
pub(crate) struct Connector {
    url: DatabaseUrl,
    /// The host that the last connection was made to.
    last: AtomicUsize,
    /// Whether the last attempt failed: said when it changes, not every time.
    failing: AtomicBool,
}

impl Connector {
    pub(crate) fn new(url: DatabaseUrl) -> Self {
        Self { url, last: AtomicUsize::new(0), failing: AtomicBool::new(false) }
    }

    /// The address, as it may be shown.
    pub(crate) fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// The host that took writes the last time.
    pub(crate) fn current_host(&self) -> &PgConnectOptions {
        let hosts = self.url.hosts();
        &hosts[self.last.load(Relaxed) % hosts.len()]
    }

    /// Connects to the first host that takes writes, beginning with the one that did the last time.
    pub(crate) async fn connect(&self) -> Result<PgConnection, ConnectError> {
        let connected = self.try_each().await;
        match &connected {
            Ok(_) => {
                if self.failing.swap(false, Relaxed) {
                    tracing::info!(database = %self.url, "connected to the database again");
                }
            }
            Err(error) => {
                if !self.failing.swap(true, Relaxed) {
                    let cause = std::error::Error::source(error).map(ToString::to_string);
                    tracing::warn!(%error, cause, "no database host can be used");
                }
            }
        }
        connected
    }

    async fn try_each(&self) -> Result<PgConnection, ConnectError> {
        let hosts = self.url.hosts();
        let first = self.last.load(Relaxed);
        let mut failure = None;
        for index in (0..hosts.len()).map(|offset| (first + offset) % hosts.len()) {
            let host = format!("{}:{}", hosts[index].get_host(), hosts[index].get_port());
            let error = match timeout(PER_HOST, prepare(&hosts[index])).await {
                Ok(Ok(Some(connection))) => {
                    self.last.store(index, Relaxed);
                    return Ok(connection);
                }
                Ok(Ok(None)) => ConnectError::ReadOnly { host },
                Ok(Err(source)) => ConnectError::Refused { host, source },
                Err(_) => ConnectError::Silent { host },
            };
            tracing::debug!(%error, "trying the next database host");
            // The first host is the one that a user looks at first.
            failure.get_or_insert(error);
        }
        Err(failure.unwrap_or_else(|| ConnectError::Silent { host: self.url.to_string() }))
    }
}

/// A connection that is set up; `None` where it takes no writes.
async fn prepare(host: &PgConnectOptions) -> Result<Option<PgConnection>, sqlx::Error> {
    let mut connection = PgConnection::connect_with(host).await?;
    let row = sqlx::raw_sql(PREPARE).fetch_one(&mut connection).await?;
    let takes_writes = !row.try_get::<bool, _>("standby")? && !row.try_get::<bool, _>("read_only")?;
    Ok(takes_writes.then_some(connection))
}
