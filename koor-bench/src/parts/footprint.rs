//! What it takes up: idle, with many who are connected, with many large bodies at once; and how fast it starts.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use super::Ground;
use crate::{
    depth::Depth,
    peers,
    report::{Report, Target},
    stats::median,
    svg::Plot,
    wire::{head_of, request, upgrade},
};

/// How long a server is left alone before it is looked at.
const SETTLE: Duration = Duration::from_secs(1);

pub(super) fn measure(ground: &Ground, report: &mut Report) {
    let directory = ground.directory("footprint");
    let starts: Vec<f64> = (0..10)
        .map(|_| {
            let begin = Instant::now();
            let koor = peers::koor(&directory, &[]);
            answered(koor.place, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", 200);
            let span = begin.elapsed().as_secs_f64() * 1000.0;
            koor.process.stop();
            span
        })
        .collect();
    report.target("start to the first answer", "the clock", median(&starts), " ms", Target::AtMost(50.0));

    let koor = peers::koor(&directory, &[]);
    thread::sleep(SETTLE);
    let idle = koor.process.memory("VmRSS:");
    report.target("RSS, idle", "the system", idle, " MB", Target::AtMost(15.0));
    koor.process.stop();

    let stripped = ground.directory("stripped").join("koor");
    fs::copy(peers::koor_binary(), &stripped).unwrap();
    let strip = Command::new("strip").arg(&stripped).status();
    if strip.is_ok_and(|strip| strip.success()) {
        let size = fs::metadata(&stripped).unwrap().len() as f64 / 1e6;
        report.target("the binary, stripped", "the file", size, " MB", Target::AtMost(16.0));
    } else {
        report.missing("strip");
    }

    let mut rows = vec![vec!["idle".to_owned(), format!("{idle:.1}"), String::new()]];
    let mut more = |what: &str, memory: f64, each: Option<usize>| {
        let each = each.map(|each| format!("{:.1}", (memory - idle) * 1000.0 / each as f64));
        rows.push(vec![what.to_owned(), format!("{memory:.1}"), each.unwrap_or_default()]);
    };
    let counts: &[usize] = if ground.depth == Depth::Full { &[1000, 5000] } else { &[1000] };
    let mut plotted = Vec::new();
    for &count in counts {
        let memory = with(&directory, count, &upgrade("/api/events/subscribe?pattern=bench.*"), 101);
        more(&format!("{count} idle WebSockets"), memory, Some(count));
        plotted.push((count as f64, memory));
        if count == 1000 {
            report.target(
                "RSS of 1,000 idle WebSockets, over idle",
                "the system",
                memory - idle,
                " MB",
                Target::AtMost(15.0),
            );
        }
    }
    if ground.depth == Depth::Full {
        let mut connections = Vec::new();
        for count in [1000, 5000, 10_000] {
            let memory = with(&directory, count, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", 200);
            more(&format!("{count} connections that have asked once"), memory, Some(count));
            connections.push((count as f64, memory));
        }
        let (most, after) = large_bodies(&directory);
        more("64 PUTs of 10 MiB at once, at most", most, None);
        more("the same, 2 s later", after, None);
        let lines = vec![("WebSockets".to_owned(), plotted), ("connections".to_owned(), connections)];
        let title = "Memory (RSS)".to_owned();
        report.plot("memory", &Plot { title, across: "clients", up: "MB", lines });
    }
    report.table("Memory, RSS", &["with", "MB", "KB for each"], &rows);
}

/// Sends it, and waits for the head of the answer.
fn answered(place: SocketAddr, request: &[u8], code: u16) -> TcpStream {
    let mut stream = TcpStream::connect(place).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(request).unwrap();
    let (mut read, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut chunk).unwrap();
        assert_ne!(count, 0, "the server hung up");
        read.extend_from_slice(&chunk[..count]);
        if let Some((told, ..)) = head_of(&read) {
            assert_eq!(told, code, "{}", String::from_utf8_lossy(&read));
            return stream;
        }
    }
}

/// What a fresh server takes up while so many are connected that have been answered once.
fn with(directory: &std::path::Path, count: usize, request: &[u8], code: u16) -> f64 {
    let koor = peers::koor(directory, &[]);
    let streams: Vec<TcpStream> = (0..count).map(|_| answered(koor.place, request, code)).collect();
    thread::sleep(SETTLE);
    let memory = koor.process.memory("VmRSS:");
    drop(streams);
    memory
}

/// What a fresh server takes up at most while 64 clients put 10 MiB each at once, and some time after that.
fn large_bodies(directory: &std::path::Path) -> (f64, f64) {
    let koor = peers::koor(directory, &[]);
    let place = koor.place;
    let clients: Vec<_> = (0..64)
        .map(|client| {
            thread::spawn(move || {
                let body = vec![b'x'; 10 << 20];
                let mut out = Vec::new();
                request(&mut out, "PUT", &format!("/api/state/large/{client}"), &body);
                answered(place, &out, 200);
            })
        })
        .collect();
    for client in clients {
        client.join().expect("a client has failed");
    }
    let most = koor.process.memory("VmHWM:");
    thread::sleep(2 * SETTLE);
    (most, koor.process.memory("VmRSS:"))
}
