//! How a store is opened: the lock, the version check, the migrations, the connections.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use koor_core::ports::StoreResult;
use sqlx::{
    ConnectOptions as _,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use crate::{
    conn::{Conn, Statement, wait},
    error::store_error,
    format::MIGRATIONS,
    identity::{APPLICATION_ID, Identity},
    open_error::OpenError,
    private::{LOG, beside},
};

/// The name of the database in its directory.
pub(crate) const DATABASE: &str = "data.db";

/// How long to wait for another process that has the database, such as a backup tool.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// How much of the database readers map into memory. It takes up room only as far as it is read, and the system takes
/// that back when it needs it.
const MAPPED_BYTES: u64 = 1 << 30;

/// The statements that stay prepared on the writer: the scripts of batches, and those of all nouns.
const WRITER_STATEMENTS: usize = 256;

/// When a write counts as durable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// When it survives a loss of power.
    #[default]
    Full,
    /// When it survives the end of the process; a loss of power may take the last writes, but breaks nothing.
    Normal,
}

/// Where a store lies and what it may use.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The data directory. It is made if it is not there; the database in it is `data.db`.
    pub path: PathBuf,
    /// When a write is answered.
    pub durability: Durability,
    /// How much memory the newest versions of hot documents may take up.
    pub cache_bytes: usize,
    /// How many questions are answered at a time.
    pub readers: usize,
    /// After so many pages (4 KiB each) the write-ahead log is taken over into the database.
    pub wal_autocheckpoint: u32,
    /// So many audit entries are taken into the index of what they say at a time; until then, memory knows where they are.
    pub index_after: u32,
    /// The most the database may grow to; what does not fit is refused as it is on a full disk. `None`: no bound.
    pub max_bytes: Option<u64>,
}

impl SqliteOptions {
    /// The defaults, in that directory.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            durability: Durability::Full,
            cache_bytes: 64 << 20,
            readers: 4,
            wal_autocheckpoint: 8000,
            index_after: 16_384,
            max_bytes: None,
        }
    }
}

/// What every connection is opened with.
fn base(database: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(database)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("trusted_schema", "OFF")
        .disable_statement_logging()
}

/// A connection that only reads.
pub(crate) fn reading(database: &Path) -> SqliteConnectOptions {
    // Mapped pages spare a copy and a call each: reading here and there in a large database is twice as fast.
    base(database).read_only(true).pragma("mmap_size", MAPPED_BYTES.to_string())
}

/// A connection that only reads, and looks at the whole of each page before it believes any of it. What is asked for
/// here and there takes no such care: it touches a few bytes of many pages, of which most would be fetched for nothing,
/// and what a page says is checked again where it is understood.
pub(crate) fn reading_with_care(database: &Path) -> SqliteConnectOptions {
    with_care(reading(database))
}

fn with_care(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options.pragma("cell_size_check", "ON")
}

fn writing(options: &SqliteOptions, database: &Path) -> SqliteConnectOptions {
    let synchronous = match options.durability {
        Durability::Full => SqliteSynchronous::Full,
        Durability::Normal => SqliteSynchronous::Normal,
    };
    with_care(base(database))
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .pragma("wal_autocheckpoint", options.wal_autocheckpoint.to_string())
        // Sorting needs no files: there may be no place for them.
        .pragma("temp_store", "MEMORY")
        // What a large batch leaves of the log is given back.
        .pragma("journal_size_limit", (64 << 20).to_string())
        .statement_cache_capacity(WRITER_STATEMENTS)
}

/// Connects.
pub(crate) fn connect(options: &SqliteConnectOptions) -> Result<Conn, sqlx::Error> {
    wait(options.connect()).map(Conn::new)
}

