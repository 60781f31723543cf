//! The suite catches stores that break a promise: a suite that has never been seen to fail proves nothing.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use koor_core::{
    MemoryBackend, MemoryStore,
    domain::leases::HeldLease,
    ids::Version,
    ports::{
        Backend, Basis, Change, DocumentChange, EventChange, FactSet, Facts, InstanceChange, LeaseChange,
        MessageChange, Outcome, Pages, Point, StoreResult, TaskChange,
    },
    testkit::{CASES, Case, Intercept, StoreFixture, intercepted_store},
};

/// Runs the whole suite on a broken store, and answers which cases failed.
async fn caught(broken: impl Fn() -> MemoryStore) -> Vec<&'static str> {
    failing(CASES.iter(), broken).await
}

/// Runs one case on a broken store, and answers whether it failed.
async fn is_caught_by(name: &str, broken: impl Fn() -> MemoryStore) -> bool {
    let named = CASES.iter().filter(|case| case.name == name);
    assert_eq!(named.clone().count(), 1, "there is no case {name}");
    !failing(named, broken).await.is_empty()
}

async fn failing(
    cases: impl Iterator<Item = &'static Case>,
    broken: impl Fn() -> MemoryStore,
) -> Vec<&'static str> {
    let mut failed = Vec::new();
    for case in cases {
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

/// Drops a kind of change of coordinated work, and which promise that breaks.
type Loss = (&'static str, fn(&Change) -> bool, &'static str);

/// Each change of tasks, leases and messages that a store can lose.
const LOSSES: &[Loss] = &[
    (
        "a task",
        |change| matches!(change, Change::Task(TaskChange::Put(task)) if task.version == Version::FIRST),
        "tasks_are_made_all_or_none",
    ),
    (
        "a claim",
        |change| matches!(change, Change::Task(TaskChange::Put(task)) if task.claim.is_some()),
        "a_lost_claim_writes_nothing",
    ),
    ("a count", |change| matches!(change, Change::Task(TaskChange::Count(_))), "tasks_are_made_all_or_none"),
    (
        "a note",
        |change| matches!(change, Change::Task(TaskChange::AppendNote { .. })),
        "a_review_is_anothers",
    ),
    (
        "a lease",
        |change| matches!(change, Change::Lease(LeaseChange::Put(_))),
        "paths_are_leased_all_or_none",
    ),
    (
        "the end of a lease",
        |change| matches!(change, Change::Lease(LeaseChange::Remove { .. })),
        "a_lease_ends_when_its_holder_is_silent",
    ),
    (
        "the number of a lease",
        |change| matches!(change, Change::Lease(LeaseChange::SetLast { .. })),
        "a_number_of_a_lease_is_never_used_again",
    ),
    (
        "a message",
        |change| matches!(change, Change::Message(MessageChange::Append(_))),
        "a_message_is_shown_read_and_acknowledged",
    ),
    (
        "a receipt",
        |change| matches!(change, Change::Message(MessageChange::SetReceipt { .. })),
        "a_message_is_shown_read_and_acknowledged",
    ),
    (
        "the end of a message",
        |change| matches!(change, Change::Message(MessageChange::Remove(_))),
        "a_message_is_shown_read_and_acknowledged",
    ),
    (
        "the name of an agent",
        |change| matches!(change, Change::Message(MessageChange::PutGone(_))),
        "names_and_groups_are_resolved_when_a_message_is_sent",
    ),
    (
        "the cursor of a brief",
        |change| matches!(change, Change::Message(MessageChange::SetBriefed { .. })),
        "a_brief_has_what_is_new_since_the_last_one",
    ),
];

#[tokio::test(start_paused = true)]
async fn a_store_that_loses_a_change_of_coordinated_work_is_caught() {
    for (what, lost, promise) in LOSSES {
        let caught = is_caught_by(promise, || intercepted_store(Drops(*lost))).await;
        assert!(caught, "{what} was lost, and {promise} holds");
    }
}

/// Finds only leases of the same text: a store that compares paths as they are written.
struct ComparesTexts;

impl Intercept for ComparesTexts {
    fn fetched(&self, facts: &mut Facts) {
        for ((_, beginning), near) in &mut facts.scans.leases_near {
            near.retain(|held| {
                held.lease.held.paths.iter().any(|path| path.literal_beginning() == *beginning)
            });
        }
    }
}

/// Looks for leases before its turn: what it finds is as it was one look earlier.
#[derive(Default)]
struct ReadsLeasesEarly(Mutex<Vec<HeldLease>>);

impl Intercept for ReadsLeasesEarly {
    fn fetched(&self, facts: &mut Facts) {
        let near = &mut facts.scans.leases_near;
        if near.is_empty() {
            return;
        }
        let now = near.values().flatten().cloned().collect();
        let earlier = std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), now);
        for near in near.values_mut() {
            near.clone_from(&earlier);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_misses_a_lease_is_caught() {
    let failed = caught(|| intercepted_store(ComparesTexts)).await;
    assert!(failed.contains(&"paths_are_leased_all_or_none"), "{failed:?}");
    let failed = caught(|| intercepted_store(ReadsLeasesEarly::default())).await;
    assert!(failed.contains(&"of_64_racing_takers_of_a_path_one_wins"), "{failed:?}");
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
