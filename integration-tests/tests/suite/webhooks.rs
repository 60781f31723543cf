//! Webhooks over real sockets: retries begin after a second, so these tests take a few.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::{
    thread,
    time::{Duration, Instant},
};

use integration_tests::{Client, Receiver, Server, Start};
use serde_json::{Value, json};

fn hook(client: &Client, id: &str, url: &str) {
    let body = json!({"id": id, "url": url, "patterns": ["job.*"], "secret": "hush"});
    client.ok("POST", "/api/webhooks", &body.to_string());
}

fn publish(client: &Client, numbers: impl IntoIterator<Item = u64>) {
    for n in numbers {
        let body = json!({"topic": "job.done", "data": {"n": n}, "source": "test"});
        client.ok("POST", "/api/events/publish", &body.to_string());
    }
}

fn numbers(calls: &[Value]) -> Vec<u64> {
    calls.iter().map(|call| call["data"]["n"].as_u64().unwrap()).collect()
}

/// Looks at a webhook until it is as wanted.
fn wait_until(client: &Client, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let webhook = client.ok("GET", &format!("/api/webhooks/{id}"), "").json();
        if wanted(&webhook) {
            return webhook;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{webhook}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// An address that accepts no connections.
fn gone() -> std::net::SocketAddr {
    Receiver::new().address()
}

#[test]
fn a_receiver_that_was_down_gets_everything_in_order() {
    let server = Server::start();
    let client = server.client();
    let address = gone();
    hook(&client, "a", &format!("http://{address}/hook"));
    publish(&client, 1..=20);
    let failing = wait_until(&client, "a", |webhook| webhook["fail_count"].as_u64() >= Some(1));
    assert!(failing["last_error"].as_str().unwrap().contains("cannot connect"), "{failing}");
    assert!(!failing.to_string().contains("hush"), "{failing}");
    let receiver = Receiver::again(address);
    assert_eq!(numbers(&receiver.take(20)), (1..=20).collect::<Vec<_>>());
    let well = wait_until(&client, "a", |webhook| webhook["fail_count"] == 0 && webhook["pending"] == 0);
    assert_eq!((&well["last_error"], &well["active"]), (&json!(""), &json!(true)));
    assert!(receiver.try_take().is_none());
}

#[test]
fn a_receiver_that_hangs_delays_neither_another_nor_a_publisher() {
    let server = Server::start();
    let client = server.client();
    let (hanging, well) = (Receiver::hanging(), Receiver::new());
    hook(&client, "hanging", &hanging.url());
    hook(&client, "well", &well.url());
    let begun = Instant::now();
    publish(&client, 1..=50);
    assert_eq!(numbers(&well.take(50)), (1..=50).collect::<Vec<_>>());
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    // It has been called once, and that call still waits.
    assert_eq!(numbers(&hanging.take(1)), [1]);
    assert!(hanging.try_take().is_none());
    // Nor does it hold up the end.
    let begun = Instant::now();
    assert_eq!(server.stop().code, Some(0));
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[test]
fn what_a_killed_server_had_not_delivered_is_delivered_by_the_next() {
    let server = Server::start();
    let client = server.client();
    let address = gone();
    hook(&client, "a", &format!("http://{address}/hook"));
    publish(&client, 1..=5);
    wait_until(&client, "a", |webhook| webhook["fail_count"].as_u64() >= Some(1));
    let directory = server.directory().clone();
    server.signal("KILL");
    drop(server);
    let receiver = Receiver::again(address);
    let server = Server::start_within(&directory);
    publish(&server.client(), [6]);
    assert_eq!(numbers(&receiver.take(6)), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_server_with_a_token_calls_loopback_only_where_that_is_allowed() {
    let receiver = Receiver::new();
    let start = || Start::default().args(["--auth-token", "t"]);
    let tried = |server: &Server| {
        let client = server.client().token("t");
        hook(&client, "a", &receiver.url());
        client.send("POST", "/api/webhooks/a/test", "")
    };
    let guarded = start().start().unwrap();
    let answer = tried(&guarded);
    assert_eq!(answer.status, 400, "{}", answer.body);
    assert!(answer.body.contains("webhook test failed: address not allowed"), "{}", answer.body);
    let allowed = start().args(["--allow-outbound", "127.0.0.0/8"]).start().unwrap();
    let answer = tried(&allowed);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(receiver.take(1)[0]["topic"], "webhook.test");
    assert!(receiver.try_take().is_none());
}
