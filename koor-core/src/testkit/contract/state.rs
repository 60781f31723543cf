//! Documents.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    caller::Caller,
    domain::{
        ContentType,
        audit::Outcome,
        state::{Precondition, Tags},
    },
    error::{Error, ErrorKind},
    ids::{DocumentKey, Hash, StateKey, Version},
    page::Limit,
    ports::DOCUMENT_PAGE_BYTES,
    settings::Settings,
    testkit::{
        Harness, StoreFixture,
        harness::{key, rule, spec, version},
    },
    use_cases::Diff,
    use_cases::StateQuery,
    use_cases::{DeleteDocument, ImportRules, PutDocument, RollbackDocument},
};

pub(super) async fn a_version_is_never_used_again(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    assert_eq!(harness.put("k", "1").await.revision.version, version(1));
    assert_eq!(harness.delete("k").await.revision.version, version(2));
    assert_eq!(harness.put("k", "2").await.revision.version, version(3));
    assert_eq!(harness.delete("k").await.revision.version, version(4));
    let back = harness.run(RollbackDocument::new(key("k"), version(1))).await.unwrap();
    assert_eq!(back.revision.version, version(5));
    let history = harness.koor.history(&key("k"), Limit::default()).await.unwrap();
    let versions: Vec<(u64, bool)> = history.iter().map(|one| (one.version.get(), one.deleted)).collect();
    assert_eq!(versions, [(5, false), (4, true), (3, false), (2, true), (1, false)]);
}

pub(super) async fn what_was_written_is_read(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    for n in 1..=100 {
        let written = harness.put("k", &n.to_string()).await;
        let read = harness.koor.document(&key("k")).await.unwrap();
        assert_eq!((read.revision.clone(), &read.value[..]), (written.revision, n.to_string().as_bytes()));
    }
    harness.delete("k").await;
    let gone = harness.koor.document(&key("k")).await.unwrap_err();
    assert_eq!(gone.to_string(), "key not found: k");
    let never = harness.koor.document_at(&key("k"), version(102)).await.unwrap_err();
    assert_eq!(never.to_string(), "version 102 not found for key: k");
    assert_eq!(harness.koor.document_at(&key("k"), version(7)).await.unwrap().value, "7");
}

pub(super) async fn bytes_are_kept_exactly(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let values = [vec![0_u8, 255, 10, 13, 0], b"{\"a\" : 1.0 }\n".to_vec(), vec![b'x'; 3 << 20]];
    for (index, value) in values.iter().enumerate() {
        let name = StateKey::new(format!("bytes/{index}")).unwrap();
        let media = ContentType::new("application/octet-stream; q=\"x\"").unwrap();
        let written = harness
            .run(PutDocument::state(name.clone(), value.clone(), media.clone()).unwrap())
            .await
            .unwrap();
        let read = harness.koor.document(&name.clone().into()).await.unwrap();
        assert!(read.value == *value, "value {index} has changed");
        assert_eq!(read.revision, written.revision);
        assert_eq!((read.revision.hash, &read.revision.content_type), (Hash::of(value), &media));
        let old = harness.koor.document_at(&name.into(), version(1)).await.unwrap();
        assert!(old == *read, "version 1 of value {index} is another");
    }
}

pub(super) async fn history_is_newest_first(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let mut written = Vec::new();
    for n in 1..=5 {
        harness.clock.advance(Duration::from_secs(1));
        written.insert(0, harness.put("k", &n.to_string()).await.revision);
    }
    let two = Limit::new("limit", 2).unwrap();
    assert_eq!(harness.koor.history(&key("k"), Limit::default()).await.unwrap(), written);
    assert_eq!(harness.koor.history(&key("k"), two).await.unwrap(), written[..2]);
    assert_eq!(harness.koor.history(&key("never"), Limit::default()).await.unwrap(), []);
}

pub(super) async fn a_rollback_brings_back_what_was_deleted(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let media = ContentType::new("text/plain").unwrap();
    harness
        .run(PutDocument::state(StateKey::new("k").unwrap(), "one", media.clone()).unwrap())
        .await
        .unwrap();
    harness.put("k", "2").await;
    harness.delete("k").await;
    let back = harness.run(RollbackDocument::new(key("k"), version(1))).await.unwrap();
    assert_eq!((back.revision.version, &back.revision.content_type), (version(4), &media));
    assert_eq!(harness.koor.document(&key("k")).await.unwrap().value, "one");
    let before = harness.dump().await;
    for missing in [3, 9] {
        let refused = harness.run(RollbackDocument::new(key("k"), version(missing))).await.unwrap_err();
        assert_eq!(refused.to_string(), format!("version {missing} not found for key: k"));
    }
    assert_eq!(harness.dump().await, before);
}

