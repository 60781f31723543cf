//! The shares of addresses. Tests over real sockets come from loopback, which has no share.

use super::*;

/// A plan for 40 connections: an address may hold ten of them as a stranger.
const MOST: usize = 40;

/// A connection from there whose task goes on until it is ended.
fn enter(connections: &Connections, peer: &str) -> (Id, tokio::task::JoinHandle<()>) {
    let id = connections.enter(&Turn::default(), Some(format!("{peer}:1").parse().unwrap()));
    let task = tokio::spawn(std::future::pending());
    connections.runs(id, task.abort_handle());
    (id, task)
}

/// How many of the connections are still open.
async fn open(tasks: &[(Id, tokio::task::JoinHandle<()>)]) -> usize {
    tokio::task::yield_now().await;
    tasks.iter().filter(|(_, task)| !task.is_finished()).count()
}

#[tokio::test]
async fn an_address_that_takes_more_than_its_share_ends_its_own_connections() {
    let connections = Connections::new(MOST);
    let others: Vec<_> = (1..=9).map(|n| enter(&connections, &format!("192.0.2.{n}"))).collect();
    let greedy: Vec<_> = (0..30).map(|_| enter(&connections, "198.51.100.7")).collect();
    assert_eq!((open(&others).await, open(&greedy).await), (9, 10));
    // An IPv6 network is one address.
    let network: Vec<_> = (0..30).map(|n| enter(&connections, &format!("[2001:db8::{n:x}]"))).collect();
    assert_eq!((open(&others).await, open(&network).await), (9, 10));
}

#[tokio::test]
async fn a_connection_that_is_identified_counts_no_longer_to_the_share() {
    let connections = Connections::new(MOST);
    let identified: Vec<_> = (0..10).map(|_| enter(&connections, "198.51.100.7")).collect();
    for (id, _) in &identified {
        connections.know(*id);
    }
    let strangers: Vec<_> = (0..10).map(|_| enter(&connections, "198.51.100.7")).collect();
    assert_eq!((open(&identified).await, open(&strangers).await), (10, 10));
}

#[tokio::test]
async fn this_machine_has_no_share() {
    let connections = Connections::new(MOST);
    let local: Vec<_> = (0..20).map(|_| enter(&connections, "127.0.0.1")).collect();
    assert_eq!(open(&local).await, 20);
}
