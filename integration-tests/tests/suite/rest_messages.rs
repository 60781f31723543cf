//! Messages between agents: every call, by its answers.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::thread;

use integration_tests::{Shared, Site, Start, steady};
use serde_json::{Value, json};

static SERVER: Shared = Shared::new();

/// Registers an agent of that project, and calls as it does.
fn agent(site: &Site, project: &str, name: &str) -> Site {
    let body = json!({"name": name, "workspace": project, "stack": "react", "capabilities": ["review"]});
    let registered = site.post("/api/instances/register", &body).ok();
    site.instance(registered["id"].as_str().unwrap())
}

/// The same answer, with the ids that depend on what else the server was asked taken out.
fn without_ids(mut message: Value) -> Value {
    message["id"].take();
    message["thread"].take();
    message
}

#[test]
fn a_message_is_sent_listed_read_and_acknowledged() {
    let server = SERVER.server();
    let site = server.site();
    let (one, two) = (agent(&site, "talk", "one"), agent(&site, "talk", "two"));
    let body = json!({"to": ["two"], "subject": "login", "body": "Look.", "ack": true, "urgent": true});
    let reply = one.post("/api/messages", &body);
    assert!(reply.cursor() > 0);
    let sent = reply.gives(201);
    let id = sent["id"].as_u64().unwrap();
    assert_eq!((id, &sent["thread"]), (reply.cursor(), &json!(id)), "its id is that of its event");
    let message = json!({
        "id": null, "thread": null, "from": "talk/one", "to": ["two"], "subject": "login", "body": "Look.",
        "ack": true, "urgent": true, "reply_to": null, "created_at": "<time>",
    });
    let with = |more: Value| {
        let mut expected = message.clone();
        expected.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        expected
    };
    assert_eq!(without_ids(steady(sent)), with(json!({"recipients": ["talk/two"]})));
    let inbox = |query: &str| two.get(&format!("/api/messages{query}")).ok();
    let nothing = json!({"surfaced_at": null, "read_at": null, "acked_at": null});
    assert_eq!(without_ids(steady(inbox("?unread=1")[0].clone())), with(nothing));
    assert_eq!(inbox(&format!("?after={id}")), json!([]));
    assert_eq!(inbox("?thread=other"), json!([]));
    assert_eq!(inbox(&format!("?thread={id}&box=inbox&limit=1")).as_array().unwrap().len(), 1);
    let receipt = json!({
        "project": "talk", "name": "two", "stored_at": "<time>", "surfaced_at": "<time>", "read_at": "<time>",
        "acked_at": null,
    });
    assert_eq!(two.post(&format!("/api/messages/{id}/read"), &Value::Null).steady(), receipt);
    assert_eq!(inbox("?unread=1"), json!([]));
    let many = two.post("/api/messages/read", &json!({"ids": [id]})).ok();
    assert_eq!(many[0]["id"], id);
    let acked = two.post(&format!("/api/messages/{id}/ack"), &Value::Null).steady();
    assert_eq!(acked["acked_at"], "<time>");
    let told = one.get(&format!("/api/messages/{id}")).ok();
    assert_eq!(steady(told["receipts"].clone()), json!([acked]));
    assert_eq!(one.get("/api/messages?box=sent").ok()[0]["acked_at"], told["receipts"][0]["acked_at"]);
    let events = site.get(&format!("/api/events/wait?since={}&pattern=$message.*", id - 1)).ok();
    let events = events["events"].as_array().unwrap();
    assert_eq!((&events[0]["id"], &events[0]["topic"]), (&json!(id), &json!("$message.sent")));
    assert_eq!(events[0]["data"]["body"], Value::Null, "the event has no body");
    // Other tests send messages on the same server.
    let acked = events.iter().find(|event| event["topic"] == "$message.acked" && event["data"]["id"] == id);
    assert_eq!(acked.unwrap()["data"]["name"], "two");
}