pub(super) async fn a_condition_that_does_not_hold_changes_nothing(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let live = harness.put("k", "1").await.revision;
    let tags = |tags| Precondition { matches: Some(tags), ..Precondition::default() };
    let wrong = [Precondition::absent(), Precondition::at(version(2)), tags(Tags::Of(vec![Hash::of(b"2")]))];
    for condition in wrong {
        for refused in [
            harness.put_if("k", "2", condition.clone()).await.unwrap_err(),
            harness.run(DeleteDocument::new(key("k")).only_if(condition.clone())).await.unwrap_err(),
            harness
                .run(RollbackDocument::new(key("k"), version(1)).only_if(condition.clone()))
                .await
                .unwrap_err(),
        ] {
            let Error::VersionConflict { name, version, hash } = refused else { panic!("{refused}") };
            assert_eq!((name.as_str(), version, hash), ("k", Some(live.version), Some(live.hash)));
        }
    }
    let absent = harness.put_if("new", "1", tags(Tags::Any)).await.unwrap_err();
    assert_eq!(absent.to_string(), "version conflict: new is at version 0");
    assert_eq!(harness.koor.history(&key("k"), Limit::default()).await.unwrap(), std::slice::from_ref(&live));
    assert_eq!(harness.koor.history(&key("new"), Limit::default()).await.unwrap(), []);
    let second = harness.put_if("k", "2", tags(Tags::Of(vec![live.hash]))).await.unwrap();
    assert_eq!(second.revision.version, version(2));
    harness.delete("k").await;
    harness.put_if("k", "3", Precondition::absent()).await.unwrap();
}

pub(super) async fn of_64_racing_writers_one_wins(fixture: StoreFixture) {
    let harness = Arc::new(Harness::on(fixture).await);
    for round in 0..4_u64 {
        let condition = Precondition { version: Some(round), ..Precondition::default() };
        let mut writers = JoinSet::new();
        for writer in 0..64 {
            let (harness, condition) = (Arc::clone(&harness), condition.clone());
            writers.spawn(async move { harness.put_if("k", &writer.to_string(), condition).await });
        }
        let answers = writers.join_all().await;
        let winners: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().ok()).collect();
        assert_eq!(winners.len(), 1, "in round {round}");
        assert_eq!(winners[0].revision.version, version(round + 1));
        let read = harness.koor.document(&key("k")).await.unwrap();
        assert_eq!(read.revision, winners[0].revision);
        for refused in answers.iter().filter_map(|answer| answer.as_ref().err()) {
            assert_eq!(refused.kind(), ErrorKind::Precondition, "{refused}");
        }
    }
    let history = harness.koor.history(&key("k"), Limit::MAX).await.unwrap();
    assert_eq!(history.len(), 4);
}

pub(super) async fn racing_writers_leave_no_holes(fixture: StoreFixture) {
    let harness = Arc::new(Harness::on(fixture).await);
    let mut writers = JoinSet::new();
    for writer in 0..16 {
        let harness = Arc::clone(&harness);
        writers.spawn(async move {
            for n in 0..20 {
                if n % 5 == 4 {
                    // Another writer may have been first: then there is nothing to delete.
                    drop(harness.run(DeleteDocument::new(key("shared"))).await);
                } else {
                    harness.put("shared", &format!("[{writer},{n}]")).await;
                }
            }
        });
    }
    writers.join_all().await;
    let history = harness.koor.history(&key("shared"), Limit::MAX).await.unwrap();
    let versions: Vec<u64> = history.iter().rev().map(|one| one.version.get()).collect();
    assert_eq!(versions, (1..=history.len() as u64).collect::<Vec<_>>());
    assert!(history.len() >= 256, "only {} versions", history.len());
}

