//! The event log and its live end.

use std::{collections::BTreeSet, ops::ControlFlow, sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::state::sleeping;
use crate::{
    domain::{
        RawJson,
        events::{Event, EventClass, EventFilter},
    },
    error::{Error, ErrorKind},
    hub::{Delivery, Gap, Subscription, Told},
    ids::{Cursor, Topic},
    page::{Limit, TimeRange},
    ports::{EVENT_PAGE_BYTES, Retention},
    settings::Settings,
    testkit::{
        Harness, StoreFixture,
        harness::{rule, topics},
    },
    use_cases::{
        ActivateInstance, CreateWebhook, DecideRule, Decision, DeleteRule, DeregisterInstance, ProposeRule,
        PublishEvent, PutRules, RecordUsage, UsageDraft, WebhookDraft,
    },
    use_cases::{History, HistoryJson},
};

async fn history(harness: &Harness, filter: EventFilter, after: Option<u64>, limit: u64) -> Vec<Event> {
    let limit = Limit::new("last", limit).unwrap();
    harness.koor.event_history(History { filter, after: after.map(Cursor::new), limit }).await.unwrap()
}

fn by_topic(patterns: &[&str]) -> EventFilter {
    EventFilter { topics: topics(patterns), ..EventFilter::default() }
}

fn ids(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.id.get()).collect()
}

fn told(deliveries: &[Delivery]) -> Vec<Result<u64, Gap>> {
    let one = |delivery: &Delivery| match delivery {
        Delivery::Event(frame) => Ok(frame.event().id.get()),
        Delivery::Gap(gap) => Err(*gap),
    };
    deliveries.iter().map(one).collect()
}

pub(super) async fn ids_grow_without_holes(fixture: StoreFixture) {
    let harness = Arc::new(Harness::on(fixture).await);
    let mut publishers = JoinSet::new();
    for publisher in 0..16 {
        let harness = Arc::clone(&harness);
        publishers.spawn(async move {
            let mut last = 0;
            for n in 0..25 {
                let id = harness.publish(&format!("topic.{publisher}"), n).await.id.get();
                assert!(id > last);
                last = id;
            }
        });
    }
    publishers.join_all().await;
    let all = history(&harness, EventFilter::default(), Some(0), 10_000).await;
    assert_eq!(ids(&all), (1..=400).collect::<Vec<_>>());
    let newest = history(&harness, EventFilter::default(), None, 3).await;
    assert_eq!(ids(&newest), [400, 399, 398]);
}

pub(super) async fn filters_combine(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let start = harness.koor.now();
    for n in 0..300 {
        harness.clock.advance(Duration::from_secs(1));
        harness.publish(["api.change", "api.change.contract", "build"][n % 3], n as u64).await;
    }
    let range = TimeRange {
        from: Some(start.plus(Duration::from_secs(10))),
        to: Some(start.plus(Duration::from_secs(100))),
    };
    let filter = EventFilter { range, ..by_topic(&["api.*"]) };
    let found = history(&harness, filter.clone(), None, 4).await;
    assert_eq!(ids(&found), [100, 98, 97, 95]);
    assert_eq!(ids(&history(&harness, filter.clone(), Some(10), 3).await), [11, 13, 14]);
    assert_eq!(ids(&history(&harness, by_topic(&["build"]), None, 2).await), [300, 297]);
    assert_eq!(
        ids(&history(&harness, by_topic(&["build", "api.change"]), Some(295), 9).await),
        [297, 298, 300]
    );
    let unknown = EventFilter { source: Some("unknown".into()), ..EventFilter::default() };
    assert_eq!(history(&harness, unknown, None, 9).await, []);
    let inclusive = TimeRange { from: range.to, to: range.to };
    assert_eq!(
        ids(&history(&harness, EventFilter { range: inclusive, ..EventFilter::default() }, None, 9).await),
        [100]
    );
}

