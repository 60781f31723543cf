//! Harm on the wire: heads, frames, and connections that are of no use.

use std::{
    io::{ErrorKind, Read as _},
    net::TcpStream,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use integration_tests::Server;
use serde_json::json;

use super::{attacked, long_or, push, tally, together, wire};

/// How often each of many ends, and how.
fn first_status(mut stream: &TcpStream) -> u16 {
    let mut answer = [0; 12];
    match stream.read_exact(&mut answer) {
        Ok(()) => std::str::from_utf8(&answer[9..]).map_or(0, |status| status.parse().unwrap_or(0)),
        Err(_) => 0,
    }
}

#[test]
#[ignore = "takes its time; .ci/suites/trust runs it"]
fn a_thousand_slow_heads() {
    attacked("1,000 heads that come slowly, half of them 60 KiB large", |server| {
        let large = format!("GET /health HTTP/1.1\r\nHost: localhost\r\nX: {}", "x".repeat(60 << 10));
        let streams: Vec<_> = (0..1000).map(|_| wire(server)).collect();
        for (n, stream) in streams.iter().enumerate() {
            push(stream, if n % 2 == 0 { b"GET /health HTTP/1.1\r\nX: " } else { large.as_bytes() });
        }
        let begun = Instant::now();
        let mut open = 0;
        while begun.elapsed() < Duration::from_secs(12) {
            open = streams.iter().filter(|stream| push(stream, b"x")).count();
            thread::sleep(Duration::from_millis(500));
        }
        assert!(open < 10, "{open} are still open");
        "all ended after 10 s".to_owned()
    });
}

/// One more than the server has memory for: each of them was kept as it was, once.
const LARGE_HEADS: usize = 8000;

#[test]
#[ignore = "takes its time; .ci/suites/trust runs it"]
fn eight_thousand_large_heads_that_never_end() {
    allow_open_files();
    attacked("8,000 heads of 62 KB that never end, without a token", |server| {
        let part = format!("GET /health HTTP/1.1\r\nHost: localhost\r\nX: {}", "x".repeat(62_000));
        let streams: Vec<_> = (0..long_or(LARGE_HEADS, 2000))
            .map(|_| {
                let stream = wire(server);
                push(&stream, part.as_bytes());
                stream
            })
            .collect();
        let open = streams.iter().filter(|stream| is_open(stream)).count();
        // 32 MiB are 512 of the largest, beside those that the server has not looked at yet.
        assert!(open < 1000, "{open} of {} are still open", streams.len());
        format!("{open} of {} were still open, the others ended for new ones", streams.len())
    });
}

#[test]
#[ignore = "takes its time; .ci/suites/trust runs it"]
fn eight_thousand_large_heads_with_silence_behind_them() {
    allow_open_files();
    attacked("8,000 heads of 62 KB that are answered, and silence behind them", |server| {
        let head = format!("GET /health HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(62_000));
        let streams: Vec<_> = (0..long_or(LARGE_HEADS, 2000))
            .map(|_| {
                let stream = wire(server);
                push(&stream, head.as_bytes());
                assert_eq!(first_status(&stream), 200);
                stream
            })
            .collect();
        let open = streams.iter().filter(|stream| is_open(stream)).count();
        assert!(open < 1000, "{open} of {} are still open", streams.len());
        format!("{open} of {} were kept, the others ended for new ones", streams.len())
    });
}

#[test]
#[ignore = "takes its time; .ci/suites/trust runs it"]
fn strangers_who_take_all_connections() {
    allow_open_files();
    attacked("16,384 idle connections of strangers, and then new ones all the time", |server| {
        let asked = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let open = |_| {
            let stream = wire(server);
            push(&stream, asked.as_bytes());
            stream
        };
        let idle: Vec<_> = (0..long_or(16_384, 11_000)).map(open).collect();
        let begun = Instant::now();
        let (mut late, mut answered) = (Vec::new(), Vec::new());
        while begun.elapsed() < Duration::from_secs(2) {
            late.push(open(0));
            // Everybody finds room who comes now.
            let asked = Instant::now();
            answered.push(server.client().try_send("GET", "/api/state", "").map(|answer| answer.status));
            assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
        }
        let refused = answered.iter().filter(|status| **status != Some(200)).count();
        assert_eq!(refused, 0, "of {} who came", answered.len());
        let kept = idle.iter().filter(|stream| is_open(stream)).count();
        assert!(kept <= 9000, "{kept}");
        format!("{kept} were kept; each of {} who came found room", answered.len())
    });
}

/// Lets this process have as many connections as the system allows.
fn allow_open_files() {
    let id = std::process::id().to_string();
    let limit =
        "prlimit --nofile=$(prlimit --pid \"$1\" --nofile --output HARD --noheadings --raw): --pid \"$1\"";
    let raised = Command::new("sh").args(["-c", limit, "sh", &id]).status().unwrap();
    assert!(raised.success());
}

/// Whether a connection on which nothing is due has not been ended.
fn is_open(mut stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let mut rest = [0; 4096];
    let read = loop {
        match stream.read(&mut rest) {
            Ok(0) => break false,
            Ok(_) => {}
            Err(error) => break error.kind() == ErrorKind::WouldBlock,
        }
    };
    stream.set_nonblocking(false).unwrap();
    read
}

/// Follows all events on a connection that is never read.
fn subscribe(server: &Server) -> TcpStream {
    let stream = wire(server);
    let head = "GET /api/events/subscribe HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    assert!(push(&stream, head.as_bytes()));
    assert_eq!(first_status(&stream), 101);
    stream
}

#[test]
#[ignore = "takes its time; .ci/suites/trust runs it"]
fn a_thousand_websockets_that_never_read() {
    attacked("1,000 WebSockets that never read", |server| {
        let deaf: Vec<_> = (0..1000).map(|_| subscribe(server)).collect();
        let client = server.client();
        // Far more than lies between a server and a client that does not read.
        let (count, size) = (600, 16 << 10);
        let event = json!({"topic": "loud", "data": "x".repeat(size)}).to_string();
        for _ in 0..count {
            client.ok("POST", "/api/events/publish", &event);
        }
        let mut reader = client.events("since=0&pattern=loud");
        for _ in 0..count {
            reader.next_event().unwrap();
        }
        drop(deaf);
        format!("{count} events of {} KiB published, and followed by a client that reads", size >> 10)
    });
}

#[test]
#[ignore = "takes its time; .ci/suites/trust runs it"]
fn frames_that_announce_gigabytes_and_floods_of_small_ones() {
    attacked("frames that announce 1 GiB, and a million pings", |server| {
        let ended = together(40, |n| {
            let mut stream = subscribe(server);
            let sent = if n % 2 == 0 {
                // A text of 2^30 bytes, masked with zeros, and its first four MiB.
                push(&stream, b"\x81\xff\0\0\0\0\x40\0\0\0\0\0\0\0");
                push(&stream, &vec![b'x'; 4 << 20])
            } else {
                // The server does not read for ever from a client that reads no answers.
                push(&stream, &b"\x89\x80\0\0\0\0".repeat(50_000))
            };
            stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let mut rest = Vec::new();
            n % 2 == 1 || !sent || stream.read_to_end(&mut rest).is_ok()
        });
        assert!(ended.iter().all(|ended| *ended), "a frame of 1 GiB was not refused");
        "refused, and answered".to_owned()
    });
}

#[test]
#[ignore = "takes its time; .ci/suites/trust runs it"]
fn heads_of_megabytes() {
    attacked("400 heads of 4 MiB, and of a hundred thousand headers", |server| {
        let long = format!("GET /health HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(4 << 20));
        let many = format!("GET /health HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: y\r\n".repeat(100_000));
        let path = format!("GET /api/state/{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "%2e".repeat(1 << 20));
        let statuses: Vec<u16> = together(20, |n| {
            let one = |_| {
                let stream = wire(server);
                push(&stream, [&long, &many, &path][n % 3].as_bytes());
                first_status(&stream)
            };
            (0..20).map(one).collect::<Vec<_>>()
        })
        .concat();
        assert!(statuses.iter().all(|status| [0, 414, 431].contains(status)), "{}", tally(&statuses));
        tally(&statuses)
    });
}

#[test]
#[ignore = "takes its time; .ci/suites/trust runs it"]
fn a_flood_of_pipelined_requests_with_garbage_behind() {
    attacked("400,000 pipelined requests whose answers are not read, garbage behind them", |server| {
        let requests = |count| {
            let request = "GET /api/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
            request.repeat(count) + "\0\x16\x03garbage\r\n\r\n"
        };
        let streams = together(41, |n| {
            let stream = wire(server);
            stream.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
            push(&stream, requests(if n == 0 { 1000 } else { 10_000 }).as_bytes());
            stream
        });
        // Who reads after all finds what he asked for, to the garbage, and the end behind it.
        let mut answers = Vec::new();
        (&streams[0]).read_to_end(&mut answers).unwrap();
        let statuses: Vec<u16> = answers
            .windows(12)
            .filter_map(|part| std::str::from_utf8(part.strip_prefix(b"HTTP/1.1 ")?).ok()?.parse().ok())
            .collect();
        let expected = [vec![200; 1000], vec![400]].concat();
        assert!(statuses == expected, "{}", tally(&statuses));
        format!("who reads after all finds {}", tally(&statuses))
    });
}
