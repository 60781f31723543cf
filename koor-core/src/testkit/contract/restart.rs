//! What a store keeps that outlives the process.

use std::time::Duration;

use crate::{
    activity::FLUSH_EVERY,
    caller::Caller,
    domain::{
        leases::{Lease, LeaseMode, PathSet},
        messages::{MessageDraft, Step},
    },
    hub::Delivery,
    ids::{Cursor, LeaseId},
    settings::Settings,
    testkit::{
        Harness, StoreFixture,
        harness::{agent, key, rule, topics, version},
    },
    use_cases::{
        ClaimRequest, Claimed, CreateTasks, DeregisterInstance, ImportRules, LeaseRequest, MarkMessages,
        SendMessage,
    },
};

pub(super) async fn everything_is_there_after_a_restart(fixture: StoreFixture) {
    let mut harness = Harness::on(fixture).await;
    for n in 1..=3 {
        harness.put("k", &n.to_string()).await;
    }
    harness.put("gone", "1").await;
    harness.delete("gone").await;
    let token = harness.agent("worker", "w").await.token;
    harness.run(ImportRules::new(vec![rule("p", "r")]).unwrap()).await.unwrap();
    harness.publish("t", 1).await;
    let before = harness.dump().await;
    harness.restart().await;
    assert_eq!(harness.dump().await, before);
    assert_eq!(harness.koor.document(&key("k")).await.unwrap().value, "3");
    assert!(harness.koor.verify_audit().await.unwrap().valid);
    let hash = crate::ids::Hash::of(token.as_bytes());
    assert!(harness.koor.read(move |tx| tx.instance_by_token(hash)).await.unwrap().is_some());
}

pub(super) async fn numbers_go_on_after_a_restart(fixture: StoreFixture) {
    let settings = Settings { event_retention: 1, change_retention: 1, ..Settings::default() };
    let mut harness = Harness::with(fixture, settings).await;
    harness.put("k", "1").await;
    harness.delete("k").await;
    harness.publish("t", 1).await;
    let worker = harness.agent("worker", "w").await.instance.id;
    harness.run(DeregisterInstance(worker)).await.unwrap();
    harness.koor.prune_events().await.unwrap();
    harness.restart().await;
    assert_eq!(harness.put("k", "2").await.revision.version, version(3));
    assert_eq!(harness.publish("t", 2).await.id.get(), 8);
    let bounds = harness.koor.read(|tx| tx.log_bounds()).await.unwrap();
    assert_eq!((bounds.pruned_user.get(), bounds.pruned_system.get()), (0, 5));
    assert_eq!(harness.audit(1).await[0].id.get(), 6);
}

pub(super) async fn a_subscriber_resumes_after_a_restart(fixture: StoreFixture) {
    let mut harness = Harness::on(fixture).await;
    let mut seen = Vec::new();
    let mut cursor = Cursor::START;
    for round in 0..3 {
        let mut subscription = harness.koor.subscribe(topics(&["*"]), Some(cursor));
        for n in 0..10 {
            harness.publish("t", round * 10 + n).await;
        }
        for delivery in subscription.now(4).await.unwrap() {
            let Delivery::Event(frame) = delivery else { panic!("a gap") };
            seen.push(frame.event().id.get());
        }
        cursor = subscription.cursor();
        harness.restart().await;
    }
    let mut subscription = harness.koor.subscribe(topics(&["*"]), Some(cursor));
    while seen.len() < 30 {
        for delivery in subscription.next(9).await.unwrap() {
            let Delivery::Event(frame) = delivery else { panic!("a gap") };
            seen.push(frame.event().id.get());
        }
    }
    assert_eq!(seen, (1..=30).collect::<Vec<_>>());
}

pub(super) async fn claims_survive_a_restart_and_end_in_time(fixture: StoreFixture) {
    let mut harness = Harness::on(fixture).await;
    let worker = agent(&harness.agent("worker", "p").await);
    let project = || "p".parse().unwrap();
    let tasks = vec![serde_json::from_value(serde_json::json!({"title": "a"})).unwrap()];
    harness.run(CreateTasks::new(&Caller::local(), project(), tasks).unwrap()).await.unwrap();
    let claimed =
        harness.koor.claim_task(&worker, project(), ClaimRequest::default(), Duration::ZERO).await.unwrap();
    let Claimed::Task(claimed) = claimed.output else { panic!("nothing to claim") };
    let before = harness.dump().await;
    harness.restart().await;
    assert_eq!(harness.dump().await, before);
    // The holder finishes what it has claimed before, or loses it in time: what a crash may have lost is granted to it.
    harness.clock.advance(Duration::from_mins(15));
    assert_eq!(harness.koor.watch_tasks().await.unwrap(), 0);
    harness.clock.advance(FLUSH_EVERY);
    assert_eq!(harness.koor.watch_tasks().await.unwrap(), 1);
    let expired = harness.koor.task(&claimed.id()).await.unwrap();
    assert!(expired.claim.is_none() && expired.fence > claimed.fence);
}