pub(super) async fn keys_are_listed_in_pages(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let names = ["a", "a%b", "a/1", "a/2", "a_b", "ab", "b", "gone", "z\u{10ffff}", "ä", "日本"];
    for name in names.iter().rev() {
        harness.put(name, "1").await;
    }
    harness.delete("gone").await;
    let list = async |prefix: &str, after: Option<&str>, limit: Option<u64>| -> Vec<String> {
        let query = StateQuery {
            prefix: prefix.to_owned(),
            after: after.map(|after| StateKey::new(after).unwrap()),
            limit: limit.map(|limit| Limit::new("limit", limit).unwrap()),
        };
        harness.koor.state_list(query).await.unwrap().into_iter().map(|(key, _)| key.to_string()).collect()
    };
    let mut live: Vec<&str> = names.into_iter().filter(|name| *name != "gone").collect();
    live.sort_unstable();
    assert_eq!(list("", None, None).await, live);
    assert_eq!(list("a", None, None).await, ["a", "a%b", "a/1", "a/2", "a_b", "ab"]);
    assert_eq!(list("a%", None, None).await, ["a%b"]);
    assert_eq!(list("a_", None, None).await, ["a_b"]);
    assert_eq!(list("a/", Some("a/1"), None).await, ["a/2"]);
    assert_eq!(list("z\u{10ffff}", None, None).await, ["z\u{10ffff}"]);
    assert_eq!(list("", Some("a/2"), Some(2)).await, ["a_b", "ab"]);
    assert_eq!(list("", Some("zz"), None).await, ["z\u{10ffff}", "ä", "日本"]);
    let metrics = harness.koor.server_metrics().await.unwrap();
    assert_eq!(metrics.state_keys, live.len() as u64);
}

pub(super) async fn a_page_of_documents_is_bounded_in_bytes(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    // Versions of one key, and one of each of several: stores may look for them in two steps.
    for (n, size) in [("a", 3), ("a", 3), ("a", 8), ("a", 1), ("b", 3), ("c", 40), ("d", 0), ("e", 9)] {
        harness.put(n, &format!("\"{}\"", "x".repeat(size * DOCUMENT_PAGE_BYTES / 8))).await;
    }
    let (mut after, mut pages) = (None, Vec::new());
    loop {
        let place = after.clone();
        let page = harness.koor.read(move |tx| {
            tx.documents_after(
                place.as_ref().map(|(key, version): &(DocumentKey, Version)| (key, *version)),
                256,
            )
        });
        let page = page.await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.key.clone(), last.revision.version));
        pages
            .push(page.iter().map(|one| format!("{} {}", one.key, one.revision.version)).collect::<Vec<_>>());
    }
    let pages: Vec<_> = pages.iter().map(|page| page.join(", ")).collect();
    assert_eq!(pages, ["a 1, a 2, a 3", "a 4, b 1, c 1", "d 1, e 1"]);
}

pub(super) async fn the_history_limit_keeps_the_newest(fixture: StoreFixture) {
    let settings = Settings { history_limit: Some(2), ..Settings::default() };
    let harness = Harness::with(fixture, settings).await;
    for n in 1..=6 {
        harness.put("k", &n.to_string()).await;
    }
    let history = harness.koor.history(&key("k"), Limit::default()).await.unwrap();
    let versions: Vec<u64> = history.iter().map(|one| one.version.get()).collect();
    assert_eq!(versions, [6, 5, 4]);
    assert!(harness.koor.document_at(&key("k"), version(3)).await.is_err());
    harness.delete("k").await;
    assert_eq!(harness.put("k", "8").await.revision.version, version(8));
}

pub(super) async fn state_and_specs_do_not_meet(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    harness.put("p/n", "1").await;
    harness.put("p/n", "2").await;
    let written = harness.put_spec("p/n", &json!({"spec": true})).await.unwrap();
    assert_eq!(written.revision.version, version(1));
    assert_eq!(harness.koor.document(&key("p/n")).await.unwrap().value, "2");
    harness.run(DeleteDocument::new(spec("p/n"))).await.unwrap();
    assert_eq!(harness.koor.document(&key("p/n")).await.unwrap().value, "2");
    let gone = harness.koor.document(&spec("p/n").into()).await.unwrap_err();
    assert_eq!(gone.to_string(), "spec not found: p/n");
}

