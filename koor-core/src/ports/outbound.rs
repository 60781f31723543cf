//! Calls to the outside: webhooks and contract tests.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

/// One call to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbound {
    /// `GET`, `POST` and so on.
    pub method: String,
    /// Where to.
    pub url: String,
    /// Headers, beyond those that every call has.
    pub headers: Vec<(&'static str, String)>,
    /// What to send; empty for no body.
    pub body: Bytes,
    /// How long it may take, from connecting to the last byte.
    pub timeout: Duration,
    /// How much of the answer's body is read, and more is an error; without it, only the status counts.
    pub most: Option<usize>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

/// Why nothing usable came back, in words fit for a client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// The address is one that this server does not call.
    #[error("address not allowed: {0}")]
    Refused(String),
    /// No answer in time.
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The answer is longer than allowed.
    #[error("the answer is over {0} bytes long")]
    TooLong(usize),
    /// The connection, or what came through it, was no good.
    #[error("{0}")]
    Failed(String),
}

/// Makes calls to the outside.
///
/// Guarantees: redirects are not followed; the address that is really connected to has been checked against what the
/// server may call, after any name has been resolved.
#[async_trait]
pub trait HttpSender: Send + Sync + 'static {
    /// Makes the call and reads the whole answer, whatever its status.
    async fn send(&self, call: Outbound) -> Result<OutboundAnswer, OutboundError>;
}
