//! The batching loop: what it does when a backend is stale, when a command looks at what was not fetched, and when a backend
//! fails.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use async_trait::async_trait;
use koor_core::{
    Error, MemoryBackend, MemoryStore,
    domain::{RawJson, events::Event},
    ids::{Cursor, EventId},
    ports::{
        Backend, Basis, Change, CommitObserver, FactSet, Facts, Outcome, Point, Store, StoreError,
        StoreHealth, StoreResult,
    },
    testkit::{
        Intercept,
        bare::{change, document, key, put, store_error},
        intercepted_store,
    },
};

/// Is stale for its first commits.
struct StaleAtFirst {
    times: usize,
    commits: AtomicUsize,
}

impl Intercept for StaleAtFirst {
    fn committing(&self, _: &mut Vec<Change>) -> StoreResult<Outcome> {
        let stale = self.commits.fetch_add(1, Relaxed) < self.times;
        Ok(if stale { Outcome::Stale } else { Outcome::Committed })
    }
}

fn stale_store(times: usize) -> MemoryStore {
    intercepted_store(StaleAtFirst { times, commits: AtomicUsize::new(0) })
}

#[tokio::test]
async fn a_stale_batch_runs_again_and_makes_its_changes_once() {
    let store = stale_store(1);
    assert_eq!(put(&store, "a", b"1").await.unwrap().get(), 1);
    assert_eq!(put(&store, "a", b"2").await.unwrap().get(), 2);
}

#[tokio::test]
async fn a_backend_that_is_stale_although_it_is_locked_is_busy() {
    let store = stale_store(2);
    let refused = put(&store, "a", b"1").await;
    assert!(matches!(refused, Err(StoreError::Busy)), "{refused:?}");
    assert_eq!(put(&store, "a", b"1").await.unwrap().get(), 1, "nothing was left behind");
}

/// Looks at a document that it has not named.
async fn version_without_a_hint(store: &dyn Store) -> Result<Option<u64>, Error> {
    change(store, |cx| Ok(cx.revision(&key("a"))?.map(|revision| revision.version.get()))).await
}

#[tokio::test]
async fn a_fact_that_was_not_fetched_is_fetched_when_it_is_looked_at() {
    let store = stale_store(0);
    assert_eq!(version_without_a_hint(&store).await.unwrap(), None);
    put(&store, "a", b"1").await.unwrap();
    assert_eq!(version_without_a_hint(&store).await.unwrap(), Some(1));
}

#[tokio::test]
async fn the_in_memory_store_insists_on_complete_hints() {
    let store = MemoryStore::default();
    let error = store_error(version_without_a_hint(&store).await);
    assert!(matches!(error, StoreError::Backend { attempted: "look up a fact", .. }), "{error:?}");
    put(&store, "a", b"1").await.unwrap();
}

/// Cannot commit while it says why.
struct Fails(AtomicUsize);

impl Intercept for Fails {
    fn committing(&self, _: &mut Vec<Change>) -> StoreResult<Outcome> {
        let left = self.0.load(Relaxed);
        if left == 0 {
            return Ok(Outcome::Committed);
        }
        self.0.store(left - 1, Relaxed);
        Err(StoreError::Backend { attempted: "commit", source: "it is meant to fail".into() })
    }
}

#[tokio::test]
async fn a_store_that_fails_every_write_is_not_healthy_until_one_succeeds() {
    let store = intercepted_store(Fails(AtomicUsize::new(3)));
    for health in [StoreHealth::Ok, StoreHealth::Ok, StoreHealth::Degraded("writes fail".into())] {
        put(&store, "a", b"1").await.unwrap_err();
        assert_eq!(store.committer().health().await, health);
    }
    put(&store, "a", b"1").await.unwrap();
    assert_eq!(store.committer().health().await, StoreHealth::Ok);
    store.close().await;
    assert_eq!(store.committer().health().await, StoreHealth::Degraded("the store is closed".into()));
    assert!(matches!(put(&store, "a", b"1").await, Err(StoreError::Closed)));
}

/// A backend beside which other servers write: what it looked up and committed, and their events.
struct Shared {
    inner: MemoryBackend,
    fetched: Arc<Mutex<Vec<Basis>>>,
    /// How often a commit finds that another server was faster.
    stale: usize,
    unresolved: bool,
    others: Vec<Event>,
}

