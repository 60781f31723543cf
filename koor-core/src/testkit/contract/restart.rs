//! What a store keeps that outlives the process.

use std::time::Duration;

use crate::{
    activity::FLUSH_EVERY,
    caller::Caller,
    hub::Delivery,
    ids::Cursor,
    settings::Settings,
    testkit::{
        Harness, StoreFixture,
        harness::{agent, key, rule, topics, version},
    },
    use_cases::{ClaimRequest, Claimed, CreateTasks, DeregisterInstance, ImportRules},
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
