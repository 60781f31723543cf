//! What a claim costs where there are many tasks, most of which do not fit, and a check of paths against many leases.

use std::{
    cell::RefCell,
    net::{SocketAddr, TcpStream},
    path::Path,
    time::{Duration, Instant},
};

use sqlx::{AssertSqlSafe, ConnectOptions as _, sqlite::SqliteConnectOptions};

use super::koor::{ask, register};
use crate::{
    paced,
    parts::Ground,
    peers,
    report::{Report, Target},
    stats::{median, quantile, ratio},
    wire::{Exchange as _, Http, Status, find, number, request_as},
};

/// How many tasks there are, how many of them are open, and so many open ones fit nobody who asks.
const SIZES: [(usize, usize); 2] = [(1_000, 1_000), (1_000_000, 100_000)];

/// How often each claim is made in a round.
const TIMES: usize = 100;

/// What is claimed, by the body of the claim, from a project in which open tasks do not fit for that reason.
const QUESTIONS: [(&str, &str, &str); 4] = [
    ("all fit", "fit", "{}"),
    ("all but a few need what the agent lacks", "needs", "{}"),
    ("all but a few have another label", "label", "{\"labels\":[\"ui\"]}"),
    ("all but a few are another agent's", "assignee", "{}"),
];

/// How many leases there are when paths are checked.
const LEASES: usize = 10_000;

pub(super) fn measure(ground: &Ground, report: &mut Report) {
    claims(ground, report);
    checks(ground, report);
}

fn claims(ground: &Ground, report: &mut Report) {
    let servers = SIZES.map(|(all, open)| {
        let directory = ground.directory(&format!("tasks-{all}"));
        for (_, project, _) in QUESTIONS {
            grow(&directory, project, all, open);
        }
        peers::koor(&directory, &[])
    });
    let mut rows = Vec::new();
    for (what, project, body) in QUESTIONS {
        let mut found = SIZES.map(|_| Vec::new());
        for _ in 0..ground.depth.rounds() {
            for (server, found) in servers.iter().zip(&mut found) {
                found.push(p50(server.place, project, body));
            }
        }
        let [small, large] = &found;
        let grown = ratio(large, small);
        rows.push(vec![
            what.to_owned(),
            format!("{:.3}", median(small)),
            format!("{:.3}", median(large)),
            format!("{grown:.2}"),
        ]);
        report.target(
            &format!("claim-next, 1,000,000 tasks (100,000 open), {what}"),
            "1,000 tasks",
            grown,
            "×",
            Target::AtMost(1.5),
        );
    }
    let head = ["p50 of a claim, ms, with so many tasks", "1,000", "1,000,000 (100,000 open)", "ratio"];
    report.table("Claims among many tasks", &head, &rows);
}

/// The median latency of a claim in ms, on a connection of its own. Each claimed task is given back, unmeasured.
fn p50(place: SocketAddr, project: &str, body: &str) -> f64 {
    use std::io::Write as _;
    let id = register(place, "asks", project);
    let mut stream = TcpStream::connect(place).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let claimed: RefCell<Option<usize>> = RefCell::new(None);
    let mut exchange = Http {
        next: |out: &mut Vec<u8>| match *claimed.borrow() {
            None => {
                request_as(out, &id, "POST", &format!("/api/tasks/{project}/claim"), body.as_bytes());
            }
            Some(task) => {
                request_as(out, &id, "POST", &format!("/api/tasks/{project}/{task}/release"), b"");
            }
        },
        check: |answer: Status<'_>| {
            let text = String::from_utf8_lossy(answer.body);
            assert_eq!(answer.code, 200, "{text}");
            let mut claimed = claimed.borrow_mut();
            *claimed = claimed.is_none().then(|| {
                let at = find(answer.body, b"\"number\":").unwrap_or_else(|| panic!("no task: {text}"));
                number(&answer.body[at + 9..])
            });
        },
    };
    let (mut out, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    let mut spans = Vec::new();
    for turn in 0..2 * TIMES {
        out.clear();
        exchange.ask(&mut out);
        let begin = Instant::now();
        stream.write_all(&out).unwrap();
        paced::call(&mut stream, &mut exchange, &mut buffer);
        if turn % 2 == 0 {
            spans.push(begin.elapsed().as_secs_f64() * 1000.0);
        }
    }
    median(&spans)
}

