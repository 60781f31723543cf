//! Answers that the protocol's library leaves to us, or gives as plain text.

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE},
};
use http_body_util::{BodyExt as _, Full, combinators::BoxBody};
use rmcp::ErrorData;
use serde_json::{Value, json};

use crate::message::code_of;

type Whole = Response<Full<Bytes>>;

/// An error, as JSON-RPC has it.
pub(crate) fn error(status: StatusCode, id: &Value, error: &ErrorData) -> Whole {
    rendered(status, &json!({"jsonrpc": "2.0", "id": id, "error": error}))
}

/// The answer to a method that is not POST: nothing was asked by JSON-RPC, so it is answered as the rest of the API is.
pub(crate) fn not_allowed() -> Whole {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let text = "method not allowed (use OPTIONS, POST)";
    let mut answer = rendered(status, &json!({"error": text, "code": status.as_u16()}));
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static("OPTIONS, POST"));
    answer
}

fn rendered(status: StatusCode, body: &Value) -> Whole {
    let mut answer = Response::new(Full::from(body.to_string()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// The library's answer to the request of that id, whole, and as JSON where it has any text.
///
/// No tool sends anything before its result, so the library never answers with a stream that goes on.
pub(crate) async fn mended(answer: Response<BoxBody<Bytes, std::convert::Infallible>>, id: &Value) -> Whole {
    let (head, body) = answer.into_parts();
    let Ok(body) = body.collect().await.map(http_body_util::Collected::to_bytes);
    let is_json = head.headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if head.status.is_success() || is_json {
        return Response::from_parts(head, Full::new(body));
    }
    let text = String::from_utf8_lossy(&body);
    let (status, text) = match head.status {
        // It has the right type, and a form that the library has no words for that are of use to a client.
        StatusCode::UNSUPPORTED_MEDIA_TYPE => (StatusCode::BAD_REQUEST, "not a message that MCP knows"),
        status if status.is_server_error() => {
            tracing::error!(%text, "internal error");
            (status, "internal error")
        }
        status => (status, text.trim_start_matches("Bad Request: ")),
    };
    error(status, id, &ErrorData::new(code_of(status), text.to_owned(), None))
}
