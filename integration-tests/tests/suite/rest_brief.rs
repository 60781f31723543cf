//! The brief: JSON and text, its cursor, and its budget of tokens.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::thread;

use integration_tests::{Server, Shared, Site};
use serde_json::{Value, json};

static SERVER: Shared = Shared::new();

/// Registers an agent of that project, and calls as it does.
fn agent(site: &Site, project: &str, name: &str) -> Site {
    let registered = site.post("/api/instances/register", &json!({"name": name, "workspace": project})).ok();
    site.instance(registered["id"].as_str().unwrap())
}

fn text(by: &Site, query: &str) -> String {
    let reply = by.with("Accept", "text/plain").get(&format!("/api/brief{query}"));
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("text/plain; charset=utf-8")));
    reply.text().to_owned()
}

fn tokens(text: &str) -> usize {
    tiktoken_rs::o200k_base_singleton().encode_ordinary(text).len()
}

fn send(by: &Site, to: &str, more: &Value) -> u64 {
    let mut body = json!({"to": [to], "body": "Look."});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    by.post("/api/messages", &body).gives(201)["id"].as_u64().unwrap()
}

#[test]
fn a_brief_has_what_is_new_since_the_last_one() {
    let server = SERVER.server();
    let site = server.site();
    let (one, two) = (agent(&site, "News", "one"), agent(&site, "News", "two"));
    let first = one.get("/api/brief").ok();
    let empty = json!({
        "cursor": first["cursor"], "agent": "News/one", "messages": [], "claims": [],
        "ready": {"count": 0, "next": []}, "review": [], "leases": [], "waiting": [], "changes": [],
        "rules_changed": 0, "violations": 0, "budget": null,
    });
    assert_eq!(first, empty, "the first brief has no changes");
    two.put("/api/state/News/plan", &json!(1)).ok();
    two.put("/api/state/News/plan", &json!(2)).ok();
    two.put("/api/state/Other/plan", &json!(2)).ok();
    one.put("/api/state/News/own", &json!(2)).ok();
    two.post("/api/events/publish", &json!({"topic": "news.two.done"})).ok();
    site.post("/api/rules/import", &json!([{"project": "_global", "rule_id": "r", "pattern": "x"}])).ok();
    let id = send(&two, "one", &json!({}));
    let changes = json!([{"topic": "$state.changed", "count": 2}, {"topic": "news.two.done", "count": 1}]);
    // These move nothing: not the cursor, and not the message.
    let looked = one.get("/api/brief?peek=1").ok();
    assert_eq!((&looked["changes"], &looked["rules_changed"]), (&changes, &json!(1)));
    assert_eq!(one.get(&format!("/api/brief?since={}", first["cursor"])).ok()["changes"], changes);
    assert_eq!(one.send("HEAD", "/api/brief", "").status, 200);
    assert_eq!(one.get("/api/messages").ok()[0]["surfaced_at"], Value::Null);
    let second = one.get("/api/brief").ok();
    assert_eq!((&second["changes"], &second["messages"][0]["id"]), (&changes, &json!(id)));
    assert!(one.get("/api/messages").ok()[0]["surfaced_at"].is_string());
    let third = one.get("/api/brief").ok();
    assert_eq!((&third["changes"], &third["rules_changed"]), (&json!([]), &json!(0)));
    assert_eq!(third["messages"][0]["id"], id, "showing is not reading");
    site.get("/api/brief").refused(400, "this call needs an instance: send X-Koor-Instance or its token");
}

#[test]
fn a_brief_that_moved_nothing_is_confirmed_afterwards() {
    let server = SERVER.server();
    let site = server.site();
    let (one, two) = (agent(&site, "Seen", "one"), agent(&site, "Seen", "two"));
    one.get("/api/brief").ok();
    two.post("/api/events/publish", &json!({"topic": "seen.two.done"})).ok();
    let id = send(&two, "one", &json!({}));
    let looked = one.with("Accept", "text/plain").get("/api/brief?peek=1");
    let cursor: u64 = looked.header("x-koor-cursor").unwrap().parse().unwrap();
    assert_eq!(looked.header("x-koor-shown"), Some(id.to_string().as_str()));
    assert_eq!(one.get("/api/messages").ok()[0]["surfaced_at"], Value::Null);
    let seen = json!({"cursor": cursor, "messages": [id]});
    assert_eq!(one.post("/api/brief/seen", &seen).ok(), json!({"cursor": cursor}));
    assert!(one.get("/api/messages").ok()[0]["surfaced_at"].is_string());
    assert_eq!(one.get("/api/brief?peek=1").ok()["changes"], json!([]), "the cursor has moved");
    one.post("/api/brief/seen", &json!({"cursor": 1})).ok();
    assert_eq!(one.get("/api/brief?peek=1").ok()["changes"], json!([]), "forward only");
    let beyond = one.post("/api/brief/seen", &json!({"cursor": cursor + 1_000_000}));
    assert_eq!(beyond.status, 400);
    assert_eq!(two.post("/api/brief/seen", &seen).status, 404, "a message to another agent");
}

