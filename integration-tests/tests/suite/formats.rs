//! Databases of every format there was, opened by the program of today: it answers what the program that wrote them did.
//!
//! `koor-store-sqlite/tests/fixtures/make` made them, and says from which commits.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::{fs, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use integration_tests::{Site, Start};
use serde_json::{Value, json};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../koor-store-sqlite/tests/fixtures");

/// The same as in `make`: nothing happens by itself.
const FLAGS: [&str; 8] = [
    "--stale-after",
    "1s",
    "--compliance-every",
    "365d",
    "--auth-token",
    "admin",
    "--allow-outbound",
    "127.0.0.1",
];

/// An answer, as `make` writes it down.
fn answer(site: &Site, path: &str) -> Value {
    let reply = site.get(path);
    let mut answer = json!({
        "path": path,
        "status": reply.status,
        "content_type": reply.header("content-type"),
    });
    match std::str::from_utf8(&reply.body) {
        Ok(text) => answer["text"] = text.into(),
        Err(_) => answer["base64"] = STANDARD.encode(&reply.body).into(),
    }
    answer
}

/// The first of the fields that usage records have gained since; they stand at the end of each.
const NEW_OF_USAGE: &str = ",\"request_id\":";

/// An answer of today, without what usage records did not have.
fn as_it_was(mut answer: Value) -> Value {
    let is_usage = answer["path"].as_str().is_some_and(|path| path.starts_with("/api/llm/usage"));
    if let Some(text) = answer["text"].as_str().filter(|text| is_usage && text.contains(NEW_OF_USAGE)) {
        let mut pieces = text.split(NEW_OF_USAGE);
        let mut old = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            old.push_str(&piece[piece.find('}').unwrap()..]);
        }
        answer["text"] = old.into();
    }
    answer
}

/// The JSON of an answer.
fn parsed(answer: &Value) -> Option<Value> {
    answer["text"].as_str().and_then(|text| serde_json::from_str(text).ok())
}

fn bring(name: &str, directory: &Path) {
    for suffix in ["", "-wal"] {
        let file = Path::new(FIXTURES).join(format!("{name}.db{suffix}"));
        if file.exists() {
            fs::copy(file, directory.join(format!("data.db{suffix}"))).unwrap();
        }
    }
}

/// Opens a copy of that database, and compares every answer.
fn answers_as_before(name: &str) {
    let recorded = fs::read(Path::new(FIXTURES).join(format!("{name}.json"))).unwrap();
    let recorded: Vec<Value> = serde_json::from_slice(&recorded).unwrap();
    assert!(recorded.len() > 100, "{} answers", recorded.len());
    let start = Start::default().args(FLAGS);
    bring(name, start.directory());
    let server = start.start().unwrap();
    let site = server.site().token("admin");
    for expected in recorded {
        let now = answer(&site, expected["path"].as_str().unwrap());
        let now = as_it_was(now);
        // The program of that format ordered the fields of some answers in another way than those before and after it.
        if name.starts_with("format-4") && parsed(&now).is_some() {
            assert_eq!((parsed(&now), &now["status"]), (parsed(&expected), &expected["status"]), "{now}");
            continue;
        }
        assert_eq!(now, expected);
    }
    // It goes on from there, and after a restart all of it is there.
    site.put("/api/state/Truck-Wash/plan", &json!({"step": "next"})).ok();
    let directory = server.directory().clone();
    assert_eq!(server.stop().code, Some(0));
    let server = Start::default().args(FLAGS).within(&directory).start().unwrap();
    let site = server.site().token("admin");
    assert_eq!(site.get("/api/state/Truck-Wash/plan").ok(), json!({"step": "next"}));
    assert_eq!(site.get("/api/audit/verify").ok()["valid"], true);
}

#[test]
fn a_database_of_format_1_answers_what_it_did() {
    answers_as_before("format-1");
}

#[test]
fn a_database_of_format_1_whose_server_was_killed_answers_what_it_did() {
    answers_as_before("format-1-killed");
}

#[test]
fn a_database_of_format_2_answers_what_it_did() {
    answers_as_before("format-2");
}

#[test]
fn a_database_of_format_2_whose_server_was_killed_answers_what_it_did() {
    answers_as_before("format-2-killed");
}

#[test]
fn a_database_of_format_3_answers_what_it_did() {
    answers_as_before("format-3");
}

#[test]
fn a_database_of_format_3_whose_server_was_killed_answers_what_it_did() {
    answers_as_before("format-3-killed");
}

#[test]
fn a_database_of_format_4_answers_what_it_did() {
    answers_as_before("format-4");
}

#[test]
fn a_database_of_format_4_whose_server_was_killed_answers_what_it_did() {
    answers_as_before("format-4-killed");
}

#[test]
fn what_was_held_in_format_3_long_ago_ends_and_can_be_taken() {
    held_long_ago_ends("format-3-held");
}

#[test]
fn what_was_held_in_format_4_long_ago_ends_and_can_be_taken() {
    held_long_ago_ends("format-4-held");
}

fn held_long_ago_ends(name: &str) {
    let start = Start::default().args(FLAGS);
    bring(name, start.directory());
    let server = start.start().unwrap();
    let site = server.site().token("admin");
    let task = integration_tests::until(|| {
        let task = site.get("/api/tasks/Held/1").ok();
        (task["status"] == "open").then_some(task)
    });
    assert_eq!((&task["attempts"], &task["claim"], &task["fence"]), (&json!(1), &Value::Null, &json!(2)));
    integration_tests::until(|| (site.get("/api/leases/Held").ok() == json!([])).then_some(()));
    // What could be claimed is found by its label and needs, which stand elsewhere now.
    let register = |capabilities: Value| {
        let agent = json!({"name": "next", "workspace": "Held", "capabilities": capabilities});
        site.instance(site.post("/api/instances/register", &agent).ok()["id"].as_str().unwrap())
    };
    let claim = json!({"labels": ["ui"]});
    assert_eq!(register(json!(["a"])).post("/api/tasks/Held/claim", &claim).ok()["task"], Value::Null);
    let claimed = register(json!(["a", "b"])).post("/api/tasks/Held/claim", &claim).ok();
    assert_eq!(claimed["task"]["number"], 2);
    let lease = register(json!([])).post("/api/leases/Held", &json!({"paths": ["src"]})).gives(201);
    assert_eq!(lease["id"], 3, "no number is given twice");
}