/// Takes a path of project `p` for an agent.
async fn lease(harness: &Harness, by: &Caller, path: &str) -> Lease {
    let wanted = PathSet::new(&[path.to_owned()], LeaseMode::Exclusive).unwrap();
    let request = LeaseRequest::new("p".parse().unwrap(), wanted, None, "work", None).unwrap();
    harness.koor.take_lease(by, request, None).await.unwrap().output
}

async fn held(harness: &Harness) -> Vec<u64> {
    let leases = harness.koor.leases("p".parse().unwrap(), None, None).await.unwrap();
    leases.iter().map(|lease| lease.id.get()).collect()
}

pub(super) async fn leases_survive_a_restart_and_end_in_time(fixture: StoreFixture) {
    let mut harness = Harness::on(fixture).await;
    let worker = agent(&harness.agent("worker", "p").await);
    lease(&harness, &worker, "src").await;
    let given_back = lease(&harness, &worker, "docs").await;
    harness.koor.release_lease(&worker, "p".parse().unwrap(), given_back.id).await.unwrap();
    let before = harness.dump().await;
    harness.restart().await;
    assert_eq!(harness.dump().await, before);
    // The number of a lease that is gone is not given again: it is a fence.
    assert_eq!(lease(&harness, &worker, "docs").await.id.get(), 3);
    assert_eq!(held(&harness).await, [1, 3]);
    harness.clock.advance(Duration::from_mins(30));
    assert_eq!(harness.koor.expire_leases().await.unwrap(), 0, "a crash may have lost what renewed them");
    harness.clock.advance(FLUSH_EVERY);
    assert_eq!(harness.koor.expire_leases().await.unwrap(), 2);
}

pub(super) async fn a_restart_ends_a_wait_and_no_lease(fixture: StoreFixture) {
    let mut harness = Harness::on(fixture).await;
    let (one, two) = (agent(&harness.agent("one", "p").await), agent(&harness.agent("two", "p").await));
    lease(&harness, &one, "src").await;
    let wanted = PathSet::new(&["src/a".to_owned()], LeaseMode::Exclusive).unwrap();
    let request = LeaseRequest::new("p".parse().unwrap(), wanted, None, "", None).unwrap();
    let waiting = {
        let (koor, two, request) = (harness.koor.clone(), two.clone(), request.clone());
        tokio::spawn(async move { koor.take_lease(&two, request, Some(Duration::from_mins(1))).await })
    };
    while harness.koor.inner.lease_queue.len() == 0 {
        tokio::task::yield_now().await;
    }
    harness.restart().await;
    // The caller is told, and may ask again; nothing was taken in its name, and the holder holds what it held.
    assert!(waiting.await.unwrap().is_err());
    assert_eq!((held(&harness).await, harness.koor.inner.lease_queue.len()), (vec![1], 0));
    harness.koor.release_lease(&one, "p".parse().unwrap(), LeaseId::FIRST).await.unwrap();
    let taken = harness.koor.take_lease(&two, request, Some(Duration::from_mins(1))).await.unwrap();
    assert_eq!(taken.output.id.get(), 2);
}

pub(super) async fn messages_wait_through_a_restart(fixture: StoreFixture) {
    let mut harness = Harness::on(fixture).await;
    let (one, two) = (harness.agent("one", "p").await, harness.agent("two", "p").await);
    let mut sent = Vec::new();
    for body in ["read", "unread"] {
        let draft = MessageDraft { to: vec!["two".into()], body: body.into(), ..MessageDraft::default() };
        let message = SendMessage::new(&agent(&one), Some(&"p".parse().unwrap()), draft).unwrap();
        sent.push(harness.koor.execute(&agent(&one), message).await.unwrap().output.message.id);
    }
    let mark = MarkMessages::new(&agent(&two), vec![sent[0]], Step::Acked).unwrap();
    harness.koor.execute(&agent(&two), mark).await.unwrap();
    let cursor = harness.koor.last_event();
    harness.koor.mark_briefed(&agent(&two), cursor, vec![sent[1]]).await.unwrap();
    // Its next instance finds what the last one left.
    harness.run(DeregisterInstance(two.instance.id)).await.unwrap();
    let before = harness.dump().await;
    harness.restart().await;
    assert_eq!(harness.dump().await, before);
    let again = agent(&harness.agent("two", "p").await);
    let brief = harness.koor.brief(&again, None, None).await.unwrap();
    let bodies: Vec<&str> = brief.messages.iter().map(|listed| listed.message.body.as_str()).collect();
    assert_eq!((bodies, brief.messages[0].surfaced_at.is_some()), (vec!["unread"], true));
    let topics: Vec<&str> = brief.changes.iter().map(|change| change.topic.as_str()).collect();
    assert_eq!(topics, ["$instance.activated", "$instance.deregistered", "$instance.registered"]);
    let delivered = harness.koor.message(&agent(&one), sent[0]).await.unwrap();
    assert!(delivered.receipts[0].acked_at.is_some());
}