/// Connects the writer to a database that is claimed, and brings that to the newest format.
pub(crate) fn open_writer(options: &SqliteOptions, database: &Path) -> Result<Conn, OpenError> {
    check_format(database)?;
    let mut conn =
        connect(&writing(options, database)).map_err(|error| store_error("open the database", error))?;
    match prepare(options, &mut conn) {
        Ok(()) => Ok(conn),
        Err(error) => {
            // Closed now and not at some later time: the locks on the file must still be held.
            if let Err(error) = conn.close() {
                tracing::debug!(%error, "cannot close the database");
            }
            Err(error.into())
        }
    }
}

fn prepare(options: &SqliteOptions, conn: &mut Conn) -> StoreResult<()> {
    migrate(conn)?;
    mark(conn);
    if let Some(bytes) = options.max_bytes {
        let pages = (bytes / page_bytes(conn)?).to_string();
        conn.execute(Statement::assembled(
            "bound the database",
            format!("PRAGMA max_page_count = {pages}").into(),
        ))?;
    }
    Ok(())
}

fn page_bytes(conn: &mut Conn) -> StoreResult<u64> {
    let page = conn.row(Statement::new("read the page size", "PRAGMA page_size"), "the database", |row| {
        row.count("page_size")
    })?;
    Ok(page.unwrap_or(4096).max(1))
}

/// Refuses a database that a newer version of this program has written, before anything is written to it.
fn check_format(database: &Path) -> Result<(), OpenError> {
    let failed = |error| store_error("read the database's format", error);
    let has_log = fs::metadata(beside(database, LOG)).is_ok_and(|log| log.len() > 0);
    // Where the last writer was killed, the newest header may be in the log. Without a log, nothing beside the file is made.
    let mut conn = connect(&reading(database).immutable(!has_log)).map_err(failed)?;
    let format = number(&mut conn, FORMAT);
    conn.close().map_err(failed)?;
    Identity::Koor { format: format? }.check_format()
}

const FORMAT: &str = "SELECT user_version AS number FROM pragma_user_version";
const APPLICATION: &str = "SELECT application_id AS number FROM pragma_application_id";

/// A number out of the header of the database.
fn number(conn: &mut Conn, sql: &'static str) -> StoreResult<u32> {
    let statement = Statement::new("read the database's header", sql);
    let number =
        conn.row(statement, "the database", |row| row.read("number", |number: i64| u32::try_from(number)))?;
    Ok(number.unwrap_or(0))
}

/// Does the steps that this database has not done, each whole or not at all.
fn migrate(conn: &mut Conn) -> StoreResult<()> {
    const ATTEMPTED: &str = "migrate the database";
    let done = number(conn, FORMAT)?;
    for (version, migration) in (1_u32..).zip(MIGRATIONS).filter(|(version, _)| *version > done) {
        let script = format!(
            "BEGIN IMMEDIATE;{migration};PRAGMA application_id = {APPLICATION_ID};PRAGMA user_version = {version};COMMIT;"
        );
        conn.execute(Statement::assembled(ATTEMPTED, script.into()))?;
        tracing::info!(version, "migrated the database");
    }
    Ok(())
}

/// Gives the application id to a database of an earlier version, and sees to it that a new one has it in the file itself,
/// where it is found without a look at the log. A disk without room can still be read from: the next start tries again.
fn mark(conn: &mut Conn) {
    const ATTEMPTED: &str = "write the application id";
    const CHECKPOINT: &str = "PRAGMA wal_checkpoint(PASSIVE)";
    let mark = |conn: &mut Conn| {
        if i64::from(number(conn, APPLICATION)?) != i64::from(APPLICATION_ID) {
            let set = format!("PRAGMA application_id = {APPLICATION_ID}");
            conn.execute(Statement::assembled(ATTEMPTED, set.into()))?;
        }
        conn.execute(Statement::new(ATTEMPTED, CHECKPOINT))
    };
    if let Err(error) = mark(conn) {
        tracing::warn!(%error, "cannot write the application id into the database; the next start tries again");
    }
    conn.begin_anew();
}
