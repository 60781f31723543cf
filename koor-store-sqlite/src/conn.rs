//! One connection, used by one thread, which waits for it.

use std::{
    fmt::Display,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use koor_core::{
    clock::Timestamp,
    ports::{StoreError, StoreResult},
};
use sqlx::{
    AssertSqlSafe, Connection as _, Decode, Encode, Row as _, SqlSafeStr as _, SqlStr, Sqlite,
    SqliteConnection, Type,
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};

use crate::error::{broken, store_error};

/// Wakes the thread that waits in [`wait`].
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future on this thread. The futures of a connection need no runtime: its own worker thread wakes them.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// SQL with what is bound to it, and what it is for.
pub(crate) struct Statement {
    attempted: &'static str,
    sql: SqlStr,
    arguments: Result<SqliteArguments, sqlx::error::BoxDynError>,
}

impl Statement {
    /// A statement whose text never changes.
    pub(crate) fn new(attempted: &'static str, sql: &'static str) -> Self {
        Self { attempted, sql: sql.into_sql_str(), arguments: Ok(SqliteArguments::default()) }
    }

    /// A statement that was put together, from constants only.
    pub(crate) fn assembled(attempted: &'static str, sql: Arc<str>) -> Self {
        let sql = AssertSqlSafe(sql).into_sql_str();
        Self { attempted, sql, arguments: Ok(SqliteArguments::default()) }
    }

    /// Binds the next parameter.
    pub(crate) fn bind<'t>(mut self, value: impl Encode<'t, Sqlite> + Type<Sqlite>) -> Self {
        self.push(value);
        self
    }

    /// Binds a text as the next parameter: as it is taken here, it is copied once.
    pub(crate) fn push_text(&mut self, text: &str) {
        self.push(Arc::<str>::from(text));
    }

    /// Binds the next parameter.
    pub(crate) fn push<'t>(&mut self, value: impl Encode<'t, Sqlite> + Type<Sqlite>) {
        if let Ok(arguments) = &mut self.arguments
            && let Err(error) = sqlx::Arguments::add(arguments, value)
        {
            self.arguments = Err(error);
        }
    }
}

impl Statement {
    fn query(self, begin: bool) -> Result<Query<'static, Sqlite, SqliteArguments>, sqlx::Error> {
        #[cfg(test)]
        crate::query_plan_test::note(self.attempted, self.sql.as_str());
        let sql = if begin {
            AssertSqlSafe(format!("{BEGIN}{}", self.sql.as_str())).into_sql_str()
        } else {
            self.sql
        };
        Ok(sqlx::query_with(sql, self.arguments.map_err(sqlx::Error::Encode)?))
    }
}

/// Opens a snapshot, before the first statement on it.
const BEGIN: &str = "BEGIN;";
const END: &str = "ROLLBACK";

/// A connection that remembers its first failure: after it, every statement fails at once, until
/// [`begin_anew`](Conn::begin_anew). A failure may have rolled back the whole transaction, and what came after it would
/// be committed statement by statement.
pub(crate) struct Conn {
    inner: SqliteConnection,
    failure: Option<Failure>,
    /// Whether the next statement opens a snapshot, which then costs no hop of its own.
    snapshot_due: bool,
}

/// What is remembered of the first failure: enough to say it again.
#[derive(Debug, Clone, Copy)]
enum Failure {
    Full(&'static str),
    Busy,
    Other,
}

impl Conn {
    pub(crate) fn new(inner: SqliteConnection) -> Self {
        Self { inner, failure: None, snapshot_due: false }
    }

    /// Fails if a statement has failed since [`begin_anew`](Self::begin_anew).
    pub(crate) fn check(&self) -> StoreResult<()> {
        match self.failure {
            None => Ok(()),
            Some(Failure::Full(reason)) => Err(StoreError::Full { reason }),
            Some(Failure::Busy) => Err(StoreError::Busy),
            Some(Failure::Other) => Err(broken("go on", "the transaction has failed before")),
        }
    }

    /// Forgets about failures: the transaction that they belong to is over.
    pub(crate) fn begin_anew(&mut self) {
        self.failure = None;
    }

