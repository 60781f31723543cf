//! Content against rules that are compiled and cached.

use std::{
    fmt::Write as _,
    io::Write as _,
    net::TcpStream,
    time::{Duration, Instant},
};

use super::Ground;
use crate::{
    paced::call,
    peers,
    report::{Report, Target},
    stats::median,
    wire::{Exchange as _, Http, Status, request},
};

const RULES: usize = 200;
const CONTENT: usize = 100_000;

pub(super) fn measure(ground: &Ground, report: &mut Report) {
    let koor = peers::koor(&ground.directory("rules"), &[]);
    let rules: Vec<_> = (0..RULES)
        .map(|n| {
            let pattern = match n % 5 {
                0 => format!(r"console\.log{n}\("),
                1 => format!(r"(?i)\bpassword_{n}\s*=\s*\S+"),
                2 => format!(r"TODO\({n}\)"),
                3 => format!(r"fn\s+bad_{n}\w*\("),
                _ => format!(r"https?://[a-z0-9.]+/v{n}/"),
            };
            serde_json::json!({"rule_id": format!("rule-{n}"), "pattern": pattern})
        })
        .collect();
    let ask = |stream: &mut TcpStream, method: &str, path: &str, body: &[u8]| {
        let mut exchange = Http {
            next: |out: &mut Vec<u8>| request(out, method, path, body),
            check: |answer: Status<'_>| {
                assert_eq!(answer.code, 200, "{}", String::from_utf8_lossy(answer.body));
            },
        };
        let (mut out, mut buffer) = (Vec::new(), vec![0; 16 << 10]);
        exchange.ask(&mut out);
        let begin = Instant::now();
        stream.write_all(&out).unwrap();
        call(stream, &mut exchange, &mut buffer);
        begin.elapsed().as_secs_f64() * 1000.0
    };
    let mut stream = TcpStream::connect(koor.place).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let body = serde_json::to_vec(&rules).unwrap();
    ask(&mut stream, "PUT", "/api/validate/bench/rules", &body);
    let mut content = String::new();
    for line in 0.. {
        if content.len() >= CONTENT {
            break;
        }
        // Writing to a String cannot fail.
        let _ = writeln!(
            content,
            "    let value_{line} = compute(\"https://example.org/v1/items/{line}\", {line}); // as asked"
        );
    }
    let body = serde_json::json!({"filename": "src/main.rs", "content": content}).to_string();
    let mut spans = Vec::new();
    let first = ask(&mut stream, "POST", "/api/validate/bench", body.as_bytes());
    for _ in 0..20 * ground.depth.rounds() {
        spans.push(ask(&mut stream, "POST", "/api/validate/bench", body.as_bytes()));
    }
    report.table(
        "100 KB of content against 200 rules, ms",
        &["what", "ms"],
        &[
            vec!["the first time, rules compiled".into(), format!("{first:.1}")],
            vec!["cached, median".into(), format!("{:.1}", median(&spans))],
        ],
    );
    let what = "validate 100 KB against 200 rules, cached";
    report.target(what, "the clock", median(&spans), " ms", Target::AtMost(15.0));
}
