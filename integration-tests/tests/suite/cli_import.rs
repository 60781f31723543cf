//! `koor import`: the database of an original server becomes one of ours, and a server serves it.
//!
//! `fixtures/original.db` and `fixtures/original-older.db` are made from `newer.sql` and `older.sql` in
//! `koor-store-sqlite/tests/original/`.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::{fs, path::Path, process::Output};

use integration_tests::{Start, koor};
use serde_json::{Value, json};
use tempfile::TempDir;

const OLD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/original.db");
const OLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/original-older.db");

fn import(from: &Path, to: &Path) -> Output {
    std::process::Command::new(koor())
        .args(["import", "--from"])
        .arg(from)
        .arg("--data-dir")
        .arg(to)
        .current_dir(to.parent().unwrap())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_server_goes_on_where_the_original_stopped() {
    let directory = std::sync::Arc::new(TempDir::new().unwrap());
    let before = fs::read(OLD).unwrap();
    let data = directory.path().join("data");
    let done = import(Path::new(OLD), &data);
    assert_eq!((done.status.code(), said(&done).as_str()), (Some(0), ""));
    let counts: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&counts["state"], &counts["state_versions"]), (&json!(4), &json!(9)));
    assert_eq!(fs::read(OLD).unwrap(), before);

    let server = Start::default().within(&directory).args(["--data-dir", "data"]).start().unwrap();
    let site = server.site();
    assert_eq!(site.get("/api/state/Truck-Wash/plan").text(), "{\"step\":  3}");
    let agent = site.with("Authorization", "Bearer tok-123");
    let put = agent.put("/api/state/Truck-Wash/plan", &json!({"step": 4})).ok();
    assert_eq!(put["version"], 4);
    let listed = site.get("/api/state/Truck-Wash/plan?history=1").ok();
    let by = &listed["versions"][0]["updated_by"];
    assert_eq!(by, "0b3c8a9e-6b1f-4a55-9b0e-3f7b4f6f2a11", "the old token names the old instance");
    assert_eq!(site.get("/api/audit/verify").ok()["valid"], true);
}

