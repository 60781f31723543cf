//! What goes wrong, as clients read it.

use std::{error::Error as StdError, time::Duration};

use bytes::Bytes;
use hyper::{
    Response, StatusCode,
    header::{ALLOW, CONNECTION, HeaderValue, RETRY_AFTER, UPGRADE, WWW_AUTHENTICATE},
};
use koor_core::{Error, ErrorKind, Invalid, ids::Version};
use serde_json::{Value, json};

use crate::{body::Body, log::X_REQUEST_ID, origin, response};

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

    fn status(&self) -> StatusCode {
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
            Self::NoUpgrade => StatusCode::UPGRADE_REQUIRED,
            Self::Unread(status) => *status,
            Self::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The answer. A fault of ours is logged here, and nowhere else, with its causes; the client learns only of it.
    pub(crate) fn render(&self, request_id: &HeaderValue) -> Response<Body> {
        let status = self.status();
        let text = if status == StatusCode::INTERNAL_SERVER_ERROR {
            let request_id = request_id.to_str().unwrap_or_default();
            tracing::error!(request_id, error = %self, causes = %causes(self), "internal error");
            "internal error".to_owned()
        } else {
            self.to_string()
        };
        let mut body = json!({"error": text, "code": status.as_u16()});
        self.add_fields(&mut body);
        let mut answer = response::rendered(status, body.to_string().into());
        let headers = answer.headers_mut();
        match self {
            Self::Core(error) => match error.kind() {
                ErrorKind::Unauthorized => {
                    headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                }
                ErrorKind::Busy => {
                    headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
                }
                _ => {}
            },
            Self::WrongMethod(allow) => {
                if let Ok(allow) = HeaderValue::from_str(allow) {
                    headers.insert(ALLOW, allow);
                }
            }
            Self::NoUpgrade => {
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            }
            // What is left of the body is in the way of the next request.
            Self::TooLarge(_) | Self::TooSlow(_) | Self::BrokenOff | Self::Unread(_) => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Self::NoRoute(_) | Self::Refused(_) | Self::Internal { .. } => {}
        }
        answer
    }

    /// The answer as it goes over the wire, where no request can be read and nothing else can write one.
    pub(crate) fn write(&self, request_id: &HeaderValue) -> Vec<u8> {
        let mut answer = self.render(request_id);
        answer.headers_mut().insert(X_REQUEST_ID, request_id.clone());
        origin::add_policy(answer.headers_mut());
        let (head, body) = answer.into_parts();
        let body = if let Body::Full(body) = body { body } else { Bytes::new() };
        let mut bytes =
            format!("HTTP/1.1 {}\r\ncontent-length: {}\r\n", head.status, body.len()).into_bytes();
        for (name, value) in &head.headers {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                bytes.extend_from_slice(part);
            }
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&body);
        bytes
    }

    /// What some refusals say beside their text.
    fn add_fields(&self, body: &mut Value) {
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

/// The chain of causes below an error, for the log.
fn causes(error: &dyn StdError) -> String {
    let mut text = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use koor_core::ports::StoreError;

    use super::*;

    fn body(failure: &Failure) -> (u16, Value) {
        let answer = failure.render(&HeaderValue::from_static("r1"));
        let Body::Full(bytes) = answer.body() else { panic!("a failure has a whole body") };
        (answer.status().as_u16(), serde_json::from_slice(bytes).unwrap())
    }

    #[test]
    fn a_fault_of_ours_says_nothing_of_its_cause() {
        let source = "no such table: secrets".into();
        let failure = Failure::Core(StoreError::Backend { attempted: "read /var/lib/koor", source }.into());
        assert_eq!(body(&failure), (500, json!({"error": "internal error", "code": 500})));
    }

    #[test]
    fn a_conflict_with_nothing_has_version_zero_and_no_hash() {
        let failure = Failure::Core(Error::VersionConflict { name: "k".into(), version: None, hash: None });
        let expected = json!({
            "error": "version conflict: k is at version 0", "code": 412, "version": 0, "hash": "",
        });
        assert_eq!(body(&failure), (412, expected));
    }

    #[test]
    fn a_busy_store_says_when_to_try_again() {
        let answer = Failure::Core(StoreError::Busy.into()).render(&HeaderValue::from_static("r1"));
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()[RETRY_AFTER], "1");
    }
}
