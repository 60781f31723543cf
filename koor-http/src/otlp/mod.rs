//! OTLP/HTTP: what agents' clients report of themselves, as OpenTelemetry sends it.
//!
//! A body is gone through from its beginning to its end, and only what says what a call to a model cost is kept. So the memory
//! that a body takes does not grow with what it claims to hold, and prompts are never held at all.

mod answer;
mod collect;
mod json;
mod messages;
mod protobuf;

use hyper::{HeaderMap, Method, header::CONTENT_TYPE};

pub(crate) use self::answer::{accepted, restate};
pub use self::{
    collect::{Telemetry, Unreadable},
    json::read_json,
    messages::read_protobuf,
};

/// What a body carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TelemetryKind {
    /// Log records.
    Logs,
    /// Spans.
    Traces,
    /// Metrics, which are accepted and dropped: each of their sums is in some event, too.
    Metrics,
}

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Json,
    Protobuf,
}

pub(crate) const PROTOBUF: &str = "application/x-protobuf";

impl Encoding {
    /// The encoding that the request's content type names, if it is one of the two there are.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let kind = value.split(';').next().unwrap_or_default().trim();
        match kind {
            _ if kind.eq_ignore_ascii_case("application/json") => Some(Self::Json),
            _ if kind.eq_ignore_ascii_case(PROTOBUF) => Some(Self::Protobuf),
            _ => None,
        }
    }
}

/// Whether a request is one of OTLP, whose refusals are written as OTLP writes them.
pub(crate) fn is_export(method: &Method, path: &str) -> bool {
    method == Method::POST && matches!(path, "/v1/logs" | "/v1/traces" | "/v1/metrics")
}