/// Fills a project of a database that Koor has made: with done tasks, with open ones that come first and do not fit, and ten
/// that do.
fn grow(directory: &Path, project: &str, all: usize, open: usize) {
    let koor = peers::koor(directory, &[]);
    let fitting = ["{\"title\":\"t\",\"labels\":[\"ui\"],\"priority\":3}"; 10].join(",");
    ask(koor.place, "", "POST", &format!("/api/tasks/{project}"), format!("[{fitting}]").as_bytes());
    koor.process.stop();
    let misfit = match project {
        "needs" => "'', '[\"ui\"]', 'gpu' || char(1)",
        "label" => "'', '[\"docs\"]', ''",
        "assignee" => "'another', '[\"ui\"]', ''",
        _ => "'', '[\"ui\"]', ''",
    };
    let done = all - open;
    let insert = |from: usize, count: usize, status: &str, claimable: u8| {
        format!(
            "INSERT INTO task (project, number, status, priority, claimable, delayed, assignee, labels, needs, data) \
             WITH RECURSIVE n (n) AS (SELECT {from} UNION ALL SELECT n + 1 FROM n WHERE n < {from} + {count} - 1) \
             SELECT project, n, '{status}', 2, {claimable}, 0, {misfit}, json_set(data, '$.number', n, '$.priority', 2, \
             '$.status', '{status}', '$.claimable', json(iif({claimable} = 1, 'true', 'false'))) FROM task, n \
             WHERE project = '{project}' AND number = 1"
        )
    };
    let mut statements = vec![insert(11, open, "open", 1)];
    if done > 0 {
        statements.push(insert(11 + open, done, "done", 0));
    }
    statements.push(format!(
        "UPDATE task_project SET last = last + {all}, claimable = claimable + {open}, done = done + {done} WHERE project = '{project}'"
    ));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(directory.join("data.db"));
        let mut conn = options.connect().await.unwrap();
        for statement in statements {
            sqlx::query(AssertSqlSafe(statement)).execute(&mut conn).await.unwrap();
        }
    });
}

fn checks(ground: &Ground, report: &mut Report) {
    let koor = peers::koor(&ground.directory("tasks-leases"), &[]);
    let holders: Vec<String> =
        (0..20).map(|n| register(koor.place, &format!("holder-{n}"), "bench")).collect();
    for n in 0..LEASES {
        let body = format!("{{\"paths\":[\"src/part-{}/file-{n}.rs\",\"docs/{n}/*.md\"]}}", n % 100);
        ask(koor.place, &holders[n % holders.len()], "POST", "/api/leases/bench", body.as_bytes());
    }
    let asks = register(koor.place, "asks", "bench");
    let span = 2 * ground.depth.span();
    let mut rows = Vec::new();
    for (what, path) in [
        ("a file that is held", "src/part-7/file-507.rs"),
        ("a file that is free", "src/part-7/other.rs"),
        ("a directory of 100 leases", "src/part-7"),
    ] {
        let latencies = paced::latencies(koor.place, 4, 500.0, span, |_| {
            let (id, body) = (asks.clone(), format!("{{\"paths\":[\"{path}\"]}}"));
            Http {
                next: move |out: &mut Vec<u8>| {
                    request_as(out, &id, "POST", "/api/leases/bench/check", body.as_bytes());
                },
                check: |answer: Status<'_>| assert_eq!(answer.code, 200),
            }
        });
        let p99 = quantile(&latencies, 0.99);
        rows.push(vec![what.to_owned(), format!("{:.2}", median(&latencies)), format!("{p99:.2}")]);
        if !what.starts_with("a directory") {
            let shown = format!("lease check against 10,000 leases, {what}, p99");
            report.target(&shown, "500 a second", p99, " ms", Target::AtMost(1.0));
        }
    }
    report.table(
        "Checks of a path against 10,000 leases, 500 a second over 4 connections, ms",
        &["what", "p50", "p99"],
        &rows,
    );
}
