//! Several servers, each a process of its own, on one `PostgreSQL` database: `KOOR_TEST_POSTGRES` names it, such as the one that
//! `scripts/postgres-cluster` starts.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod database;

use std::{
    collections::BTreeMap,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

use integration_tests::{Client, Server, Site, Start, koor, until};
use serde_json::json;

use crate::database::Schema;

type Test = fn(&Schema);

/// Each test, by the promise that it holds the servers to.
const TESTS: [(&str, Test); 6] = [
    ("of_64_racing_writers_on_three_servers_one_wins", of_64_racing_writers_one_wins),
    ("each_subscriber_sees_each_event_once_while_a_server_is_killed", a_server_is_killed),
    ("a_token_works_on_every_server_at_once", a_token_works_everywhere),
    ("a_database_is_copied_with_tokens_and_audit_chain", a_database_is_copied),
    ("no_password_is_shown", no_password_is_shown),
    ("a_database_that_could_lose_changes_is_refused_with_the_reason", an_unsafe_database_is_refused),
];

fn main() {
    let Some(server) = database::server() else {
        println!(
            "PostgreSQL is not tested: KOOR_TEST_POSTGRES names no server (scripts/postgres-cluster starts one)"
        );
        return;
    };
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    for (name, test) in TESTS {
        if wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str())) {
            let schema = Schema::new(&server);
            test(&schema);
            println!("test {name} ... ok");
        }
    }
}

fn start(schema: &Schema) -> Server {
    Start::default().env("KOOR_STORE", &schema.url()).args(["--event-retention", "100000"]).start().unwrap()
}

fn of_64_racing_writers_one_wins(schema: &Schema) {
    let servers: Vec<Server> = (0..3).map(|_| start(schema)).collect();
    for round in 0..4 {
        let written = servers[round % 3].site().put("/api/state/race", &json!({"round": round})).ok();
        let path = format!("/api/state/race?if_version={}", written["version"]);
        let won: usize = thread::scope(|scope| {
            let writers: Vec<_> = (0..64)
                .map(|writer| {
                    let (site, path) = (servers[writer % 3].site(), &path);
                    scope.spawn(move || match site.put(path, &json!([round, writer])).status {
                        200 => 1,
                        412 => 0,
                        other => panic!("a writer was answered {other}"),
                    })
                })
                .collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).sum()
        });
        assert_eq!(won, 1, "round {round}");
    }
    for server in &servers {
        let history = server.site().get("/api/state/race?history=1").ok();
        assert_eq!(history["versions"][0]["version"], 8, "two versions a round, without a hole");
        assert_eq!(server.site().get("/api/audit/verify").ok()["valid"], true);
    }
}

/// Publishes numbers until told to stop; notes the id of each that was answered.
fn publish_on(client: &Client, done: &AtomicBool, answered: &Mutex<BTreeMap<u64, u64>>, writer: u64) {
    for n in 0.. {
        if done.load(Relaxed) {
            return;
        }
        let number = writer * 1_000_000 + n;
        let body = json!({"topic": "n", "data": number}).to_string();
        // Without an answer, the server is gone.
        let Some(reply) = client.try_send("POST", "/api/events/publish", &body) else { return };
        assert!(matches!(reply.status, 200 | 201), "{}", reply.body);
        answered.lock().unwrap().insert(reply.json()["id"].as_u64().unwrap(), number);
    }
}

fn a_server_is_killed(schema: &Schema) {
    let mut servers: Vec<Server> = (0..3).map(|_| start(schema)).collect();
    let (done, answered) = (AtomicBool::new(false), Mutex::new(BTreeMap::new()));
    let count = || answered.lock().unwrap().len();
    thread::scope(|scope| {
        for (writer, server) in (0..).zip(&servers) {
            let (client, done, answered) = (server.client(), &done, &answered);
            scope.spawn(move || publish_on(&client, done, answered, writer));
        }
        until(|| (count() > 300).then_some(()));
        servers[2].signal("KILL");
        let killed_at = count();
        until(|| (count() > killed_at + 300).then_some(()));
        // One that starts meanwhile takes part.
        let late = start(schema);
        let client = late.client();
        let joined_at = count();
        let (done, answered) = (&done, &answered);
        scope.spawn(move || publish_on(&client, done, answered, 3));
        until(|| (count() > joined_at + 300).then_some(()));
        done.store(true, Relaxed);
        servers.push(late);
    });
    let answered = answered.into_inner().unwrap();
    let last = *answered.keys().next_back().unwrap();
    for index in [0, 1, 3] {
        let seen = events(&servers[index].site(), last);
        let ids: Vec<u64> = seen.keys().copied().collect();
        let (first, end) = (ids[0], ids[ids.len() - 1]);
        assert_eq!(ids, (first..=end).collect::<Vec<_>>(), "server {index}: no hole and none twice");
        for (id, number) in &answered {
            assert_eq!(seen.get(id), Some(number), "server {index}: event {id} was answered");
        }
    }
}

