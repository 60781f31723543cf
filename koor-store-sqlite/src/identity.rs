//! What a `data.db` is, found out without changing it or any file beside it.
//!
//! The database is opened as an immutable one: `SQLite` then takes no locks, plays no journal back and makes no files. It
//! sees what is in the file itself, and nothing that is still in a log.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
};

use koor_core::ports::StoreError;
use sqlx::{
    ConnectOptions as _, Connection as _, Row as _, SqliteConnection, error::DatabaseError,
    sqlite::SqliteConnectOptions,
};

use crate::{
    conn::wait,
    copies::{self, Copy},
    error::store_error,
    format::newest_format,
    open_error::OpenError,
    private::{JOURNAL, LOG, beside},
};

/// What `PRAGMA application_id` says in a database of this program: "Koor" in ASCII.
pub(crate) const APPLICATION_ID: i32 = 0x4b6f_6f72;

/// Tables that together only a database of this program has, in every format. It tells those that were written before
/// databases got an application id.
const OURS: [&str; 4] = ["audit_log", "document_key", "document_version", "event_pruned"];

/// Tables that the original server made in all its versions.
const ORIGINALS: [&str; 4] = ["events", "instances", "specs", "state"];

const NO_DATABASE: &str = "it is no SQLite database";

/// A database that a store may open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    /// There is none yet, or an empty one.
    New,
    /// It is one of this program; as far as the file itself says, in this format.
    Koor {
        /// The number of its last migration.
        format: u32,
    },
}

impl Identity {
    /// Refuses a database that a newer version of this program has written.
    pub(crate) fn check_format(self) -> Result<(), OpenError> {
        let known = newest_format();
        match self {
            Self::Koor { format: found } if found > known => Err(OpenError::Newer { found, known }),
            Self::Koor { .. } | Self::New => Ok(()),
        }
    }
}

/// Finds out what a database is; an error says that it is not for this program to open. `scratch` is a data directory
/// for a copy where the file itself does not tell; without one, such a database counts as a new one.
pub(crate) fn identify(database: &Path, scratch: Option<&Path>) -> Result<Identity, OpenError> {
    let (journal, log) = (beside(database, JOURNAL), beside(database, LOG));
    let has_log = fs::metadata(&log).is_ok_and(|log| log.len() > 0);
    let has_journal = restores_pages(&journal).map_err(|source| OpenError::Io {
        attempted: "read the journal",
        path: journal.clone(),
        source,
    })?;
    match fs::metadata(database) {
        // SQLite takes a single byte for an empty database.
        Ok(about) if about.len() == 1 => {
            return Err(OpenError::Foreign { path: database.into(), why: NO_DATABASE.into() });
        }
        Ok(about) if about.len() > 0 => {}
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(OpenError::Io { attempted: "look at", path: database.into(), source: error });
        }
        // SQLite would delete them.
        Ok(_) | Err(_) if has_log => return Err(OpenError::Orphan { path: log }),
        Ok(_) | Err(_) if has_journal => return Err(OpenError::Orphan { path: journal }),
        Ok(_) | Err(_) => return Ok(Identity::New),
    }
    let foreign = |why: String| OpenError::Foreign { path: database.into(), why };
    let itself = SqliteConnectOptions::new().filename(database).read_only(true).immutable(true);
    let seen = Seen::of(itself, database)?;
    if let Some(identity) = seen.judge(database)? {
        return Ok(identity);
    }
    // It has no tables yet: they are in the log, or the first transaction was never finished.
    if has_journal {
        return Err(foreign("a transaction of another program is unfinished".into()));
    }
    match scratch {
        Some(directory) if has_log => {
            let seen = with_log(database, &log, directory);
            // Where this is refused, no directory for copies stays behind.
            if let Err(error) = copies::delete_stale(directory) {
                tracing::warn!(%error, path = %directory.display(), "cannot delete a copy of the database");
            }
            let seen = seen?;
            Ok(seen.judge(database)?.unwrap_or(Identity::New))
        }
        Some(_) | None => Ok(Identity::New),
    }
}

