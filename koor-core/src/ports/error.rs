//! How a store fails.

use std::error::Error as StdError;

/// Why a store did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The technology behind the store failed.
    #[error("cannot {attempted}")]
    Backend {
        /// What was being done, for the log.
        attempted: &'static str,
        /// What the technology said.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// What is stored contradicts itself.
    #[error("corrupt data in {place}")]
    Corrupt {
        /// Table, column and row, or whatever names a place there.
        place: String,
        /// What could not be read, where something could not.
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// More work is queued than the store takes on.
    #[error("the store is busy, try again")]
    Busy,
    /// There is no room to write, or no permission to.
    #[error("the store cannot write: {reason}")]
    Full {
        /// `disk full`, `read-only` and the like: fit for a client to read.
        reason: &'static str,
    },
    /// The technology behind the store cannot be reached. Nothing was done.
    #[error("the store cannot be reached now; nothing was done, try again later")]
    Unreachable,
    /// The connection was lost while a commit was under way, and it could not be found out what became of it.
    #[error(
        "the connection to the store was lost: the change may or may not have been made, so look before you try again"
    )]
    Unresolved,
    /// The store has been shut.
    #[error("the store is closed")]
    Closed,
    /// A command looked at a fact that has not been fetched. It never leaves the core: the fact is fetched, and the
    /// command runs again.
    #[error("a fact has not been fetched yet")]
    NotFetched,
}

/// The result of every port method.
pub type StoreResult<T> = Result<T, StoreError>;
