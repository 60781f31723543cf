//! Failures of requests, with their statuses.

use std::{error::Error as StdError, time::Duration};

use hyper::StatusCode;
use koor_core::{Error, ErrorKind, Invalid, ids::Version};
use serde_json::{Value, json};

/// Why a request was not answered with what it asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The core refused, or failed.
    #[error(transparent)]
    Core(Error),
    /// There is no such path.
    #[error("no such endpoint: {0}")]
    NoRoute(String),
    /// The path is there, but not for this method.
    #[error("method not allowed (use {0})")]
    WrongMethod(String),
    /// The request comes from a page, or for a name, that this server does not answer.
    #[error("{0}")]
    Refused(String),
    /// The body is larger than allowed.
    #[error("body over {0} bytes")]
    TooLarge(u64),
    /// The body did not come in time.
    #[error("the body did not come within {} s", .0.as_secs())]
    TooSlow(Duration),
    /// The body ended before it was whole.
    #[error("the body broke off")]
    BrokenOff,
    /// The body is written in a way that this path does not read.
    #[error("unknown media type: {0}")]
    UnknownMedia(&'static str),
    /// The path is for `WebSocket`s.
    #[error("this is a WebSocket endpoint: an upgrade is required")]
    NoUpgrade,
    /// The head of a request can't be read, which HTTP answers with that status.
    #[error("{}", unread(*.0))]
    Unread(StatusCode),
    /// An answer could not be made.
    #[error("cannot {attempted}")]
    Internal {
        /// What was being done.
        attempted: &'static str,
        /// What went wrong with it.
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

impl From<Invalid> for Failure {
    fn from(invalid: Invalid) -> Self {
        Self::Core(invalid.into())
    }
}

impl Failure {
    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Invalid::new(text).into()
    }

    /// The status that a client gets.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Core(error) => match error.kind() {
                ErrorKind::Invalid => StatusCode::BAD_REQUEST,
                ErrorKind::Unauthorized => StatusCode::UNAUTHORIZED,
                ErrorKind::Forbidden => StatusCode::FORBIDDEN,
                ErrorKind::NotFound => StatusCode::NOT_FOUND,
                ErrorKind::Conflict => StatusCode::CONFLICT,
                ErrorKind::Precondition => StatusCode::PRECONDITION_FAILED,
                ErrorKind::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
                ErrorKind::Gone => StatusCode::GONE,
                ErrorKind::Busy | ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
                ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            },
            Self::NoRoute(_) => StatusCode::NOT_FOUND,
            Self::WrongMethod(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Refused(_) => StatusCode::FORBIDDEN,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow(_) => StatusCode::REQUEST_TIMEOUT,
            Self::BrokenOff => StatusCode::BAD_REQUEST,
            Self::UnknownMedia(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NoUpgrade => StatusCode::UPGRADE_REQUIRED,
            Self::Unread(status) => *status,
            Self::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What some refusals say beside their text.
    pub(crate) fn add_fields(&self, body: &mut Value) {
        let Self::Core(error) = self else { return };
        match error {
            Error::VersionConflict { version, hash, .. } => {
                body["version"] = json!(version.map_or(0, Version::get));
                body["hash"] = json!(hash.map_or_else(String::new, |hash| hash.to_string()));
            }
            Error::SchemaViolations { violations, .. } => body["violations"] = json!(violations),
            Error::CursorExpired { oldest } | Error::CursorBeyond { oldest, .. } => {
                body["oldest"] = json!(oldest);
            }
            Error::Conflict(conflict) => {
                for (field, value) in conflict.fields() {
                    body[field] = value.clone();
                }
            }
            Error::Invalid(_)
            | Error::Unauthorized
            | Error::Forbidden(_)
            | Error::NotAllowed(_)
            | Error::NotFound { .. }
            | Error::NoSuchVersion { .. }
            | Error::Exists { .. }
            | Error::StaleCheck(_)
            | Error::Randomness(_)
            | Error::Store(_) => {}
        }
    }
}

fn unread(status: StatusCode) -> &'static str {
    match status {
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            "the head of the request is over 64 KiB, or has more than 100 headers"
        }
        StatusCode::URI_TOO_LONG => "the path and the query are too long",
        _ => "malformed request: its first line or its headers are not HTTP",
    }
}