/// Whether a rollback journal holds pages that belong to the database. One that was begun on an empty database holds
/// none, and neither does one that was not even begun.
fn restores_pages(journal: &Path) -> io::Result<bool> {
    // See <https://sqlite.org/fileformat.html#the_rollback_journal>: a finished journal begins with a zero; the size of
    // the database when it was begun, in pages, comes after the magic number and two others.
    const HEADER: usize = 20;
    let mut header = Vec::with_capacity(HEADER);
    match File::open(journal) {
        Ok(file) => file.take(HEADER as u64).read_to_end(&mut header)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    Ok(match header.as_slice() {
        [0, ..] => false,
        [_, .., a, b, c, d] if header.len() == HEADER => u32::from_be_bytes([*a, *b, *c, *d]) > 0,
        _ => false,
    })
}

/// Looks at a copy of a database with its log, which is taken over into the copy.
fn with_log(database: &Path, log: &Path, data_directory: &Path) -> Result<Seen, OpenError> {
    let io = |source| OpenError::Io { attempted: "copy", path: database.into(), source };
    let copy = Copy::new(data_directory).map_err(io)?;
    fs::copy(database, copy.path()).map_err(io)?;
    fs::copy(log, beside(copy.path(), LOG)).map_err(io)?;
    Seen::of(SqliteConnectOptions::new().filename(copy.path()), database)
}

/// What tells databases apart.
struct Seen {
    application: i32,
    format: i64,
    tables: Vec<String>,
}

impl Seen {
    fn of(options: SqliteConnectOptions, database: &Path) -> Result<Self, OpenError> {
        let failed = |error: sqlx::Error| match error.as_database_error().and_then(DatabaseError::code) {
            Some(code) if code == "26" => {
                OpenError::Foreign { path: database.into(), why: NO_DATABASE.into() }
            }
            _ => OpenError::Store(store_error("look at the database", error)),
        };
        let options = options.pragma("trusted_schema", "OFF").disable_statement_logging();
        let mut conn = wait(options.connect()).map_err(failed)?;
        let seen = Self::read(&mut conn);
        let closed = wait(conn.close());
        let seen = seen.map_err(failed)?;
        closed.map_err(failed)?;
        Ok(seen)
    }

    fn read(conn: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let application = wait(sqlx::query("PRAGMA application_id").fetch_one(&mut *conn))?.try_get(0)?;
        let format = wait(sqlx::query("PRAGMA user_version").fetch_one(&mut *conn))?.try_get(0)?;
        // The first page can be told by its header, even where the rest of it is broken: opening it says so then.
        let tables = if application == APPLICATION_ID { Vec::new() } else { tables(conn)? };
        Ok(Self { application, format, tables })
    }

    /// Says what it is; `None` where there is nothing in it.
    fn judge(&self, database: &Path) -> Result<Option<Identity>, OpenError> {
        let foreign = |why: String| Err(OpenError::Foreign { path: database.into(), why });
        if self.application == APPLICATION_ID || is_ours(&self.tables) {
            let format = u32::try_from(self.format).map_err(|_| {
                let source = format!("{} is no format", self.format).into();
                StoreError::Corrupt { place: "the database file".into(), source: Some(source) }
            })?;
            return Ok(Some(Identity::Koor { format }));
        }
        if self.application != 0 {
            return foreign(format!("its application id is {:#x}", self.application));
        }
        if ORIGINALS.iter().all(|name| self.has(name)) {
            return Err(OpenError::Original { path: database.into() });
        }
        if let Some(table) = self.tables.first() {
            return foreign(format!("it has a table {table:?}, which Koor does not make"));
        }
        if self.format != 0 {
            return foreign(format!("it has no tables and says that its format is {}", self.format));
        }
        Ok(None)
    }

    fn has(&self, table: &str) -> bool {
        self.tables.iter().any(|name| name == table)
    }
}

/// Whether these are tables of this program.
pub(crate) fn is_ours(tables: &[String]) -> bool {
    OURS.iter().all(|table| tables.iter().any(|name| name == table))
}

/// The names of all tables.
pub(crate) fn tables(conn: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    let names = wait(sqlx::query("SELECT name FROM sqlite_master WHERE type = 'table'").fetch_all(conn))?;
    names.iter().map(|row| row.try_get(0)).collect()
}
