//! The event log followed: by WebSocket and by Server-Sent Events.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use integration_tests::{Block, Shared, Site, Start};
use serde_json::{Value, json};

static SERVER: Shared = Shared::new();

fn publish(site: &Site, topic: &str, n: u64) -> u64 {
    site.post("/api/events/publish", &json!({"topic": topic, "data": n})).cursor()
}

fn data(block: &Block) -> Value {
    let event: Value = serde_json::from_str(&block.data).unwrap();
    assert_eq!(block.id, event["id"].as_u64());
    assert_eq!(block.event, None);
    event["data"].clone()
}

#[test]
fn a_stream_carries_each_event_with_its_id() {
    let server = SERVER.server();
    let site = server.site();
    let mut stream = site.stream("/api/events/stream?pattern=sse.a.*");
    publish(&site, "sse.other", 1);
    let id = publish(&site, "sse.a.x", 2);
    let block = stream.block();
    assert_eq!((block.id, block.event.as_deref()), (Some(id), None));
    let event = integration_tests::steady(serde_json::from_str(&block.data).unwrap());
    let expected = json!({"id": id, "topic": "sse.a.x", "data": 2, "source": "", "created_at": "<time>"});
    assert_eq!(event, expected);
}

#[test]
fn a_stream_goes_on_where_the_client_was() {
    let server = SERVER.server();
    let site = server.site();
    let ids: Vec<_> = (1..=3).map(|n| publish(&site, "sse.since", n)).collect();
    let path = format!("/api/events/stream?pattern=sse.since&since={}", ids[0]);
    let mut since = site.stream(&path);
    assert_eq!([data(&since.block()), data(&since.block())], [2, 3]);
    publish(&site, "sse.since", 4);
    assert_eq!(data(&since.block()), 4);
    // The same address again, by a client that has seen more.
    let mut again = site.with("Last-Event-ID", &ids[1].to_string()).stream(&path);
    assert_eq!([data(&again.block()), data(&again.block())], [3, 4]);
    site.with("Last-Event-ID", "x").get(&path).says(400, "Last-Event-ID");
    site.get("/api/events/stream?pattern=[a").says(400, "pattern");
}

#[test]
fn a_subscriber_gets_what_was_kept_and_then_what_comes_without_gap_or_repeat() {
    let server = SERVER.server();
    let (site, client) = (server.site(), server.client());
    let first = publish(&site, "ws.many", 0);
    for n in 1..=200 {
        publish(&site, "ws.many", n);
    }
    let mut events = client.events(&format!("pattern=ws.many&since={first}"));
    let publisher = {
        let site = site.clone();
        std::thread::spawn(move || (201..=300).map(|n| publish(&site, "ws.many", n)).max())
    };
    let mut last = first;
    for n in 1..=300 {
        let event = events.next_event().unwrap();
        assert_eq!((&event["data"], &event["topic"]), (&json!(n), &json!("ws.many")));
        let id = event["id"].as_u64().unwrap();
        assert!(id > last);
        last = id;
    }
    assert_eq!(publisher.join().unwrap(), Some(last));
    assert!(events.close());
}

#[test]
fn a_subscriber_may_name_several_patterns_without_escapes() {
    let server = SERVER.server();
    let (site, client) = (server.site(), server.client());
    let mut events = client.events("pattern=truck-wash.*&pattern=$spec.*&pattern=[xy]y");
    publish(&site, "truck-wash", 1);
    publish(&site, "truck-wash.done", 2);
    site.put("/api/state/ws", &json!(1)).ok();
    site.put("/api/specs/ws/s", &json!(1)).ok();
    publish(&site, "zy", 3);
    publish(&site, "xy", 4);
    let topics: Vec<_> = (0..3).map(|_| events.next_event().unwrap()["topic"].clone()).collect();
    assert_eq!(topics, ["truck-wash.done", "$spec.changed", "xy"]);
    for path in ["subscribe?pattern=[a", "subscribe?pattern=a&pattern=\\"] {
        site.get(&format!("/api/events/{path}")).says(400, "pattern");
    }
}

#[test]
fn a_plain_request_is_told_to_upgrade() {
    let server = SERVER.server();
    let reply = server.site().get("/api/events/subscribe");
    reply.says(426, "WebSocket");
    assert_eq!(reply.header("upgrade"), Some("websocket"));
}

#[test]
fn a_client_without_headers_may_show_its_token_in_the_query() {
    let server = Start::default().args(["--auth-token", "s3cret-token"]).start().unwrap();
    let (site, client) = (server.site(), server.client());
    let admin = site.token("s3cret-token");
    let mut events = client.events("pattern=a&access_token=s3cret-token");
    let mut stream = site.stream("/api/events/stream?pattern=a&access_token=s3cret-token");
    publish(&admin, "a", 7);
    assert_eq!(events.next_event().unwrap()["data"], 7);
    assert_eq!(data(&stream.block()), 7);
    for path in ["stream", "subscribe", "stream?access_token=wrong", "subscribe?access_token="] {
        site.get(&format!("/api/events/{path}")).refused(401, "invalid or missing bearer token");
    }
    site.get("/api/state?access_token=s3cret-token").refused(401, "invalid or missing bearer token");
    drop(stream);
    assert!(events.close());
    let log = server.stop().log;
    assert!(log.iter().any(|line| line.contains("/api/events/stream")), "{log:#?}");
    assert!(!log.iter().any(|line| line.contains("s3cret-token")), "{log:#?}");
}

#[test]
fn a_cursor_from_beyond_the_log_is_a_gap_that_is_told() {
    let server = SERVER.server();
    let (site, client) = (server.site(), server.client());
    let mut events = client.events("pattern=ws.gap&since=999999999");
    let mut stream = site.stream("/api/events/stream?pattern=ws.gap&since=999999999");
    let gap = events.next_event().unwrap();
    let resume_from = gap["resume_from"].as_u64().unwrap();
    assert_eq!(gap, json!({"type": "gap", "missed": 0, "resume_from": resume_from}));
    let block = stream.block();
    assert_eq!((block.id, block.event.as_deref()), (None, Some("gap")));
    let gap: Value = serde_json::from_str(&block.data).unwrap();
    assert_eq!((&gap["type"], &gap["missed"]), (&json!("gap"), &json!(0)));
    let id = publish(&site, "ws.gap", 1);
    assert!(id >= resume_from);
    assert_eq!(events.next_event().unwrap()["id"], id);
    assert_eq!(stream.block().id, Some(id));
}
