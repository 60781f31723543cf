//! What `SQLite` says, in the words of the ports: mapped here and nowhere else.

use koor_core::ports::StoreError;

/// The primary result codes that mean more than "it failed". The low byte of every code is one of these.
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const PERMISSION: i32 = 3;
const READ_ONLY: i32 = 8;
const IO_ERROR: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANNOT_OPEN: i32 = 14;
const NOT_A_DATABASE: i32 = 26;

/// The I/O errors of reading: they say nothing about whether there is room to write.
const IO_READS: [i32; 4] = [0x010a, 0x020a, 0x1f0a, 0x210a];

/// Says what a failure of the database means for whoever asked for `attempted`.
pub(crate) fn store_error(attempted: &'static str, error: sqlx::Error) -> StoreError {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .and_then(|code| code.parse::<i32>().ok());
    match code.map(|code| (code & 0xff, code)) {
        Some((BUSY | LOCKED, _)) => StoreError::Busy,
        Some((FULL, _)) => StoreError::Full { reason: "disk full" },
        Some((READ_ONLY | PERMISSION, _)) => StoreError::Full { reason: "read-only" },
        Some((CANNOT_OPEN, _)) => StoreError::Full { reason: "files cannot be opened" },
        Some((IO_ERROR, code)) if !IO_READS.contains(&code) => StoreError::Full { reason: "disk error" },
        Some((CORRUPT | NOT_A_DATABASE, _)) => {
            StoreError::Corrupt { place: "the database file".into(), source: Some(Box::new(error)) }
        }
        _ => StoreError::Backend { attempted, source: Box::new(error) },
    }
}

/// A failure of the adapter's own, without a cause of `SQLite`'s.
pub(crate) fn broken(attempted: &'static str, why: &'static str) -> StoreError {
    StoreError::Backend { attempted, source: why.into() }
}
