//! OTLP/HTTP: what agents' clients report of themselves.

use bytes::Bytes;
use hyper::header::{CONTENT_ENCODING, HeaderValue};
use koor_core::{domain::telemetry::ReportedUsage, use_cases::RecordReported};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    error::Failure,
    otlp::{self, Encoding, Telemetry, TelemetryKind, Unreadable, read_json, read_protobuf},
    request::Call,
    response::{Answer, HEAVY, off_thread},
    shape::{Input, Intake, Output, Reply, Schemas, Shape},
};

/// The most records of one commit: a request with more takes several, so that others need not wait for all of it.
const TOGETHER: usize = 512;

/// The body of an export request, unpacked.
pub(crate) struct Exported {
    encoding: Encoding,
    bytes: Bytes,
}

impl Input for Exported {
    async fn read(call: &mut Call) -> Result<Self, Failure> {
        let Some(encoding) = Encoding::of(&call.head.headers) else {
            call.drop_body().await;
            return Err(Failure::UnknownMedia(
                "send application/x-protobuf or application/json, with that as Content-Type",
            ));
        };
        let packed = match call.head.headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes) {
            None | Some(b"identity" | b"") => false,
            Some(coding) if coding.eq_ignore_ascii_case(b"gzip") => true,
            Some(_) => {
                call.drop_body().await;
                return Err(Failure::UnknownMedia("send it as it is, or packed with gzip"));
            }
        };
        let bytes = if packed { call.unpacked().await? } else { call.bytes().await? };
        Ok(Self { encoding, bytes })
    }

    fn describe(shape: &mut Shape, _: &mut Schemas) {
        shape.intake = Intake::Telemetry;
    }
}

/// That a body was taken in: `{}`, or how much of it was rejected.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExportAnswer {
    #[serde(skip_serializing_if = "Option::is_none")]
    partial_success: Option<PartialSuccess>,
}

/// How much was rejected, and why.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PartialSuccess {
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_log_records: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_spans: Option<String>,
    error_message: String,
}

/// The answer to an export request.
pub(crate) struct Taken(Answer);

impl Output for Taken {
    fn into_answer(self) -> Answer {
        self.0
    }

    fn describe(shape: &mut Shape, schemas: &mut Schemas) {
        shape.reply = Reply::Telemetry(schemas.given::<ExportAnswer>());
    }
}

pub(crate) async fn logs(call: Call, body: Exported) -> Result<Taken, Failure> {
    take(call, body, TelemetryKind::Logs).await
}

pub(crate) async fn traces(call: Call, body: Exported) -> Result<Taken, Failure> {
    take(call, body, TelemetryKind::Traces).await
}

pub(crate) async fn metrics(call: Call, body: Exported) -> Result<Taken, Failure> {
    take(call, body, TelemetryKind::Metrics).await
}

async fn take(
    call: Call,
    Exported { encoding, bytes }: Exported,
    kind: TelemetryKind,
) -> Result<Taken, Failure> {
    let size = bytes.len();
    let read = move || -> Result<Telemetry, Failure> {
        let (read, what) = match encoding {
            Encoding::Json => (read_json(kind, &bytes), "JSON"),
            Encoding::Protobuf => (read_protobuf(kind, &bytes), "protobuf"),
        };
        read.map_err(|error: Unreadable| Failure::invalid(format!("invalid {what} body: {error}")))
    };
    let mut telemetry = if size > HEAVY { off_thread(read).await? } else { read()? };
    let mut usage = std::mem::take(&mut telemetry.usage).into_iter();
    loop {
        let part: Vec<ReportedUsage> = usage.by_ref().take(TOGETHER).collect();
        if part.is_empty() {
            break;
        }
        call.koor().execute(&call.caller, RecordReported::new(&call.caller, part)).await?;
    }
    Ok(Taken(otlp::accepted(kind, encoding, &telemetry)))
}
