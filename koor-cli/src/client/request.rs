//! One request: a method, a path, a query, a body.

use std::{
    fmt::{self, Display, Write as _},
    io::Read,
    time::Duration,
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use ureq::{AsSendBody, SendBody, http};

use super::{Answer, Client};
use crate::{exit::Failure, input::Pair};

/// How long a server may think before it answers, unless the request says otherwise.
const PATIENCE: Duration = Duration::from_mins(2);

/// The length from which on a server is asked whether it wants a body before it is sent.
const ASK_FROM: u64 = 1 << 20;

/// What stands for itself in a segment of a path and in a query: RFC 3986's unreserved characters.
const AS_VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The same, and the slashes between segments.
const AS_SEGMENTS: &AsciiSet = &AS_VALUE.remove(b'/');

/// A request that has not been sent yet.
#[must_use]
pub(crate) struct Request<'a> {
    client: &'a Client,
    method: &'static str,
    target: String,
    asks: bool,
    headers: Vec<(&'static str, String)>,
    body: Content<'a>,
    patience: Duration,
    /// For the whole call, from the connection to the last byte.
    limit: Option<Duration>,
}

enum Content<'a> {
    None,
    Bytes(Vec<u8>),
    Stream(&'a mut dyn Read),
}

impl<'a> Request<'a> {
    /// A request for a path whose segments need no encoding.
    pub(super) fn new(client: &'a Client, method: &'static str, path: &str) -> Self {
        Self {
            client,
            method,
            target: format!("{}{path}", client.server),
            asks: false,
            headers: Vec::new(),
            body: Content::None,
            patience: PATIENCE,
            limit: None,
        }
    }

    /// With another segment in its path, whatever it is made of.
    pub(crate) fn segment(self, segment: &str) -> Self {
        self.and(utf8_percent_encode(segment, AS_VALUE))
    }

    /// With other segments in its path: slashes part them.
    pub(crate) fn segments(self, segments: &str) -> Self {
        self.and(utf8_percent_encode(segments, AS_SEGMENTS))
    }

    /// With two other segments in its path.
    pub(crate) fn pair(self, pair: &Pair) -> Self {
        self.segment(&pair.first).segment(&pair.second)
    }

    fn and(mut self, encoded: impl Display) -> Self {
        append(&mut self.target, format_args!("/{encoded}"));
        self
    }

    /// With a parameter in its query.
    pub(crate) fn query(mut self, name: &str, value: impl Display) -> Self {
        let sign = if self.asks { '&' } else { '?' };
        let value = value.to_string();
        let value = utf8_percent_encode(&value, AS_VALUE);
        append(&mut self.target, format_args!("{sign}{name}={value}"));
        self.asks = true;
        self
    }

    /// With a parameter in its query for each value: none, one or many.
    pub(crate) fn queries<V: Display>(self, name: &str, values: impl IntoIterator<Item = V>) -> Self {
        values.into_iter().fold(self, |request, value| request.query(name, value))
    }

    /// With a header, if there is a value.
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<Option<String>>) -> Self {
        self.headers.extend(value.into().map(|value| (name, value)));
        self
    }

    /// With a body of JSON.
    ///
    /// # Errors
    /// When it can't be written as JSON.
    pub(crate) fn json(self, body: &impl Serialize) -> Result<Self, Failure> {
        let body = serde_json::to_vec(body).map_err(|error| Failure::caused_by(&error))?;
        Ok(self.bytes(body, "application/json"))
    }

    /// With a body of that kind.
    pub(crate) fn bytes(mut self, body: Vec<u8>, kind: impl Into<String>) -> Self {
        if body.len() as u64 >= ASK_FROM {
            self.headers.push(("Expect", "100-continue".to_owned()));
        }
        self.body = Content::Bytes(body);
        self.header("Content-Type", kind.into())
    }

    /// With a body that is read while it is sent.
    pub(crate) fn stream(mut self, body: &'a mut dyn Read, length: Option<u64>, kind: &str) -> Self {
        self.body = Content::Stream(body);
        self.headers.push(("Expect", "100-continue".to_owned()));
        self.header("Content-Length", length.map(|length| length.to_string()))
            .header("Content-Type", kind.to_owned())
    }

    /// With as much time for the server to think.
    pub(crate) fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// With as much time for the whole call, from the connection to the last byte.
    pub(crate) fn within(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Sends it. What the server warns of is said on stderr.
    ///
    /// # Errors
    /// When the server can't be reached, is none of Koor's, or refuses.
    pub(crate) fn send(mut self) -> Result<Answer, Failure> {
        let body = std::mem::replace(&mut self.body, Content::None);
        let answer = match body {
            Content::None => self.run(SendBody::none()),
            Content::Bytes(bytes) => self.run(bytes),
            Content::Stream(reader) => self.run(SendBody::from_reader(reader)),
        };
        let answer = answer.map_err(|error| self.client.unreachable(&error))?;
        self.judge(answer)
    }

    fn run(&self, body: impl AsSendBody) -> Result<Answer, ureq::Error> {
        let mut request = http::Request::builder().method(self.method).uri(&self.target);
        for (name, value) in self.client.headers.iter().chain(&self.headers) {
            request = request.header(*name, value);
        }
        let agent = &self.client.agent;
        let request = agent
            .configure_request(request.body(body)?)
            .timeout_recv_response(Some(self.patience))
            .timeout_global(self.limit)
            .build();
        agent.run(request).map(Answer::new)
    }

    fn judge(&self, answer: Answer) -> Result<Answer, Failure> {
        let is_page =
            answer.body.mime_type() == Some("text/html") && answer.header("x-koor-version").is_none();
        match answer.status() {
            200..300 | 304 if !is_page => {
                if let Some(warning) = answer.header("x-koor-warning") {
                    self.client.warn_once(warning);
                }
                Ok(answer)
            }
            400.. if answer.is_json() => {
                let status = answer.status();
                let advice = match status {
                    401 => Some(
                        "this server asks for a token: set it with --token, KOOR_TOKEN or `koor config set token TOKEN`",
                    ),
                    403 => Some(
                        "an instance's token does not do for this: use the server's own, with --token or KOOR_TOKEN",
                    ),
                    503 => Some("try again in a moment; the server's log says more"),
                    _ => None,
                };
                Err(Failure::answered(status, answer.bytes()?, advice))
            }
            _ => Err(self.client.not_koor(&answer)),
        }
    }
}

fn append(target: &mut String, text: fmt::Arguments<'_>) {
    // A text takes whatever is written to it.
    let _ = target.write_fmt(text);
}
