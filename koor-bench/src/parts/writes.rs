//! Durable writes: beside the naive way, Redis that syncs always, etcd, and `JetStream`, which does not sync.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use super::{Ground, Lanes};
use crate::{
    depth::Depth,
    load, paced, peers,
    report::{Report, Target},
    stats::quantile,
    svg::Plot,
    wire::{Exchange, Http, Nats, Redis, Status, command, find, number, request},
};

/// Keys far from each other one after the other, each of them again and again.
const KEYS: usize = 10_000;

static NEXT: AtomicUsize = AtomicUsize::new(0);

/// The same work in Redis: the value, its history, and a line of a log.
const SCRIPT: &[u8] =
    b"redis.call('SET', KEYS[1], ARGV[1]) redis.call('LPUSH', KEYS[1] .. ':history', ARGV[1]) \
    redis.call('XADD', 'log', '*', 'action', 'state.put', 'key', KEYS[1]) return redis.status_reply('OK')";

fn next_key() -> usize {
    NEXT.fetch_add(1, Ordering::Relaxed).wrapping_mul(7919) % KEYS
}

pub(super) fn value() -> Vec<u8> {
    format!("{{\"filler\":\"{}\"}}", "x".repeat(1011)).into_bytes()
}

pub(super) fn put() -> impl Exchange {
    let value = value();
    Http {
        next: move |out: &mut Vec<u8>| {
            request(out, "PUT", &format!("/api/state/bench/{}", next_key()), &value);
        },
        check: accepted,
    }
}

pub(super) fn accepted(answer: Status<'_>) {
    assert_eq!(answer.code, 200, "{}", String::from_utf8_lossy(answer.body));
}

pub(super) fn get() -> impl Exchange {
    Http {
        next: |out: &mut Vec<u8>| request(out, "GET", &format!("/api/state/bench/{}", next_key()), b""),
        check: |answer: Status<'_>| assert!(matches!(answer.code, 200 | 404), "{}", answer.code),
    }
}

pub(super) fn publish() -> impl Exchange {
    // As large as what a PUT carries.
    let body = format!("{{\"topic\":\"bench.write\",\"data\":{{\"filler\":\"{}\"}}}}", "x".repeat(1011))
        .into_bytes();
    Http {
        next: move |out: &mut Vec<u8>| request(out, "POST", "/api/events/publish", &body),
        check: accepted,
    }
}

/// A PUT under the condition that the key is at the newest version anybody here has heard of. Counts those that win.
pub(super) fn conditional(version: Arc<AtomicU64>, won: Arc<AtomicU64>) -> impl Exchange {
    let value = value();
    let heard = Arc::clone(&version);
    Http {
        next: move |out: &mut Vec<u8>| {
            let version = heard.load(Ordering::Relaxed);
            request(out, "PUT", &format!("/api/state/bench-one-key?if_version={version}"), &value);
        },
        check: move |answer: Status<'_>| {
            assert!(matches!(answer.code, 200 | 412), "{}", answer.code);
            won.fetch_add(u64::from(answer.code == 200), Ordering::Relaxed);
            let at = find(answer.body, b"\"version\":").expect("both say the version") + 10;
            version.fetch_max(number(&answer.body[at..]) as u64, Ordering::Relaxed);
        },
    }
}

fn lua() -> impl Exchange {
    let value = value();
    Redis(move |out: &mut Vec<u8>| {
        command(out, &[b"EVAL", SCRIPT, b"1", format!("bench/{}", next_key()).as_bytes(), &value]);
    })
}

fn etcd_put() -> impl Exchange {
    // The gateway wants base64, of which the text is a third longer than what it says.
    let value = "eHh4".repeat(341);
    Http {
        next: move |out: &mut Vec<u8>| {
            // Twelve digits are base64 of nine bytes, whatever those are.
            let body = format!("{{\"key\":\"{:012}\",\"value\":\"{value}\"}}", next_key());
            request(out, "POST", "/v3/kv/put", body.as_bytes());
        },
        check: accepted,
    }
}

fn jetstream_put(connection: usize) -> impl Exchange {
    let value = value();
    Nats::new(connection, move || (format!("$KV.bench.{}", next_key()), value.clone()))
}