pub(super) async fn each_class_has_its_own_retention(fixture: StoreFixture) {
    let settings = Settings { event_retention: 5, change_retention: 3, ..Settings::default() };
    let harness = Harness::with(fixture, settings).await;
    for n in 0..10 {
        harness.publish("user", n).await;
        harness.put("k", &n.to_string()).await;
    }
    assert_eq!(harness.koor.prune_events().await.unwrap(), 12);
    assert_eq!(ids(&history(&harness, by_topic(&["*"]), Some(0), 99).await), [11, 13, 15, 17, 19]);
    assert_eq!(ids(&history(&harness, by_topic(&["$*"]), Some(0), 99).await), [16, 18, 20]);
    let bounds = harness.koor.read(|tx| tx.log_bounds()).await.unwrap();
    assert_eq!((bounds.last.get(), bounds.pruned_user.get(), bounds.pruned_system.get()), (20, 9, 14));
    assert_eq!(harness.koor.prune_events().await.unwrap(), 0);
    for (class, keep, limit, gone) in [
        (EventClass::User, 2, 0, 0),
        (EventClass::User, 2, 2, 2),
        (EventClass::User, 2, 5, 1),
        (EventClass::System, 2, 1, 1),
        (EventClass::User, 1, 9, 1),
        (EventClass::System, 1, 9, 1),
    ] {
        let retention = Retention { class, keep, limit };
        assert_eq!(harness.koor.prune_some(retention).await.unwrap(), gone, "{retention:?}");
    }
    assert_eq!(ids(&history(&harness, by_topic(&["*", "$*"]), Some(0), 99).await), [19, 20]);
    assert_eq!(harness.publish("user", 10).await.id.get(), 21);
}

pub(super) async fn a_subscriber_sees_each_event_once_and_in_order(fixture: StoreFixture) {
    let harness = Arc::new(Harness::on(fixture).await);
    for n in 0..20 {
        harness.publish("before", n).await;
    }
    let from_start = harness.koor.subscribe(topics(&["*"]), Some(Cursor::START));
    let from_now = harness.koor.subscribe(topics(&["a.*"]), None);
    let both = harness.koor.subscribe(topics(&["*", "$*"]), Some(Cursor::new(10)));
    let mut publishers = JoinSet::new();
    for publisher in 0..8 {
        let harness = Arc::clone(&harness);
        publishers.spawn(async move {
            for n in 0..50 {
                harness.publish(["a.x", "b.x"][publisher % 2], n).await;
                harness.put("k", "1").await;
            }
        });
    }
    let everything = collect(from_start, 420).await;
    let some = collect(from_now, 200).await;
    let all = collect(both, 810).await;
    publishers.join_all().await;
    assert!(everything.is_sorted() && some.is_sorted());
    assert_eq!(all, (11..=820).collect::<Vec<_>>());
    let kept = ids(&history(&harness, by_topic(&["*"]), Some(0), 999).await);
    assert_eq!(everything, kept);
    assert_eq!(some, ids(&history(&harness, by_topic(&["a.*"]), Some(0), 999).await));
}

/// The ids of the next events, so many of them; a gap is a failure.
async fn collect(mut subscription: Subscription, count: usize) -> Vec<u64> {
    let mut seen = Vec::new();
    while seen.len() < count {
        let deliveries = subscription.next(7).await.unwrap();
        assert!(!deliveries.is_empty() && deliveries.len() <= 7);
        seen.extend(told(&deliveries).into_iter().map(Result::unwrap));
    }
    assert_eq!(BTreeSet::from_iter(&seen).len(), count);
    seen
}

/// Publishes events of so many bytes each, in turn under `a` and `b`.
async fn publish_large(harness: &Harness, count: usize, bytes: usize) {
    for n in 0..count {
        let data = RawJson::of(&"x".repeat(bytes - 2)).unwrap();
        let topic = Topic::new(["a", "b"][n % 2]).unwrap();
        harness.run(PublishEvent::new(topic, data, None).unwrap()).await.unwrap();
    }
}

