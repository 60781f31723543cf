//! Requests put on the wire exactly as a test wants them, and answers held against what every answer must be.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::stream::{Chunks, Stream};

/// How long a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// One place of a server, and the headers that are sent to it each time. A connection lives for one request.
#[derive(Debug, Clone)]
pub struct Site {
    place: String,
    headers: Vec<(String, String)>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers in order, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    asked: String,
}

impl Site {
    /// The place at that URL.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self { place: url.trim_start_matches("http://").to_owned(), headers: Vec::new() }
    }

    /// The same with another header. The last `Host` counts, of all others each is sent.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut site = self.clone();
        site.headers.push((name.to_owned(), value.to_owned()));
        site
    }

    /// The same with that bearer token.
    #[must_use]
    pub fn token(&self, token: &str) -> Self {
        self.with("Authorization", &format!("Bearer {token}"))
    }

    /// The same as that instance.
    #[must_use]
    pub fn instance(&self, id: &str) -> Self {
        self.with("X-Koor-Instance", id)
    }

    /// Reads.
    #[must_use]
    pub fn get(&self, path: &str) -> Reply {
        self.send("GET", path, "")
    }

    /// Writes JSON.
    #[expect(clippy::must_use_candidate, reason = "that it is answered rightly may be all that is wanted")]
    pub fn put(&self, path: &str, body: &Value) -> Reply {
        self.send("PUT", path, body.to_string())
    }

    /// Posts JSON; nothing where that is `null`.
    #[expect(clippy::must_use_candidate, reason = "that it is answered rightly may be all that is wanted")]
    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.send("POST", path, if body.is_null() { String::new() } else { body.to_string() })
    }

    /// Deletes.
    #[expect(clippy::must_use_candidate, reason = "that it is answered rightly may be all that is wanted")]
    pub fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, "")
    }

    /// Sends a request with a body of that length.
    pub fn send(&self, method: &str, path: &str, body: impl AsRef<[u8]>) -> Reply {
        let body = body.as_ref();
        let mut site = self.clone();
        if !body.is_empty() {
            site = site.with("Content-Length", &body.len().to_string());
        }
        site.finish(method, path, body)
    }

    /// Sends a request whose body comes in pieces of unknown number.
    #[must_use]
    pub fn send_chunked(&self, method: &str, path: &str, pieces: &[&[u8]]) -> Reply {
        let mut body = Vec::new();
        for piece in pieces {
            body.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            body.extend_from_slice(piece);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"0\r\n\r\n");
        self.with("Transfer-Encoding", "chunked").finish(method, path, &body)
    }

    /// Opens a stream of Server-Sent Events.
    ///
    /// # Panics
    /// When it is refused.
    #[must_use]
    pub fn stream(&self, path: &str) -> Stream {
        let mut reader = self.write("GET", path, b"");
        let (status, headers) = read_head(&mut reader);
        let find = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        assert_eq!((status, find("content-type")), (200, Some("text/event-stream")));
        assert_eq!(find("transfer-encoding"), Some("chunked"));
        Stream::new(reader)
    }

    fn write(&self, method: &str, path: &str, body: &[u8]) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(&self.place).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let host =
            self.headers.iter().rfind(|(name, _)| name == "Host").map_or(&self.place, |(_, host)| host);
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n");
        if !self.headers.iter().any(|(name, _)| name == "Connection") {
            head += "Connection: close\r\n";
        }
        for (name, value) in self.headers.iter().filter(|(name, _)| name != "Host") {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head += "\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        // A server that refuses a large body may stop reading it: its answer is what counts.
        drop(stream.write_all(body));
        BufReader::new(stream)
    }

    fn finish(&self, method: &str, path: &str, body: &[u8]) -> Reply {
        let mut reader = self.write(method, path, body);
        let (status, headers) = read_head(&mut reader);
        let mut reply = Reply { status, headers, body: Vec::new(), asked: format!("{method} {path}") };
        let bare = method == "HEAD" || status == 204 || status == 304 || status == 101;
        if !bare {
            if reply.header("transfer-encoding") == Some("chunked") {
                Chunks::of(reader).read_to_end(&mut reply.body).unwrap();
            } else {
                let length = reply.header("content-length").expect("a body has a length").parse().unwrap();
                reply.body = vec![0; length];
                reader.read_exact(&mut reply.body).unwrap();
            }
        } else if status != 101 {
            reader.read_to_end(&mut reply.body).unwrap();
            assert!(reply.body.is_empty(), "{} has a body: {:?}", reply.asked, reply.text());
        }
        reply.check(bare);
        reply
    }
}

