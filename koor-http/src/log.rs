//! One line for each request, and the id by which it is found again.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use hyper::{
    HeaderMap, Method, StatusCode,
    header::{HeaderName, HeaderValue},
};
use koor_core::Caller;

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id of a caller's own that is taken over: long enough for any trace id, short enough for a log line.
const LONGEST_ID: usize = 128;

/// Gives ids to requests that have none.
#[derive(Debug)]
pub(crate) struct RequestIds {
    /// What they all begin with.
    start: String,
    count: AtomicU64,
}

impl RequestIds {
    /// Ids that differ from those of a server that began at another moment.
    pub(crate) fn new(start: u64) -> Self {
        Self { start: format!("{start:x}-"), count: AtomicU64::new(0) }
    }

    /// The id of a request: the caller's own, if it is a sane one, else a new one.
    pub(crate) fn of(&self, headers: &HeaderMap) -> HeaderValue {
        if let Some(own) = headers.get(X_REQUEST_ID).filter(|own| is_sane(own.as_bytes())) {
            return own.clone();
        }
        self.next()
    }

    /// A new id.
    pub(crate) fn next(&self) -> HeaderValue {
        let mut id = [0; LONGEST_START + LONGEST_COUNT];
        let start = self.start.as_bytes();
        id[..start.len()].copy_from_slice(start);
        let end = start.len() + put_hex(&mut id[start.len()..], self.count.fetch_add(1, Relaxed));
        HeaderValue::from_bytes(&id[..end]).unwrap_or_else(|_| HeaderValue::from_static("-"))
    }
}

/// The digits of the largest number, in hex.
const LONGEST_COUNT: usize = 16;

/// What all ids begin with is a number, too, and a dash.
const LONGEST_START: usize = LONGEST_COUNT + 1;

/// Writes a number in hex, as the formatter would at a multiple of the cost: this is done for each request. Answers how
/// many digits it has.
fn put_hex(into: &mut [u8], number: u64) -> usize {
    let digits = (u64::BITS - (number | 1).leading_zeros()).div_ceil(4);
    for (place, into) in (0..digits).rev().zip(&mut *into) {
        let digit = (number >> (4 * place)) & 15;
        *into = b"0123456789abcdef"[usize::try_from(digit).unwrap_or_default()];
    }
    usize::try_from(digits).unwrap_or_default()
}

fn is_sane(id: &[u8]) -> bool {
    (1..=LONGEST_ID).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

/// Writes the line. The query is left out: it may hold a token, and it holds what users look for.
pub(crate) fn line(
    method: &Method,
    path: &str,
    status: StatusCode,
    took: Duration,
    request_id: &HeaderValue,
    caller: Option<&Caller>,
) {
    if !tracing::enabled!(tracing::Level::INFO) {
        return;
    }
    let request_id = request_id.to_str().unwrap_or_default();
    let caller = caller.map_or("", |caller| caller.actor().as_str());
    // In whole microseconds, so that no line is longer than it says something.
    let ms = f64::from(u32::try_from(took.as_micros()).unwrap_or(u32::MAX)) / 1e3;
    tracing::info!(%method, path, status = status.as_u16(), ms, request_id, caller, "request");
}

/// Writes the line of a request whose head can't be read.
pub(crate) fn unread(status: StatusCode, request_id: &HeaderValue) {
    let request_id = request_id.to_str().unwrap_or_default();
    tracing::info!(status = status.as_u16(), request_id, "unreadable request");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_written_as_the_formatter_writes_it() {
        for number in [0, 1, 9, 15, 16, 255, 256, 0x1a2b_3c4d, u64::MAX] {
            let mut text = [0; LONGEST_COUNT];
            let digits = put_hex(&mut text, number);
            assert_eq!(std::str::from_utf8(&text[..digits]).unwrap(), format!("{number:x}"));
        }
    }

    #[test]
    fn a_sane_id_is_taken_over_and_a_missing_one_made() {
        let ids = RequestIds::new(16);
        let mut headers = HeaderMap::new();
        assert_eq!(ids.of(&headers), "10-0");
        headers.insert(X_REQUEST_ID, HeaderValue::from_static("trace/1:2"));
        assert_eq!(ids.of(&headers), "trace/1:2");
        headers.insert(X_REQUEST_ID, HeaderValue::from_static("has spaces"));
        assert_eq!(ids.of(&headers), "10-1");
        headers.insert(X_REQUEST_ID, HeaderValue::try_from("x".repeat(129)).unwrap());
        assert_eq!(ids.of(&headers), "10-2");
    }
}