pub(super) async fn a_page_of_events_is_bounded_in_bytes(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let most = EVENT_PAGE_BYTES / 4;
    publish_large(&harness, 12, most).await;
    harness.publish("a", 1).await;
    // By class, by one topic and by several: stores may look in different places for each.
    for (patterns, pages, all) in [
        (&["*"][..], &[4, 4, 4, 1][..], (1..=13).collect::<Vec<u64>>()),
        (&["a"], &[4, 3], vec![1, 3, 5, 7, 9, 11, 13]),
        (&["b", "a", "c"], &[4, 4, 4, 1], (1..=13).collect()),
    ] {
        let (mut after, mut sizes, mut seen) = (Cursor::START, Vec::new(), Vec::new());
        while after.get() < 13 {
            let filter = by_topic(patterns);
            let page = harness.koor.read(move |tx| tx.events_after(after, &filter, 1_000)).await.unwrap();
            sizes.push(page.events.len());
            seen.extend(ids(&page.events));
            assert!(page.through > after, "a page goes on: {patterns:?} after {after}");
            after = page.through;
        }
        assert_eq!((&sizes[..], seen), (pages, all.clone()), "{patterns:?}");
        let (mut through, mut seen) = (None, Vec::new());
        while through != Some(Cursor::START) {
            let filter = by_topic(patterns);
            let page = harness.koor.read(move |tx| tx.events_newest(through, &filter, 1_000)).await.unwrap();
            assert!(page.events.len() <= 5, "{} events in a page: {patterns:?}", page.events.len());
            seen.splice(0..0, ids(&page.events).into_iter().rev());
            assert!(through.is_none_or(|before| page.through < before), "a page goes on: {patterns:?}");
            through = Some(page.through);
        }
        assert_eq!(seen, all, "{patterns:?}, newest first");
    }
}

pub(super) async fn a_large_history_comes_in_pieces(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    publish_large(&harness, 12, EVENT_PAGE_BYTES / 4).await;
    harness.publish("a", 1).await;
    for (after, last, expected) in [
        (None, 11, (3..=13).rev().collect::<Vec<u64>>()),
        (Some(2), 99, (3..=13).collect()),
        (None, 1, vec![13]),
    ] {
        let limit = Limit::new("last", last).unwrap();
        let asked = History { filter: EventFilter::default(), after: after.map(Cursor::new), limit };
        let whole = harness.koor.event_history(asked.clone()).await.unwrap();
        assert_eq!(ids(&whole), expected);
        let mut text = Vec::new();
        match harness.koor.event_history_json(asked).await.unwrap() {
            HistoryJson::Whole(events) => {
                assert_eq!(last, 1, "megabytes are no whole answer");
                text = serde_json::to_vec(&events).unwrap();
            }
            HistoryJson::Pieces(mut pieces) => {
                while let Some(piece) = pieces.recv().await {
                    text.extend_from_slice(&piece.unwrap());
                }
            }
        }
        assert_eq!(text, serde_json::to_vec(&whole).unwrap(), "after {after:?}");
    }
}

pub(super) async fn a_wait_that_leaves_events_out_says_so(fixture: StoreFixture) {
    // Nothing stays in the tail: all of it is read from the log.
    let harness = Harness::with(fixture, Settings { tail_bytes: 0, ..Settings::default() }).await;
    publish_large(&harness, 6, EVENT_PAGE_BYTES / 4).await;
    let (mut since, mut answers) = (0, Vec::new());
    loop {
        let waited = harness.koor.wait_for_events(
            topics(&["*"]),
            Some(Cursor::new(since)),
            Duration::ZERO,
            Limit::new("limit", 100).unwrap(),
        );
        let waited = waited.await.unwrap();
        since = waited.cursor.get();
        answers.push((ids(&waited.events), since, waited.more));
        if !waited.more {
            break;
        }
    }
    assert_eq!(answers, [(vec![1, 2, 3, 4], 4, true), (vec![5, 6], 6, false)]);
}

pub(super) async fn a_subscriber_that_fell_behind_catches_up(fixture: StoreFixture) {
    let settings = Settings { tail_events: 8, ..Settings::default() };
    let harness = Harness::with(fixture, settings).await;
    let slow = harness.koor.subscribe(topics(&["*"]), None);
    for n in 0..500 {
        harness.publish("t", n).await;
    }
    assert_eq!(collect(slow, 500).await, (1..=500).collect::<Vec<_>>());
}

pub(super) async fn a_subscriber_that_breaks_off_is_told_the_rest(fixture: StoreFixture) {
    let settings = Settings { tail_events: 16, ..Settings::default() };
    let harness = Harness::with(fixture, settings).await;
    // The one has fallen behind, and begins with the log; the other is told of what is in memory only.
    let mut subscriptions = vec![harness.koor.subscribe(topics(&["t"]), None)];
    for n in 0..100 {
        if n == 90 {
            subscriptions.push(harness.koor.subscribe(topics(&["t"]), None));
        }
        harness.publish(["t", "other"][n % 2], 1).await;
    }
    for (mut subscription, first) in subscriptions.into_iter().zip([1, 91]) {
        let mut seen = Vec::new();
        while seen.last() != Some(&99) {
            let mut lent = 0;
            let take = |told: Told<'_>| {
                let Told::Event(frame) = told else { panic!("{told:?}") };
                seen.push(frame.event().id.get());
                lent += 1;
                if lent < 2 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            };
            assert!(subscription.lend_next(7, take).await.unwrap());
        }
        assert_eq!(seen, (first..100).step_by(2).collect::<Vec<_>>());
    }
}

