//! The batching loop: what it does when a backend is stale, when a command looks at what was not fetched, and when a backend
//! fails.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use koor_core::{
    Error, MemoryStore,
    ports::{Change, Outcome, Store, StoreError, StoreHealth, StoreResult},
    testkit::{
        Intercept,
        bare::{change, key, put, store_error},
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