#[test]
fn every_noun_is_what_it_was_byte_by_byte() {
    let directory = std::sync::Arc::new(TempDir::new().unwrap());
    assert_eq!(import(Path::new(OLD), &directory.path().join("data")).status.code(), Some(0));
    let server = Start::default().within(&directory).args(["--data-dir", "data"]).start().unwrap();
    let site = server.site();
    let agent = "0b3c8a9e-6b1f-4a55-9b0e-3f7b4f6f2a11";

    let spec = site.get("/api/specs/Truck-Wash/api");
    assert_eq!(
        (spec.text(), spec.header("x-koor-version")),
        ("{\"kind\":\"contract\",\"version\":1,\"endpoints\":{}}", Some("4"))
    );
    assert_eq!(
        site.get("/api/specs/Truck-Wash").ok(),
        json!({
            "project": "Truck-Wash",
            "specs": [{"name": "api", "version": 4, "updated_at": "2026-02-09T15:00:00.000Z"}],
        })
    );
    assert_eq!(
        site.get("/api/rules?project=Truck-Wash").ok(),
        json!([
            {
                "project": "Truck-Wash", "rule_id": "no-any", "severity": "warning", "match_type": "regex",
                "pattern": ": any", "message": "", "stack": "react", "applies_to": ["*"], "source": "learned",
                "status": "proposed", "proposed_by": "goth", "context": "seen twice",
                "created_at": "2026-02-09T13:30:00.000Z",
            },
            {
                "project": "Truck-Wash", "rule_id": "no-log", "severity": "error", "match_type": "regex",
                "pattern": "console\\.log", "message": "no logging", "stack": "", "applies_to": ["*.ts"],
                "source": "local", "status": "accepted", "created_at": "2026-02-09T13:00:00.000Z",
            },
        ])
    );
    assert_eq!(
        site.get("/api/events/history?to=2026-03-01").text(),
        concat!(
            r#"[{"id":2,"topic":"build.failed","data":null,"source":"","created_at":"2026-02-09T16:00:01.000Z"},"#,
            r#"{"id":1,"topic":"truck-wash.frontend.done","data":{"n": 1.0},"source":"goth","#,
            r#""created_at":"2026-02-09T16:00:00.000Z"}]"#,
        )
    );
    // The first liveness run begins with the server, and may end after the first request.
    let stale = site.get("/api/events/wait?since=2&pattern=$instance.stale&timeout=30s").ok();
    assert_eq!(stale["events"].as_array().unwrap().len(), 1, "{stale}");
    assert_eq!(
        site.get("/api/instances").ok(),
        json!([{
            "id": agent, "name": "goth", "workspace": "/home/me/Truck-Wash", "intent": "forms", "stack": "goth",
            "capabilities": ["review", "test"], "status": "stale",
            "registered_at": "2026-02-09T13:00:00.000Z", "last_seen": "2026-02-09T16:00:00.000Z",
        }])
    );
    let mut webhook = site.get("/api/webhooks/ci").ok();
    // At the last of the old events, or past what the import itself has announced: none is sent again.
    assert!(webhook["cursor"].take().as_u64().is_some_and(|cursor| cursor >= 2), "{webhook}");
    assert_eq!(
        webhook,
        json!({
            "id": "ci", "url": "http://localhost:9/hook", "patterns": ["build.*"], "active": true,
            "created_at": "2026-02-09T13:00:00.000Z", "last_fired": "2026-02-09T16:00:01.000Z", "fail_count": 2,
            "has_secret": true, "cursor": null, "pending": 0, "last_error": "",
        })
    );
    assert_eq!(
        site.get("/api/templates/base").ok(),
        json!({
            "id": "base", "name": "Base", "description": "to begin with", "kind": "rules",
            "data": [{"rule_id": "x", "pattern": "x"}], "tags": ["go"], "version": 2,
            "created_at": "2026-02-01T00:00:00.000Z", "updated_at": "2026-02-02T00:00:00.000Z",
        })
    );
    assert_eq!(
        site.get("/api/compliance/history").ok(),
        json!([{
            "id": 1, "instance_id": agent, "project": "Truck-Wash", "contract": "api", "pass": false,
            "violations": [{"path": "endpoints", "message": "none"}], "run_at": "2026-02-09T15:30:00.000Z",
        }])
    );
    assert_eq!(
        site.get("/api/llm/usage").ok(),
        json!([{
            "id": 1, "provider": "anthropic", "model": "opus", "instance_id": agent, "project": "Truck-Wash",
            "tokens_in": 1200, "tokens_out": 340, "cost_usd": 0.0315, "request_type": "completion",
            "session_tag": "s1", "created_at": "2026-02-09T14:05:00.000Z",
            "request_id": "", "session": "", "task": "", "cache_read_tokens": 0, "cache_write_tokens": 0, "priced": true,
            "received_at": "2026-02-09T14:05:00.000Z",
        }])
    );
    assert_eq!(
        site.get(&format!("/api/metrics/agents/{agent}")).ok(),
        json!([{
            "instance_id": agent, "metric_name": "state_writes", "metric_value": 12, "period": "2026-02-09T14",
        }])
    );
}