pub(super) async fn two_versions_are_compared(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    harness.put("k", r#"{"a":{"b":[1,2]},"c":true}"#).await;
    harness.put("k", r#"{"a":{"b":[1,3,4]}}"#).await;
    harness.put("k", "not json").await;
    let diff = harness.koor.compare(&key("k"), version(1), version(2), Diff::clone).await.unwrap();
    assert_eq!(
        serde_json::to_value(diff.changes()).unwrap(),
        json!([
            {"path": "a.b.1", "kind": "changed", "old": 2, "new": 3},
            {"path": "a.b.2", "kind": "added", "new": 4},
            {"path": "c", "kind": "removed", "old": true},
        ])
    );
    let wrong = harness.koor.compare(&key("k"), version(1), version(3), Diff::clone).await.unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Invalid);
    let missing = harness.koor.compare(&key("k"), version(1), version(4), Diff::clone).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}

pub(super) async fn a_wait_ends_with_the_change(fixture: StoreFixture) {
    let harness = Arc::new(Harness::on(fixture).await);
    let minute = Duration::from_mins(1);
    let at_once = harness.put("k", "1").await;
    let there = harness.koor.wait_for(&key("k"), Some(0), minute).await.unwrap().unwrap();
    assert_eq!(there.revision, at_once.revision);
    let waiting = {
        let harness = Arc::clone(&harness);
        tokio::spawn(async move { harness.koor.wait_for(&key("k"), None, minute).await })
    };
    sleeping(&harness, 1).await;
    harness.put("other", "1").await;
    let changed = harness.put("k", "2").await;
    assert_eq!(waiting.await.unwrap().unwrap().unwrap().revision, changed.revision);
    let waiting = {
        let harness = Arc::clone(&harness);
        tokio::spawn(async move { harness.koor.wait_for(&key("k"), None, minute).await })
    };
    sleeping(&harness, 1).await;
    harness.clock.advance(minute);
    assert!(waiting.await.unwrap().unwrap().is_none());
    harness.delete("k").await;
    let gone = harness.koor.wait_for(&key("k"), Some(2), minute).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
    let long = harness.koor.wait_for(&key("k"), None, minute * 6).await.unwrap_err();
    assert_eq!(long.kind(), ErrorKind::Invalid);
}

/// Until so many wait for the clock.
pub(super) async fn sleeping(harness: &Harness, sleepers: usize) {
    while harness.clock.sleepers() < sleepers {
        tokio::task::yield_now().await;
    }
}

pub(super) async fn specs_are_listed_by_project(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    for name in ["p/b", "p/a", "q/a", "p/gone"] {
        harness.put_spec(name, &json!({})).await.unwrap();
    }
    harness.run(DeleteDocument::new(spec("p/gone"))).await.unwrap();
    let import = ImportRules::new(vec![rule("r", "x")]).unwrap();
    harness.run(import).await.unwrap();
    let specs = harness.koor.specs("p".parse().unwrap()).await.unwrap();
    let names: Vec<String> = specs.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(harness.koor.specs("unknown".parse().unwrap()).await.unwrap(), []);
    let projects = harness.koor.projects().await.unwrap();
    let counts: Vec<(String, u64, u64)> =
        projects.iter().map(|one| (one.project.to_string(), one.specs, one.rules)).collect();
    assert_eq!(counts, [("p".into(), 2, 0), ("q".into(), 1, 0), ("r".into(), 0, 1)]);
}

pub(super) async fn a_spec_satisfies_the_schema_beside_it(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let schema = json!({"type": "object", "required": ["port"], "properties": {"port": {"type": "integer"}}});
    let broken = harness.put_spec("p/api.schema", &json!({"type": "nonsense"})).await.unwrap_err();
    assert_eq!(broken.kind(), ErrorKind::Unprocessable);
    harness.put_spec("p/api.schema", &schema).await.unwrap();
    harness.put_spec("p/api", &json!({"port": 80})).await.unwrap();
    let refused = harness.put_spec("p/api", &json!({"port": "x"})).await.unwrap_err();
    let Error::SchemaViolations { violations, .. } = refused else { panic!("{refused}") };
    assert_eq!(violations.len(), 1);
    assert_eq!(violations[0].path, "port");
    assert_eq!(harness.audit(1).await[0].outcome, Outcome::Error);
    let newest = harness.koor.document(&spec("p/api").into()).await.unwrap();
    assert_eq!(newest.revision.version, version(1));
    harness.put_spec("q/api", &json!("no schema here")).await.unwrap();
    let text = harness
        .koor
        .put_spec(&Caller::local(), &spec("q/api"), "{".into(), Precondition::default())
        .await
        .unwrap_err();
    assert_eq!(text.to_string(), "invalid JSON body: EOF while parsing an object at line 1 column 1");
}