pub(super) fn measure(ground: &Ground, report: &mut Report) {
    let span = ground.depth.span();
    let koor = peers::koor(&ground.directory("writes-koor"), &[]);
    let naive = peers::own(&ground.directory("writes-naive"), "naive", &["naive.db"]);
    let always = peers::redis(&ground.directory("writes-redis-always"), "always");
    let everysec = peers::redis(&ground.directory("writes-redis-everysec"), "everysec");
    let etcd = peers::etcd(&ground.directory("writes-etcd"));
    let nats = peers::nats(&ground.directory("writes-nats"));
    for (peer, name) in [(&always, "redis-server"), (&etcd, "etcd"), (&nats, "nats-server")] {
        if peer.is_none() {
            report.missing(name);
        }
    }
    let counts: &[usize] = if ground.depth == Depth::Full { &[1, 16, 64, 256] } else { &[1, 64, 256] };
    let (version, won) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut lanes = Lanes::default();
    for &count in counts {
        let (koor, naive) = (koor.place, naive.place);
        lanes.add(format!("koor PUT, {count}"), move || load::rate(koor, count, span, |_| put()));
        lanes.add(format!("the naive way, {count}"), move || load::rate(naive, count, span, |_| put()));
        let full = ground.depth == Depth::Full;
        let mut lane = |name: &str,
                        peer: &Option<peers::Peer>,
                        rate: fn(SocketAddr, usize, std::time::Duration) -> f64| {
            if let Some(peer) = peer.as_ref().filter(|_| full || count == 64) {
                let place = peer.place;
                lanes.add(format!("{name}, {count}"), move || rate(place, count, span));
            }
        };
        lane("Redis always, the same in Lua", &always, |place, count, span| {
            load::rate(place, count, span, |_| lua())
        });
        lane("Redis everysec, the same in Lua", &everysec, |place, count, span| {
            load::rate(place, count, span, |_| lua())
        });
        lane("etcd put, JSON gateway", &etcd, |place, count, span| {
            load::rate(place, count, span, |_| etcd_put())
        });
        lane("JetStream put, not synced", &nats, |place, count, span| {
            load::rate(place, count, span, jetstream_put)
        });
    }
    lanes.add("koor, 64 conditional PUTs on one key", || {
        load::rate(koor.place, 64, span, |_| conditional(Arc::clone(&version), Arc::clone(&won)))
    });
    lanes.add("koor publish, 64", || load::rate(koor.place, 64, span, |_| publish()));
    let found = lanes.run(ground.depth.rounds());
    let mut rows = found.rows();
    rows.push(vec![
        "of the conditional ones won, in all".into(),
        won.load(Ordering::Relaxed).to_string(),
        String::new(),
        String::new(),
    ]);
    report.table(
        "Durable writes of 1 KB over so many connections, a second",
        &["what", "median", "least", "most"],
        &rows,
    );
    let put = "durable PUT";
    for (what, ours, theirs, against, target) in [
        ("durable PUT, 64 connections", "koor PUT, 64", "the naive way, 64", "the naive way", 10.0),
        ("durable PUT, 256 connections", "koor PUT, 256", "the naive way, 256", "the naive way", 14.0),
        ("durable PUT, 1 connection", "koor PUT, 1", "the naive way, 1", "the naive way", 2.0),
        (
            "durable PUT, 64 connections",
            "koor PUT, 64",
            "Redis always, the same in Lua, 64",
            "Redis `appendfsync always`, the same in Lua",
            0.6,
        ),
        (
            "durable PUT, 64 connections",
            "koor PUT, 64",
            "etcd put, JSON gateway, 64",
            "etcd put, JSON gateway",
            1.3,
        ),
        (
            "64 conditional PUTs at a time on one key, answers",
            "koor, 64 conditional PUTs on one key",
            "koor PUT, 64",
            put,
            0.5,
        ),
        ("publish, 64 connections", "koor publish, 64", "koor PUT, 64", put, 1.0),
    ] {
        if let Some(ratio) = found.ratio(ours, theirs) {
            report.target(what, against, ratio, "×", Target::AtLeast(target));
        }
    }
    if ground.depth == Depth::Full {
        plot(report, &found, counts);
        latencies(report, koor.place);
    }
}

fn plot(report: &mut Report, found: &super::Found, counts: &[usize]) {
    let lines = [
        ("Koor", "koor PUT"),
        ("Redis always, Lua", "Redis always, the same in Lua"),
        ("etcd, JSON", "etcd put, JSON gateway"),
        ("the naive way", "the naive way"),
    ];
    let lines = lines
        .into_iter()
        .map(|(shown, lane)| {
            let point = |count: &usize| Some((*count as f64, found.median(&format!("{lane}, {count}"))?));
            (shown.to_owned(), counts.iter().filter_map(point).collect::<Vec<_>>())
        })
        .filter(|(_, points)| !points.is_empty())
        .collect();
    let title = "Durable writes of 1 KB a second".to_owned();
    report.plot("writes", &Plot { title, across: "connections", up: "writes/s", lines });
}

/// Latency at a fixed rate, from when each request was due.
fn latencies(report: &mut Report, place: SocketAddr) {
    const PER_SECOND: f64 = 2000.0;
    let span = std::time::Duration::from_secs(5);
    let quantiles = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)];
    let mut lines: Vec<_> = quantiles.iter().map(|(name, _)| (format!("PUT, {name}"), Vec::new())).collect();
    lines.extend(quantiles.iter().map(|(name, _)| (format!("GET, {name}"), Vec::new())));
    let mut rows = Vec::new();
    for connections in [1_usize, 16, 64, 256] {
        // One connection can't do more than one at a time.
        let rate = if connections == 1 { PER_SECOND / 4.0 } else { PER_SECOND };
        let puts = paced::latencies(place, connections, rate, span, |_| put());
        let gets = paced::latencies(place, connections, rate, span, |_| get());
        for (index, (what, found)) in [("PUT", puts), ("GET", gets)].into_iter().enumerate() {
            let figures = quantiles.map(|(_, share)| quantile(&found, share));
            for (figure, (_, points)) in figures.iter().zip(lines.iter_mut().skip(3 * index)) {
                points.push((connections as f64, *figure));
            }
            let mut row = vec![what.to_owned(), connections.to_string(), format!("{rate:.0}")];
            row.extend(figures.map(|figure| format!("{figure:.2}")));
            rows.push(row);
        }
    }
    report.table(
        "Latency at a fixed rate, from when a request was due, ms",
        &["what", "connections", "requests/s", "p50", "p99", "p99.9"],
        &rows,
    );
    let title = "Latency at 2,000 requests a second (500 on one connection)".to_owned();
    report.plot("latency", &Plot { title, across: "connections", up: "ms", lines });
}
