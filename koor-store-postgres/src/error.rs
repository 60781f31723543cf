//! What `PostgreSQL` says, in the words of the ports: mapped here and nowhere else.

use std::error::Error as StdError;

use koor_core::ports::StoreError;

/// What an error means for the connection and for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The connection is gone, or the server is about to close it. What was under way may have happened.
    Lost,
    /// The server cannot write now, for this reason.
    Full(&'static str),
    /// Another transaction is in the way: trying again may work.
    Conflict,
    /// What is stored is damaged.
    Corrupt,
    /// Anything else: a fault of ours.
    Fault,
}

impl Meaning {
    /// What an error of sqlx means.
    pub(crate) fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => error.code().map_or(Self::Fault, |code| Self::of_code(&code)),
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolClosed
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::WorkerCrashed => Self::Lost,
            _ => Self::Fault,
        }
    }

    /// What an SQLSTATE means. See <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
    fn of_code(code: &str) -> Self {
        match code {
            // A server that is shut down, that crashed, or that cannot take connections yet; an idle session that was ended.
            "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => Self::Lost,
            "25006" => Self::Full("the database server is read-only"),
            "53100" => Self::Full("disk full"),
            "53200" => Self::Full("the database server is out of memory"),
            "53300" => Self::Full("the database server takes no more connections"),
            "42501" => Self::Full("the database user lacks a privilege"),
            // A failed serialization, a deadlock, a lock that was not granted in time.
            "40001" | "40P01" | "55P03" => Self::Conflict,
            "XX001" | "XX002" => Self::Corrupt,
            _ if code.starts_with("08") => Self::Lost,
            _ if code.starts_with("58") => Self::Full("disk error"),
            _ => Self::Fault,
        }
    }
}

/// Says what a failure of the database means for the caller that `attempted` it.
pub(crate) fn store_error(attempted: &'static str, error: sqlx::Error) -> StoreError {
    match Meaning::of(&error) {
        Meaning::Conflict => StoreError::Busy,
        Meaning::Full(reason) => StoreError::Full { reason },
        Meaning::Corrupt => {
            StoreError::Corrupt { place: "the database".into(), source: Some(Box::new(error)) }
        }
        Meaning::Lost => StoreError::Unreachable,
        Meaning::Fault => StoreError::Backend { attempted, source: Box::new(error) },
    }
}

/// A failure that is not the database's own.
pub(crate) fn broken(attempted: &'static str, why: impl Into<Box<dyn StdError + Send + Sync>>) -> StoreError {
    StoreError::Backend { attempted, source: why.into() }
}

#[cfg(test)]
mod tests {
    use super::Meaning;

    #[test]
    fn a_server_that_goes_away_is_not_a_fault_of_the_statement() {
        for code in ["57P01", "57P02", "57P03", "08006", "25P03"] {
            assert_eq!(Meaning::of_code(code), Meaning::Lost, "{code}");
        }
        assert_eq!(Meaning::of(&sqlx::Error::Protocol("cut".into())), Meaning::Lost);
        assert_eq!(Meaning::of_code("23505"), Meaning::Fault, "a unique index");
        assert_eq!(Meaning::of_code("40P01"), Meaning::Conflict, "a deadlock");
        assert_eq!(Meaning::of_code("53100"), Meaning::Full("disk full"));
    }
}