    /// Makes the next statement open a snapshot.
    pub(crate) fn begin_snapshot(&mut self) {
        self.snapshot_due = true;
    }

    /// Ends the snapshot, if one was opened.
    pub(crate) fn end_snapshot(&mut self) {
        self.begin_anew();
        if !std::mem::take(&mut self.snapshot_due)
            && let Err(error) = self.execute(Statement::new("end a snapshot", END))
        {
            // A failure on the snapshot has ended it already.
            tracing::debug!(%error, "no snapshot to end");
        }
        self.begin_anew();
    }

    /// Passes a result on, and remembers if it is a failure.
    fn note<T>(&mut self, result: StoreResult<T>) -> StoreResult<T> {
        if let Err(error) = &result {
            self.failure = Some(match error {
                StoreError::Full { reason } => Failure::Full(reason),
                StoreError::Busy => Failure::Busy,
                StoreError::Backend { .. }
                | StoreError::Corrupt { .. }
                | StoreError::Closed
                | StoreError::Unreachable
                | StoreError::Unresolved
                | StoreError::NotFetched => Failure::Other,
            });
        }
        result
    }

    /// Runs statements; answers how many rows they changed.
    pub(crate) fn execute(&mut self, statement: Statement) -> StoreResult<u64> {
        self.check()?;
        let attempted = statement.attempted;
        let begin = std::mem::take(&mut self.snapshot_due);
        let result = statement
            .query(begin)
            .and_then(|query| wait(query.execute(&mut self.inner)))
            .map(|done| done.rows_affected())
            .map_err(|error| store_error(attempted, error));
        self.note(result)
    }

    /// Runs a query and reads all its rows. The first column must name the row, for the error of one that is corrupt.
    pub(crate) fn rows<T>(
        &mut self,
        statement: Statement,
        table: &'static str,
        mut read: impl FnMut(Row<'_>) -> StoreResult<T>,
    ) -> StoreResult<Vec<T>> {
        self.check()?;
        let attempted = statement.attempted;
        let begin = std::mem::take(&mut self.snapshot_due);
        let result = statement
            .query(begin)
            .and_then(|query| wait(query.fetch_all(&mut self.inner)))
            .map_err(|error| store_error(attempted, error))
            .and_then(|rows| rows.iter().map(|row| read(Row { row, table })).collect());
        self.note(result)
    }

    /// Runs a query that has one row at most.
    pub(crate) fn row<T>(
        &mut self,
        statement: Statement,
        table: &'static str,
        read: impl FnOnce(Row<'_>) -> StoreResult<T>,
    ) -> StoreResult<Option<T>> {
        self.check()?;
        let attempted = statement.attempted;
        let begin = std::mem::take(&mut self.snapshot_due);
        let result = statement
            .query(begin)
            .and_then(|query| wait(query.fetch_optional(&mut self.inner)))
            .map_err(|error| store_error(attempted, error))
            .and_then(|row| row.map(|row| read(Row { row: &row, table })).transpose());
        self.note(result)
    }

    /// Closes the connection.
    pub(crate) fn close(self) -> Result<(), sqlx::Error> {
        wait(self.inner.close())
    }
}

/// A row to read from, with the name of its table.
#[derive(Clone, Copy)]
pub(crate) struct Row<'r> {
    row: &'r SqliteRow,
    table: &'static str,
}

impl<'r> Row<'r> {
    /// A value of one of the database's own types.
    pub(crate) fn get<T: Decode<'r, Sqlite> + Type<Sqlite>>(self, column: &'static str) -> StoreResult<T> {
        self.row.try_get(column).map_err(|error| self.corrupt(column, error))
    }

    /// A value of a type of ours, which may not take all that the database's type can hold.
    pub(crate) fn read<S, T, E>(
        self,
        column: &'static str,
        parse: impl FnOnce(S) -> Result<T, E>,
    ) -> StoreResult<T>
    where
        S: Decode<'r, Sqlite> + Type<Sqlite>,
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

    /// A yes or no.
    pub(crate) fn flag(self, column: &'static str) -> StoreResult<bool> {
        self.read(column, |number: i64| match number {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(format!("{number} is neither 0 nor 1")),
        })
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
