//! Leases on paths.

use std::{sync::Arc, time::Duration};

use crate::{
    caller::Caller,
    clock::Timestamp,
    command::Committed,
    domain::{
        LeaseTime,
        audit::Outcome,
        events::EventFilter,
        leases::{Lease, LeaseMode, PathSet},
        tasks::TaskId,
    },
    error::{Error, ErrorKind},
    identify::Credentials,
    ids::{LeaseId, ProjectName, TaskNumber},
    page::Limit,
    paths::PathPattern,
    settings::Settings,
    testkit::{
        Harness, StoreFixture,
        harness::{agent, topics},
    },
    use_cases::{
        ClaimRequest, CreateTasks, DeregisterInstance, History, Holding, LeaseRequest, Registered,
        ReleaseTask, RenewLease,
    },
};

fn project() -> ProjectName {
    "p".parse().unwrap()
}

fn id(number: u64) -> LeaseId {
    LeaseId::new(number).unwrap()
}

fn set(paths: &[&str], mode: LeaseMode) -> PathSet {
    let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
    PathSet::new(&paths, mode).unwrap()
}

fn request(paths: &[&str], mode: LeaseMode) -> LeaseRequest {
    LeaseRequest::new(project(), set(paths, mode), None, "work", None).unwrap()
}

async fn take(harness: &Harness, by: &Registered, paths: &[&str], mode: LeaseMode) -> Result<Lease, Error> {
    let taken = harness.koor.take_lease(&agent(by), request(paths, mode), None).await;
    taken.map(|taken: Committed<Lease>| taken.output)
}

async fn held(harness: &Harness) -> Vec<u64> {
    let leases = harness.koor.leases(project(), None, None).await.unwrap();
    leases.iter().map(|lease| lease.id.get()).collect()
}

async fn call(harness: &Harness, by: &Registered) {
    let id = by.instance.id.to_string();
    harness.koor.identify(Credentials { bearer: None, instance: Some(&id) }).await.unwrap();
}

/// The topics of the last events about leases, oldest first.
async fn said(harness: &Harness) -> Vec<String> {
    let filter = EventFilter { topics: topics(&["$lease.*"]), ..EventFilter::default() };
    let history = History { filter, after: None, limit: Limit::default() };
    let events = harness.koor.event_history(history).await.unwrap();
    events.iter().rev().map(|event| event.topic.to_string()).collect()
}

pub(super) async fn paths_are_leased_all_or_none(fixture: StoreFixture) {
    use LeaseMode::{Exclusive, Shared};
    let harness = Harness::on(fixture).await;
    let (one, two) = (harness.agent("one", "p").await, harness.agent("two", "p").await);
    let lease = take(&harness, &one, &["src/auth", "./docs/*.md"], Exclusive).await.unwrap();
    assert_eq!(lease.id, LeaseId::FIRST);
    assert_eq!(lease.expires_at, harness.koor.now().plus(Duration::from_mins(30)));
    let refused = take(&harness, &two, &["README.md", "src/auth/login.rs"], Shared).await.unwrap_err();
    assert_eq!(refused.to_string(), "src/auth/login.rs is held by one until 2026-02-16T14:30:00.000Z");
    let Error::Conflict(conflict) = &refused else { panic!("{refused:?}") };
    let listed = &conflict.fields()["conflicts"];
    assert_eq!(listed[0]["path"], "src/auth/login.rs");
    assert_eq!(listed[0]["theirs"], "src/auth");
    assert_eq!((&listed[0]["lease"]["id"], &listed[0]["lease"]["fence"]), (&1.into(), &1.into()));
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(harness.audit(1).await[0].outcome, Outcome::Error);
    // Nothing of it was taken; and no number was spent.
    let readme = take(&harness, &two, &["README.md"], Exclusive).await.unwrap();
    assert_eq!(readme.id, id(2));
    // Two shared leases fit together, and so do two of one instance.
    take(&harness, &one, &["lib/**"], Shared).await.unwrap();
    take(&harness, &two, &["lib"], Shared).await.unwrap();
    take(&harness, &one, &["src/auth/login.rs"], Exclusive).await.unwrap();
    let exclusive = take(&harness, &two, &["**/*.rs"], Exclusive).await.unwrap_err();
    let Error::Conflict(conflict) = &exclusive else { panic!("{exclusive:?}") };
    assert_eq!(conflict.fields()["conflicts"].as_array().unwrap().len(), 3, "{exclusive:?}");
    assert_eq!(held(&harness).await, [1, 2, 3, 4, 5]);
    // Another project is another matter; an agent takes leases in its own only, and an admin takes none.
    let other = harness.agent("other", "q").await;
    let foreign = harness.koor.take_lease(&agent(&other), request(&["x"], Shared), None).await.unwrap_err();
    assert_eq!(foreign.kind(), ErrorKind::Forbidden);
    let admin = harness.koor.take_lease(&Caller::admin(), request(&["x"], Shared), None).await.unwrap_err();
    assert_eq!(admin.kind(), ErrorKind::Invalid);
    let wanted = set(&["src/auth/x", "free"], Shared);
    let check = harness.koor.check_paths(&agent(&two), &project(), &wanted).await.unwrap();
    assert_eq!(check.free, set(&["free"], Shared).paths);
    assert_eq!((check.held.len(), check.held[0].lease.id), (1, lease.id));
    let own = harness.koor.check_paths(&agent(&one), &project(), &wanted).await.unwrap();
    assert_eq!(own.free, wanted.paths);
    let covering = harness.koor.leases(project(), Some("src/auth/a/b"), None).await.unwrap();
    assert_eq!(covering.iter().map(|lease| lease.id.get()).collect::<Vec<_>>(), [1]);
    let named = harness.koor.leases(project(), None, Some("two".parse().unwrap())).await.unwrap();
    assert_eq!(named.iter().map(|lease| lease.id.get()).collect::<Vec<_>>(), [2, 4]);
}

