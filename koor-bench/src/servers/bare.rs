//! The least that can answer a GET: hyper, one answer, the same to everybody.

use std::{fs, sync::Arc};

use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{HeaderName, HeaderValue, IF_NONE_MATCH},
};

/// An answer, ready to be sent.
struct Canned {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl Canned {
    /// What the file has as a head, as it came over the wire.
    fn new(head: &str, body: Bytes) -> Self {
        let mut text = fs::read_to_string(head).unwrap();
        text.retain(|c| c != '\r');
        let mut lines = text.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap().parse().unwrap();
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            // These two hyper writes itself.
            .filter(|(name, _)| !["content-length", "date"].contains(name))
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        Self { status, headers, body }
    }

    fn answer(&self) -> Response<Full<Bytes>> {
        let mut answer = Response::new(Full::new(self.body.clone()));
        *answer.status_mut() = self.status;
        for (name, value) in &self.headers {
            answer.headers_mut().insert(name.clone(), value.clone());
        }
        answer
    }
}

/// Answers everybody with that body under that head, and who sends `If-None-Match` with the other head.
pub(super) async fn run(body: &str, head: &str, known: &str) {
    let body = Bytes::from(fs::read(body).unwrap());
    let answers = Arc::new((Canned::new(head, body), Canned::new(known, Bytes::new())));
    super::each(move |request: Request<Incoming>| {
        let (found, known) = &*answers;
        let answer = if request.headers().contains_key(IF_NONE_MATCH) { known } else { found };
        std::future::ready(answer.answer())
    })
    .await;
}