#[test]
fn what_is_wrong_is_refused_and_reaches_no_inbox() {
    let server = SERVER.server();
    let site = server.site();
    let (one, two) = (agent(&site, "bad", "one"), agent(&site, "bad", "two"));
    let post = |body: Value| one.post("/api/messages", &body);
    post(json!({"body": "x"})).refused(400, "to is required: at least one agent");
    post(json!({"to": ["two"]})).refused(400, "body is required");
    post(json!({"to": ["two", "no"], "body": "x"}))
        .refused(400, "there is no agent \"no\" in project bad; the agents there are: one, two");
    post(json!({"to": ["stack:go"], "body": "x"})).says(400, "no other agent has the stack \"go\"");
    post(json!({"to": ["two"], "body": "x".repeat(65_537)})).says(400, "at most 65536 are allowed");
    post(json!({"to": ["two"], "body": "x", "reply_to": 999_999})).refused(404, "message not found: 999999");
    site.post("/api/messages", &json!({"to": ["two"], "body": "x"})).says(400, "names no project");
    assert_eq!(two.get("/api/messages").ok(), json!([]));
    site.get("/api/messages").refused(400, "this call needs an instance: send X-Koor-Instance or its token");
    two.get("/api/messages?box=spam").refused(400, "unknown box \"spam\" (use inbox or sent)");
    two.get("/api/messages/none").refused(404, "message not found: none");
    two.post("/api/messages/999999/ack", &Value::Null).refused(404, "message not found: 999999");
    two.post("/api/messages/read", &json!({})).refused(400, "ids is required: at least one message");
    assert_eq!(site.get("/api/messages?agent=bad/two").ok(), json!([]));
}

#[test]
fn groups_reach_everyone_else_who_fits() {
    let server = SERVER.server();
    let site = server.site();
    let [one, ..] = ["one", "two", "three"].map(|name| agent(&site, "group", name));
    for to in ["*", "stack:react", "capability:review"] {
        let sent = one.post("/api/messages", &json!({"to": [to], "body": "x"})).gives(201);
        assert_eq!(sent["recipients"], json!(["group/three", "group/two"]), "{to}");
    }
}

#[test]
fn an_agent_with_a_token_sees_its_own_messages_only() {
    let server = Start::default().args(["--auth-token", "secret"]).start().unwrap();
    let admin = server.site().token("secret");
    let register = |name: &str| {
        let body = json!({"name": name, "workspace": "p"});
        let token = admin.post("/api/instances/register", &body).ok()["token"].clone();
        server.site().token(token.as_str().unwrap())
    };
    let (one, two, three) = (register("one"), register("two"), register("three"));
    let id = one.post("/api/messages", &json!({"to": ["two"], "body": "x"})).gives(201)["id"].clone();
    three
        .get(&format!("/api/messages/{id}"))
        .refused(403, &format!("message {id} is neither from p/three nor to it"));
    three
        .get("/api/messages?agent=p/two")
        .refused(403, "admin role required to read another agent's messages");
    assert_eq!(two.get(&format!("/api/messages/{id}")).ok()["id"], id);
    assert_eq!(admin.get("/api/messages?agent=p/two").ok()[0]["id"], id);
    let told = admin.post("/api/messages", &json!({"to": ["*"], "workspace": "p", "body": "x"})).gives(201);
    assert_eq!(
        (&told["from"], &told["recipients"]),
        (&json!("admin"), &json!(["p/one", "p/three", "p/two"]))
    );
}

#[test]
fn a_wait_ends_with_the_message_or_without_one() {
    let server = SERVER.server();
    let site = server.site();
    let (one, two) = (agent(&site, "wait", "one"), agent(&site, "wait", "two"));
    assert_eq!(two.get("/api/messages?unread=1&wait=10ms").ok(), json!([]));
    let waiting = {
        let two = two.clone();
        thread::spawn(move || two.get("/api/messages?unread=1&wait=30s").ok())
    };
    one.post("/api/messages", &json!({"to": ["two"], "body": "news"})).gives(201);
    assert_eq!(waiting.join().unwrap()[0]["body"], "news");
}
