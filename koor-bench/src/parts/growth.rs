//! What is answered when there is a lot, beside what is answered when there is little: p50 over one connection.

use std::{
    cell::Cell,
    net::TcpStream,
    path::Path,
    time::{Duration, Instant},
};

use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, ConnectOptions as _, sqlite::SqliteConnectOptions};

use super::Ground;
use crate::{
    depth::Depth,
    paced::call,
    peers::{self, Peer},
    report::{Report, Target},
    stats::{median, ratio},
    svg::Plot,
    wire::{Exchange as _, Http, Status, request},
};

/// How often each question is asked in a round.
const TIMES: usize = 100;

/// How much there is of everything: keys, audit entries, events. The first key has a hundredth as many versions.
const SMALL: usize = 1000;

/// What is asked, by the number of the turn, of a store of that size.
type Question = fn(usize, usize) -> (&'static str, String);

/// Every question, with how much slower it may get.
const QUESTIONS: [(&str, f64, Question); 12] = [
    ("GET any key, not cached", 1.5, |turn, size| ("GET", key(turn, size))),
    ("PUT any key", 1.5, |turn, size| ("PUT", key(turn + 500, size))),
    ("PUT the key of many versions", 1.5, |_, _| ("PUT", "/api/state/project-1/key-0000001".into())),
    ("GET that key, an old version", 1.5, |_, _| {
        ("GET", "/api/state/project-1/key-0000001?version=1".into())
    }),
    ("history of that key, 50", 1.5, |_, _| {
        ("GET", "/api/state/project-1/key-0000001?history=1&limit=50".into())
    }),
    ("audit, newest 50", 1.5, |_, _| ("GET", "/api/audit?limit=50".into())),
    ("audit of a resource", 1.5, |_, _| ("GET", "/api/audit?resource=project-7/key-0000007&limit=1".into())),
    ("audit of a minute, long ago", 1.5, |_, _| {
        ("GET", "/api/audit?from=2023-11-14T22:15:00Z&to=2023-11-14T22:16:00Z".into())
    }),
    ("audit of denials, newest", 1.5, |_, _| ("GET", "/api/audit?outcome=denied&limit=1".into())),
    ("events, newest 50", 1.5, |_, _| ("GET", "/api/events/history?last=50".into())),
    ("events after an old cursor, 50", 1.5, |turn, _| {
        ("GET", format!("/api/events/history?after={}&last=50", turn % 900))
    }),
    ("list, a page of 50 keys", 1.5, |turn, size| {
        ("GET", format!("/api/state?limit=50&after={}", key(turn, size).trim_start_matches("/api/state/")))
    }),
];

fn key(turn: usize, size: usize) -> String {
    let number = turn * 7919 % size + 1;
    format!("/api/state/project-{}/key-{number:07}", number % 100)
}

pub(super) fn measure(ground: &Ground, report: &mut Report) {
    let sizes: &[usize] =
        if ground.depth == Depth::Full { &[SMALL, 10_000, 100_000, 1_000_000] } else { &[SMALL, 100_000] };
    let peers: Vec<(usize, Peer)> = sizes
        .iter()
        .map(|size| {
            let directory = ground.directory(&format!("growth-{size}"));
            grow(&directory, *size);
            let retention = ["--event-retention", "2000000", "--change-retention", "2000000"];
            (*size, peers::koor(&directory, &retention))
        })
        .collect();
    let mut found = vec![vec![Vec::new(); sizes.len()]; QUESTIONS.len()];
    for round in 0..ground.depth.rounds() {
        for ((_, _, question), found) in QUESTIONS.iter().zip(&mut found) {
            for ((size, peer), found) in peers.iter().zip(found) {
                found.push(p50(peer, *size, round, *question));
            }
        }
    }
    let mut rows = Vec::new();
    let mut lines = Vec::new();
    let large = sizes.len() - 1;
    let mut worst = (f64::NEG_INFINITY, "");
    for ((what, most, _), found) in QUESTIONS.iter().zip(&found) {
        let grown = ratio(&found[large], &found[0]);
        if grown / most > worst.0 {
            worst = (grown / most, what);
        }
        let mut row = vec![(*what).to_owned()];
        row.extend(found.iter().map(|found| format!("{:.3}", median(found))));
        row.push(format!("{grown:.2}"));
        rows.push(row);
        let points = sizes.iter().zip(found).map(|(size, found)| (*size as f64, median(found))).collect();
        lines.push(((*what).to_owned(), points));
        let large = sizes[large];
        report.target(
            &format!("{what}: {large} of everything"),
            "1000 of everything",
            grown,
            "×",
            Target::AtMost(*most),
        );
    }
    let sizes: Vec<String> = sizes.iter().map(ToString::to_string).collect();
    let mut head = vec!["p50, ms, with so much of everything"];
    head.extend(sizes.iter().map(String::as_str));
    head.push("ratio");
    report.table("Growth", &head, &rows);
    if ground.depth == Depth::Full {
        let shown = [
            "GET any key, not cached",
            "PUT any key",
            "history of that key, 50",
            "audit, newest 50",
            "events, newest 50",
            "list, a page of 50 keys",
        ];
        lines.retain(|(what, _)| shown.contains(&what.as_str()));
        let title = "Median latency over the size of the database".to_owned();
        report.plot("growth", &Plot { title, across: "keys, audit entries and events", up: "ms", lines });
    }
}

/// The median latency in ms, on a connection of its own.
fn p50(peer: &Peer, size: usize, round: usize, question: Question) -> f64 {
    use std::io::Write as _;
    let mut stream = TcpStream::connect(peer.place).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let value = [b'"'].iter().chain(&[b'x'; 254]).chain(b"\"").copied().collect::<Vec<u8>>();
    let turn = Cell::new(0);
    let mut exchange = Http {
        next: |out: &mut Vec<u8>| {
            let (method, path) = question(turn.get(), size);
            request(out, method, &path, if method == "PUT" { &value } else { b"" });
        },
        check: |answer: Status<'_>| assert_eq!(answer.code, 200, "{}", String::from_utf8_lossy(answer.body)),
    };
    let (mut out, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    let mut spans = Vec::new();
    for time in 0..TIMES {
        turn.set(round * TIMES + time);
        out.clear();
        exchange.ask(&mut out);
        let begin = Instant::now();
        stream.write_all(&out).unwrap();
        call(&mut stream, &mut exchange, &mut buffer);
        spans.push(begin.elapsed().as_secs_f64() * 1000.0);
    }
    median(&spans)
}

/// Fills a database that Koor has made.
fn grow(directory: &Path, size: usize) {
    peers::koor(directory, &[]).process.stop();
    let versions = (size / 100).max(1);
    let statements = [
        format!(
            "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {size}) INSERT INTO document_key \
             SELECT n, 0, '', printf('project-%d/key-%07d', n % 100, n), 1 FROM n"
        ),
        "INSERT INTO document_version (key_id, version, deleted, size, updated_at, hash, content_type, updated_by, \
         value) SELECT id, 1, 0, 256, 1700000000000, ?1, 'application/json', 'bench', ?2 FROM document_key"
            .to_owned(),
        format!(
            "WITH RECURSIVE n(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM n WHERE n < {versions}) \
             INSERT INTO document_version (key_id, version, deleted, size, updated_at, hash, content_type, \
             updated_by, value) SELECT 1, n, 0, 256, 1700000000000, ?1, 'application/json', 'bench', ?2 FROM n \
             WHERE n <= {versions}"
        ),
        format!(
            "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {size}) INSERT INTO audit_log \
             SELECT n, 1700000000000 + n * 1000, printf('agent-%d', n % 50), 'state.put', \
             printf('project-%d/key-%07d', n % 100, n % 5000), iif(n % 1000 = 0, 'denied', 'success'), ?1, '{{}}' FROM n"
        ),
        "INSERT INTO audit_by SELECT 0, resource, id FROM audit_log ORDER BY resource, id".to_owned(),
        "INSERT INTO audit_by SELECT 1, actor, id FROM audit_log ORDER BY actor, id".to_owned(),
        "INSERT INTO audit_by SELECT 2, action, id FROM audit_log ORDER BY action, id".to_owned(),
        format!("UPDATE audit_indexed SET through = {size}"),
        format!(
            "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {size}) INSERT INTO event \
             SELECT n, 0, printf('bench.topic-%d', n % 100), 'bench', 1700000000000 + n * 1000, '{{\"n\":1}}' FROM n"
        ),
    ];
    let value: Vec<u8> = [b'"'].iter().chain(&[b'y'; 254]).chain(b"\"").copied().collect();
    let hash = Sha256::digest(&value).to_vec();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(directory.join("data.db"));
        let mut conn = options.connect().await.unwrap();
        for statement in &statements {
            let mut query = sqlx::query(AssertSqlSafe(statement.clone()));
            if statement.contains("?1") {
                query = query.bind(&hash);
            }
            if statement.contains("?2") {
                query = query.bind(&value);
            }
            query.execute(&mut conn).await.unwrap();
        }
    });
}
