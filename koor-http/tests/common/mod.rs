//! A server in this process, and a client that says exactly what a test wants said.

#![expect(dead_code, reason = "no test uses all of it")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what goes wrong here is a failed test"
)]

use std::{
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use koor_core::{
    Koor, MemoryStore, Settings,
    domain::{audit::AuditFilter, webhooks::Secret},
    page::Limit,
    testkit::{FakeClock, FakeIds},
};
use koor_http::{HttpSettings, Listeners, ServeError, Server};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};

/// The token of a guarded server.
pub(crate) const TOKEN: &str = "server-token";

/// Longer than anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a server is started.
pub(crate) struct Plan {
    pub(crate) http: HttpSettings,
    pub(crate) core: Settings,
}

impl Default for Plan {
    fn default() -> Self {
        let quick = Duration::from_millis(300);
        let http = HttpSettings {
            max_body: 64 << 10,
            restore_limit: 1 << 20,
            header_timeout: quick,
            body_timeout: quick,
            ..HttpSettings::default()
        };
        Self { http, core: Settings::default() }
    }
}

impl Plan {
    pub(crate) fn guarded() -> Self {
        let mut plan = Self::default();
        plan.core.server_token = Some(Secret::new(TOKEN).unwrap());
        plan
    }
}

/// A running server.
pub(crate) struct Site {
    pub(crate) koor: Koor,
    pub(crate) clock: FakeClock,
    pub(crate) api: SocketAddr,
    pub(crate) dashboard: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<Result<(), ServeError>>,
}

impl Site {
    pub(crate) async fn open() -> Self {
        Self::with(Plan::default()).await
    }

    pub(crate) async fn guarded() -> Self {
        Self::with(Plan::guarded()).await
    }

    pub(crate) async fn with(plan: Plan) -> Self {
        Self::made(plan, |server| server).await
    }

    pub(crate) async fn made(plan: Plan, finish: impl FnOnce(Server) -> Server) -> Self {
        let clock = FakeClock::default();
        let koor = Koor::on(MemoryStore::default())
            .clock(clock.clone())
            .ids(FakeIds::default())
            .settings(plan.core)
            .open()
            .await
            .unwrap();
        let [api, dashboard] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let (api_at, dashboard_at) = (api.local_addr().unwrap(), dashboard.local_addr().unwrap());
        let listeners = Listeners { api: vec![api], dashboard: vec![dashboard] };
        let server = finish(Server::new(koor.clone(), plan.http, listeners).unwrap());
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(server.run(async move { drop(stopped.await) }));
        Self { koor, clock, api: api_at, dashboard: dashboard_at, stop: Some(stop), running }
    }

    /// Asks the server to stop, and waits until it has.
    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        timeout(PATIENCE, &mut self.running).await.unwrap().unwrap().unwrap();
    }

    /// Tells the server to stop, and does not wait.
    pub(crate) fn begin_to_stop(&mut self) {
        drop(self.stop.take());
    }

    pub(crate) async fn client(&self) -> Client {
        Client::to(self.api).await
    }

    /// One request on a connection of its own.
    pub(crate) async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        self.client().await.send(method, target, headers, body).await
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.send("GET", target, &[], b"").await
    }

    pub(crate) async fn post(&self, target: &str, body: &str) -> Answer {
        self.send("POST", target, &[], body.as_bytes()).await
    }

    pub(crate) async fn put(&self, target: &str, body: &str) -> Answer {
        self.send("PUT", target, &[], body.as_bytes()).await
    }

    pub(crate) async fn delete(&self, target: &str) -> Answer {
        self.send("DELETE", target, &[], b"").await
    }

    /// Registers and activates an instance; answers its id and its token. Works on an open and on a guarded server.
    pub(crate) async fn agent(&self, name: &str) -> (String, String) {
        let bearer = format!("Bearer {TOKEN}");
        let headers = [("authorization", bearer.as_str())];
        let body = serde_json::json!({"name": name, "workspace": "p"}).to_string();
        let made = self.send("POST", "/api/instances/register", &headers, body.as_bytes()).await.json();
        let (id, token) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
        let activated = self.send("POST", &format!("/api/instances/{id}/activate"), &headers, b"").await;
        assert_eq!(activated.status, 200);
        (id.to_owned(), token.to_owned())
    }

    /// The audit log, newest first, as `actor action resource outcome`.
    pub(crate) async fn audit(&self) -> Vec<String> {
        let entries = self.koor.audit(AuditFilter::default(), Limit::MAX).await.unwrap();
        entries
            .iter()
            .map(|entry| format!("{} {} {} {}", entry.actor, entry.action, entry.resource, entry.outcome))
            .collect()
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The text of an error, which must be one in the one shape that errors have.
    #[track_caller]
    pub(crate) fn error(&self) -> String {
        let body = self.json();
        assert_eq!(body["code"], self.status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"));
        body["error"].as_str().unwrap().to_owned()
    }
}

/// One connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
    host: String,
}

