//! Backup and restore: what comes back, and what does not.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use integration_tests::{Server, Site, Start};
use serde_json::{Value, json};

/// Puts something of everything onto a server.
fn fill(site: &Site) {
    let registered = site.post("/api/instances/register", &json!({"name": "a", "capabilities": ["x"]})).ok();
    let id = registered["id"].as_str().unwrap();
    let agent = site.instance(id);
    agent.put("/api/state/a/b", &json!({"n": 1})).ok();
    agent.put("/api/state/a/b", &json!({"n": 2})).ok();
    site.with("Content-Type", "application/octet-stream").send("PUT", "/api/state/bytes", [0, 255, 1]).ok();
    site.put("/api/state/gone", &json!(1)).ok();
    site.delete("/api/state/gone").ok();
    let contract =
        json!({"kind": "contract", "endpoints": {"GET /": {"response": {"a": {"type": "string"}}}}});
    site.put("/api/contracts/p/c", &contract).ok();
    site.put("/api/validate/p/rules", &json!([{"rule_id": "r", "pattern": "x"}])).ok();
    site.post("/api/rules/propose", &json!({"project": "p", "rule_id": "idea", "pattern": "y"})).ok();
    site.post("/api/templates", &json!({"id": "t", "name": "T", "tags": ["z"]})).ok();
    let hook =
        json!({"id": "h", "url": "http://127.0.0.1:9/", "patterns": ["never.*"], "secret": "hush-hush"});
    site.post("/api/webhooks", &hook).ok();
    site.post("/api/llm/usage", &json!({"provider": "p", "model": "m", "tokens_in": 3})).ok();
}

/// Puts tasks, leases, messages and a brief onto a server, in project `w`: also what is held, and what others wait for.
fn fill_with_work(site: &Site) {
    let agent = |name: &str| {
        let agent = json!({"name": name, "workspace": "w"});
        site.instance(site.post("/api/instances/register", &agent).ok()["id"].as_str().unwrap())
    };
    let (one, two) = (agent("one"), agent("two"));
    two.get("/api/brief").ok();
    let tasks = json!([
        {"title": "a", "key": "a", "labels": ["ui"]}, {"title": "b", "after": ["a"], "parent": "c"}, {"title": "c", "key": "c"},
        {"title": "d", "needs": ["sql"], "assignee": "two", "priority": 0}, {"title": "held"},
    ]);
    one.post("/api/tasks/w", &tasks).gives(201);
    let claim = |by: &Site, number: u64| {
        by.post("/api/tasks/w/claim", &json!({"number": number})).ok();
    };
    claim(&one, 1);
    one.post("/api/tasks/w/1/done", &json!({"result": {"n": 1}, "note": "there"})).ok();
    claim(&two, 5);
    for (by, paths, task) in
        [(&one, "src/**", Value::Null), (&two, "docs", json!(5)), (&one, "free", Value::Null)]
    {
        by.post("/api/leases/w", &json!({"paths": [paths], "task": task, "reason": "x"})).gives(201);
    }
    one.delete("/api/leases/w/3").ok();
    let first = one.post("/api/messages", &json!({"to": ["two"], "body": "x", "ack": true})).gives(201);
    one.post("/api/messages", &json!({"to": ["*"], "body": "y", "urgent": true, "thread": "t"})).gives(201);
    two.post(&format!("/api/messages/{}/ack", first["id"]), &Value::Null).ok();
    two.get("/api/brief").ok();
    two.post("/api/messages", &json!({"to": ["one"], "body": "z", "reply_to": first["id"]})).gives(201);
}

const READS_OF_WORK: [&str; 11] = [
    "/api/tasks",
    "/api/tasks/w",
    "/api/tasks/w?ready=true&label=ui",
    "/api/tasks/w/1",
    "/api/tasks/w/1/notes",
    "/api/tasks/w/5",
    "/api/leases/w",
    "/api/messages?agent=w/one",
    "/api/messages?agent=w/two",
    "/api/messages?agent=w/two&unread=1",
    "/api/messages?agent=w/one&box=sent",
];