impl Reply {
    /// What every answer must be: it has a request id, and an error says in JSON, or JSON-RPC, what went wrong.
    fn check(&self, bare: bool) {
        assert!(self.header("x-request-id").is_some_and(|id| !id.is_empty()), "{self:?}");
        if self.status < 400 {
            return;
        }
        assert!(self.status < 500 || self.status == 503, "{self:?}");
        // OTLP answers in the way in which it was asked.
        if self.asked.contains(" /v1/") && self.header("content-type") == Some("application/x-protobuf") {
            return;
        }
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        if !bare {
            let error = self.json();
            let text = if error["jsonrpc"] == "2.0" {
                assert!(
                    error["error"]["code"].is_i64() && error.get("id").is_some(),
                    "{}: {error}",
                    self.asked
                );
                error["error"]["message"].as_str().unwrap_or_default()
            } else if self.asked.contains(" /v1/") && error["message"].is_string() {
                // OTLP has a body of its own for refusals.
                error["message"].as_str().unwrap_or_default()
            } else {
                assert_eq!(error["code"], self.status, "{}: {error}", self.asked);
                error["error"].as_str().unwrap_or_default()
            };
            assert!(!text.is_empty(), "{}: {error}", self.asked);
            let inner = ["SELECT ", "INSERT ", "sqlite", "data.db", "panicked", ".rs:"];
            assert!(!inner.iter().any(|part| text.contains(part)), "{}: {text}", self.asked);
        }
    }

    /// A header, if it is there.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// A header that is a number.
    ///
    /// # Panics
    /// When it is not, or not there.
    #[must_use]
    pub fn number(&self, name: &str) -> u64 {
        self.header(name).unwrap_or_else(|| panic!("{} has no {name}: {self:?}", self.asked)).parse().unwrap()
    }

    /// The id of the event that a write was.
    #[must_use]
    pub fn cursor(&self) -> u64 {
        self.number("x-koor-cursor")
    }

    /// The body as text.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{}: {error} in {:?}", self.asked, self.text()))
    }

    /// The JSON of an answer with that status.
    ///
    /// # Panics
    /// When it has another.
    #[expect(clippy::must_use_candidate, reason = "that it has that status may be all that is wanted")]
    pub fn gives(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.asked, String::from_utf8_lossy(&self.body));
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        self.json()
    }

    /// The JSON of an answer to what must succeed.
    #[expect(clippy::must_use_candidate, reason = "that it succeeds may be all that is wanted")]
    pub fn ok(&self) -> Value {
        self.gives(200)
    }

    /// The same, without what differs from run to run.
    #[must_use]
    pub fn steady(&self) -> Value {
        steady(self.ok())
    }

    /// Holds an error that has no other fields against its status and its text.
    ///
    /// # Panics
    /// When it differs.
    pub fn refused(&self, status: u16, text: &str) {
        assert_eq!(self.json(), json!({"error": text, "code": status}), "{}", self.asked);
        assert_eq!(self.status, status, "{}", self.asked);
    }

    /// Holds an error against its status and a part of its text.
    ///
    /// # Panics
    /// When it differs.
    pub fn says(&self, status: u16, part: &str) {
        let error = self.gives(status);
        let text = error["error"].as_str().unwrap();
        assert!(text.contains(part), "{}: {text:?} does not say {part:?}", self.asked);
    }
}

/// A value in which every time, every UUID and every SHA-256 is replaced by its kind.
#[must_use]
pub fn steady(mut value: Value) -> Value {
    match &mut value {
        Value::String(text) => {
            if let Some(kind) = kind_of(text) {
                kind.clone_into(text);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = steady(item.take())),
        Value::Object(fields) => fields.values_mut().for_each(|field| *field = steady(field.take())),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    value
}

fn kind_of(text: &str) -> Option<&'static str> {
    let like = |shape: &str| {
        text.len() == shape.len()
            && text.bytes().zip(shape.bytes()).all(|(byte, wanted)| match wanted {
                b'0' => byte.is_ascii_digit(),
                b'f' => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
                other => byte == other,
            })
    };
    [("<time>", "0000-00-00T00:00:00.000Z"), ("<uuid>", "ffffffff-ffff-ffff-ffff-ffffffffffff")]
        .iter()
        .find(|(_, shape)| like(shape))
        .map(|(kind, _)| *kind)
        .or_else(|| like(&"f".repeat(64)).then_some("<hash>"))
}

/// Asks until there is an answer.
///
/// # Panics
/// When that takes too long.
pub fn until<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited too long");
        thread::sleep(Duration::from_millis(10));
    }
}

fn read_head(reader: &mut BufReader<TcpStream>) -> (u16, Vec<(String, String)>) {
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    };
    let first = line();
    let status = first.strip_prefix("HTTP/1.1 ").unwrap_or_else(|| panic!("no answer: {first:?}"));
    let status = status[..3].parse().unwrap();
    let mut headers = Vec::new();
    loop {
        let line = line();
        let Some((name, value)) = line.split_once(':') else { return (status, headers) };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}