pub(super) async fn a_subscriber_is_told_what_it_missed(fixture: StoreFixture) {
    let settings =
        Settings { tail_events: 4, event_retention: 5, change_retention: 4, ..Settings::default() };
    let harness = Harness::with(fixture, settings).await;
    let mut users = harness.koor.subscribe(topics(&["*"]), Some(Cursor::START));
    for n in 0..10 {
        harness.put("k", "1").await;
        harness.publish("t", n).await;
    }
    let mut both = harness.koor.subscribe(topics(&["*", "$*"]), Some(Cursor::new(2)));
    harness.koor.prune_events().await.unwrap();
    // Kept: users 12, 14, 16, 18, 20, and changes 13, 15, 17, 19.
    let gap = Err(Gap { missed: 10, resume_from: 12 });
    assert_eq!(told(&users.now(99).await.unwrap()), [gap, Ok(12), Ok(14), Ok(16), Ok(18), Ok(20)]);
    let first = told(&both.now(99).await.unwrap());
    assert_eq!(first[0], Err(Gap { missed: 9, resume_from: 12 }));
    let rest: Vec<u64> = first[1..].iter().map(|one| one.unwrap()).collect();
    assert_eq!(rest, (12..=20).collect::<Vec<_>>());
    let mut initial_gap = harness.koor.subscribe(topics(&["*"]), Some(Cursor::new(1_000)));
    harness.publish("t", 10).await;
    assert_eq!(told(&users.next(99).await.unwrap()), [Ok(21)]);
    assert_eq!(told(&initial_gap.next(99).await.unwrap()), [Err(Gap { missed: 0, resume_from: 21 })]);
    assert_eq!(told(&initial_gap.next(99).await.unwrap()), [Ok(21)]);
}

pub(super) async fn an_event_is_kept_before_anybody_sees_it(fixture: StoreFixture) {
    let harness = Arc::new(Harness::on(fixture).await);
    let mut live = harness.koor.subscribe(topics(&["*"]), None);
    let publisher = {
        let harness = Arc::clone(&harness);
        tokio::spawn(async move {
            for n in 0..100 {
                harness.publish("t", n).await;
            }
        })
    };
    let mut seen = 0;
    while seen < 100 {
        for delivery in live.next(10).await.unwrap() {
            let Delivery::Event(frame) = delivery else { panic!("a gap") };
            let before = frame.event().id.get() - 1;
            let kept = history(&harness, EventFilter::default(), Some(before), 1).await;
            assert_eq!(kept, [frame.event().clone()]);
            let json: Value = serde_json::from_slice(frame.json()).unwrap();
            assert_eq!(json, serde_json::to_value(frame.event()).unwrap());
            seen += 1;
        }
    }
    publisher.await.unwrap();
}

pub(super) async fn a_wait_answers_with_what_came(fixture: StoreFixture) {
    let harness = Arc::new(Harness::on(fixture).await);
    let (minute, two) = (Duration::from_mins(1), Limit::new("limit", 2).unwrap());
    for n in 0..3 {
        harness.publish("t", n).await;
        harness.put("k", "1").await;
    }
    let wait = |since: Option<u64>| {
        let koor = harness.koor.clone();
        async move { koor.wait_for_events(topics(&["t"]), since.map(Cursor::new), minute, two).await.unwrap() }
    };
    let first = wait(Some(0)).await;
    assert_eq!((ids(&first.events), first.cursor.get(), first.more), (vec![1, 3], 3, true));
    let second = wait(Some(3)).await;
    assert_eq!((ids(&second.events), second.cursor.get(), second.more), (vec![5], 6, false));
    let waiting = tokio::spawn(wait(Some(6)));
    sleeping(&harness, 1).await;
    harness.put("k", "2").await;
    harness.publish("t", 3).await;
    let third = waiting.await.unwrap();
    assert_eq!((ids(&third.events), third.cursor.get(), third.more), (vec![8], 8, false));
    let waiting = tokio::spawn(wait(None));
    sleeping(&harness, 1).await;
    harness.clock.advance(minute);
    let nothing = waiting.await.unwrap();
    assert_eq!((nothing.events.len(), nothing.cursor.get(), nothing.more), (0, 8, false));
}

