//! Who stays connected when there are too many.

mod common;

use std::time::Duration;

use common::{Client, Plan, Site, TOKEN};
use koor_http::HttpSettings;
use tokio::time::timeout;

/// How long the server may take to end a connection.
const SOON: Duration = Duration::from_secs(10);

fn plan(max_connections: usize) -> Plan {
    let long = Duration::from_mins(10);
    let http =
        HttpSettings { max_connections, header_timeout: long, idle_timeout: long, ..HttpSettings::default() };
    Plan { http, ..Plan::guarded() }
}

/// So many connections on which no token was shown.
async fn strangers(site: &Site, count: usize) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..count {
        let mut client = site.client().await;
        let asked = client.head("GET", "/health", &[], 0);
        client.write(&asked).await;
        clients.push(client);
    }
    clients
}

async fn is_open(client: &mut Client) -> bool {
    timeout(Duration::from_millis(2), client.is_closed()).await.is_err()
}

#[tokio::test]
async fn idle_strangers_make_room_for_those_who_show_a_token() {
    let site = Site::with(plan(20)).await;
    let bearer = format!("Bearer {TOKEN}");
    let token = [("authorization", bearer.as_str())];
    let mut known = site.client().await;
    assert_eq!(known.send("GET", "/api/state", &token, b"").await.status, 200);
    let mut waiting = site.client().await;
    let asked = waiting.head("GET", "/api/events/wait?timeout=2s", &token, 0);
    waiting.write(&asked).await;
    let _idle = strangers(&site, 60).await;
    for _ in 0..5 {
        let mut late = site.client().await;
        let answer = timeout(SOON, late.send("GET", "/api/state", &token, b"")).await.expect("locked out");
        assert_eq!(answer.status, 200);
    }
    // Neither was ended for them: not the one that is in use, not the one that is idle.
    site.clock.advance(SOON);
    assert_eq!(waiting.read(false).await.status, 200);
    assert_eq!(known.send("GET", "/api/state", &token, b"").await.status, 200);
}

#[tokio::test]
async fn whoever_shows_a_token_is_no_reason_to_end_others() {
    let site = Site::with(plan(20)).await;
    let bearer = format!("Bearer {TOKEN}");
    let token = [("authorization", bearer.as_str())];
    let mut known = Vec::new();
    for _ in 0..18 {
        let mut client = site.client().await;
        assert_eq!(client.send("GET", "/api/state", &token, b"").await.status, 200);
        known.push(client);
    }
    for client in &mut known {
        assert_eq!(client.send("GET", "/api/state", &token, b"").await.status, 200);
    }
    // With all taken, the one that is idle for the longest time makes room.
    for _ in 0..10 {
        let mut late = site.client().await;
        let answer = timeout(SOON, late.send("GET", "/api/state", &token, b"")).await.expect("locked out");
        assert_eq!(answer.status, 200);
        known.push(late);
    }
}

#[tokio::test]
async fn large_heads_that_never_end_share_a_bounded_amount_of_memory() {
    let site = Site::with(plan(10_000)).await;
    let part = format!("GET /health HTTP/1.1\r\nhost: localhost\r\nx: {}", "x".repeat(62_000));
    let mut endless = Vec::new();
    for _ in 0..700 {
        let mut client = site.client().await;
        client.write(part.as_bytes()).await;
        endless.push(client);
    }
    // One that ends is answered, however large it is.
    let bearer = format!("Bearer {TOKEN}");
    let large = "x".repeat(50_000);
    let headers = [("authorization", bearer.as_str()), ("x-large", large.as_str())];
    assert_eq!(site.send("GET", "/api/state", &headers, b"").await.status, 200);
    let mut open = 0;
    for client in &mut endless {
        open += usize::from(is_open(client).await);
    }
    // 32 MiB of them, or as many as came too late for the server to have read them.
    assert!((300..=560).contains(&open), "{open} of {} are open", endless.len());
}

#[tokio::test]
async fn what_large_heads_leave_behind_is_bounded_too() {
    let site = Site::with(plan(10_000)).await;
    let large = "x".repeat(62_000);
    let mut idle = Vec::new();
    for _ in 0..700 {
        let mut client = site.client().await;
        assert_eq!(client.send("GET", "/health", &[("x-large", &large)], b"").await.status, 200);
        idle.push(client);
    }
    let mut open = 0;
    for client in &mut idle {
        open += usize::from(is_open(client).await);
    }
    assert!((300..=560).contains(&open), "{open} of {} are open", idle.len());
}

#[tokio::test]
async fn more_connections_than_allowed_wait_while_all_are_in_use() {
    let mut plan = Plan::default();
    plan.http.max_connections = 1;
    let site = Site::with(plan).await;
    let mut first = site.client().await;
    let asked = first.head("GET", "/api/events/wait?timeout=1s", &[], 0);
    first.write(&asked).await;
    // That is a request, and not a stranger's.
    let begun = async {
        while site.koor.subscribers() == 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, begun).await.unwrap();
    let mut second = site.client().await;
    let head = second.head("GET", "/health", &[], 0);
    second.write(&head).await;
    assert!(is_open(&mut second).await, "it is answered although another one is in use");
    site.clock.advance(SOON);
    assert_eq!(first.read(false).await.status, 200);
    assert_eq!(second.read(false).await.status, 200);
}
