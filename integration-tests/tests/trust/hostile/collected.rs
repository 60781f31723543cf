//! Harm in what is small to ask for and large to answer: lists, histories, backups, checks in the background.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    thread,
    time::Duration,
};

use integration_tests::Server;
use serde_json::{Value, json};

use super::{all_of, attacked, long_or, status, tally, together, wire};

/// An event, or a value, as large as a body may be, less what may stand around it.
const LARGE: usize = (10 << 20) - 1000;

/// Asks for a path and throws the body away: its status, how many bytes came, and whether it came to its end.
fn drain(server: &Server, path: &str) -> (u16, usize, bool) {
    let mut stream = wire(server);
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    read_to_end(stream)
}

fn read_to_end(mut stream: TcpStream) -> (u16, usize, bool) {
    let (mut buffer, mut total, mut status, mut last) = (vec![0; 256 << 10], 0, 0, Vec::new());
    loop {
        let Ok(read) = stream.read(&mut buffer) else { return (status, total, false) };
        if read == 0 {
            // Chunks end with an empty one, whole bodies with a bracket.
            return (status, total, last.ends_with(b"0\r\n\r\n") || last.ends_with(b"]"));
        }
        if total == 0 {
            status =
                buffer.get(9..12).and_then(|code| std::str::from_utf8(code).ok()?.parse().ok()).unwrap_or(0);
        }
        total += read;
        last.extend_from_slice(&buffer[..read]);
        last.drain(..last.len().saturating_sub(5));
    }
}

/// Registers an agent in a workspace, and activates it.
fn activate(server: &Server, workspace: &str) {
    let site = server.site();
    let id = site.post("/api/instances/register", &json!({"name": "a", "workspace": workspace})).ok()["id"]
        .clone();
    site.post(&format!("/api/instances/{}/activate", id.as_str().unwrap()), &json!({})).ok();
}

#[test]
#[ignore = "takes its time; .ci/suites/trust runs it"]
fn large_specs_that_call_themselves_contracts() {
    attacked("40 specs of 1.3 MiB that call themselves contracts, listed, checked and captured", |server| {
        let zeros = "0,".repeat(650_000);
        for n in 0..40 {
            let spec =
                format!("{{\"kind\":\"contract\",\"endpoints\":{{\"GET /x\":{{}}}},\"x\":[{zeros}{n}]}}");
            assert_eq!(status(server, "PUT", &format!("/api/specs/p/s{n}"), &spec), 200);
        }
        activate(server, "p");
        let lists = together(4, |_| {
            (0..long_or(3, 1)).map(|_| status(server, "GET", "/api/contracts/p", "")).collect::<Vec<_>>()
        });
        let lists = all_of(&lists.concat(), &[200]);
        assert_eq!(server.site().get("/api/contracts/p").ok()["contracts"].as_array().unwrap().len(), 40);
        let checked = together(2, |_| status(server, "POST", "/api/compliance/run", ""));
        let captured = together(4, |n| {
            let capture = json!({"id": format!("t{n}"), "name": "t", "project": "p", "kind": "bundle"});
            status(server, "POST", "/api/templates/capture", &capture.to_string())
        });
        format!("{lists}; {}; {}", all_of(&checked, &[200]), all_of(&captured, &[400]))
    });
}

#[test]
#[ignore = "takes its time; .ci/suites/trust runs it"]
fn histories_of_large_events() {
    let count = long_or(60, 30);
    attacked(&format!("{count} events of 10 MiB, asked for all at once"), |server| {
        let event = format!("{{\"topic\":\"large\",\"data\":\"{}\"}}", "x".repeat(LARGE));
        for _ in 0..count {
            assert_eq!(status(server, "POST", "/api/events/publish", &event), 200);
        }
        for path in ["/api/events/history?last=60", "/api/events/history?after=0&last=60&topic=large"] {
            let (status, bytes, whole) = drain(server, path);
            assert!(status == 200 && whole && bytes > count * LARGE, "{path}: {status}, {bytes} bytes");
        }
        let at_once = together(6, |n| {
            let paths = ["/api/events/history?last=60", "/api/events/history?after=0&last=60"];
            let (status, bytes, whole) = drain(server, paths[n % 2]);
            assert!(status != 200 || (whole && bytes > count * LARGE), "{status}, {bytes} bytes");
            status
        });
        let waits = together(4, |_| drain(server, "/api/events/wait?since=0&limit=100").0);
        // Those who ask and do not read must not hold what they asked for.
        let deaf: Vec<_> = (0..8)
            .map(|_| {
                let mut stream = wire(server);
                let head = "GET /api/events/history?last=60 HTTP/1.1\r\nHost: localhost\r\n\r\n";
                stream.write_all(head.as_bytes()).unwrap();
                stream
            })
            .collect();
        thread::sleep(Duration::from_secs(long_or(5, 2)));
        assert_eq!(status(server, "GET", "/api/events/history?last=1&topic=small", ""), 200);
        drop(deaf);
        format!("{}; {}", all_of(&at_once, &[200, 503]), all_of(&waits, &[200, 503]))
    });
}