#[test]
fn an_older_database_is_served_too() {
    let directory = std::sync::Arc::new(TempDir::new().unwrap());
    let before = fs::read(OLDER).unwrap();
    let done = import(Path::new(OLDER), &directory.path().join("data"));
    assert_eq!((done.status.code(), said(&done).as_str()), (Some(0), ""));
    assert_eq!(
        serde_json::from_slice::<Value>(&done.stdout).unwrap(),
        json!({
            "state": 1, "state_versions": 1, "specs": 0, "rules": 0, "events": 1, "instances": 1, "webhooks": 0,
            "compliance_runs": 0, "templates": 0, "audit": 0, "metrics": 0, "usage": 0, "renumbered": 0,
            "left_out": [],
        })
    );
    assert_eq!(fs::read(OLDER).unwrap(), before, "the old file was touched");

    let server = Start::default().within(&directory).args(["--data-dir", "data"]).start().unwrap();
    let site = server.site();
    let plan = site.get("/api/state/plan");
    assert_eq!((plan.text(), plan.header("x-koor-version")), ("{\"text\": \"as text\"}", Some("5")));
    let listed = site.get("/api/state/plan?history=1").ok();
    assert_eq!(listed["versions"][0]["updated_at"], "2026-01-05T10:00:00.000Z");
    assert_eq!(
        site.get("/api/events/history?to=2026-03-01").ok(),
        json!([{"id": 1, "topic": "hello", "data": "w", "source": "me", "created_at": "2026-01-05T10:00:00.000Z"}])
    );
}

#[test]
fn what_is_damaged_or_unfit_is_refused_before_there_is_a_data_directory() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    let refused = |name: &str, bytes: &[u8]| {
        let old = directory.path().join(name);
        fs::write(&old, bytes).unwrap();
        let refused = import(&old, &data);
        assert_eq!((refused.status.code(), &*refused.stdout), (Some(1), &b""[..]));
        assert!(!data.exists(), "{name}: a data directory was made");
        assert_eq!(fs::read(&old).unwrap(), bytes, "{name}: the old file was touched");
        said(&refused).replace(&old.display().to_string(), name)
    };

    let whole = fs::read(OLD).unwrap();
    // The second half: the header and the schema are in the first.
    let mut damaged = whole.clone();
    damaged[whole.len() / 2..].fill(0xA5);
    let said = refused("damaged.db", &damaged);
    assert!(said.starts_with("koor: nothing was imported: damaged.db is damaged: "), "{said}");

    let text = refused("data.txt", b"hello");
    assert_eq!(
        text,
        "koor: nothing was imported: data.txt is not the database of an original server: no SQLite database\n"
    );

    // As long as it was, so that nothing else moves: a key that has an empty segment now.
    let unfit = replaced(&whole, b"Truck-Wash/plan", b"Truck-Wash//lan");
    let said = refused("unfit.db", &unfit);
    assert!(
        said.starts_with(
            "koor: nothing was imported: 3 rows cannot be taken over: state_history Truck-Wash//lan: "
        ),
        "{said}"
    );
}

fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    assert_eq!(old.len(), new.len());
    let mut bytes = bytes.to_vec();
    let places: Vec<_> =
        bytes.windows(old.len()).enumerate().filter(|(_, at)| *at == old).map(|(at, _)| at).collect();
    for at in places {
        bytes[at..at + new.len()].copy_from_slice(new);
    }
    bytes
}

#[test]
fn a_directory_that_a_server_has_served_empty_can_be_filled() {
    let directory = std::sync::Arc::new(TempDir::new().unwrap());
    let data = directory.path().join("data");
    let serve = || Start::default().within(&directory).args(["--data-dir", "data"]).start().unwrap();
    assert_eq!(serve().stop().code, Some(0));
    assert_eq!(import(Path::new(OLD), &data).status.code(), Some(0));
    assert_eq!(serve().site().get("/api/state/Truck-Wash/plan").text(), "{\"step\":  3}");
}

#[test]
fn a_data_directory_with_something_in_it_stays_as_it_was() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    assert_eq!(import(Path::new(OLD), &data).status.code(), Some(0));
    let twice = import(Path::new(OLD), &data);
    assert_eq!(twice.status.code(), Some(1));
    assert_eq!(
        said(&twice),
        "koor: nothing was imported: data already exists: an import needs an empty data directory\n"
    );
}