/// When claims and leases end is not compared: every call of a holder renews them, on either server.
fn without_ends(mut value: Value) -> Value {
    match &mut value {
        Value::Array(items) => items.iter_mut().for_each(|item| *item = without_ends(item.take())),
        Value::Object(fields) => {
            fields.remove("expires_at");
            fields.values_mut().for_each(|field| *field = without_ends(field.take()));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    value
}

#[test]
fn tasks_leases_messages_and_briefs_come_back_and_go_on() {
    let (old, new) = (Server::start(), Server::start());
    let (from, to) = (old.site(), new.site());
    fill_with_work(&from);
    let backup = from.get("/api/backup").ok();
    let counts = to.post("/api/backup/restore", &backup).ok();
    for (noun, count) in [("tasks", 5), ("leases", 2), ("messages", 3)] {
        assert_eq!(counts[noun], count, "{noun} of {counts}");
    }
    for path in READS_OF_WORK {
        assert_eq!(without_ends(to.get(path).ok()), without_ends(from.get(path).ok()), "{path}");
    }
    // The holders hold what they held, by the same fences and numbers; what waits goes on when its time comes.
    let ids = to.get("/api/instances").ok();
    let id = |name: &str| {
        let found = ids.as_array().unwrap().iter().find(|instance| instance["name"] == name).unwrap();
        found["id"].as_str().unwrap().to_owned()
    };
    let (one, two) = (to.instance(&id("one")), to.instance(&id("two")));
    one.post("/api/tasks/w/5/done", &json!({"fence": 1})).says(409, "claim lost: task 5 was taken by two");
    let next = one.post("/api/tasks/w/claim", &json!({})).ok();
    assert_eq!(next["task"]["number"], 2, "its turn came before the backup");
    one.post("/api/leases/w", &json!({"paths": ["docs/x"]})).says(409, "docs/x is held by two");
    two.post("/api/tasks/w/5/done", &json!({"fence": 1})).ok();
    // The lease that was bound to it has ended with it, and no number is given twice.
    assert_eq!(one.post("/api/leases/w", &json!({"paths": ["docs/x"]})).gives(201)["id"], 4);
    let brief = two.get("/api/brief").ok();
    assert_eq!(brief["messages"][0]["body"], "y", "{brief}");
    let created = one.post("/api/tasks/w", &json!({"title": "next"})).gives(201);
    assert_eq!(created["number"], 6);
    // A second restore into it changes nothing of them.
    let before = to.get("/api/tasks/w").ok();
    let again = to.post("/api/backup/restore", &backup).ok();
    assert_eq!(
        (&again["tasks"], &again["leases"], &again["messages"]),
        (&json!(0), &json!(0), &json!(0)),
        "{again}"
    );
    assert_eq!(without_ends(to.get("/api/tasks/w").ok()), without_ends(before));
}

const READS: [&str; 15] = [
    "/api/state/a/b?history=1",
    "/api/state/a/b",
    "/api/state/a/b?version=1",
    "/api/state/gone?history=1",
    "/api/state",
    "/api/specs",
    "/api/specs/p",
    "/api/specs/p/c?history=1",
    "/api/contracts/p",
    "/api/rules",
    "/api/templates",
    "/api/templates/t",
    "/api/llm/usage",
    "/api/llm/usage/summary",
    "/api/instances",
];

#[test]
fn a_fresh_server_reads_as_the_old_one_did() {
    let (old, new) = (Server::start(), Server::start());
    let (from, to) = (old.site(), new.site());
    fill(&from);
    let backup = from.get("/api/backup");
    assert_eq!((backup.status, backup.header("content-type")), (200, Some("application/json")));
    for secret in ["hush-hush", "token"] {
        assert!(!backup.text().contains(&format!("\"{secret}\"")), "{secret}");
    }
    let restored = to.send("POST", "/api/backup/restore", &backup.body);
    let counts = restored.ok();
    for (noun, count) in [
        ("state", 3),
        ("state_versions", 5),
        ("specs", 1),
        ("spec_versions", 1),
        ("rules", 2),
        ("templates", 1),
        ("webhooks", 1),
        ("instances", 1),
        ("usage", 1),
    ] {
        assert_eq!(counts[noun], count, "{noun} of {counts}");
    }
    for path in READS {
        assert_eq!(from.get(path).ok(), to.get(path).ok(), "{path}");
    }
    let bytes = to.get("/api/state/bytes");
    assert_eq!(
        (&bytes.body[..], bytes.header("content-type")),
        (&[0, 255, 1][..], Some("application/octet-stream"))
    );
    assert_eq!(bytes.header("etag"), from.get("/api/state/bytes").header("etag"));
    let hook = to.get("/api/webhooks/h").ok();
    assert_eq!(
        (&hook["url"], &hook["patterns"], &hook["has_secret"]),
        (&json!("http://127.0.0.1:9/"), &json!(["never.*"]), &json!(false))
    );
    assert_eq!(to.get("/api/audit/verify").ok()["valid"], true);
    assert_eq!(to.get("/api/audit?limit=1").ok()[0]["action"], "backup.restore");
    let entries = |site: &Site| site.get("/api/audit?action=state.put").ok();
    assert_eq!(entries(&from), entries(&to));
    assert_eq!(to.put("/api/state/gone", &json!(2)).ok()["version"], 3);
    // Restored where everything is there already, nothing is lost and nothing is there twice.
    to.send("POST", "/api/backup/restore", &backup.body).ok();
    assert_eq!(to.get("/api/rules").ok().as_array().map(Vec::len), Some(2));
}

#[test]
fn cursors_stay_valid_across_a_restore() {
    let (old, new) = (Server::start(), Server::start());
    let (from, to) = (old.site(), new.site());
    let publish = |site: &Site, n: u64| {
        site.post("/api/events/publish", &json!({"topic": "t", "data": n, "source": "s"})).ok()["id"]
            .as_u64()
            .unwrap()
    };
    let ids: Vec<_> = (0..8).map(|n| publish(&from, n)).collect();
    fill(&from);
    let backup = from.get("/api/backup").ok();
    let restored = to.post("/api/backup/restore", &backup).ok();
    assert!(restored["events"].as_u64().unwrap() > 3, "{restored}");
    for path in [
        "/api/events/history?last=100",
        &format!("/api/events/history?after={}&last=100", ids[5]),
        &format!("/api/events/wait?since={}&pattern=t&timeout=0s", ids[6]),
        &format!("/api/events/wait?since={}&pattern=t&timeout=0s", ids[0]),
    ] {
        let (theirs, ours) = (from.get(path).ok(), to.get(path).ok());
        // The new log goes on: what the restore did is in it, too.
        assert_eq!(of_topic(&theirs), of_topic(&ours), "{path}");
    }
    // The log goes on behind what came back, and a second restore into it leaves it alone.
    let next = publish(&to, 9);
    assert!(next > *ids.last().unwrap() && next > publish(&from, 9), "{next}");
    assert_eq!(to.post("/api/backup/restore", &backup).ok()["events"], 0);
}

/// The events that this test published, of a history or of a wait.
fn of_topic(answer: &Value) -> Vec<&Value> {
    let events = answer.as_array().or_else(|| answer["events"].as_array()).unwrap();
    events.iter().filter(|event| event["topic"] == "t").collect()
}

#[test]
fn events_of_a_backup_are_checked() {
    let server = Server::start();
    let site = server.site();
    let event = |id: u64| json!({"id": id, "topic": "t", "data": 1, "source": "", "created_at": "2026-01-02T03:04:05.000Z"});
    let (last, too_far) = ((1_u64 << 53) - 2, (1_u64 << 53) - 1);
    for (events, refusal) in [
        (json!([event(2), event(1)]), "event 1 comes after event 2"),
        (json!([event(0)]), "id"),
        (json!([event(too_far)]), "no event log reaches 9007199254740991"),
    ] {
        site.post("/api/backup/restore", &json!({"events": events})).says(400, refusal);
    }
    assert_eq!(site.get("/api/audit").ok(), json!([]));
    assert_eq!(site.post("/api/backup/restore", &json!({"events": [event(last)]})).ok()["events"], 1);
    site.post("/api/events/publish", &json!({"topic": "t"})).ok();
}

#[test]
fn the_file_of_the_original_client_is_taken_too() {
    let server = Server::start();
    let site = server.site();
    let file = json!({
        "state": {"Truck-Wash/sample": {"plate": "A"}, "n": 7},
        "rules": [{"project": "p", "rule_id": "r", "pattern": "x", "severity": "warning", "source": "local"}],
    });
    let restored = site.post("/api/backup/restore", &file).ok();
    assert_eq!((&restored["state"], &restored["rules"]), (&json!(2), &json!(1)));
    assert_eq!(site.get("/api/state/Truck-Wash/sample").ok(), json!({"plate": "A"}));
    assert_eq!(site.get("/api/state/n").ok(), 7);
    assert_eq!(site.get("/api/rules").ok()[0]["severity"], "warning");
}

#[test]
fn a_backup_that_can_not_be_changes_nothing() {
    let server = Server::start();
    let site = server.site();
    for bad in
        ["", "{", "[]", "7", "{\"state\": 7}", "{\"state\": {\"a\": 1}, \"rules\": [{\"pattern\": \"(\"}]}"]
    {
        site.send("POST", "/api/backup/restore", bad).says(400, "");
    }
    site.post("/api/backup/restore", &json!({"state": {"good": 1, "a//b": 2}})).says(400, "");
    assert_eq!(site.get("/api/state").ok(), json!([]));
    assert_eq!(site.get("/api/audit").ok(), json!([]));
}

#[test]
fn a_restore_may_be_larger_than_other_bodies() {
    let server = Start::default().args(["--max-body", "64KiB"]).start().unwrap();
    let site = server.site();
    let state: serde_json::Map<String, Value> =
        (0..100).map(|n| (format!("k{n}"), json!("x".repeat(5_000)))).collect();
    let body = json!({"state": state}).to_string();
    assert!(body.len() > 64 << 10);
    assert_eq!(site.send("POST", "/api/backup/restore", &body).ok()["state"], 100);
    let pieces: Vec<_> = body.as_bytes().chunks(10_000).collect();
    assert_eq!(site.send_chunked("POST", "/api/backup/restore", &pieces).status, 200);
}

#[test]
fn a_backup_is_of_one_moment_while_writes_go_on() {
    let server = Start::default().args(["--durability", "normal"]).start().unwrap();
    let site = server.site();
    for n in 0..50 {
        site.put("/api/state/first", &json!(n)).ok();
        site.put("/api/state/second", &json!(n)).ok();
    }
    let writer = {
        let site = site.clone();
        std::thread::spawn(move || {
            for n in 50..150 {
                site.put("/api/state/first", &json!(n)).ok();
                site.put("/api/state/second", &json!(n)).ok();
            }
        })
    };
    for _ in 0..5 {
        let backup = site.get("/api/backup").ok();
        let newest = |key: &str| {
            let versions = backup["state"].as_array().unwrap().iter().filter(|version| version["key"] == key);
            versions.map(|version| version["version"].as_u64().unwrap()).max().unwrap()
        };
        // The second follows the first: at any one moment it is level, or one behind.
        let (first, second) = (newest("first"), newest("second"));
        assert!(first == second || first == second + 1, "{first} {second}");
    }
    writer.join().unwrap();
}

#[test]
fn a_restore_has_a_limit_of_its_own_that_is_held_before_anything_is_read() {
    let server = Server::start();
    let length = ((1_u64 << 30) + 1).to_string();
    let told = server.site().with("Content-Length", &length).with("Expect", "100-continue");
    told.send("POST", "/api/backup/restore", "").says(413, "1073741824 bytes");
    assert_eq!(server.site().get("/api/audit").ok(), json!([]));
}
