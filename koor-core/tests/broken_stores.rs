//! The suite catches stores that break a promise: a suite that nobody has seen fail proves nothing.

use std::{sync::Arc, time::Duration};

use koor_core::{
    MemoryStore,
    domain::state::Revision,
    ports::StoreResult,
    testkit::{CASES, Effect, Ground, Meddle, MeddledStore},
};

/// Runs the whole suite on a broken store, and answers which cases failed.
async fn caught<M: Meddle>(broken: fn() -> M) -> Vec<&'static str> {
    let mut failed = Vec::new();
    for case in CASES {
        let store = MeddledStore::new(Arc::new(MemoryStore::default()), broken());
        let run = tokio::spawn(case.run(Ground::of(store)));
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

impl Meddle for ForgetsTombstones {
    fn newest(&self, found: Option<Revision>) -> Option<Revision> {
        found.filter(|revision| !revision.deleted)
    }
}

/// Says that it wrote, and did not.
struct Drops(&'static str);

impl Meddle for Drops {
    fn before(&self, method: &'static str) -> StoreResult<Effect> {
        Ok(if method == self.0 { Effect::Skip } else { Effect::Do })
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_uses_versions_again_is_caught() {
    let failed = caught(|| ForgetsTombstones).await;
    assert!(failed.contains(&"a_version_is_never_used_again"), "{failed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_drops_an_audit_entry_is_caught() {
    let failed = caught(|| Drops("append_audit")).await;
    assert!(failed.contains(&"each_change_leaves_one_entry"), "{failed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_drops_an_event_is_caught() {
    let failed = caught(|| Drops("append_event")).await;
    assert!(failed.contains(&"every_change_is_announced"), "{failed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_forgets_is_caught() {
    let failed = caught(|| Drops("prune_events")).await;
    assert!(failed.contains(&"each_class_has_its_own_retention"), "{failed:?}");
    let failed = caught(|| Drops("trim_document")).await;
    assert_eq!(failed, ["the_history_limit_keeps_the_newest"]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_loses_a_token_is_caught() {
    let failed = caught(|| Drops("set_instance_token")).await;
    assert!(failed.contains(&"a_token_finds_its_instance"), "{failed:?}");
}
