//! Making answers.

use std::{io::Write as _, marker::PhantomData};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use hyper::{
    HeaderMap, Response, StatusCode,
    header::{
        ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderName,
        HeaderValue, VARY,
    },
};
use koor_core::{Committed, ids::Cursor, ports::StoreResult};
use serde::Serialize;
use tokio::{sync::mpsc, task::spawn_blocking};

use crate::{
    accept,
    body::{Body, Tally},
    error::Failure,
};

/// What a route answers.
pub(crate) type Answer = Response<Body>;

pub(crate) const X_KOOR_CURSOR: HeaderName = HeaderName::from_static("x-koor-cursor");
pub(crate) const X_KOOR_VERSION: HeaderName = HeaderName::from_static("x-koor-version");
pub(crate) const X_KOOR_WARNING: HeaderName = HeaderName::from_static("x-koor-warning");
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// JSON that is written already.
pub(crate) fn rendered(status: StatusCode, body: Bytes) -> Answer {
    let mut answer = Response::new(Body::Full(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, JSON);
    answer
}

/// An answer whose body is a value of that type, as JSON.
pub(crate) struct Json<T> {
    answer: Answer,
    of: PhantomData<fn() -> T>,
}

impl<T> Json<T> {
    /// An answer whose body has been written as that type is.
    pub(crate) fn of(answer: Answer) -> Self {
        Self { answer, of: PhantomData }
    }

    pub(crate) fn headers_mut(&mut self) -> &mut HeaderMap {
        self.answer.headers_mut()
    }

    pub(crate) fn status_mut(&mut self) -> &mut StatusCode {
        self.answer.status_mut()
    }

    pub(crate) fn into_inner(self) -> Answer {
        self.answer
    }
}

/// The JSON answer of a write, with the place of the change in the event log.
pub(crate) struct Written<T>(pub(crate) Json<T>);

/// The same with status 201.
pub(crate) struct Created<T>(pub(crate) Json<T>);

/// A value as JSON.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<Json<T>, Failure> {
    json_with(StatusCode::OK, value).map(Json::of)
}

/// A value as JSON with its fields in alphabetical order: for routes that answered so before their answers had types, so that
/// old databases answer what they did, byte by byte.
pub(crate) fn sorted_json<T: Serialize>(value: &T) -> Result<Json<T>, Failure> {
    let sorted = serde_json::to_value(value)
        .map_err(|source| Failure::Internal { attempted: "write an answer", source: source.into() })?;
    json_with(StatusCode::OK, &sorted).map(Json::of)
}

/// A value as JSON, with that status.
pub(crate) fn json_with(status: StatusCode, value: &impl Serialize) -> Result<Answer, Failure> {
    let body = serde_json::to_vec(value)
        .map_err(|source| Failure::Internal { attempted: "write an answer", source: source.into() })?;
    Ok(rendered(status, body.into()))
}

/// JSON that comes piece by piece.
pub(crate) fn json_pieces<T>(pieces: mpsc::Receiver<StoreResult<Bytes>>) -> Json<T> {
    let mut answer = Response::new(Body::Pieces(pieces, Tally::none()));
    answer.headers_mut().insert(CONTENT_TYPE, JSON);
    Json::of(answer)
}

/// What a write answers.
pub(crate) fn committed<T: Serialize>(done: &Committed<T>) -> Result<Written<T>, Failure> {
    let mut answer = json(&done.output)?;
    set_cursor(answer.headers_mut(), done.cursor);
    Ok(Written(answer))
}

/// What a write answers that has made something new.
pub(crate) fn created<T: Serialize>(done: &Committed<T>) -> Result<Created<T>, Failure> {
    let Written(mut answer) = committed(done)?;
    *answer.status_mut() = StatusCode::CREATED;
    Ok(Created(answer))
}

/// Says where in the event log the change is.
pub(crate) fn set_cursor(headers: &mut HeaderMap, cursor: Cursor) {
    headers.insert(X_KOOR_CURSOR, HeaderValue::from(cursor.get()));
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Body::Empty);
    *answer.status_mut() = status;
    answer
}

/// Smaller bodies gain nothing: they fit into one packet as they are.
const WORTH_PACKING: usize = 1024;

/// Larger bodies take milliseconds to pack: not on a thread that others wait for.
pub(crate) const HEAVY: usize = 64 << 10;

/// Does work that takes a while, and next to no memory, on a blocking thread.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    spawn_blocking(work)
        .await
        .map_err(|source| Failure::Internal { attempted: "finish a piece of work", source: source.into() })?
}

/// Packs the body of an answer, if the client asked for it and it is worth it.
pub(crate) async fn pack(asked: &HeaderMap, answer: &mut Answer) {
    let Body::Full(bytes) = answer.body() else { return };
    if bytes.len() <= WORTH_PACKING || !packs(answer.headers()) {
        return;
    }
    let packed = if !wants_gzip(asked) {
        None
    } else if bytes.len() <= HEAVY {
        gzip(bytes)
    } else {
        let bytes = bytes.clone();
        spawn_blocking(move || gzip(&bytes)).await.ok().flatten()
    };
    let headers = answer.headers_mut();
    // A cache must know that other clients may want another encoding.
    headers.append(VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(packed) = packed {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        *answer.body_mut() = Body::Full(packed);
    }
}

fn gzip(bytes: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

/// Whether a body of that kind may get smaller at all.
fn packs(headers: &HeaderMap) -> bool {
    if headers.contains_key(CONTENT_ENCODING) || headers.contains_key(CONTENT_RANGE) {
        return false;
    }
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let packed_already = [
        "image/",
        "audio/",
        "video/",
        "application/zip",
        "application/gzip",
        "application/zstd",
        "font/woff",
    ];
    kind.starts_with("image/svg") || !packed_already.iter().any(|prefix| kind.starts_with(prefix))
}

/// Whether `Accept-Encoding` asks for gzip: by name, or by `*`, and not with a weight of zero.
fn wants_gzip(headers: &HeaderMap) -> bool {
    let mut any = false;
    for (coding, weight) in accept::listed(headers, &ACCEPT_ENCODING) {
        if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") {
            return weight > 0.0;
        }
        if coding == "*" {
            any = weight > 0.0;
        }
    }
    any
}

/// The answer to HEAD: all that GET would say, but not the body.
pub(crate) fn without_body(answer: Answer) -> Answer {
    let (mut head, body) = answer.into_parts();
    if let Body::Full(bytes) = &body
        && head.status != StatusCode::NOT_MODIFIED
    {
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    }
    Response::from_parts(head, Body::Empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(accept: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_str(accept).unwrap());
        wants_gzip(&headers)
    }

    #[test]
    fn gzip_is_sent_to_those_who_ask_for_it() {
        for yes in ["gzip", "br, GZIP;q=0.5", "*", "deflate, gzip;q=1.0, *;q=0", "identity;q=0, *;q=0.1"] {
            assert!(asked(yes), "{yes}");
        }
        for no in ["", "br", "gzip;q=0", "*;q=0", "gzip;q=0, *", "identity"] {
            assert!(!asked(no), "{no}");
        }
        assert!(!wants_gzip(&HeaderMap::new()));
    }

    #[test]
    fn pictures_are_packed_already() {
        let mut headers = HeaderMap::new();
        assert!(packs(&headers));
        for (kind, expected) in [("application/json", true), ("image/png", false), ("image/svg+xml", true)] {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            assert_eq!(packs(&headers), expected, "{kind}");
        }
    }
}
