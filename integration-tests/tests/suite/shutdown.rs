//! How the server ends: what was answered is kept, who was connected is told.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use integration_tests::Server;
use serde_json::json;
use tungstenite::protocol::frame::coding::CloseCode;

/// Requests in flight get five seconds, and everything else must fit into one.
const AT_MOST: Duration = Duration::from_secs(6);

/// The head of a write whose body is still to come, already on its way to the server.
fn half_a_write(server: &Server, key: &str, length: usize) -> TcpStream {
    let place = server.api.trim_start_matches("http://");
    let mut stream = TcpStream::connect(place).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let head = format!(
        "PUT /api/state/{key} HTTP/1.1\r\nHost: {place}\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The server asks for the body: the request is in flight.
    let mut line = String::new();
    BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("HTTP/1.1 100"), "{line}");
    stream
}

fn stopping(server: &Server) {
    server.signal("TERM");
    assert!(server.wait_for_log(|line| line.contains("stopping")).is_some());
}

#[test]
fn every_write_that_was_answered_is_there_after_a_restart() {
    let server = Server::start();
    let (answered, promised) = mpsc::channel();
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (client, answered) = (server.client(), answered.clone());
            thread::spawn(move || {
                for n in 0_u64.. {
                    let (path, body) = (format!("/api/state/load/{writer}/{n}"), json!({"n": n}).to_string());
                    // No answer: the server is gone, and nothing was promised.
                    let Some(answer) = client.try_send("PUT", &path, &body) else { return };
                    if answer.status != 200 {
                        return;
                    }
                    answered.send((path, body)).unwrap();
                }
            })
        })
        .collect();
    drop(answered);
    let mut kept: Vec<_> = promised.iter().take(100).collect();
    let (directory, begun) = (server.directory().clone(), Instant::now());
    let ended = server.stop();
    assert_eq!(ended.code, Some(0), "{:#?}", ended.log);
    assert!(begun.elapsed() < AT_MOST, "{:?}", begun.elapsed());
    for writer in writers {
        writer.join().unwrap();
    }
    kept.extend(promised.iter());

    let again = Server::start_within(&directory);
    let client = again.client();
    for (path, body) in &kept {
        assert_eq!(&client.ok("GET", path, "").body, body, "{path}");
    }
}

#[test]
fn subscribers_are_told_and_nobody_waits_for_them() {
    let server = Server::start();
    let client = server.client();
    let mut subscribers: Vec<_> = (0..3).map(|_| client.events("pattern=job.*")).collect();
    client.ok("POST", "/api/events/publish", r#"{"topic": "job.done", "data": 1}"#);
    for subscriber in &mut subscribers {
        assert_eq!(subscriber.next_event().unwrap()["data"], 1);
    }
    let begun = Instant::now();
    server.signal("TERM");
    for subscriber in &mut subscribers {
        assert_eq!(subscriber.next_event(), Err(Some(CloseCode::Away)));
    }
    assert_eq!(server.wait().code, Some(0));
    assert!(begun.elapsed() < AT_MOST, "{:?}", begun.elapsed());
}

#[test]
fn those_who_wait_for_an_event_are_answered() {
    let server = Server::start();
    let client = server.client();
    let since = client.ok("PUT", "/api/state/a", "1").headers["x-koor-cursor"].to_str().unwrap().to_owned();
    let waiting = {
        let client = client.clone();
        thread::spawn(move || {
            client.try_send("GET", &format!("/api/events/wait?since={since}&timeout=5m&pattern=never"), "")
        })
    };
    // It is there when the server counts it, and the server itself is asked once more meanwhile.
    let begun = Instant::now();
    while !client.ok("GET", "/metrics", "").body.contains("\nkoor_subscribers 1\n")
        && begun.elapsed() < AT_MOST
    {
        thread::sleep(Duration::from_millis(5));
    }
    let begun = Instant::now();
    assert_eq!(server.stop().code, Some(0));
    assert!(begun.elapsed() < AT_MOST, "{:?}", begun.elapsed());
    // Either answer is fine, as long as it is one and comes in time.
    drop(waiting.join().unwrap());
}

#[test]
fn a_request_in_flight_is_finished_and_kept() {
    let server = Server::start();
    let directory = server.directory().clone();
    let mut stream = half_a_write(&server, "late", 6);
    stopping(&server);
    stream.write_all(b"\"late\"").unwrap();
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    let status: Vec<_> = lines.filter(|line| line.starts_with("HTTP/1.1 ")).collect();
    assert_eq!(status, ["HTTP/1.1 200 OK"]);
    assert_eq!(server.wait().code, Some(0));
    let again = Server::start_within(&directory);
    assert_eq!(again.client().ok("GET", "/api/state/late", "").body, "\"late\"");
}

#[test]
fn a_request_that_never_ends_is_cut_off() {
    let server = Server::start();
    let _stream = half_a_write(&server, "never", 6);
    let begun = Instant::now();
    let ended = server.stop();
    assert_eq!(ended.code, Some(0), "{:#?}", ended.log);
    let took = begun.elapsed();
    assert!((Duration::from_secs(4)..Duration::from_secs(7)).contains(&took), "{took:?}");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (name, code) in [("TERM", 143), ("INT", 130)] {
        let server = Server::start();
        let _stream = half_a_write(&server, "never", 6);
        stopping(&server);
        // Signals that come together are one: this is a second request.
        thread::sleep(Duration::from_millis(200));
        let begun = Instant::now();
        server.signal(name);
        assert_eq!(server.wait().code, Some(code));
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    }
}

#[test]
fn nobody_is_let_in_while_it_ends() {
    let server = Server::start();
    let stream = half_a_write(&server, "never", 6);
    stopping(&server);
    // It says that it stops a moment before it does. The request in flight keeps it from being gone altogether.
    let begun = Instant::now();
    while let Some(late) = server.client().try_send("GET", "/health", "") {
        assert!(begun.elapsed() < Duration::from_secs(3), "{late:?}");
    }
    assert!(server.client().try_send("GET", "/health", "").is_none());
    drop(stream);
    assert_eq!(server.wait().code, Some(0));
}
