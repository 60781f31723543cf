//! How long after it was due to be published an event arrives, on a quiet server, beside what the disk alone takes.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use super::Ground;
use crate::{
    paced::call,
    peers,
    report::{Report, Target},
    stats::{median, quantile},
    wire::{Exchange as _, Http, Status, find, frames, head_of, number, request, upgrade},
};

/// Events a second: few enough that each finds the server with nothing to do.
const PER_SECOND: u32 = 200;

pub(super) fn measure(ground: &Ground, report: &mut Report) {
    let directory = ground.directory("arrival");
    let koor = peers::koor(&directory, &[]);
    let events = PER_SECOND * ground.depth.span().as_secs() as u32;
    let mut found: [Vec<[f64; 2]>; 3] = Default::default();
    for _ in 0..ground.depth.rounds() {
        for (found, latencies) in found.iter_mut().zip([
            sync_alone(&directory, events),
            arrivals(koor.place, events, web_socket),
            arrivals(koor.place, events, waiting),
        ]) {
            found.push([quantile(&latencies, 0.5), quantile(&latencies, 0.99)]);
        }
    }
    let middle =
        |found: &[[f64; 2]], which: usize| median(&found.iter().map(|f| f[which]).collect::<Vec<_>>());
    let rows: Vec<Vec<String>> = ["write 4 KiB and sync, alone", "WebSocket", "`GET /api/events/wait`"]
        .iter()
        .zip(&found)
        .map(|(what, found)| {
            vec![(*what).to_owned(), format!("{:.2}", middle(found, 0)), format!("{:.2}", middle(found, 1))]
        })
        .collect();
    report.table("Publish to arrival, 200 events/s, ms", &["what", "p50", "p99"], &rows);
    for (what, found_of) in [("WebSocket", &found[1]), ("`events/wait`", &found[2])] {
        for (share, which, most) in [("p50", 0, 0.5), ("p99", 1, 3.0)] {
            let more: Vec<f64> =
                found_of.iter().zip(&found[0]).map(|(ours, disk)| ours[which] - disk[which]).collect();
            // The disk alone may have been the slower one.
            let more = median(&more).max(0.01);
            let what = format!("publish to arrival by {what}, {share}: more than");
            report.target(&what, "write and sync alone", more, " ms", Target::AtMost(most));
        }
    }
}

/// Waits until then, to within microseconds: the system wakes a sleeper too late for what is measured here.
fn until(due: Instant) {
    thread::sleep(due.saturating_duration_since(Instant::now() + Duration::from_micros(200)));
    while Instant::now() < due {
        std::hint::spin_loop();
    }
}

fn dues(events: u32) -> impl Iterator<Item = Instant> {
    let begin = Instant::now() + Duration::from_millis(50);
    (0..events).map(move |index| begin + Duration::from_secs(1) * index / PER_SECOND)
}

/// What it takes to append a page to a file and have it on disk, in ms.
fn sync_alone(directory: &Path, events: u32) -> Vec<f64> {
    let path = directory.join("sync-alone");
    let mut file = File::create(&path).unwrap();
    let latencies = dues(events)
        .map(|due| {
            until(due);
            file.write_all(&[7; 4096]).unwrap();
            file.sync_data().unwrap();
            due.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    std::fs::remove_file(path).unwrap();
    latencies
}

/// Listens on a connection, and hands over each event until it is told that there is no more to come.
type Listen = fn(TcpStream, &mut dyn FnMut(&[u8]) -> bool);

/// Publishes, and answers how long each event took until `listen` had it, in ms.
fn arrivals(place: SocketAddr, events: u32, listen: Listen) -> Vec<f64> {
    let base = Instant::now();
    let stream = TcpStream::connect(place).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let listener = thread::spawn(move || {
        let mut latencies = Vec::new();
        listen(stream, &mut |event| {
            let at = find(event, b"\"due\":").expect("an event of this publisher") + 6;
            let due = Duration::from_nanos(number(&event[at..]) as u64);
            latencies.push((base.elapsed().saturating_sub(due)).as_secs_f64() * 1000.0);
            latencies.len() < events as usize
        });
        latencies
    });
    // The listener has at least 50 ms to subscribe; an event that it missed would be reported.
    thread::sleep(Duration::from_millis(100));
    let mut publisher = TcpStream::connect(place).unwrap();
    publisher.set_nodelay(true).unwrap();
    let (mut out, mut buffer) = (Vec::new(), vec![0; 4096]);
    for due in dues(events) {
        let body = format!("{{\"topic\":\"bench.due\",\"data\":{{\"due\":{}}}}}", (due - base).as_nanos());
        let mut exchange = Http {
            next: |out: &mut Vec<u8>| request(out, "POST", "/api/events/publish", body.as_bytes()),
            check: |answer: Status<'_>| assert_eq!(answer.code, 200, "publishing"),
        };
        out.clear();
        exchange.ask(&mut out);
        until(due);
        publisher.write_all(&out).unwrap();
        call(&mut publisher, &mut exchange, &mut buffer);
    }
    listener.join().expect("the listener has failed")
}

fn web_socket(mut stream: TcpStream, event: &mut dyn FnMut(&[u8]) -> bool) {
    stream.write_all(&upgrade("/api/events/subscribe?pattern=bench.*")).unwrap();
    let (mut read, mut chunk) = (Vec::new(), [0; 16 << 10]);
    let mut upgraded = false;
    loop {
        let count = stream.read(&mut chunk).unwrap();
        assert_ne!(count, 0, "the server hung up");
        read.extend_from_slice(&chunk[..count]);
        if !upgraded {
            let Some((code, head, _)) = head_of(&read) else { continue };
            assert_eq!(code, 101, "a WebSocket");
            read.drain(..head);
            upgraded = true;
        }
        let mut more = true;
        let used = frames(&read, |text| more &= event(text));
        read.drain(..used);
        if !more {
            return;
        }
    }
}

fn waiting(mut stream: TcpStream, event: &mut dyn FnMut(&[u8]) -> bool) {
    let mut buffer = vec![0; 4096];
    let mut since = String::new();
    loop {
        let mut out = Vec::new();
        let path = format!("/api/events/wait?pattern=bench.*&timeout=20s{since}");
        request(&mut out, "GET", &path, b"");
        stream.write_all(&out).unwrap();
        let (mut more, mut cursor) = (true, 0);
        let mut exchange = Http {
            next: |_: &mut Vec<u8>| {},
            check: |answer: Status<'_>| {
                assert_eq!(answer.code, 200, "waiting");
                let mut rest = answer.body;
                while let Some(at) = find(rest, b"\"due\":") {
                    more &= event(&rest[at..]);
                    rest = &rest[at + 6..];
                }
                let at = find(answer.body, b"\"cursor\":").expect("it says where it is") + 9;
                cursor = number(&answer.body[at..]);
            },
        };
        call(&mut stream, &mut exchange, &mut buffer);
        if !more {
            return;
        }
        since = format!("&since={cursor}");
    }
}
