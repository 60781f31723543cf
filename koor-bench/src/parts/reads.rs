//! GET: beside bare hyper, a query for each request, Redis.

use std::{fs, net::SocketAddr, path::Path, process::Command, time::Duration};

use super::{Ground, Lanes};
use crate::{
    load, peers,
    report::{Report, Target},
    wire::{Http, Redis, command, request},
};

const PATH: &str = "/api/state/bench/value";
const CONNECTIONS: usize = 64;

/// More than elsewhere, whatever the depth: where so much is answered, what else the machine does shows most.
const ROUNDS: usize = 7;

pub(super) fn measure(ground: &Ground, report: &mut Report) {
    let span = ground.depth.span();
    let body = format!("{{\"filler\":\"{}\"}}", "x".repeat(2034)).into_bytes();
    let koor = peers::koor(&ground.directory("reads-koor"), &[]);
    let put = |out: &mut Vec<u8>| request(out, "PUT", PATH, &body);
    peers::once(
        koor.place,
        &mut Http { next: put, check: |answer: crate::wire::Status<'_>| assert_eq!(answer.code, 200) },
    );

    // What Koor answers is what the bare server answers.
    let directory = ground.directory("reads-bare");
    let file = |name: &str| directory.join(name).display().to_string();
    let answered = peers::once(koor.place, &mut get(None));
    let (_, head, _) = crate::wire::head_of(&answered).unwrap();
    let text = String::from_utf8_lossy(&answered[..head]).into_owned();
    let tag = text.lines().find_map(|line| line.strip_prefix("etag: ")).expect("an entity tag").to_owned();
    let known = peers::once(koor.place, &mut get(Some(&tag)));
    let (code, known_head, _) = crate::wire::head_of(&known).unwrap();
    assert_eq!(code, 304, "a matching tag");
    fs::write(file("body"), &body).unwrap();
    fs::write(file("head"), &text).unwrap();
    fs::write(file("known"), &known[..known_head]).unwrap();
    let bare = peers::own(&directory, "bare", &[&file("body"), &file("head"), &file("known")]);
    let pool = |how| {
        peers::own(&ground.directory(&format!("reads-pool-{how}")), "pool", &["pool.db", &file("body"), how])
    };
    let (plain, tuned) = (pool("plain"), pool("tuned"));
    let redis = peers::redis(&ground.directory("reads-redis"), "everysec");

    let url = |peer: &peers::Peer| format!("http://{}{PATH}", peer.place);
    let (koor_url, bare_url, plain_url, tuned_url) = (url(&koor), url(&bare), url(&plain), url(&tuned));
    let header = format!("If-None-Match: {tag}");
    let mut lanes = Lanes::default();
    if Command::new("wrk").arg("--version").output().is_ok() {
        lanes.add("bare hyper, 200, by wrk", || wrk(&bare_url, None, span));
        lanes.add("koor, 200, by wrk", || wrk(&koor_url, None, span));
        lanes.add("koor, 304, by wrk", || wrk(&koor_url, Some(&header), span));
        lanes.add("bare hyper, 304, by wrk", || wrk(&bare_url, Some(&header), span));
        lanes.add("a query for each request, by wrk", || wrk(&plain_url, None, span));
        lanes.add("the same, its pool tuned, by wrk", || wrk(&tuned_url, None, span));
    } else {
        report.missing("wrk");
    }
    if let Some(redis) = &redis {
        peers::ask_redis(redis.place, &[b"SET", b"bench/value", &body]);
        lanes.add("Redis GET, by redis-benchmark", || redis_benchmark(redis.place, span));
        lanes.add("bare hyper, 200, by koor-bench", || {
            load::rate(bare.place, CONNECTIONS, span, |_| get(None))
        });
        lanes.add("koor, 200, by koor-bench", || load::rate(koor.place, CONNECTIONS, span, |_| get(None)));
        lanes.add("Redis GET, by koor-bench", || {
            load::rate(redis.place, CONNECTIONS, span, |_| {
                Redis(|out: &mut Vec<u8>| command(out, &[b"GET", b"bench/value"]))
            })
        });
    } else {
        report.missing("redis-server");
    }
    let found = lanes.run(ROUNDS);
    report.table(
        "GET of 2 KB over 64 connections, requests/s",
        &["what", "median", "least", "most"],
        &found.rows(),
    );
    for (what, ours, theirs, against, target) in [
        ("GET", "koor, 200, by wrk", "bare hyper, 200, by wrk", "bare hyper, the same bytes", 0.75),
        (
            "GET, by wrk",
            "koor, 200, by wrk",
            "Redis GET, by redis-benchmark",
            "Redis GET, by redis-benchmark",
            1.0,
        ),
        ("GET", "koor, 200, by wrk", "a query for each request, by wrk", "a query for each request", 3.5),
        ("GET with a matching `If-None-Match`", "koor, 304, by wrk", "koor, 200, by wrk", "GET", 1.0),
    ] {
        // What is built on hyper can't be faster than hyper.
        let ceiling = found.ratio("bare hyper, 200, by wrk", theirs);
        if let (Some(ratio), Some(ceiling)) = (found.ratio(ours, theirs), ceiling) {
            report.target_below(what, against, ratio, "×", Target::AtLeast(target), ceiling);
        }
    }
    // What shows where the limits are: nothing was asked for.
    let ratios: Vec<_> = [
        ("koor, 200, by koor-bench", "Redis GET, by koor-bench"),
        ("bare hyper, 200, by koor-bench", "Redis GET, by koor-bench"),
        ("koor, 200, by wrk", "the same, its pool tuned, by wrk"),
        ("bare hyper, 200, by wrk", "the same, its pool tuned, by wrk"),
        ("koor, 304, by wrk", "bare hyper, 304, by wrk"),
    ]
    .into_iter()
    .filter_map(|(ours, theirs)| {
        Some(vec![ours.to_owned(), theirs.to_owned(), format!("{:.2}", found.ratio(ours, theirs)?)])
    })
    .collect();
    report.table("Other ratios of the same rounds", &["what", "against", "ratio"], &ratios);
}

/// A GET of the value, which must be there.
fn get(tag: Option<&str>) -> impl crate::wire::Exchange + use<> {
    let tag = tag.map_or_else(String::new, |tag| format!("If-None-Match: {tag}\r\n"));
    let text = format!("GET {PATH} HTTP/1.1\r\nHost: localhost\r\n{tag}\r\n").into_bytes();
    Http {
        next: move |out: &mut Vec<u8>| out.extend_from_slice(&text),
        check: |answer: crate::wire::Status<'_>| assert!(matches!(answer.code, 200 | 304), "{}", answer.code),
    }
}

/// Requests a second of Redis's own generator, which stops after a number of them.
fn redis_benchmark(place: SocketAddr, span: Duration) -> f64 {
    let rate = |requests: u64| -> f64 {
        let told = Command::new("redis-benchmark")
            .args([
                "-h",
                &place.ip().to_string(),
                "-p",
                &place.port().to_string(),
                "-c",
                &CONNECTIONS.to_string(),
            ])
            .args(["-n", &requests.to_string(), "--csv", "GET", "bench/value"])
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        let line = told.lines().last().expect("a line for the command");
        line.split("\",\"").nth(1).expect("its rate").parse().unwrap()
    };
    rate((rate(20_000) * span.as_secs_f64()) as u64)
}

/// Requests a second.
fn wrk(url: &str, header: Option<&str>, span: Duration) -> f64 {
    let mut command = Command::new(Path::new("wrk"));
    command.args(["--threads", "1", "--connections", &CONNECTIONS.to_string()]);
    command.args(["--duration", &format!("{}s", span.as_secs())]);
    if let Some(header) = header {
        command.args(["--header", header]);
    }
    let told = command.arg(url).output().unwrap();
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(!told.contains("Socket errors") && !told.contains("Non-2xx"), "{told}");
    let rate = told.lines().find_map(|line| line.strip_prefix("Requests/sec:")).expect("wrk says so");
    rate.trim().parse().unwrap()
}
