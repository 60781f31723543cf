//! How a store is opened: the lock, the version check, the migrations, the connections.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::Duration,
};

use koor_core::ports::{StoreError, StoreResult};
use sqlx::{
    ConnectOptions as _,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use crate::{
    conn::{Conn, Statement, wait},
    error::store_error,
    reader::private,
};

/// The name of the database in its directory.
pub(crate) const DATABASE: &str = "data.db";

/// The steps from an empty database to this one. Never changed, only added to: databases out there have done them.
const MIGRATIONS: [&str; 2] =
    [include_str!("../migrations/0001_nouns.sql"), include_str!("../migrations/0002_audit_by.sql")];

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

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the data directory.
    #[error("{} is in use by {}", path.display(), holder.map_or_else(|| "another process".into(), |pid| format!("process {pid}")))]
    Locked {
        /// The directory.
        path: PathBuf,
        /// The process, if it has said who it is.
        holder: Option<u32>,
    },
    /// The database was written by a newer version of this program. It has not been touched.
    #[error(
        "the database has format {found}, and this program knows formats up to {known}: it needs a newer version"
    )]
    Newer {
        /// The database's format.
        found: u32,
        /// The newest format this program knows.
        known: u32,
    },
    /// The database could not be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file or a directory could not be used.
    #[error("cannot {attempted} {}", path.display())]
    Io {
        /// What was being done.
        attempted: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
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

/// Makes directory and database where they are not there, and connects the writer to a database of today's format.
pub(crate) fn open_writer(options: &SqliteOptions, database: &Path) -> Result<Conn, OpenError> {
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    // Before SQLite has the file open, and never after: when a file is closed, the system lets go of every lock that the
    // process has on it, SQLite's among them. Without those, the next program that looks into the database and closes it
    // takes itself for the last, and deletes the log that this one writes into.
    private(OpenOptions::new().append(true).create(true)).open(database).map_err(|source| OpenError::Io {
        attempted: "open the database",
        path: database.into(),
        source,
    })?;
    let found = format_of(database)?;
    if found > known {
        return Err(OpenError::Newer { found, known });
    }
    let mut conn =
        connect(&writing(options, database)).map_err(|error| store_error("open the database", error))?;
    migrate(&mut conn)?;
    if let Some(bytes) = options.max_bytes {
        let pages = (bytes / page_bytes(&mut conn)?).to_string();
        conn.execute(Statement::assembled(
            "bound the database",
            format!("PRAGMA max_page_count = {pages}").into(),
        ))?;
    }
    Ok(conn)
}

fn page_bytes(conn: &mut Conn) -> StoreResult<u64> {
    let page = conn.row(Statement::new("read the page size", "PRAGMA page_size"), "the database", |row| {
        row.count("page_size")
    })?;
    Ok(page.unwrap_or(4096).max(1))
}

/// Where the format is written in a database file, as four bytes, most significant first.
const FORMAT_OFFSET: usize = 60;

/// The format of a database, found without touching it; zero where there is none yet. For as long as no
/// connection is open.
fn format_of(database: &Path) -> Result<u32, OpenError> {
    let io = |attempted| move |source| OpenError::Io { attempted, path: database.into(), source };
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    if fs::metadata(log).is_ok_and(|log| log.len() > 0) {
        // The last writer was killed: the newest header may be in the log, which only the database can read.
        let mut conn =
            connect(&reading(database)).map_err(|error| store_error("read the database's format", error))?;
        return Ok(user_version(&mut conn)?);
    }
    let mut file = match File::open(database) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(io("open the database")(error)),
    };
    let mut header = [0; FORMAT_OFFSET + 4];
    match file.read_exact(&mut header) {
        Ok(()) => {
            let [.., a, b, c, d] = header;
            Ok(u32::from_be_bytes([a, b, c, d]))
        }
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
        Err(error) => Err(io("read the database")(error)),
    }
}

fn user_version(conn: &mut Conn) -> StoreResult<u32> {
    let statement = Statement::new("read the database's format", "PRAGMA user_version");
    let version = conn.row(statement, "the database", |row| {
        row.read("user_version", |version: i64| u32::try_from(version))
    })?;
    Ok(version.unwrap_or(0))
}

/// Does the steps that this database has not done, each whole or not at all.
fn migrate(conn: &mut Conn) -> StoreResult<()> {
    const ATTEMPTED: &str = "migrate the database";
    let done = user_version(conn)?;
    for (version, migration) in (1_u32..).zip(MIGRATIONS).filter(|(version, _)| *version > done) {
        let script = format!("BEGIN IMMEDIATE;{migration};PRAGMA user_version = {version};COMMIT;");
        conn.execute(Statement::assembled(ATTEMPTED, script.into()))?;
        tracing::info!(version, "migrated the database");
    }
    Ok(())
}
