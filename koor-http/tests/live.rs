//! The live end of the event log: WebSocket, Server-Sent Events, waiting.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what goes wrong here is a failed test")]

mod common;

use std::time::Duration;

use common::{Answer, Client, Plan, Site, TOKEN};
use futures_util::StreamExt as _;
use koor_core::{Caller, Koor, domain::RawJson, ids::Topic, use_cases::PublishEvent};
use serde_json::{Value, json};
use tokio::{io::AsyncReadExt as _, net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

async fn publish(koor: &Koor, topic: &str, data: &str) {
    let command = PublishEvent::new(Topic::new(topic).unwrap(), RawJson::parse(data).unwrap(), None).unwrap();
    koor.execute(&Caller::local(), command).await.unwrap();
}

const UPGRADE: [(&str, &str); 4] = [
    ("connection", "keep-alive, Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

async fn upgrade(site: &Site, target: &str, headers: &[(&str, &str)]) -> (Answer, Client) {
    let mut client = site.client().await;
    let headers: Vec<_> = UPGRADE.into_iter().chain(headers.iter().copied()).collect();
    let answer = client.send("GET", target, &headers, b"").await;
    (answer, client)
}

/// Subscribes by WebSocket.
async fn subscribe(site: &Site, query: &str) -> WebSocketStream<TcpStream> {
    let (answer, client) = upgrade(site, &format!("/api/events/subscribe{query}"), &[]).await;
    assert_eq!(answer.status, 101, "{}", answer.text());
    assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    let (stream, early) = client.into_parts();
    WebSocketStream::from_partially_read(stream, early, Role::Client, None).await
}

/// The next frame with something in it.
async fn next(socket: &mut WebSocketStream<TcpStream>) -> Message {
    loop {
        match timeout(Duration::from_secs(20), socket.next()).await.unwrap() {
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(message) => return message.unwrap(),
            None => panic!("the WebSocket ended without a word"),
        }
    }
}

async fn event(socket: &mut WebSocketStream<TcpStream>) -> Value {
    serde_json::from_str(next(socket).await.to_text().unwrap()).unwrap()
}

#[tokio::test]
async fn a_websocket_gets_what_was_kept_and_then_what_comes() {
    let site = Site::open().await;
    publish(&site.koor, "a.old", "1").await;
    publish(&site.koor, "b.old", "2").await;
    let mut socket = subscribe(&site, "?since=0&pattern=a.*&pattern=c").await;
    publish(&site.koor, "a.new", "{\"x\": 1}").await;
    publish(&site.koor, "b.new", "4").await;
    publish(&site.koor, "c", "5").await;
    assert_eq!(
        event(&mut socket).await,
        json!({"id": 1, "topic": "a.old", "data": 1, "source": "", "created_at": "2026-02-16T14:00:00.000Z"})
    );
    assert_eq!(event(&mut socket).await["id"], 3);
    assert_eq!(event(&mut socket).await["id"], 5);
    assert_eq!(site.koor.subscribers(), 1);
    socket.close(None).await.unwrap();
    while socket.next().await.is_some() {}
    while site.koor.subscribers() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_websocket_without_since_gets_only_what_comes() {
    let site = Site::open().await;
    publish(&site.koor, "old", "1").await;
    let mut socket = subscribe(&site, "").await;
    publish(&site.koor, "new", "2").await;
    assert_eq!(event(&mut socket).await["topic"], "new");
}

#[tokio::test]
async fn what_is_no_websocket_is_told_so() {
    let site = Site::open().await;
    let plain = site.get("/api/events/subscribe").await;
    assert_eq!((plain.status, plain.header("upgrade")), (426, Some("websocket")));
    plain.error();
    assert_eq!(upgrade(&site, "/api/events/subscribe?pattern=[a", &[]).await.0.status, 400);
    assert_eq!(upgrade(&site, "/api/events/subscribe?since=x", &[]).await.0.status, 400);
    assert_eq!(site.koor.subscribers(), 0);
}

#[tokio::test]
async fn a_token_may_stand_in_the_query_of_a_subscription() {
    let site = Site::guarded().await;
    assert_eq!(upgrade(&site, "/api/events/subscribe", &[]).await.0.status, 401);
    assert_eq!(upgrade(&site, "/api/events/subscribe?access_token=x", &[]).await.0.status, 401);
    let target = format!("/api/events/subscribe?access_token={TOKEN}");
    assert_eq!(upgrade(&site, &target, &[]).await.0.status, 101);
    let bearer = format!("Bearer {TOKEN}");
    assert_eq!(upgrade(&site, "/api/events/subscribe", &[("authorization", &bearer)]).await.0.status, 101);
}

#[tokio::test]
async fn a_subscriber_is_told_goodbye_when_the_server_stops() {
    let site = Site::open().await;
    let mut socket = subscribe(&site, "").await;
    let mut stream = site.client().await;
    let head = stream.head("GET", "/api/events/stream", &[], 0);
    stream.write(&head).await;
    stream.read_head().await;
    let told = tokio::spawn(async move {
        let Message::Close(Some(frame)) = next(&mut socket).await else { panic!("no goodbye") };
        while socket.next().await.is_some() {}
        u16::from(frame.code)
    });
    site.stop().await;
    assert_eq!(told.await.unwrap(), 1001);
    assert_eq!(stream.chunk().await, b"");
}

#[tokio::test]
async fn a_silent_peer_is_pinged_and_dropped() {
    let mut plan = Plan::default();
    plan.http.ping_every = Duration::from_millis(50);
    plan.http.peer_timeout = Duration::from_millis(200);
    let site = Site::with(plan).await;
    let (_, mut client) = upgrade(&site, "/api/events/subscribe", &[]).await;
    let mut alive = subscribe(&site, "").await;
    // The first never answers a ping; the second does, by reading.
    let reading = tokio::spawn(async move { while alive.next().await.is_some() {} });
    let mut frames = Vec::new();
    timeout(Duration::from_secs(20), client.stream.read_to_end(&mut frames)).await.unwrap().unwrap();
    assert_eq!(frames[..10], *b"\x89\x08cursor=0", "a ping that tells where the log ends");
    assert_eq!(site.koor.subscribers(), 1);
    reading.abort();
}

#[tokio::test]
async fn a_slow_subscriber_gets_everything_kept_and_is_told_of_the_rest() {
    const EVENTS: u64 = 600;
    const KEPT: u64 = 100;
    let mut plan = Plan::default();
    plan.core.event_retention = KEPT;
    plan.core.tail_events = 10;
    let site = Site::with(plan).await;
    let mut socket = subscribe(&site, "").await;
    // More than the sockets between them hold, while the subscriber does not read.
    let data = format!("\"{}\"", "x".repeat(30_000));
    for _ in 0..EVENTS {
        publish(&site.koor, "t", &data).await;
        tokio::task::yield_now().await;
    }
    site.koor.prune_events().await.unwrap();
    let (mut seen, mut missed) = (Vec::new(), 0);
    while seen.last() != Some(&EVENTS) {
        let frame = event(&mut socket).await;
        if frame["type"] == "gap" {
            missed += frame["missed"].as_u64().unwrap();
            assert_eq!(frame["resume_from"], EVENTS - KEPT + 1);
        } else {
            seen.push(frame["id"].as_u64().unwrap());
        }
    }
    assert!(seen.is_sorted(), "in the order of ids");
    assert!(missed > 0, "the peer was slow");
    assert_eq!(seen.len() as u64 + missed, EVENTS, "everything was seen, or told of");
    let metrics = site.get("/metrics").await.text();
    assert!(metrics.contains(&format!("koor_events_missed_total {missed}\n")));
}

#[tokio::test]
async fn a_stream_carries_ids_and_goes_on_after_the_last_one_seen() {
    let site = Site::open().await;
    for n in 1..=3 {
        publish(&site.koor, "t", &format!("{{\n\"n\": {n}}}")).await;
    }
    let mut client = site.client().await;
    let head = client.head("GET", "/api/events/stream?since=0", &[("last-event-id", "2")], 0);
    client.write(&head).await;
    let answer = client.read_head().await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/event-stream")));
    let piece = String::from_utf8(client.chunk().await).unwrap();
    let expected = "id: 3\ndata: {\"id\":3,\"topic\":\"t\",\"data\":{\ndata: \"n\": 3},\"source\":\"\",\
        \"created_at\":\"2026-02-16T14:00:00.000Z\"}\n\n";
    assert_eq!(piece, expected);
    publish(&site.koor, "t", "4").await;
    assert!(client.chunk().await.starts_with(b"id: 4\n"));
    let bad = site.send("GET", "/api/events/stream", &[("last-event-id", "x")], b"").await;
    assert_eq!(bad.status, 400);
    drop(client);
}

#[tokio::test]
async fn a_quiet_stream_carries_comments_and_ends_with_its_reader() {
    let mut plan = Plan::default();
    plan.http.comment_every = Duration::from_millis(30);
    let site = Site::with(plan).await;
    let mut client = site.client().await;
    let head = client.head("GET", "/api/events/stream", &[], 0);
    client.write(&head).await;
    client.read_head().await;
    assert_eq!(client.chunk().await, b":\n\n");
    assert_eq!(client.chunk().await, b":\n\n");
    drop(client);
    let gone = async {
        while site.koor.subscribers() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(20), gone).await.unwrap();
}

#[tokio::test]
async fn waiting_answers_at_once_or_when_something_comes_or_when_the_time_is_up() {
    let mut plan = Plan::default();
    plan.core.event_retention = 1;
    let site = Site::with(plan).await;
    publish(&site.koor, "a", "1").await;
    publish(&site.koor, "b", "2").await;
    let ready = site.get("/api/events/wait?since=0&limit=1").await.json();
    assert_eq!(
        (&ready["events"][0]["id"], &ready["cursor"], &ready["more"]),
        (&json!(1), &json!(1), &json!(true))
    );
    let mut client = site.client().await;
    let head = client.head("GET", "/api/events/wait?since=2&timeout=10s&pattern=$state.*&pattern=c", &[], 0);
    client.write(&head).await;
    while site.clock.sleepers() == 0 {
        tokio::task::yield_now().await;
    }
    site.put("/api/state/k", "1").await;
    let came = client.read(false).await.json();
    assert_eq!((&came["events"][0]["topic"], &came["cursor"]), (&json!("$state.changed"), &json!(3)));
    site.koor.prune_events().await.unwrap();
    let expired = site.get("/api/events/wait?since=0").await;
    assert_eq!(expired.json(), json!({"error": "cursor expired", "code": 410, "oldest": 2}));
    for bad in ["timeout=6m", "timeout=x", "limit=0", "since=x", "pattern=[a"] {
        assert_eq!(site.get(&format!("/api/events/wait?{bad}")).await.status, 400, "{bad}");
    }
}
