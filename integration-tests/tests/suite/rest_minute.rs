//! What the server does by itself once a minute: this test takes one.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::time::{Duration, Instant};

use integration_tests::{Server, Site, Start};
use serde_json::{Value, json};

fn data(events: &Value) -> Vec<Value> {
    events.as_array().unwrap().iter().map(|event| event["data"].clone()).collect()
}

fn publish(site: &Site, n: u64) -> u64 {
    site.post("/api/events/publish", &json!({"topic": "log", "data": n})).cursor()
}

#[test]
fn events_are_pruned_and_silent_instances_found_and_whoever_was_overtaken_is_told() {
    let flags = ["--event-retention", "3", "--change-retention", "100", "--stale-after", "1s"];
    let server = Start::default().args(flags).start().unwrap();
    let site = server.site();
    let mut quiet = site.stream("/api/events/stream?pattern=nothing");
    let registered = site.post("/api/instances/register", &json!({"name": "silent"})).ok();
    let id = registered["id"].as_str().unwrap();
    site.post(&format!("/api/instances/{id}/activate"), &Value::Null).ok();
    let ids: Vec<_> = (1..=10).map(|n| publish(&site, n)).collect();
    let change = site.put("/api/state/a", &json!(1)).cursor();

    let begun = Instant::now();
    let kept = loop {
        // Comes back when the instance is found stale, at the latest.
        let path = format!("/api/events/wait?since={}&pattern=nothing&timeout=1s", ids[9]);
        site.get(&path).ok();
        let kept = data(&site.get("/api/events/history?topic=*").ok());
        let stale = site.get("/api/instances/stale").ok() != json!([]);
        if stale && !kept.contains(&json!(7)) {
            break kept;
        }
        assert!(begun.elapsed() < Duration::from_secs(90), "{kept:?}");
    };
    // Pruned before or after the instance was found: its event may have pushed one more out, or not.
    let kept: Vec<_> = kept.into_iter().filter(Value::is_u64).collect();
    assert!(kept == [10, 9, 8] || kept == [10, 9], "{kept:?}");
    assert_eq!(site.get("/api/events/history?topic=agent.stale").ok().as_array().map(Vec::len), Some(1));
    // Who hears nothing hears at least that the server is there.
    quiet.comment();
    // Changes have a retention of their own.
    let found = site.get(&format!("/api/events/history?topic=$state.*&after={}", change - 1)).ok();
    assert_eq!(found[0]["id"], change);

    let oldest = site.get("/api/events/history?topic=log&after=0&last=1").ok()[0]["id"].as_u64().unwrap();
    let expired = site.get(&format!("/api/events/wait?since={}&pattern=log", ids[0])).gives(410);
    assert_eq!(expired, json!({"error": "cursor expired", "code": 410, "oldest": oldest}));
    // Who was just overtaken may still be served from memory; the next server has none.
    let directory = server.directory().clone();
    assert_eq!(server.stop().code, Some(0));
    let server = Server::start_within(&directory);
    let (site, client) = (server.site(), server.client());
    let gap = json!({"type": "gap", "missed": oldest - ids[0] - 1, "resume_from": oldest});
    let mut events = client.events(&format!("pattern=log&since={}", ids[0]));
    assert_eq!(events.next_event().unwrap(), gap);
    assert_eq!(events.next_event().unwrap()["id"], oldest);
    let mut stream = site.stream(&format!("/api/events/stream?pattern=log&since={}", ids[0]));
    let block = stream.block();
    assert_eq!((block.id, block.event.as_deref()), (None, Some("gap")));
    assert_eq!(serde_json::from_str::<Value>(&block.data).unwrap(), gap);
    assert_eq!(stream.block().id, Some(oldest));
    assert!(events.close());
}
