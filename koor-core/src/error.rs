//! What can go wrong, in the words a client reads.

use std::{error::Error as StdError, fmt, iter};

use serde_json::{Map, Value};

pub use crate::invalid::Invalid;
use crate::{
    clock::NoRandomness,
    domain::{audit::Outcome, contracts::Violation},
    ids::{Cursor, EventId, Hash, Version},
    ports::StoreError,
};

/// The causes below an error, outermost first, in one line. Left out is a cause that the error above it has said already.
pub fn causes(error: &dyn StdError) -> String {
    let (mut above, mut causes) = (error.to_string(), Vec::new());
    for cause in iter::successors(error.source(), |cause: &&dyn StdError| (*cause).source()) {
        let text = cause.to_string();
        if !above.ends_with(&text) {
            causes.push(text.clone());
        }
        above = text;
    }
    causes.join(": ")
}

/// Why a command or a query did not do what it was asked.
///
/// The text is for clients; a cause that is not theirs to read is in `source`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request itself is wrong.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// No token, or not the right one.
    #[error("invalid or missing bearer token")]
    Unauthorized,
    /// The caller's role does not reach this far.
    #[error("admin role required to {0}")]
    Forbidden(&'static str),
    /// This caller may not do that, whatever its role; the text says why.
    #[error("{0}")]
    NotAllowed(String),
    /// What is asked for does not fit what is there now.
    #[error(transparent)]
    Conflict(#[from] Box<Conflict>),
    /// What was named is not there.
    #[error("{what} not found: {name}")]
    NotFound {
        /// The noun, such as `key` or `webhook`.
        what: &'static str,
        /// The name it was asked for under.
        name: String,
    },
    /// A version of a document that was never written, or is no longer kept.
    #[error("version {version} not found for {noun}: {name}")]
    NoSuchVersion {
        /// `key` or `spec`.
        noun: &'static str,
        /// The document.
        name: String,
        /// The version asked for.
        version: Version,
    },
    /// What should be made is there already.
    #[error("{what} already exists: {name}")]
    Exists {
        /// The noun.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A condition of the request does not hold.
    #[error("version conflict: {name} is at version {}", version.map_or(0, Version::get))]
    VersionConflict {
        /// The document.
        name: String,
        /// Its version now; `None` when it is absent.
        version: Option<Version>,
        /// Its hash now; `None` when it is absent.
        hash: Option<Hash>,
    },
    /// Well-formed, but not what a schema or a contract asks for.
    #[error("{what} has {} violation{}", violations.len(), if violations.len() == 1 { "" } else { "s" })]
    SchemaViolations {
        /// What was checked.
        what: String,
        /// Everything that was found.
        violations: Vec<Violation>,
    },
    /// Events after the cursor have been pruned.
    #[error("cursor expired")]
    CursorExpired {
        /// The oldest event from which on the log is whole.
        oldest: EventId,
    },
    /// The cursor is none of this log: a server that began anew counts its events anew.
    #[error("cursor expired: it is beyond the end of the log, which is at {last}")]
    CursorBeyond {
        /// Where the log ends.
        last: Cursor,
        /// The oldest event from which on the log is whole.
        oldest: EventId,
    },
    /// What the change was checked against has changed in the meantime; nothing was done.
    #[error("{0} changed while this was being checked, try again")]
    StaleCheck(String),
    /// The machine gave no randomness for a secret.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    /// The store could not do its work.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why something cannot be done as things stand now, with what a program needs to know of it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{text}")]
pub struct Conflict {
    text: String,
    fields: Map<String, Value>,
}

impl Conflict {
    /// A conflict with the given text, which a client will read as it stands.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), fields: Map::new() }
    }

    /// The same, with a field that the answer has beside the text.
    #[must_use]
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.fields.insert(field.to_owned(), value);
        self
    }

    /// The fields that the answer has beside the text.
    #[must_use]
    pub fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }
}

impl From<Conflict> for Error {
    fn from(conflict: Conflict) -> Self {
        Box::new(conflict).into()
    }
}

/// What an adapter at the border needs to know of an [`Error`] to answer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request is wrong, and will be wrong again.
    Invalid,
    /// The token is missing or unknown.
    Unauthorized,
    /// Not allowed for this caller.
    Forbidden,
    /// Nothing there.
    NotFound,
    /// Something there already.
    Conflict,
    /// A condition that does not hold.
    Precondition,
    /// Well-formed and refused.
    Unprocessable,
    /// It was there once.
    Gone,
    /// Too much at once: try again in a moment.
    Busy,
    /// The store cannot write now; it may again later.
    Unavailable,
    /// A fault of ours.
    Internal,
}

impl Error {
    /// The one classification that every border maps from.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Invalid(_) => ErrorKind::Invalid,
            Self::Unauthorized => ErrorKind::Unauthorized,
            Self::Forbidden(_) | Self::NotAllowed(_) => ErrorKind::Forbidden,
            Self::NotFound { .. } | Self::NoSuchVersion { .. } => ErrorKind::NotFound,
            Self::Exists { .. } | Self::Conflict(_) => ErrorKind::Conflict,
            Self::VersionConflict { .. } => ErrorKind::Precondition,
            Self::SchemaViolations { .. } => ErrorKind::Unprocessable,
            Self::CursorExpired { .. } | Self::CursorBeyond { .. } => ErrorKind::Gone,
            Self::StaleCheck(_) | Self::Store(StoreError::Busy) => ErrorKind::Busy,
            Self::Store(
                StoreError::Full { .. }
                | StoreError::Closed
                | StoreError::Unreachable
                | StoreError::Unresolved,
            ) => ErrorKind::Unavailable,
            Self::Randomness(_)
            | Self::Store(StoreError::Backend { .. } | StoreError::Corrupt { .. } | StoreError::NotFetched) => {
                ErrorKind::Internal
            }
        }
    }

    /// How the audit log speaks of a command that ended so: `None` where nothing was refused that was asked for
    /// rightly.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        match self.kind() {
            ErrorKind::Forbidden => Some(Outcome::Denied),
            ErrorKind::Conflict | ErrorKind::Precondition | ErrorKind::Unprocessable => Some(Outcome::Error),
            ErrorKind::Invalid
            | ErrorKind::Unauthorized
            | ErrorKind::NotFound
            | ErrorKind::Gone
            | ErrorKind::Busy
            | ErrorKind::Unavailable
            | ErrorKind::Internal => None,
        }
    }

    pub(crate) fn not_found(what: &'static str, name: impl fmt::Display) -> Self {
        Self::NotFound { what, name: name.to_string() }
    }
}
