//! What is no request at all: it is answered as every error is, and the connection ends.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail as tests do")]

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use integration_tests::{Server, Shared};
use serde_json::Value;

static SERVER: Shared = Shared::new();

/// Writes bytes and reads everything that comes back, until the server closes the connection.
fn everything(url: &str, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // The server may have refused it before all of it is written.
    drop(stream.write_all(bytes));
    let mut answers = Vec::new();
    stream.read_to_end(&mut answers).unwrap_or_else(|error| panic!("{error}: no answer to the end"));
    String::from_utf8(answers).unwrap()
}

/// What an answer in the one shape of errors says; it must be the last on its connection.
#[track_caller]
fn refused(answer: &str) -> (u64, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {answer:?}"));
    let headers: Vec<_> = head.lines().skip(1).map(|line| line.split_once(": ").unwrap()).collect();
    let header =
        |name: &str| headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
    assert_eq!(header("content-type"), Some("application/json"), "{answer}");
    assert_eq!(header("content-length"), Some(body.len().to_string().as_str()), "{answer}");
    assert_eq!(header("connection"), Some("close"), "{answer}");
    assert!(header("x-request-id").is_some_and(|id| !id.is_empty()), "{answer}");
    let error: Value = serde_json::from_str(body).unwrap();
    let code = error["code"].as_u64().unwrap();
    assert!(head.starts_with(&format!("HTTP/1.1 {code} ")), "{answer}");
    (code, error["error"].as_str().unwrap().to_owned())
}

fn malformed() -> (u64, String) {
    (400, "malformed request: its first line or its headers are not HTTP".into())
}

fn too_large() -> (u64, String) {
    (431, "the head of the request is over 64 KiB, or has more than 100 headers".into())
}

#[test]
fn what_is_not_http_is_refused_as_json_on_both_listeners() {
    let server = SERVER.server();
    for bytes in [
        &b"nonsense\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET /health\r\n\r\n",
        b"GET /health HTTP/9.9\r\n\r\n",
        b"GET / health HTTP/1.1\r\n\r\n",
        b"G\x00T /health HTTP/1.1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost localhost\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\n folded: x\r\n\r\n",
        b"PUT /api/state/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: many\r\n\r\n",
        b"PUT /api/state/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"PUT /api/state/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: sideways\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ] {
        for url in [&server.api, server.dashboard.as_ref().unwrap()] {
            assert_eq!(refused(&everything(url, bytes)), malformed(), "{:?}", String::from_utf8_lossy(bytes));
        }
    }
    assert_eq!(server.site().get("/health").status, 200);
}

#[test]
fn a_head_that_is_too_large_is_refused_although_it_is_still_coming() {
    let server = SERVER.server();
    let many = "X-Header: 1\r\n".repeat(101);
    for head in [
        format!("GET /health HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(4 << 20)),
        format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(4 << 20)),
        format!("GET /health HTTP/1.1\r\nHost: localhost\r\n{many}\r\n"),
    ] {
        assert_eq!(refused(&everything(&server.api, head.as_bytes())), too_large(), "{}", head.len());
    }
    // Just over what fits: by which of the two bounds it is refused depends on the pieces in which it comes.
    let head = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(66_000));
    let refused = refused(&everything(&server.api, head.as_bytes()));
    assert!(
        refused == too_large() || refused == (414, "the path and the query are too long".into()),
        "{refused:?}"
    );
    assert_eq!(server.site().get("/health").status, 200);
}

#[test]
fn garbage_behind_a_good_request_is_refused_after_that_is_answered() {
    let server = SERVER.server();
    for good in [
        "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "PUT /api/state/raw HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n1",
        "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /health HTTP/1.0\r\nConnection: keep-alive\r\nHost: localhost\r\n\r\n",
    ] {
        let both = everything(&server.api, format!("{good}garbage\r\n\r\n").as_bytes());
        let second = both[1..].find("HTTP/1.1 400").map_or_else(|| panic!("one answer: {both}"), |at| at + 1);
        assert_eq!(refused(&both[second..]), malformed(), "{good}");
        assert!(both[..second].contains("\r\nx-request-id: "), "{both}");
    }
}

#[test]
fn a_refused_head_is_counted_and_logged() {
    let server = Server::start();
    everything(&server.api, b"nonsense\r\n\r\n");
    let line = server.wait_for_log(|line| line.contains("unreadable request")).unwrap();
    assert!(line.contains("status=400") && line.contains("request_id="), "{line}");
    let metrics = server.client().ok("GET", "/metrics", "").body;
    let counted = metrics.lines().find(|line| line.starts_with("koor_http_requests") && line.contains("400"));
    assert!(counted.is_some_and(|line| line.ends_with(" 1")), "{metrics}");
}

#[test]
fn a_client_that_leaves_a_long_poll_frees_its_connection() {
    let server = Server::start();
    let site = server.site();
    site.put("/api/state/left", &serde_json::json!(1)).ok();
    for path in ["/api/events/wait?timeout=5m", "/api/state/left?wait=5m"] {
        let begun = Instant::now();
        let mut stream = TcpStream::connect(server.api.trim_start_matches("http://")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        // One that still reads sees what a wait says whose time is up: to the server, both look the same.
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let nothing = ["HTTP/1.1 200", "HTTP/1.1 304"].iter().any(|line| answer.starts_with(line));
        assert!(nothing, "{path}: {answer}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{path}");
    }
}

#[test]
fn head_does_not_wait() {
    let server = SERVER.server();
    let site = server.site();
    site.put("/api/state/headed", &serde_json::json!(1)).ok();
    let begun = Instant::now();
    assert_eq!(site.send("HEAD", "/api/events/wait?timeout=1m", "").status, 200);
    assert_eq!(site.send("HEAD", "/api/state/headed?wait=1m", "").status, 304);
    assert_eq!(site.send("HEAD", "/api/events/wait?timeout=6m", "").status, 400);
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn every_request_has_its_line_in_the_log_however_the_server_ends() {
    for (signals, code) in [(1, 0), (2, 143)] {
        let server = Server::start();
        // A request in flight holds up the end, so that a second signal finds the server still there.
        let mut slow = TcpStream::connect(server.api.trim_start_matches("http://")).unwrap();
        if signals == 2 {
            let head = b"PUT /api/state/slow HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n";
            slow.write_all(head).unwrap();
            assert!(slow.read(&mut [0; 25]).unwrap() > 0);
        }
        let client = server.client();
        for _ in 0..300 {
            client.ok("GET", "/api/specs", "");
        }
        server.signal("TERM");
        if signals == 2 {
            assert!(server.wait_for_log(|line| line.contains("stopping")).is_some());
            // Signals closer together than this are one.
            std::thread::sleep(Duration::from_millis(200));
            server.signal("TERM");
        }
        let ended = server.wait();
        assert_eq!(ended.code, Some(code));
        let lines =
            ended.log.iter().filter(|line| line.contains("path=\"/api/specs\" status=200 ms=")).count();
        assert_eq!(lines, 300, "after {signals} signals");
    }
}