pub(super) async fn of_64_racing_takers_of_a_path_one_wins(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let mut takers = Vec::new();
    for n in 0..64 {
        takers.push(agent(&harness.agent(&format!("w{n}"), "p").await));
    }
    // Twice: what the first race leaves behind decides the second.
    for path in ["src", "docs"] {
        let mut racing = tokio::task::JoinSet::new();
        for (n, taker) in takers.iter().cloned().enumerate() {
            let koor = harness.koor.clone();
            // Different patterns that all overlap: no two takers ask for the same text.
            let paths = [format!("{path}/a{n}"), format!("{path}/**")];
            let wanted = PathSet::new(&paths, LeaseMode::Exclusive).unwrap();
            let request = LeaseRequest::new(project(), wanted, None, "", None).unwrap();
            racing.spawn(async move { koor.take_lease(&taker, request, None).await });
        }
        let taken = racing.join_all().await;
        assert_eq!(taken.iter().filter(|taken| taken.is_ok()).count(), 1, "of {path}");
    }
    assert_eq!(held(&harness).await, [1, 2]);
}

pub(super) async fn a_number_of_a_lease_is_never_used_again(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let one = harness.agent("one", "p").await;
    for number in 1..=3 {
        let lease = take(&harness, &one, &["src"], LeaseMode::Exclusive).await.unwrap();
        assert_eq!(lease.id, id(number));
        harness.koor.release_lease(&agent(&one), project(), lease.id).await.unwrap();
    }
    assert_eq!(held(&harness).await, [0; 0]);
}

pub(super) async fn an_agent_holds_no_more_leases_than_it_may(fixture: StoreFixture) {
    let settings = Settings { leases_per_agent: 2, ..Settings::default() };
    let harness = Harness::with(fixture, settings).await;
    let (one, two) = (harness.agent("one", "p").await, harness.agent("two", "p").await);
    for path in ["a", "b"] {
        take(&harness, &one, &[path], LeaseMode::Exclusive).await.unwrap();
    }
    let refused = take(&harness, &one, &["c"], LeaseMode::Exclusive).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    assert!(refused.to_string().starts_with("this agent holds 2 leases, at most 2 are allowed"), "{refused}");
    take(&harness, &two, &["c"], LeaseMode::Exclusive).await.unwrap();
    let counted = harness.koor.coordination_metrics().await.unwrap();
    assert_eq!((counted.leases, counted.unread), (3, 0));
    harness.koor.release_lease(&agent(&one), project(), id(1)).await.unwrap();
    take(&harness, &one, &["d"], LeaseMode::Exclusive).await.unwrap();
    // At once, too: none of them sees the others before it is decided.
    harness.koor.release_lease(&agent(&one), project(), id(2)).await.unwrap();
    let mut racing = tokio::task::JoinSet::new();
    for path in ["e", "f", "g", "h"] {
        let (koor, one) = (harness.koor.clone(), agent(&one));
        let request = request(&[path], LeaseMode::Exclusive);
        racing.spawn(async move { koor.take_lease(&one, request, None).await.is_ok() });
    }
    assert_eq!(racing.join_all().await.into_iter().filter(|taken| *taken).count(), 1);
    let stats = harness.koor.runtime_stats();
    assert_eq!((stats.leases_taken, stats.lease_expirations, stats.lease_waiters), (5, 0, 0));
}