#[test]
#[ignore = "takes its time; .ci/suites/trust runs it"]
fn a_small_contract_that_is_costly_to_check() {
    attacked("a contract of 13 KB with 200 checks of one wide value, checked unasked", |server| {
        let names: Vec<_> = (0..50_000).map(|n| format!("\"{n:06}\":0")).collect();
        assert_eq!(status(server, "PUT", "/api/state/wide", &format!("{{{}}}", names.join(","))), 200);
        let check = json!({"state": "wide", "endpoint": "POST /x", "direction": "request"});
        let contract = json!({"kind": "contract", "version": 1,
            "endpoints": {"POST /x": {"request": {"a": {"type": "string", "required": true}}}},
            "checks": vec![check; 200]});
        assert_eq!(status(server, "PUT", "/api/contracts/p/c", &contract.to_string()), 200);
        for _ in 0..20 {
            activate(server, "p");
        }
        let runs = together(long_or(4, 2), |_| status(server, "POST", "/api/compliance/run", ""));
        let (status, bytes, _) = drain(server, "/api/compliance/history?limit=10000");
        assert_eq!(status, 200);
        format!("{}; {} KiB of history", all_of(&runs, &[200]), bytes >> 10)
    });
}

/// Follows events that match any of many globs.
fn follow(server: &Server, patterns: &str) -> u16 {
    let mut stream = wire(server);
    let head = format!("GET /api/events/stream?{patterns} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    // It stays open for as long as the server does.
    std::mem::forget(stream);
    std::str::from_utf8(&answer[9..]).unwrap().parse().unwrap()
}

#[test]
#[ignore = "takes its time; .ci/suites/trust runs it"]
fn subscribers_with_costly_globs() {
    attacked("100 subscribers with 100 globs each that take long to match", |server| {
        let subscribe = |classes: usize| {
            let patterns: Vec<_> =
                (0..100).map(|n| format!("pattern=*{}{}b*", "[zyxa]".repeat(classes), n % 10)).collect();
            follow(server, &patterns.join("&"))
        };
        let statuses: Vec<_> = (0..100).map(|_| subscribe(20)).collect();
        all_of(&statuses, &[200]);
        let topics = ["a".repeat(256), "azyx".repeat(64)];
        let published = together(4, |n| {
            let event = json!({"topic": topics[n % 2], "data": n}).to_string();
            (0..long_or(100, 10))
                .map(|_| status(server, "POST", "/api/events/publish", &event))
                .collect::<Vec<_>>()
        });
        assert_eq!(subscribe(90), 400, "more than the patterns of one subscriber may be, all together");
        all_of(&published.concat(), &[200])
    });
}

#[test]
#[ignore = "takes its time; .ci/suites/trust runs it"]
fn a_backup_of_large_values() {
    attacked("a backup of 41 values of 9 MB", |server| {
        let value = "x".repeat(9_000_000);
        for n in 0..41 {
            assert_eq!(
                status(server, "PUT", &format!("/api/state/large/{n}"), &format!("\"{value}{n}\"")),
                200
            );
        }
        let backups = together(2, |_| {
            let (status, bytes, _) = drain(server, "/api/backup");
            assert!(status != 200 || bytes > 41 * value.len(), "{bytes} bytes");
            status
        });
        let templates = together(long_or(12, 6), |n| {
            let data = json!({"kind": "contract", "endpoints": {"GET /x": {}}, "x": value});
            let template = json!({"id": format!("t{n}"), "name": "t", "kind": "contracts", "data": data});
            status(server, "POST", "/api/templates", &template.to_string())
        });
        let lists = together(8, |_| {
            let answer = server.client().try_send("GET", "/api/templates", "");
            answer.map_or(0, |answer| {
                let listed: Value = answer.json();
                assert!(listed.as_array().is_some_and(|listed| !listed.is_empty()), "{listed}");
                answer.status
            })
        });
        assert!(templates.contains(&200), "{}", tally(&templates));
        format!("{}; templates: {}", all_of(&backups, &[200]), all_of(&lists, &[200]))
    });
}
