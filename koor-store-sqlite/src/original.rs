//! Reads the database of an original server, out of a copy: the file itself stays as it is.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use koor_core::domain::original::{Cell, Original, Row};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _, SqliteConnection, TypeInfo as _,
    ValueRef as _,
    sqlite::{SqliteConnectOptions, SqliteRow},
};

use crate::{
    conn::wait,
    identity::{is_ours, tables},
    private::{LOG, beside},
};

/// How a database file begins.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Why a database of an original server could not be read.
#[derive(Debug, thiserror::Error)]
pub enum OriginalError {
    /// It is something else.
    #[error("{} is not the database of an original server: {why}", path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        why: &'static str,
    },
    /// It is damaged.
    #[error("{} is damaged: {found}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found first.
        found: String,
    },
    /// A file could not be used.
    #[error("cannot {attempted} {}", path.display())]
    Io {
        /// What was being done.
        attempted: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Reads the database of an original server, all of it; `scratch` is a directory for a copy, which is left there.
/// What was not yet taken over into the file from its write-ahead log is read, too.
///
/// # Errors
/// When it can't be read, is damaged, or is something else.
pub fn read_original(file: &Path, scratch: &Path) -> Result<Original, OriginalError> {
    let other = |why| OriginalError::Other { path: file.into(), why };
    let damaged =
        |error: &dyn ToString| OriginalError::Damaged { path: file.into(), found: error.to_string() };
    if !begins_as_database(file)? {
        return Err(other("no SQLite database"));
    }
    let copied = scratch.join("original.db");
    copy(file, &copied)?;
    let log = beside(file, LOG);
    if log.exists() {
        copy(&log, &beside(&copied, LOG))?;
    }
    let options = SqliteConnectOptions::new()
        .filename(&copied)
        .pragma("trusted_schema", "OFF")
        .pragma("cell_size_check", "ON")
        .disable_statement_logging();
    let mut conn = wait(options.connect()).map_err(|error| damaged(&error))?;
    check(&mut conn).map_err(|found| damaged(&found))?;
    let there = tables(&mut conn).map_err(|error| damaged(&error))?;
    if is_ours(&there) {
        return Err(other("it is one of this program, which opens it as it is"));
    }
    let mut original = Original::default();
    let mut found = false;
    for table in Original::TABLES.into_iter().filter(|table| there.iter().any(|name| name == table)) {
        original.add(table, rows(&mut conn, table).map_err(|error| damaged(&error))?);
        found = true;
    }
    if let Err(error) = wait(conn.close()) {
        tracing::debug!(%error, "the copy was not closed in order");
    }
    if found { Ok(original) } else { Err(other("none of its tables are there")) }
}

fn begins_as_database(path: &Path) -> Result<bool, OriginalError> {
    let io = |attempted| move |source| OriginalError::Io { attempted, path: path.into(), source };
    let mut start = Vec::with_capacity(MAGIC.len());
    let file = File::open(path).map_err(io("open"))?;
    file.take(MAGIC.len() as u64).read_to_end(&mut start).map_err(io("read"))?;
    Ok(start == MAGIC)
}

fn copy(from: &Path, to: &Path) -> Result<(), OriginalError> {
    fs::copy(from, to).map(drop).map_err(|source| OriginalError::Io {
        attempted: "copy",
        path: from.into(),
        source,
    })
}

/// Walks over every page and every index.
fn check(conn: &mut SqliteConnection) -> Result<(), String> {
    let report = wait(sqlx::query("PRAGMA integrity_check(1)").fetch_all(conn));
    let report = report.map_err(|error| error.to_string())?;
    let found = report.first().and_then(|row| row.try_get::<String, _>(0).ok());
    match found {
        Some(ok) if ok == "ok" => Ok(()),
        Some(found) => Err(found.replace('\n', ", ")),
        None => Err("it cannot be checked".to_owned()),
    }
}

fn rows(conn: &mut SqliteConnection, table: &'static str) -> Result<Vec<Row>, sqlx::Error> {
    // The name is one of our own list.
    let sql = AssertSqlSafe(format!("SELECT * FROM {table} ORDER BY rowid"));
    let rows = wait(sqlx::query(sql).fetch_all(conn))?;
    rows.iter().map(row).collect()
}

fn row(row: &SqliteRow) -> Result<Row, sqlx::Error> {
    use sqlx::Column as _;
    row.columns()
        .iter()
        .map(|column| Ok((column.name().to_owned(), cell(row, column.ordinal())?)))
        .collect::<Result<Vec<_>, sqlx::Error>>()
        .map(Row::from_iter)
}

fn cell(row: &SqliteRow, column: usize) -> Result<Cell, sqlx::Error> {
    let raw = row.try_get_raw(column)?;
    if raw.is_null() {
        return Ok(Cell::Null);
    }
    // What the value is, not what its column was declared as.
    let kind = raw.type_info().into_owned();
    Ok(match kind.name() {
        "INTEGER" => Cell::Integer(row.try_get_unchecked(column)?),
        "REAL" => Cell::Real(row.try_get_unchecked(column)?),
        "BLOB" => Cell::Bytes(row.try_get_unchecked(column)?),
        _ => match String::from_utf8(row.try_get_unchecked(column)?) {
            Ok(text) => Cell::Text(text),
            Err(error) => Cell::Bytes(error.into_bytes()),
        },
    })
}