pub(super) async fn a_lease_ends_when_its_holder_is_silent(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let (one, two) = (harness.agent("one", "p").await, harness.agent("two", "p").await);
    // Heard of since the start: a crash can have lost nothing of them.
    harness.clock.advance(Duration::from_secs(1));
    call(&harness, &one).await;
    call(&harness, &two).await;
    let brief = LeaseTime::new(Duration::from_secs(10)).unwrap();
    for (agent_of, path) in [(&one, "a"), (&two, "b")] {
        let wanted = set(&[path], LeaseMode::Exclusive);
        let request = LeaseRequest::new(project(), wanted, Some(brief), "", None).unwrap();
        harness.koor.take_lease(&agent(agent_of), request, None).await.unwrap();
    }
    harness.clock.advance(Duration::from_millis(9_999));
    // Noted in memory only: the look at what has ended must not be faster than the note.
    call(&harness, &one).await;
    assert_eq!(harness.koor.expire_leases().await.unwrap(), 0);
    harness.clock.advance(Duration::from_millis(1));
    assert_eq!(harness.koor.expire_leases().await.unwrap(), 1);
    let left = harness.koor.leases(project(), None, None).await.unwrap();
    assert_eq!(left.iter().map(|lease| lease.name.as_str()).collect::<Vec<_>>(), ["one"]);
    assert_eq!(left[0].expires_at, harness.koor.now().plus(Duration::from_millis(9_999)));
    let entry = harness.audit(1).await.remove(0);
    assert_eq!(
        (entry.actor.as_str(), entry.action.as_str(), entry.resource.as_str()),
        ("task-monitor", "lease.expire", "p/2")
    );
    assert_eq!(said(&harness).await, ["$lease.taken", "$lease.taken", "$lease.expired"]);
    // A clock that steps back ends nothing.
    let now = harness.koor.now();
    harness.clock.set(Timestamp::from_millis(now.millis() - 3_600_000));
    assert_eq!(harness.koor.expire_leases().await.unwrap(), 0);
    harness.clock.set(now.plus(Duration::from_millis(9_998)));
    assert_eq!(harness.koor.expire_leases().await.unwrap(), 0);
    harness.clock.advance(Duration::from_millis(1));
    assert_eq!(harness.koor.expire_leases().await.unwrap(), 1);
    assert_eq!(held(&harness).await, [0; 0]);
    // A number is never given twice.
    assert_eq!(take(&harness, &one, &["a"], LeaseMode::Shared).await.unwrap().id, id(3));
}

pub(super) async fn a_lease_is_its_holders(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let (one, two) = (harness.agent("one", "p").await, harness.agent("two", "p").await);
    for path in ["a", "b", "c"] {
        take(&harness, &one, &[path], LeaseMode::Exclusive).await.unwrap();
    }
    let entries = harness.audit(100).await.len();
    harness.clock.advance(Duration::from_mins(1));
    let hour = LeaseTime::new(Duration::from_hours(1)).unwrap();
    let renew = |by: &Registered, lease| RenewLease::new(&agent(by), project(), id(1), lease);
    let renewed = harness.koor.execute(&agent(&one), renew(&one, Some(hour))).await.unwrap().output;
    assert_eq!(renewed.expires_at, harness.koor.now().plus(Duration::from_hours(1)));
    assert_eq!(harness.audit(100).await.len(), entries, "a renewal leaves no entry");
    let refused = harness.koor.execute(&agent(&two), renew(&two, None)).await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.to_string().as_str()),
        (ErrorKind::Forbidden, "lease 1 is held by one")
    );
    let refused = harness.koor.release_lease(&agent(&two), project(), id(1)).await.unwrap_err();
    assert_eq!(refused.to_string(), "admin role required to break another agent's lease");
    let missing = harness.koor.release_lease(&agent(&two), project(), id(9)).await.unwrap_err();
    assert_eq!(missing.to_string(), "lease not found: p/9");
    harness.koor.release_lease(&agent(&one), project(), id(1)).await.unwrap();
    assert_eq!(harness.audit(1).await[0].action, "lease.release");
    harness.koor.release_lease(&Caller::admin(), project(), id(2)).await.unwrap();
    assert_eq!(harness.audit(1).await[0].action, "lease.break");
    harness.run(DeregisterInstance(one.instance.id)).await.unwrap();
    assert_eq!(held(&harness).await, [0; 0]);
    let topics = said(&harness).await;
    assert_eq!(topics[3..], ["$lease.released", "$lease.broken", "$lease.released"]);
}

