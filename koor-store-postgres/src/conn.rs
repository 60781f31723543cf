//! One connection, used by one thread, which waits for it.

use std::{fmt::Display, sync::Arc, time::Duration};

use koor_core::{
    clock::Timestamp,
    ports::{StoreError, StoreResult},
};
use sqlx::{AssertSqlSafe, Connection as _, Decode, PgConnection, Postgres, Row as _, Type, postgres::PgRow};
use tokio::runtime::{Builder, Runtime};

use crate::{
    connect::{ConnectError, Connector},
    error::{Meaning, broken, store_error},
    statement::{Statement, unescape},
};

/// A connection that remembers its first failure: after it, every statement fails at once, until
/// [`begin_anew`](Conn::begin_anew). A failure has ended the transaction, and what came after it would be committed
/// statement by statement.
///
/// It has a runtime of its own: an answer of the database wakes the thread that waits for it, and no other.
pub(crate) struct Conn {
    runtime: Runtime,
    connector: Arc<Connector>,
    /// How long one statement may take.
    deadline: Duration,
    inner: Option<PgConnection>,
    /// Counts the connections.
    generation: u64,
    failure: Option<Failure>,
}

/// What is remembered of the first failure: enough to say it again.
#[derive(Debug, Clone, Copy)]
enum Failure {
    Full(&'static str),
    Busy,
    Unreachable,
    Other,
}

impl Conn {
    /// A connection that is made when it is first used.
    pub(crate) fn new(connector: Arc<Connector>, deadline: Duration) -> StoreResult<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| broken("prepare a connection", error))?;
        Ok(Self { runtime, connector, deadline, inner: None, generation: 0, failure: None })
    }

    /// Another one to the same database, which is made when it is first used.
    pub(crate) fn another(&self) -> StoreResult<Self> {
        Self::new(Arc::clone(&self.connector), self.deadline)
    }

    /// Whether there is a connection: after a failure that is not the statement's, there is none.
    pub(crate) fn is_connected(&self) -> bool {
        self.inner.is_some()
    }

    /// Which connection this is: another one may be to another server, which has another log.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Connects, if there is no connection.
    pub(crate) fn connect(&mut self) -> StoreResult<()> {
        if self.inner.is_none() {
            self.inner =
                Some(self.runtime.block_on(self.connector.connect()).map_err(|_| StoreError::Unreachable)?);
            self.generation += 1;
        }
        Ok(())
    }

    /// Connects for the first time, and says why it cannot.
    pub(crate) fn connect_first(&mut self) -> Result<(), ConnectError> {
        self.inner = Some(self.runtime.block_on(self.connector.connect())?);
        self.generation += 1;
        Ok(())
    }

    /// Drops the connection; the next statement makes a new one.
    pub(crate) fn disconnect(&mut self) {
        let inner = self.inner.take();
        // Its socket belongs to the runtime, and is closed there.
        let _guard = self.runtime.enter();
        drop(inner);
    }

    fn check(&self) -> StoreResult<()> {
        match self.failure {
            None => Ok(()),
            Some(Failure::Full(reason)) => Err(StoreError::Full { reason }),
            Some(Failure::Busy) => Err(StoreError::Busy),
            Some(Failure::Unreachable) => Err(StoreError::Unreachable),
            Some(Failure::Other) => Err(broken("go on", "the transaction has failed before")),
        }
    }

    /// Forgets about failures: the transaction that they belong to is over.
    pub(crate) fn begin_anew(&mut self) {
        self.failure = None;
    }

    /// Passes a result on, and remembers if it is a failure.
    fn note<T>(&mut self, result: StoreResult<T>) -> StoreResult<T> {
        if let Err(error) = &result {
            self.failure = Some(match error {
                StoreError::Full { reason } => Failure::Full(reason),
                StoreError::Busy => Failure::Busy,
                StoreError::Unreachable => Failure::Unreachable,
                _ => Failure::Other,
            });
        }
        result
    }

    /// Does something with the connection, within the deadline. After an error that is not the statement's, and after
    /// the deadline, the connection is dropped.
    fn within_deadline<T>(
        &mut self,
        attempted: &'static str,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> StoreResult<T> {
        self.check()?;
        let connected = self.connect();
        self.note(connected)?;
        let Some(inner) = &mut self.inner else { return Err(broken(attempted, "there is no connection")) };
        let deadline = self.deadline;
        let done = self.runtime.block_on(async { tokio::time::timeout(deadline, work(inner)).await });
        let result = match done {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => {
                if Meaning::of(&error) == Meaning::Lost {
                    tracing::warn!(%error, attempted, "lost the connection to the database");
                    self.disconnect();
                }
                Err(store_error(attempted, error))
            }
            Err(_) => {
                tracing::warn!(attempted, seconds = deadline.as_secs(), "the database does not answer");
                self.disconnect();
                Err(StoreError::Unreachable)
            }
        };
        self.note(result)
    }

    /// Runs a statement; answers how many rows it changed.
    pub(crate) fn execute(&mut self, statement: Statement) -> StoreResult<u64> {
        self.within_deadline(statement.attempted, async move |inner| {
            Ok(statement.query()?.execute(inner).await?.rows_affected())
        })
    }

    /// Runs statements that have no parameters, in one round trip; answers the rows of all of them. As constants only they
    /// are put together.
    pub(crate) fn script<T>(
        &mut self,
        attempted: &'static str,
        script: String,
        table: &'static str,
        mut read: impl FnMut(Row<'_>) -> StoreResult<T>,
    ) -> StoreResult<Vec<T>> {
        let rows = self.within_deadline(attempted, async move |inner| {
            sqlx::raw_sql(AssertSqlSafe(script)).fetch_all(inner).await
        })?;
        let read = rows.iter().map(|row| read(Row { row, table })).collect();
        self.note(read)
    }

    /// Runs a query and reads all its rows. The first column must name the row, for the error of one that is corrupt.
    pub(crate) fn rows<T>(
        &mut self,
        statement: Statement,
        table: &'static str,
        mut read: impl FnMut(Row<'_>) -> StoreResult<T>,
    ) -> StoreResult<Vec<T>> {
        let rows = self.within_deadline(statement.attempted, async move |inner| {
            statement.query()?.fetch_all(inner).await
        })?;
        let read = rows.iter().map(|row| read(Row { row, table })).collect();
        self.note(read)
    }

    /// Runs a query that has one row at most.
    pub(crate) fn row<T>(
        &mut self,
        statement: Statement,
        table: &'static str,
        read: impl FnOnce(Row<'_>) -> StoreResult<T>,
    ) -> StoreResult<Option<T>> {
        let row = self.within_deadline(statement.attempted, async move |inner| {
            statement.query()?.fetch_optional(inner).await
        })?;
        let read = row.map(|row| read(Row { row: &row, table })).transpose();
        self.note(read)
    }

    /// Undoes the open transaction. Where that fails, the connection is dropped, which undoes it too.
    pub(crate) fn roll_back(&mut self) {
        self.begin_anew();
        if self.inner.is_some()
            && let Err(error) = self.script("roll back", "ROLLBACK".to_owned(), "", |_| Ok(()))
        {
            tracing::debug!(%error, "cannot roll back; the connection is dropped");
            self.disconnect();
        }
        self.begin_anew();
    }

    /// Closes the connection.
    pub(crate) fn close(mut self) {
        let Some(inner) = self.inner.take() else { return };
        let closed =
            self.runtime.block_on(async { tokio::time::timeout(self.deadline, inner.close()).await });
        if let Ok(Err(error)) = closed {
            tracing::debug!(%error, "a connection was not closed in order");
        }
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        self.disconnect();
    }
}

/// A row to read from, with the name of its table.
#[derive(Clone, Copy)]
pub(crate) struct Row<'r> {
    row: &'r PgRow,
    table: &'static str,
}

impl<'r> Row<'r> {
    /// A value of one of the database's own types.
    pub(crate) fn get<T: Decode<'r, Postgres> + Type<Postgres>>(
        self,
        column: &'static str,
    ) -> StoreResult<T> {
        self.row.try_get(column).map_err(|error| self.corrupt(column, error))
    }

    /// A free text.
    pub(crate) fn text(self, column: &'static str) -> StoreResult<String> {
        self.get::<String>(column).map(unescape)
    }

    /// A free text, if there is one.
    pub(crate) fn maybe_text(self, column: &'static str) -> StoreResult<Option<String>> {
        Ok(self.get::<Option<String>>(column)?.map(unescape))
    }

    /// A value of a type of ours, which may not take all that the database's type can hold.
    pub(crate) fn read<S, T, E>(
        self,
        column: &'static str,
        parse: impl FnOnce(S) -> Result<T, E>,
    ) -> StoreResult<T>
    where
        S: Decode<'r, Postgres> + Type<Postgres>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        parse(self.get(column)?).map_err(|error| self.corrupt(column, error))
    }

    /// A number that counts something.
    pub(crate) fn count(self, column: &'static str) -> StoreResult<u64> {
        self.read(column, |number: i64| u64::try_from(number))
    }

    /// Any number with a type of its own, such as an id.
    pub(crate) fn number<T>(
        self,
        column: &'static str,
        new: impl FnOnce(u64) -> Option<T>,
    ) -> StoreResult<T> {
        self.read(column, |number: i64| {
            u64::try_from(number).ok().and_then(new).ok_or_else(|| format!("{number} is out of range"))
        })
    }

    /// A number with a type of its own, where zero stands for none.
    pub(crate) fn number_or_none<T>(
        self,
        column: &'static str,
        new: impl FnOnce(u64) -> Option<T>,
    ) -> StoreResult<Option<T>> {
        if self.get::<i64>(column)? == 0 { Ok(None) } else { self.number(column, new).map(Some) }
    }

    /// A moment.
    pub(crate) fn time(self, column: &'static str) -> StoreResult<Timestamp> {
        self.read(column, moment)
    }

    /// A moment, if there is one.
    pub(crate) fn maybe_time(self, column: &'static str) -> StoreResult<Option<Timestamp>> {
        self.read(column, |millis: Option<i64>| millis.map(moment).transpose())
    }

    /// Bytes of a fixed length.
    pub(crate) fn bytes<const N: usize>(self, column: &'static str) -> StoreResult<[u8; N]> {
        self.read(column, |bytes: &[u8]| {
            <[u8; N]>::try_from(bytes).map_err(|_| format!("{} bytes instead of {N}", bytes.len()))
        })
    }

    /// A value that is kept as JSON.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(self, column: &'static str) -> StoreResult<T> {
        self.read(column, |text: &str| serde_json::from_str(text))
    }

    /// The error of a row that cannot be read.
    pub(crate) fn corrupt(
        self,
        column: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> StoreError {
        let place = format!("table {}, column {column}, row {}", self.table, self.name());
        StoreError::Corrupt { place, source: Some(source.into()) }
    }

    /// The first column, whatever its type.
    fn name(self) -> String {
        fn shown(value: Result<impl Display, sqlx::Error>) -> Option<String> {
            value.ok().map(|value| value.to_string())
        }
        shown(self.row.try_get::<i64, _>(0))
            .or_else(|| shown(self.row.try_get::<&str, _>(0)))
            .or_else(|| {
                let bytes = self.row.try_get::<&[u8], _>(0).ok()?;
                Some(bytes.iter().fold(String::new(), |shown, byte| format!("{shown}{byte:02x}")))
            })
            .unwrap_or_else(|| "?".into())
    }
}

fn moment(millis: i64) -> Result<Timestamp, String> {
    let moment = Timestamp::from_millis(millis);
    if moment.millis() == millis { Ok(moment) } else { Err(format!("{millis} is no moment that can be")) }
}

/// A number of ours as the database keeps it: counters never reach its limit, and what does is the limit.
pub(crate) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A limit as the database takes it.
pub(crate) fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
