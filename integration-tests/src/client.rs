//! Clients of a server: plain HTTP, and the event log by WebSocket.

use std::{net::TcpStream, time::Duration};

use serde_json::Value;
use tungstenite::{Message, WebSocket, protocol::frame::coding::CloseCode};
use ureq::{Agent, http};

/// How long a client waits for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client that keeps its connections.
#[derive(Debug, Clone)]
pub struct Client {
    agent: Agent,
    base: String,
    headers: Vec<(String, String)>,
}

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: http::HeaderMap,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.body))
    }
}

impl Client {
    /// A client of the server at that URL.
    #[must_use]
    pub fn new(base: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .timeout_global(Some(PATIENCE))
            .build();
        Self { agent: config.into(), base: base.trim_end_matches('/').to_owned(), headers: Vec::new() }
    }

    /// The same, with that bearer token.
    #[must_use]
    pub fn token(self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }

    /// The same, with that header in each request.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends a request; `None` where no whole answer came back.
    ///
    /// # Panics
    /// When it can't even be written down.
    #[must_use]
    pub fn try_send(&self, method: &str, path: &str, body: &str) -> Option<Answer> {
        let mut request = http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let mut answer = self.agent.run(request.body(body.to_owned()).unwrap()).ok()?;
        let body = answer.body_mut().read_to_string().ok()?;
        Some(Answer { status: answer.status().as_u16(), headers: answer.headers().clone(), body })
    }

    /// Sends a request.
    ///
    /// # Panics
    /// When no whole answer comes back.
    #[must_use]
    pub fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        self.try_send(method, path, body).unwrap_or_else(|| panic!("no answer to {method} {path}"))
    }

    /// Sends a request that must succeed, and answers what came back.
    ///
    /// # Panics
    /// When it does not.
    #[expect(clippy::must_use_candidate, reason = "that it succeeds is often all that is wanted")]
    pub fn ok(&self, method: &str, path: &str, body: &str) -> Answer {
        let answer = self.send(method, path, body);
        assert!((200..300).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.body);
        answer
    }

    /// Follows the event log.
    ///
    /// # Panics
    /// When it can't.
    #[must_use]
    pub fn events(&self, query: &str) -> Events {
        let place = self.base.trim_start_matches("http://");
        let stream = TcpStream::connect(place).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let url = format!("ws://{place}/api/events/subscribe?{query}");
        let (socket, _) = tungstenite::client(url, stream).unwrap();
        Events(socket)
    }
}

/// A WebSocket that follows the event log.
#[derive(Debug)]
pub struct Events(WebSocket<TcpStream>);

impl Events {
    /// The next event; the code of the close frame when there is none.
    ///
    /// # Errors
    /// When the server closes instead.
    ///
    /// # Panics
    /// When the connection breaks off.
    pub fn next_event(&mut self) -> Result<Value, Option<CloseCode>> {
        loop {
            match self.0.read().unwrap() {
                Message::Text(text) => return Ok(serde_json::from_str(&text).unwrap()),
                Message::Close(frame) => return Err(frame.map(|frame| frame.code)),
                Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_) => {}
            }
        }
    }

    /// Says goodbye; whether the server did, too.
    ///
    /// # Panics
    /// When the connection breaks off instead.
    #[must_use]
    pub fn close(mut self) -> bool {
        self.0.close(None).unwrap();
        loop {
            match self.0.read() {
                Ok(Message::Close(_)) => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
    }
}