impl Client {
    pub(crate) async fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        Self { stream, buffer: Vec::new(), host: address.to_string() }
    }

    pub(crate) async fn send(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut bytes = self.head(method, target, headers, body.len());
        bytes.extend_from_slice(body);
        self.write(&bytes).await;
        self.read(method == "HEAD").await
    }

    /// The head of a request, with what every request needs.
    pub(crate) fn head(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        length: usize,
    ) -> Vec<u8> {
        let mut head = format!("{method} {target} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head += "host: ";
            head += &self.host;
            head += "\r\n";
        }
        if length > 0 && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("transfer-encoding")) {
            head += "content-length: ";
            head += &length.to_string();
            head += "\r\n";
        }
        for (name, value) in headers {
            head.extend([*name, ": ", *value, "\r\n"]);
        }
        head += "\r\n";
        head.into_bytes()
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        // A server that has refused already may have closed its side.
        drop(self.stream.write_all(bytes).await);
    }

    /// The connection as it is, with what was read of it already.
    pub(crate) fn into_parts(self) -> (TcpStream, Vec<u8>) {
        (self.stream, self.buffer)
    }

    /// Fills the buffer; false at the end of the connection.
    async fn fill(&mut self) -> bool {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await.expect("no answer");
        read.unwrap_or(0) > 0
    }

    /// Whether the server closes the connection without another word.
    pub(crate) async fn is_closed(&mut self) -> bool {
        while self.buffer.is_empty() {
            if !self.fill().await {
                return true;
            }
        }
        false
    }

    async fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                let line = String::from_utf8(self.buffer[..end].to_vec()).unwrap();
                self.buffer.drain(..end + 2);
                return line;
            }
            assert!(self.fill().await, "the connection ended in a line: {:?}", self.buffer);
        }
    }

    async fn exactly(&mut self, length: usize) -> Vec<u8> {
        while self.buffer.len() < length {
            assert!(self.fill().await, "the connection ended in a body");
        }
        self.buffer.drain(..length).collect()
    }

    /// The head of the next answer.
    pub(crate) async fn read_head(&mut self) -> Answer {
        let status = self.line().await;
        let status = status.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let line = self.line().await;
            if line.is_empty() {
                return Answer { status, headers, body: Vec::new() };
            }
            let (name, value) = line.split_once(':').unwrap();
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// The next piece of a chunked body; empty at its end.
    pub(crate) async fn chunk(&mut self) -> Vec<u8> {
        let size = self.line().await;
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        let piece = self.exactly(size).await;
        assert_eq!(self.line().await, "");
        piece
    }

    /// The next answer.
    pub(crate) async fn read(&mut self, without_body: bool) -> Answer {
        let mut answer = self.read_head().await;
        if without_body || matches!(answer.status, 101 | 204 | 304) {
            return answer;
        }
        if answer.header("transfer-encoding") == Some("chunked") {
            loop {
                let piece = self.chunk().await;
                if piece.is_empty() {
                    return answer;
                }
                answer.body.extend(piece);
            }
        }
        let length = answer.header("content-length").unwrap().parse().unwrap();
        answer.body = self.exactly(length).await;
        answer
    }
}