impl Shared {
    fn store(set: impl FnOnce(&mut Self)) -> (MemoryStore, Arc<Mutex<Vec<Basis>>>) {
        let fetched = Arc::new(Mutex::new(Vec::new()));
        let of_test = Arc::clone(&fetched);
        let store = MemoryStore::on(|inner| {
            let mut shared =
                Self { inner: inner.lenient(), fetched, stale: 0, unresolved: false, others: Vec::new() };
            set(&mut shared);
            shared
        });
        (store, of_test)
    }
}

#[async_trait]
impl Backend for Shared {
    async fn fetch(&mut self, wanted: &FactSet, basis: Basis) -> StoreResult<Facts> {
        self.fetched.lock().unwrap().push(basis);
        self.inner.fetch(wanted, basis).await
    }

    async fn commit(&mut self, at: Point, changes: &[Change]) -> StoreResult<Outcome> {
        if self.unresolved {
            return Err(StoreError::Unresolved);
        }
        if self.stale > 0 {
            self.stale -= 1;
            return Ok(Outcome::Stale);
        }
        self.inner.commit(at, changes).await
    }

    async fn events_between(&mut self, after: Cursor, before: EventId) -> StoreResult<Vec<Event>> {
        let between = |event: &&Event| Cursor::from(event.id) > after && event.id < before;
        Ok(self.others.iter().filter(between).take(2).cloned().collect())
    }

    fn has_other_writers(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn what_was_decided_without_changes_is_decided_again_when_another_server_was_faster() {
    let (store, fetched) = Shared::store(|shared| shared.stale = 1);
    assert_eq!(version_without_a_hint(&store).await.unwrap(), None);
    let fetched = fetched.lock().unwrap();
    assert_eq!(fetched.first(), Some(&Basis::Newest));
    assert_eq!(fetched.last(), Some(&Basis::Locked), "the second time, no one can be faster");
}

#[tokio::test]
async fn what_may_have_been_committed_is_not_tried_again() {
    let (store, fetched) = Shared::store(|shared| shared.unresolved = true);
    let answers = tokio::join!(put(&store, "a", b"1"), put(&store, "b", b"1"));
    assert!(matches!(answers, (Err(StoreError::Unresolved), Err(StoreError::Unresolved))), "{answers:?}");
    assert_eq!(fetched.lock().unwrap().len(), 2, "each was run once");
}

/// Remembers what it was told.
#[derive(Default)]
struct Told(Mutex<Vec<Result<u64, u64>>>);

impl Told {
    fn take(&self) -> Vec<Result<u64, u64>> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl CommitObserver for Told {
    fn committed(&self, events: &[Event]) {
        self.0.lock().unwrap().extend(events.iter().map(|event| Ok(event.id.get())));
    }

    fn reset(&self, last: Cursor) {
        self.0.lock().unwrap().push(Err(last.get()));
    }
}

fn event(id: u64) -> Event {
    Event {
        id: EventId::new(id).unwrap(),
        topic: "t".parse().unwrap(),
        data: RawJson::null(),
        source: String::new(),
        created_at: document("k", 1, None).revision.updated_at,
    }
}

#[tokio::test]
async fn the_observer_is_told_of_each_event_once_and_in_order_whoever_brings_it() {
    let store = MemoryStore::default();
    let told = Arc::new(Told::default());
    let committer = store.committer();
    committer.feed().announce(&[event(1)]);
    committer.set_commit_observer(Arc::clone(&told) as Arc<dyn CommitObserver>, Cursor::new(1));
    let feed = committer.feed();
    feed.announce(&[event(1), event(2), event(3)]);
    feed.announce(&[event(2), event(3)]);
    feed.announce(&[event(3), event(4)]);
    assert_eq!(told.take(), [Ok(2), Ok(3), Ok(4)]);
    assert_eq!(feed.announced(), Some(Cursor::new(4)));
    feed.reset(Cursor::new(2));
    feed.announce(&[event(3)]);
    assert_eq!(told.take(), [Err(2), Ok(3)]);
}

#[tokio::test]
async fn events_of_other_servers_are_announced_before_those_of_a_commit_that_follows_them() {
    let (store, _) = Shared::store(|shared| shared.others = (1..=5).map(event).collect());
    // Five events are in the log that the observer has not been told of, as if other servers had committed them.
    for name in ["a", "b", "c", "d", "e"] {
        put(&store, name, b"1").await.unwrap();
    }
    let told = Arc::new(Told::default());
    store.committer().set_commit_observer(Arc::clone(&told) as Arc<dyn CommitObserver>, Cursor::START);
    put(&store, "own", b"1").await.unwrap();
    assert_eq!(told.take(), (1..=6).map(Ok).collect::<Vec<_>>());
}
