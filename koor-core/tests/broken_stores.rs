//! The suite catches stores that break a promise: a suite that has never been seen to fail proves nothing.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use koor_core::{
    MemoryBackend, MemoryStore,
    ports::{
        Backend, Basis, Change, DocumentChange, EventChange, FactSet, Facts, InstanceChange, Outcome, Pages,
        Point, StoreResult,
    },
    testkit::{CASES, Intercept, StoreFixture, intercepted_store},
};

/// Runs the whole suite on a broken store, and answers which cases failed.
async fn caught(broken: impl Fn() -> MemoryStore) -> Vec<&'static str> {
    let mut failed = Vec::new();
    for case in CASES {
        let run = tokio::spawn(case.run(StoreFixture::of(broken())));
        // On a broken store, a case may wait for what never comes. Time is paused: an idle hour is over at once.
        match tokio::time::timeout(Duration::from_hours(1), run).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => failed.push(case.name),
        }
    }
    failed
}

/// Forgets that there was anything once it is deleted.
struct ForgetsTombstones;

impl Intercept for ForgetsTombstones {
    fn fetched(&self, facts: &mut Facts) {
        for revision in facts.records.revisions.values_mut() {
            *revision = revision.take().filter(|revision| !revision.deleted);
        }
    }
}

/// Says that it committed, and dropped a kind of change.
struct Drops(fn(&Change) -> bool);

impl Intercept for Drops {
    fn committing(&self, changes: &mut Vec<Change>) -> StoreResult<Outcome> {
        changes.retain(|change| !(self.0)(change));
        Ok(Outcome::Committed)
    }
}

/// Commits each change by itself.
struct OneByOne(MemoryBackend);

#[async_trait]
impl Backend for OneByOne {
    async fn fetch(&mut self, wanted: &FactSet, basis: Basis) -> StoreResult<Facts> {
        self.0.fetch(wanted, basis).await
    }

    async fn commit(&mut self, at: Point, changes: &[Change]) -> StoreResult<Outcome> {
        for change in changes {
            self.0.commit(at, std::slice::from_ref(change)).await?;
        }
        Ok(Outcome::Committed)
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_commits_by_half_is_caught() {
    let failed = caught(|| MemoryStore::on(OneByOne)).await;
    assert!(failed.contains(&"a_fault_at_any_step_leaves_nothing"), "{failed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_uses_versions_again_is_caught() {
    let failed = caught(|| intercepted_store(ForgetsTombstones)).await;
    assert!(failed.contains(&"a_version_is_never_used_again"), "{failed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_drops_an_audit_entry_is_caught() {
    let failed = caught(|| intercepted_store(Drops(|change| matches!(change, Change::AppendAudit(_))))).await;
    assert!(failed.contains(&"each_change_leaves_one_entry"), "{failed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_drops_an_event_is_caught() {
    let failed =
        caught(|| intercepted_store(Drops(|change| matches!(change, Change::Event(EventChange::Append(_))))))
            .await;
    assert!(failed.contains(&"every_change_is_announced"), "{failed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_forgets_is_caught() {
    let failed = caught(|| {
        intercepted_store(Drops(|change| matches!(change, Change::Event(EventChange::Prune { .. }))))
    })
    .await;
    assert!(failed.contains(&"each_class_has_its_own_retention"), "{failed:?}");
    let failed = caught(|| {
        intercepted_store(Drops(|change| matches!(change, Change::Document(DocumentChange::Trim { .. }))))
    })
    .await;
    assert!(failed.contains(&"the_history_limit_keeps_the_newest"), "{failed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_loses_a_token_is_caught() {
    let failed = caught(|| {
        intercepted_store(Drops(|change| matches!(change, Change::Instance(InstanceChange::SetToken { .. }))))
    })
    .await;
    assert!(failed.contains(&"a_token_finds_its_instance"), "{failed:?}");
}

/// Looks for tasks to claim before its turn: what it finds is as it was one commit earlier.
#[derive(Default)]
struct ReadsThenWrites(Mutex<Option<Pages>>);

impl Intercept for ReadsThenWrites {
    fn fetched(&self, facts: &mut Facts) {
        if facts.pages.ready_tasks.is_empty() {
            return;
        }
        let now = facts.pages.clone();
        let mut earlier = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(earlier) = earlier.replace(now) {
            facts.pages = earlier;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_gives_a_task_to_two_is_caught() {
    let failed = caught(|| intercepted_store(ReadsThenWrites::default())).await;
    assert!(failed.contains(&"of_64_racing_claims_of_a_task_one_wins"), "{failed:?}");
}