#[test]
fn the_cursor_survives_a_restart_and_a_new_instance_of_the_agent() {
    let server = Server::start();
    let directory = server.directory().clone();
    agent(&server.site(), "p", "one").get("/api/brief").ok();
    server.site().post("/api/events/publish", &json!({"topic": "p.done"})).ok();
    assert_eq!(server.stop().code, Some(0));
    let server = Server::start_within(&directory);
    let again = agent(&server.site(), "p", "one").get("/api/brief").ok();
    assert!(
        again["changes"].as_array().unwrap().contains(&json!({"topic": "p.done", "count": 1})),
        "{again}"
    );
}

#[test]
fn who_waits_for_paths_is_in_the_holders_brief() {
    let server = SERVER.server();
    let site = server.site();
    let (one, two) = (agent(&site, "Paths", "one"), agent(&site, "Paths", "two"));
    one.post("/api/leases/Paths", &json!({"paths": ["src"]})).gives(201);
    let waits = thread::spawn(move || {
        two.post("/api/leases/Paths?wait=30s", &json!({"paths": ["src/a"]})).gives(201)
    });
    // News of its own project end the wait, too: it is asked again then.
    let brief = integration_tests::until(|| {
        let brief = one.get("/api/brief?wait=10s").ok();
        (brief["waiting"] != json!([])).then_some(brief)
    });
    assert_eq!(brief["waiting"], json!([{"path": "src/a", "name": "two"}]));
    assert_eq!(brief["leases"][0]["paths"], json!(["src"]));
    assert!(text(&one, "").contains("two waits for src/a: koor lease release\n"));
    one.delete("/api/leases/Paths/1").ok();
    waits.join().unwrap();
}

#[test]
fn the_text_is_one_short_line_when_nothing_is_new() {
    let server = SERVER.server();
    let one = agent(&server.site(), "Quiet", "one");
    let quiet = text(&one, "");
    assert_eq!(quiet.lines().count(), 1);
    assert!(tokens(&quiet) <= 12, "{} tokens: {quiet}", tokens(&quiet));
}

#[test]
fn the_text_stays_within_its_budget_whatever_waits() {
    let server = SERVER.server();
    let site = server.site();
    for (number, hard) in ["subject", "qzXvJ9#k", "漢字かな交じり文", "🦀🧪∮⸘", "\u{a0}\u{2003}x", "a1b2c3d4"]
        .iter()
        .enumerate()
    {
        let project = format!("Budget{number}");
        let long = hard.repeat(12);
        let names: Vec<String> = (0..6).map(|n| format!("{n}{long}")).collect();
        let one = agent(&site, &project, "one");
        text(&one, "");
        for name in &names {
            let other = agent(&site, &project, name);
            for urgent in [true, false] {
                send(&other, "one", &json!({"subject": long, "urgent": urgent, "ack": true}));
                send(&other, "one", &json!({"body": long, "urgent": urgent}));
            }
            other
                .post(
                    "/api/events/publish",
                    &json!({"topic": format!("{}.{number}.x", project.to_lowercase())}),
                )
                .ok();
        }
        let shown = text(&one, "?peek=1");
        assert!(tokens(&shown) <= 300, "{} tokens:\n{shown}", tokens(&shown));
        assert!(shown.lines().count() >= 3, "there is room for some lines:\n{shown}");
        assert!(shown.starts_with("urgent message from "), "{shown}");
        let messages = shown.lines().filter(|line| line.contains("message from")).count();
        assert!(shown.ends_with(&format!("+{} more: koor msg inbox\n", 24 - messages)), "{shown}");
        // Only what was shown is marked.
        text(&one, "");
        let all = one.get("/api/messages").ok();
        let surfaced =
            all.as_array().unwrap().iter().filter(|message| message["surfaced_at"].is_string()).count();
        assert_eq!(surfaced, messages);
    }
}

#[test]
fn a_wait_ends_with_news() {
    let server = SERVER.server();
    let site = server.site();
    let (one, two) = (agent(&site, "Wait", "one"), agent(&site, "Wait", "two"));
    one.get("/api/brief").ok();
    assert_eq!(one.get("/api/brief?wait=10ms").ok()["messages"], json!([]));
    let waiting = {
        let one = one.clone();
        // Rules of every project are news, too, and another test changes some.
        let mut briefs = std::iter::repeat_with(move || one.get("/api/brief?wait=30s").ok());
        thread::spawn(move || briefs.find(|brief| brief["messages"] != json!([])).unwrap())
    };
    let id = send(&two, "one", &json!({}));
    assert_eq!(waiting.join().unwrap()["messages"][0]["id"], id);
}
