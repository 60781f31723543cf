//! What a store keeps that outlives the process.

use crate::{
    commands::{DeregisterInstance, ImportRules},
    hub::Delivery,
    ids::Cursor,
    settings::Settings,
    testkit::{
        Ground, Scene,
        scene::{key, rule, topics, version},
    },
};

pub(super) async fn everything_is_there_after_a_restart(ground: Ground) {
    let mut scene = Scene::on(ground).await;
    for n in 1..=3 {
        scene.put("k", &n.to_string()).await;
    }
    scene.put("gone", "1").await;
    scene.delete("gone").await;
    let token = scene.agent("worker", "w").await.token;
    scene.run(ImportRules::new(vec![rule("p", "r")]).unwrap()).await.unwrap();
    scene.publish("t", 1).await;
    let before = scene.dump().await;
    scene.restart().await;
    assert_eq!(scene.dump().await, before);
    assert_eq!(scene.koor.document(&key("k")).await.unwrap().value, "3");
    assert!(scene.koor.verify_audit().await.unwrap().valid);
    let hash = crate::ids::Hash::of(token.as_bytes());
    assert!(scene.koor.read(move |tx| tx.instance_by_token(hash)).await.unwrap().is_some());
}

pub(super) async fn numbers_go_on_after_a_restart(ground: Ground) {
    let settings = Settings { event_retention: 1, change_retention: 1, ..Settings::default() };
    let mut scene = Scene::with(ground, settings).await;
    scene.put("k", "1").await;
    scene.delete("k").await;
    scene.publish("t", 1).await;
    let worker = scene.agent("worker", "w").await.instance.id;
    scene.run(DeregisterInstance(worker)).await.unwrap();
    scene.koor.prune_events().await.unwrap();
    scene.restart().await;
    assert_eq!(scene.put("k", "2").await.revision.version, version(3));
    assert_eq!(scene.publish("t", 2).await.id.get(), 8);
    let bounds = scene.koor.read(|tx| tx.log_bounds()).await.unwrap();
    assert_eq!((bounds.pruned_user.get(), bounds.pruned_system.get()), (0, 5));
    assert_eq!(scene.audit(1).await[0].id.get(), 6);
}

pub(super) async fn a_subscriber_resumes_after_a_restart(ground: Ground) {
    let mut scene = Scene::on(ground).await;
    let mut seen = Vec::new();
    let mut cursor = Cursor::START;
    for round in 0..3 {
        let mut subscription = scene.koor.subscribe(topics(&["*"]), Some(cursor));
        for n in 0..10 {
            scene.publish("t", round * 10 + n).await;
        }
        for delivery in subscription.now(4).await.unwrap() {
            let Delivery::Event(frame) = delivery else { panic!("a gap") };
            seen.push(frame.event().id.get());
        }
        cursor = subscription.cursor();
        scene.restart().await;
    }
    let mut subscription = scene.koor.subscribe(topics(&["*"]), Some(cursor));
    while seen.len() < 30 {
        for delivery in subscription.next(9).await.unwrap() {
            let Delivery::Event(frame) = delivery else { panic!("a gap") };
            seen.push(frame.event().id.get());
        }
    }
    assert_eq!(seen, (1..=30).collect::<Vec<_>>());
}