pub(super) async fn a_lease_ends_with_the_claim_of_its_task(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let (one, two) = (harness.agent("one", "p").await, harness.agent("two", "p").await);
    let fields = vec![serde_json::from_value(serde_json::json!({"title": "t"})).unwrap()];
    harness.run(CreateTasks::new(&Caller::local(), project(), fields).unwrap()).await.unwrap();
    let number = TaskNumber::FIRST;
    let bound = |path: &'static str| {
        let wanted = set(&[path], LeaseMode::Exclusive);
        LeaseRequest::new(project(), wanted, None, "", Some(number)).unwrap()
    };
    let early = harness.koor.take_lease(&agent(&one), bound("a"), None).await.unwrap_err();
    assert_eq!(
        (early.kind(), early.to_string().as_str()),
        (ErrorKind::Conflict, "task 1 is not claimed by this agent")
    );
    let claim = ClaimRequest { number: Some(number), ..ClaimRequest::default() };
    harness.koor.claim_task(&agent(&one), project(), claim, Duration::ZERO).await.unwrap();
    harness.koor.take_lease(&agent(&one), bound("a"), None).await.unwrap();
    take(&harness, &one, &["b"], LeaseMode::Exclusive).await.unwrap();
    let other = harness.koor.take_lease(&agent(&two), bound("c"), None).await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Conflict);
    let holding = Holding::new(&agent(&one), TaskId { project: project(), number }, None);
    let release = ReleaseTask::new(holding, None, None).unwrap();
    harness.koor.execute(&agent(&one), release).await.unwrap();
    assert_eq!(held(&harness).await, [2], "only what was bound to the task has ended");
}

pub(super) async fn leases_near_a_path_are_found(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let one = harness.agent("one", "p").await;
    let held = ["src", "src/a", "src/a/b", "src/ab", "srcs", "*", "src/*/x", "a%", "ü/b", "**/z", "src/b"];
    for path in held {
        take(&harness, &one, &[path], LeaseMode::Shared).await.unwrap();
    }
    for path in ["src/a", "src", "**", "a%", "ü", "src/a/b/c", "\u{10ffff}"] {
        let path = PathPattern::new(path).unwrap();
        let beginning = path.literal_beginning();
        let near = harness.koor.read(move |tx| tx.leases_near(&project(), &beginning)).await.unwrap();
        let near: Vec<&str> = near.iter().map(|held| held.lease.held.paths[0].as_str()).collect();
        let expected: Vec<&str> = held
            .into_iter()
            .filter(|own| {
                let (own, beginning) =
                    (PathPattern::new(own).unwrap().literal_beginning(), path.literal_beginning());
                own.starts_with(&beginning) || beginning.starts_with(&own)
            })
            .collect();
        assert_eq!(near, expected, "{path}");
    }
}

pub(super) async fn who_waits_for_paths_is_served_in_order(fixture: StoreFixture) {
    use LeaseMode::{Exclusive, Shared};
    let harness = Arc::new(Harness::on(fixture).await);
    let (one, two) = (harness.agent("one", "p").await, harness.agent("two", "p").await);
    let (three, four) = (harness.agent("three", "p").await, harness.agent("four", "p").await);
    take(&harness, &one, &["src"], Shared).await.unwrap();
    let wait = |by: &Registered, paths: &'static [&'static str], mode| {
        let (koor, caller) = (harness.koor.clone(), agent(by));
        tokio::spawn(async move {
            let taken = koor.take_lease(&caller, request(paths, mode), Some(Duration::from_mins(1))).await;
            taken.map(|taken| taken.output)
        })
    };
    let waiting = async |count: usize| {
        while harness.koor.inner.lease_queue.len() != count {
            tokio::task::yield_now().await;
        }
    };
    let gone = wait(&four, &["src/a"], Exclusive);
    waiting(1).await;
    let exclusive = wait(&two, &["src/a"], Exclusive);
    waiting(2).await;
    // A caller that hung up takes nothing, and lets the next one go first.
    gone.abort();
    waiting(1).await;
    // What fits to what is held does not fit to who waits.
    let refused = take(&harness, &three, &["src/*"], Shared).await.unwrap_err();
    assert_eq!(refused.to_string(), "two waits for src/a and came first");
    let Error::Conflict(conflict) = &refused else { panic!("{refused:?}") };
    assert_eq!(conflict.fields()["waiting"][0]["name"], "two");
    let shared = wait(&three, &["src/*"], Shared);
    waiting(2).await;
    harness.koor.release_lease(&agent(&one), project(), id(1)).await.unwrap();
    let taken = exclusive.await.unwrap().unwrap();
    assert_eq!((taken.id, taken.name.as_str()), (id(2), "two"));
    waiting(1).await;
    harness.koor.release_lease(&agent(&two), project(), taken.id).await.unwrap();
    let taken = shared.await.unwrap().unwrap();
    assert_eq!((taken.id, taken.name.as_str()), (id(3), "three"));
    // When the time is up, the refusal is that of a caller that does not wait.
    let late = wait(&two, &["src/a"], Exclusive);
    while harness.clock.sleepers() == 0 {
        tokio::task::yield_now().await;
    }
    harness.clock.advance(Duration::from_mins(1));
    let refused = late.await.unwrap().unwrap_err();
    assert_eq!(refused.to_string(), "src/a is held by three until 2026-02-16T14:30:00.000Z");
    waiting(0).await;
}
