//! What `SQLite` says, in the words of the ports: mapped here and nowhere else.

use koor_core::ports::StoreError;

/// What a result code means for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// Another connection holds a lock for the moment.
    Busy,
    /// There is no room to write, or no permission to.
    Full(&'static str),
    /// The file is not what it should be.
    Corrupt,
    /// Anything else: a fault of ours.
    Fault,
}

impl Meaning {
    /// The low byte is the kind of failure, the rest says more about it. See <https://sqlite.org/rescode.html>.
    fn of(code: i32) -> Self {
        match (code & 0xff, code >> 8) {
            (5 | 6, _) => Self::Busy,
            (13, _) | (10, IO_SHM_SIZE) => Self::Full("disk full"),
            (3 | 8, _) => Self::Full("read-only"),
            (14, _) => Self::Full("files cannot be opened"),
            (
                10,
                IO_WRITE | IO_FSYNC | IO_DIR_FSYNC | IO_TRUNCATE | IO_SHM_MAP | IO_BEGIN_ATOMIC
                | IO_COMMIT_ATOMIC,
            ) => Self::Full("disk error"),
            (11 | 26, _) | (10, IO_DATA | IO_CORRUPT_FS) => Self::Corrupt,
            _ => Self::Fault,
        }
    }
}

const IO_WRITE: i32 = 3;
const IO_FSYNC: i32 = 4;
const IO_DIR_FSYNC: i32 = 5;
const IO_TRUNCATE: i32 = 6;
const IO_SHM_SIZE: i32 = 19;
const IO_SHM_MAP: i32 = 21;
const IO_BEGIN_ATOMIC: i32 = 29;
const IO_COMMIT_ATOMIC: i32 = 30;
const IO_DATA: i32 = 32;
const IO_CORRUPT_FS: i32 = 33;

/// Says what a failure of the database means for the caller that `attempted` it.
pub(crate) fn store_error(attempted: &'static str, error: sqlx::Error) -> StoreError {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .and_then(|code| code.parse::<i32>().ok());
    match code.map_or(Meaning::Fault, Meaning::of) {
        Meaning::Busy => StoreError::Busy,
        Meaning::Full(reason) => StoreError::Full { reason },
        Meaning::Corrupt => {
            StoreError::Corrupt { place: "the database file".into(), source: Some(Box::new(error)) }
        }
        Meaning::Fault => StoreError::Backend { attempted, source: Box::new(error) },
    }
}

/// A failure of the adapter's own, without a cause of `SQLite`'s.
pub(crate) fn broken(attempted: &'static str, why: &'static str) -> StoreError {
    StoreError::Backend { attempted, source: why.into() }
}

#[cfg(test)]
mod tests {
    use super::Meaning;

    #[test]
    fn a_failing_write_is_not_a_failing_read() {
        let io = |detail: i32| Meaning::of(10 + detail * 256);
        assert_eq!(io(3), Meaning::Full("disk error"), "write");
        assert_eq!(io(4), Meaning::Full("disk error"), "fsync");
        assert_eq!(io(19), Meaning::Full("disk full"), "the shared memory cannot grow");
        assert_eq!(io(1), Meaning::Fault, "read");
        assert_eq!(io(2), Meaning::Fault, "short read");
    }

    #[test]
    fn more_precise_codes_mean_the_same_as_their_kind() {
        assert_eq!(Meaning::of(13), Meaning::Full("disk full"));
        assert_eq!(Meaning::of(8 + 3 * 256), Meaning::Full("read-only"));
        assert_eq!(Meaning::of(5 + 2 * 256), Meaning::Busy);
        assert_eq!(Meaning::of(11 + 256), Meaning::Corrupt);
        assert_eq!(Meaning::of(19), Meaning::Fault, "a constraint");
    }
}
