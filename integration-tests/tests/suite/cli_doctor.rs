//! `koor doctor`: what is wrong, and what to do.

#![expect(clippy::panic, reason = "helpers of tests may fail as tests do")]

use integration_tests::{Server, Shell, Start};
use serde_json::{Value, json};

/// What was found about that, as `level found`.
fn found(out: &str, name: &str) -> String {
    let wanted = |line: &&str| line[5..].starts_with(&format!("{name}: "));
    out.lines().find(wanted).unwrap_or_else(|| panic!("no {name} in {out}")).to_owned()
}

#[test]
fn a_sound_server_is_found_sound() {
    let server = Server::start();
    let ran = Shell::at(&server).koor(&["doctor"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    for name in ["settings", "server", "clock", "token", "identity", "mcp", "work"] {
        assert!(found(&ran.out, name).starts_with("ok   "), "{}", ran.out);
    }
    assert!(found(&ran.out, "mcp").contains("5 tools: "), "{}", ran.out);
    let shell = Shell::at(&server).env("KOOR_DATA_DIR", server.directory().path().to_str().unwrap());
    let data = found(&shell.koor(&["doctor"]).out, "data");
    assert!(
        data.starts_with("ok   ") && data.ends_with(&format!("process {} has it open", server.pid())),
        "{data}"
    );
    // Looking changes nothing: the directory holds what it held.
    let json: Value = serde_json::from_str(&Shell::at(&server).koor(&["doctor", "--json"]).out).unwrap();
    assert_eq!(json[1]["name"], "server");
    assert_eq!(json[1]["level"], "ok");
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let shell = Shell::nowhere();
    let ran = shell.koor(&["doctor", "--server", "http://localhost:1"]);
    assert_eq!(ran.code, 1);
    assert!(
        found(&ran.out, "server").starts_with("fail server: cannot reach http://localhost:1"),
        "{}",
        ran.out
    );
    shell.file("settings.json", "{broken");
    let ran = shell.koor(&["doctor"]);
    assert_eq!(ran.code, 1);
    assert!(found(&ran.out, "settings").starts_with("fail settings: cannot read"), "{}", ran.out);
}

#[test]
fn a_token_is_tried() {
    let server = Start::default().args(["--auth-token", "right"]).start().unwrap();
    let shell = Shell::at(&server);
    let token = |words: &[&str]| found(&shell.koor(words).out, "token");
    assert!(token(&["doctor"]).starts_with("fail token: the server asks for one; "));
    assert!(token(&["doctor", "--token", "wrong"]).starts_with("fail token: the server does not take it; "));
    assert_eq!(
        token(&["doctor", "--token", "right"]),
        "ok   token: the server takes it; it allows everything"
    );
    let agent = server.site().token("right").post("/api/instances/register", &json!({"name": "a"})).ok();
    let (id, secret) = (agent["id"].as_str().unwrap(), agent["token"].as_str().unwrap());
    assert!(token(&["doctor", "--token", secret]).ends_with("it allows what agents may do"));
    shell.file(
        "settings.json",
        json!({"server": server.api, "token": "right", "instance_id": id}).to_string(),
    );
    let ran = shell.koor(&["doctor"]);
    assert!(found(&ran.out, "identity").starts_with("warn identity: a ("), "{}", ran.out);
    #[cfg(unix)]
    assert!(found(&ran.out, "settings").ends_with("run `chmod 600 settings.json`"), "{}", ran.out);
}

#[test]
fn what_the_client_reports_is_looked_for() {
    let server = Server::start();
    let (site, shell) = (server.site(), Shell::at(&server));
    let agent = site.post("/api/instances/register", &json!({"name": "a", "workspace": "p"})).ok();
    let id = agent["id"].as_str().unwrap_or_default().to_owned();
    shell.file("settings.json", json!({"server": server.api, "instance_id": id}).to_string());
    let telemetry = || found(&shell.koor(&["doctor"]).out, "telemetry");
    assert!(telemetry().starts_with("ok   telemetry: no usage of this agent has arrived"), "{}", telemetry());
    let usage = |instance: &str| json!({"provider": "x", "model": "y", "instance_id": instance});
    site.post("/api/llm/usage", &usage("(unattributed)")).ok();
    assert!(telemetry().starts_with("warn telemetry: no usage of this agent has arrived, and some of 20"));
    site.post("/api/llm/usage", &usage(&id)).ok();
    assert!(
        telemetry().starts_with("ok   telemetry: usage of this agent has arrived, of 20"),
        "{}",
        telemetry()
    );
}

#[test]
fn an_identity_that_nobody_knows_fails() {
    let server = Server::start();
    let shell = Shell::at(&server);
    shell.file("settings.json", json!({"instance_id": "00000000-0000-4000-8000-000000000000"}).to_string());
    let ran = shell.koor(&["doctor"]);
    assert_eq!(ran.code, 1);
    assert!(found(&ran.out, "identity").contains("does not know 00000000"), "{}", ran.out);
}

#[test]
fn a_database_that_serve_would_refuse_fails() {
    let shell = Shell::nowhere();
    let original = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/original.db");
    shell.file("data.db", std::fs::read(original).unwrap());
    let ran = shell.koor(&["doctor", "--server", "http://localhost:1"]);
    let data = found(&ran.out, "data");
    assert!(data.starts_with("fail data: ./data.db is a database of the original server"), "{data}");
    assert!(data.contains("run `koor import --from ./data.db`"), "{data}");
    shell.file("data.db", "hello");
    let data = found(&shell.koor(&["doctor", "--server", "http://localhost:1"]).out, "data");
    assert!(data.starts_with("fail data: ./data.db is no database of Koor"), "{data}");
}

#[test]
fn work_that_stands_still_is_named() {
    let server = Start::default().args(["--stale-after", "1s"]).start().unwrap();
    let (site, shell) = (server.site(), Shell::at(&server));
    let tasks = json!([{"title": "a"}, {"title": "b"}]);
    site.post("/api/tasks/Shop", &tasks).gives(201);
    let work = || found(&shell.koor(&["doctor"]).out, "work");
    assert_eq!(work(), "ok   work: tasks of one project: 0 claimed, 0 failed, 2 open, 0 review");
    let registered =
        site.post("/api/instances/register", &json!({"name": "silent", "workspace": "Shop"})).ok();
    let id = registered["id"].as_str().unwrap();
    site.post(&format!("/api/instances/{id}/activate"), &Value::Null).ok();
    let silent = site.instance(id);
    for number in [1, 2] {
        silent.post("/api/tasks/Shop/claim", &json!({"number": number})).ok();
    }
    silent.post("/api/leases/Shop", &json!({"paths": ["src"]})).gives(201);
    silent.post("/api/tasks/Shop/2/fail", &json!({"reason": "broken", "retry": false})).ok();
    let out = integration_tests::until(|| {
        site.post("/api/liveness/check", &Value::Null).ok();
        let out = shell.koor(&["doctor"]).out;
        out.contains("agents that are stale hold").then_some(out)
    });
    let lines: Vec<&str> = out.lines().filter(|line| line[5..].starts_with("work: ")).collect();
    assert!(
        lines[0]
            .starts_with("warn work: agents that are stale hold Shop/1 (silent), lease Shop/1 (silent); "),
        "{out}"
    );
    assert!(lines[1].starts_with("warn work: failed tasks: 1, in Shop; "), "{out}");
}