/// All events up to one, page by page, as a client that polls gets them.
fn events(site: &Site, through: u64) -> BTreeMap<u64, u64> {
    let (mut seen, mut since) = (BTreeMap::new(), 0);
    while since < through {
        let page = site.get(&format!("/api/events/wait?pattern=n&since={since}&limit=500&timeout=10s")).ok();
        for event in page["events"].as_array().unwrap() {
            let id = event["id"].as_u64().unwrap();
            assert!(id > since, "out of order");
            since = id;
            assert_eq!(seen.insert(id, event["data"].as_u64().unwrap()), None, "{id} came twice");
        }
        since = since.max(page["cursor"].as_u64().unwrap());
    }
    seen
}

fn a_token_works_everywhere(schema: &Schema) {
    let servers: Vec<Server> = (0..2).map(|_| start(schema)).collect();
    for round in 0..10 {
        let (here, there) = (servers[round % 2].site(), servers[1 - round % 2].site());
        let name = format!("agent-{round}");
        let registered =
            here.post("/api/instances/register", &json!({"name": name, "workspace": "w"})).json();
        let (id, token) = (registered["id"].as_str().unwrap(), registered["token"].as_str().unwrap());
        let agent = there.token(token);
        agent.post(&format!("/api/instances/{id}/heartbeat"), &json!({})).ok();
    }
}

fn a_database_is_copied(schema: &Schema) {
    let sqlite = Server::start();
    let (site, directory) = (sqlite.site(), sqlite.directory().clone());
    site.put("/api/state/a/b", &json!({"x": 1})).ok();
    site.put("/api/state/a/b", &json!({"x": 2})).ok();
    let registered = site.post("/api/instances/register", &json!({"name": "agent", "workspace": "w"})).json();
    let (id, token) = (registered["id"].as_str().unwrap(), registered["token"].as_str().unwrap());
    let history = site.get("/api/state/a/b?history=1").json();
    drop(sqlite.stop());
    let from = format!("sqlite:{}", directory.path().display());
    let copy = |from: &str, to: &str| {
        Command::new(koor()).args(["store", "copy", "--from", from, "--to", to]).output().unwrap()
    };
    let copied = copy(&from, &schema.url());
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    let server = start(schema);
    let there = server.site();
    assert_eq!(there.get("/api/state/a/b?history=1").json(), history);
    there.token(token).post(&format!("/api/instances/{id}/heartbeat"), &json!({})).ok();
    assert_eq!(there.put("/api/state/a/b", &json!({"x": 3})).ok()["version"], 3);
    assert_eq!(there.get("/api/audit/verify").ok()["valid"], true);
    drop(server.stop());
    // Back into a new directory, and not into one that has something.
    let again = copy(&schema.url(), &from);
    assert!(String::from_utf8_lossy(&again.stderr).contains("not empty"), "{again:?}");
    let back = tempfile::tempdir().unwrap();
    let to = format!("sqlite:{}", back.path().join("data").display());
    assert!(copy(&schema.url(), &to).status.success());
    let server = Start::default().env("KOOR_STORE", &to).start().unwrap();
    assert_eq!(server.site().get("/api/state/a/b").json(), json!({"x": 3}));
    assert_eq!(server.site().get("/api/audit/verify").ok()["valid"], true);
}

fn no_password_is_shown(schema: &Schema) {
    let server = Start::default().env("KOOR_STORE", &schema.url_with_password("hush")).start().unwrap();
    let log = server.stop().log.join("\n");
    assert!(log.contains("store=postgres://"), "{log}");
    assert!(!log.contains("hush"), "{log}");
    // Nor when it cannot be reached.
    let nowhere = "postgres://koor:hush@127.0.0.1:1/koor";
    let refused = Start::default().env("KOOR_STORE", nowhere).start().unwrap_err();
    let log = refused.log.join("\n");
    assert!(refused.code != Some(0) && log.contains("127.0.0.1:1") && !log.contains("hush"), "{log}");
}

fn an_unsafe_database_is_refused(schema: &Schema) {
    let url = format!("{}%20-c%20synchronous_commit%3Doff", schema.url());
    let refused = Start::default().env("KOOR_STORE", &url).start().unwrap_err();
    let log = refused.log.join("\n");
    assert!(refused.code != Some(0) && log.contains("synchronous_commit is off"), "{log}");
}
