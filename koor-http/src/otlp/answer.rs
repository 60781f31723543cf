//! Answers as OTLP has them.

use hyper::{
    StatusCode,
    header::{CONTENT_TYPE, HeaderValue},
};
use serde_json::json;

use super::{
    Encoding, PROTOBUF, TelemetryKind,
    collect::Telemetry,
    protobuf::{put_bytes, put_number},
};
use crate::{
    body::Body,
    error::Failure,
    response::{Answer, JSON},
};

fn answer(encoding: Encoding, status: StatusCode, body: Vec<u8>) -> Answer {
    let mut answer = Answer::new(Body::Full(body.into()));
    *answer.status_mut() = status;
    set_kind(&mut answer, encoding);
    answer
}

fn set_kind(answer: &mut Answer, encoding: Encoding) {
    let kind = match encoding {
        Encoding::Json => JSON,
        Encoding::Protobuf => HeaderValue::from_static(PROTOBUF),
    };
    answer.headers_mut().insert(CONTENT_TYPE, kind);
}

/// That a body was taken in, and how much of it was rejected.
pub(crate) fn accepted(kind: TelemetryKind, encoding: Encoding, telemetry: &Telemetry) -> Answer {
    let rejected = telemetry.rejected;
    let why = telemetry.why.as_deref().unwrap_or_default();
    let body = match encoding {
        Encoding::Json if rejected == 0 => b"{}".to_vec(),
        Encoding::Json => {
            let field = match kind {
                TelemetryKind::Logs => "rejectedLogRecords",
                TelemetryKind::Traces => "rejectedSpans",
                TelemetryKind::Metrics => "rejectedDataPoints",
            };
            json!({"partialSuccess": {field: rejected.to_string(), "errorMessage": why}}).to_string().into()
        }
        Encoding::Protobuf if rejected == 0 => Vec::new(),
        Encoding::Protobuf => {
            let (mut body, mut partial) = (Vec::new(), Vec::new());
            put_number(&mut partial, 1, rejected);
            put_bytes(&mut partial, 2, why.as_bytes());
            put_bytes(&mut body, 1, &partial);
            body
        }
    };
    answer(encoding, StatusCode::OK, body)
}

/// Writes a refusal as the `Status` that OTLP has in the place of other bodies.
pub(crate) fn restate(refusal: &mut Answer, failure: &Failure, encoding: Encoding) {
    let status = refusal.status();
    let text = match status {
        StatusCode::INTERNAL_SERVER_ERROR => "internal error".to_owned(),
        _ => failure.to_string(),
    };
    // As gRPC numbers what HTTP has these statuses for.
    let code = match status.as_u16() {
        401 => 16,
        403 => 7,
        404 => 5,
        408 => 4,
        413 => 8,
        503 => 14,
        500 => 13,
        _ => 3,
    };
    let body = match encoding {
        Encoding::Json => json!({"code": code, "message": text}).to_string().into_bytes(),
        Encoding::Protobuf => {
            let mut body = Vec::new();
            put_number(&mut body, 1, code);
            put_bytes(&mut body, 2, text.as_bytes());
            body
        }
    };
    *refusal.body_mut() = Body::Full(body.into());
    set_kind(refusal, encoding);
}