pub(super) async fn an_expired_cursor_is_refused(fixture: StoreFixture) {
    let settings = Settings { event_retention: 2, ..Settings::default() };
    let harness = Harness::with(fixture, settings).await;
    for n in 0..5 {
        harness.publish("t", n).await;
    }
    harness.koor.prune_events().await.unwrap();
    for (since, said) in [
        (2, Some("cursor expired")),
        (3, None),
        (6, Some("cursor expired: it is beyond the end of the log, which is at 5")),
    ] {
        let waited = harness
            .koor
            .wait_for_events(topics(&["*"]), Some(Cursor::new(since)), Duration::ZERO, Limit::default())
            .await;
        let text = waited.as_ref().err().map(ToString::to_string);
        assert_eq!(text.as_deref(), said, "since {since}");
        match waited {
            Err(Error::CursorExpired { oldest } | Error::CursorBeyond { oldest, .. }) => {
                assert_eq!(oldest.get(), 4);
            }
            Ok(waited) => assert_eq!(ids(&waited.events), [4, 5]),
            Err(other) => panic!("{other}"),
        }
    }
    // No change was lost, so a waiting subscriber has not missed one either.
    let changes = harness
        .koor
        .wait_for_events(topics(&["$*"]), Some(Cursor::START), Duration::ZERO, Limit::default())
        .await
        .unwrap();
    assert_eq!((changes.events.len(), changes.cursor.get()), (0, 5));
    let long =
        harness.koor.wait_for_events(topics(&["*"]), None, Duration::from_secs(301), Limit::default()).await;
    assert_eq!(long.unwrap_err().kind(), ErrorKind::Invalid);
}

pub(super) async fn every_change_is_announced(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let put = harness.put("a", "1").await;
    harness.delete("a").await;
    harness.put_spec("p/s", &json!({})).await.unwrap();
    let agent = harness.agent("worker", "p").await;
    let project = || "p".parse().unwrap();
    harness.run(PutRules::new(project(), vec![rule("p", "r1")]).unwrap()).await.unwrap();
    let caller = crate::caller::Caller::local();
    for (id, decision) in [("r2", Decision::Accept), ("r3", Decision::Reject)] {
        harness.run(ProposeRule::new(&caller, rule("p", id)).unwrap()).await.unwrap();
        let rule_id = id.parse().unwrap();
        harness.run(DecideRule { project: project(), rule_id, decision }).await.unwrap();
    }
    harness.run(DeleteRule { project: project(), rule_id: "r1".parse().unwrap() }).await.unwrap();
    let webhook = WebhookDraft { id: "w".into(), url: "http://x/".into(), ..WebhookDraft::default() };
    harness.run(CreateWebhook::new(webhook).unwrap()).await.unwrap();
    let usage = UsageDraft { provider: "x".into(), model: "y".into(), tokens_in: 3, ..UsageDraft::default() };
    harness.run(RecordUsage::new(&caller, usage).unwrap()).await.unwrap();
    harness.run(ActivateInstance(agent.instance.id)).await.unwrap();
    harness.run(DeregisterInstance(agent.instance.id)).await.unwrap();
    let all = history(&harness, by_topic(&["*", "$*"]), Some(0), 99).await;
    let topics: Vec<&str> = all.iter().map(|event| event.topic.as_str()).collect();
    assert_eq!(
        topics,
        [
            "$state.changed",
            "$state.changed",
            "$spec.changed",
            "$instance.registered",
            "$instance.activated",
            "$rules.changed",
            "$rule.proposed",
            "$rule.accepted",
            "$rule.proposed",
            "$rule.rejected",
            "$rule.deleted",
            "$webhook.created",
            "llm.usage.recorded",
            "$instance.activated",
            "$instance.deregistered",
        ]
    );
    let first: Value = all[0].data.read().unwrap();
    let hash = put.revision.hash.to_string();
    assert_eq!(first, json!({"key": "a", "version": 1, "hash": hash, "deleted": false}));
}
