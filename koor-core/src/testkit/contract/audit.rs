//! The audit log.

use std::time::Duration;

use crate::{
    caller::Caller,
    domain::{
        audit::{AuditFilter, Outcome},
        state::Precondition,
    },
    page::{Limit, TimeRange},
    testkit::{
        Harness, StoreFixture,
        harness::{agent, put},
    },
    use_cases::{ActivateInstance, DeregisterInstance},
};

pub(super) async fn each_change_leaves_one_entry(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    harness.put("k", "1").await;
    harness.delete("k").await;
    let worker = harness.agent("worker", "w").await;
    let id = worker.instance.id.to_string();
    harness.koor.execute(&agent(&worker), put("k", "2")).await.unwrap();
    harness.run(DeregisterInstance(worker.instance.id)).await.unwrap();
    let shown: Vec<String> = harness
        .audit(99)
        .await
        .iter()
        .rev()
        .map(|entry| {
            assert_eq!(entry.outcome, Outcome::Success);
            let resource = entry.resource.replace(&id, "ID");
            let actor = entry.actor.as_str().replace(&id, "ID");
            format!("{} {} {resource} by {actor:?} {}", entry.id, entry.action, entry.detail)
        })
        .collect();
    assert_eq!(
        shown,
        [
            r#"1 state.put k by "" {"version":1}"#,
            r#"2 state.delete k by "" {}"#,
            r#"3 instance.register ID by "worker" {"workspace":"w"}"#,
            r#"4 instance.activate ID by "" {}"#,
            r#"5 state.put k by "ID" {"version":3}"#,
            r#"6 instance.deregister ID by "" {}"#,
        ]
    );
}

pub(super) async fn a_refused_change_leaves_only_its_entry(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let worker = harness.agent("worker", "").await;
    let other = harness.agent("other", "").await;
    harness.put("k", "1").await;
    let before = harness.dump().await;
    let refused = harness.put_if("k", "2", Precondition::absent()).await.unwrap_err();
    harness.koor.execute(&agent(&worker), ActivateInstance(other.instance.id)).await.unwrap_err();
    harness.run(ActivateInstance(crate::ids::InstanceId::NIL)).await.unwrap_err();
    let added: Vec<String> = harness.dump().await.into_iter().filter(|line| !before.contains(line)).collect();
    assert_eq!(added.len(), 2, "{added:#?}");
    assert!(before.len() + 2 == harness.dump().await.len());
    let entries = harness.audit(2).await;
    assert_eq!((entries[1].action.as_str(), entries[1].outcome), ("state.put", Outcome::Error));
    assert_eq!(entries[1].detail, format!("{{\"error\":\"{refused}\"}}"));
    assert_eq!((entries[0].action.as_str(), entries[0].outcome), ("instance.activate", Outcome::Denied));
    assert_eq!(entries[0].actor.as_str(), worker.instance.id.to_string());
}

pub(super) async fn entries_are_found_and_counted(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let worker = agent(&harness.agent("worker", "").await);
    for n in 0..30 {
        harness.clock.advance(Duration::from_secs(1));
        let caller = if n % 3 == 0 { worker.clone() } else { Caller::local() };
        harness.koor.execute(&caller, put(&format!("k{}", n % 2), "1")).await.unwrap();
    }
    harness.put_if("k0", "2", Precondition::absent()).await.unwrap_err();
    let found = async |filter: AuditFilter, limit: u64| -> Vec<u64> {
        let limit = Limit::new("limit", limit).unwrap();
        harness.koor.audit(filter, limit).await.unwrap().iter().map(|entry| entry.id.get()).collect()
    };
    let any = AuditFilter::default;
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(found(any(), 2).await, [33, 32]);
    assert_eq!(found(AuditFilter { after: Some(30), ..any() }, 2).await, [31, 32]);
    assert_eq!(found(AuditFilter { after: Some(0), ..any() }, 2).await, [1, 2]);
    let by_worker = AuditFilter { actor: some(worker.actor().as_str()), ..any() };
    assert_eq!(found(by_worker.clone(), 2).await, [30, 27]);
    assert_eq!(found(AuditFilter { resource: some("k1"), ..by_worker.clone() }, 2).await, [30, 24]);
    assert_eq!(found(AuditFilter { outcome: Some(Outcome::Error), ..any() }, 9).await, [33]);
    assert_eq!(found(AuditFilter { action: some("instance.register"), ..any() }, 9).await, [1]);
    let third = harness.koor.now().millis() - 27_000;
    let third = Some(crate::clock::Timestamp::from_millis(third));
    let range = TimeRange { from: third, to: third };
    assert_eq!(found(AuditFilter { range, ..any() }, 9).await, [5]);
    let summary = harness.koor.audit_summary(TimeRange::default()).await.unwrap();
    assert_eq!((summary.total_entries, summary.unique_actors, summary.unique_resources), (33, 3, 3));
    assert_eq!((summary.action_counts["state.put"], summary.outcome_counts["error"]), (31, 1));
    assert_eq!(harness.koor.audit_summary(range).await.unwrap().total_entries, 1);
}

pub(super) async fn the_chain_verifies(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let empty = harness.koor.verify_audit().await.unwrap();
    assert_eq!((empty.valid, empty.entries), (true, 0));
    for n in 0..50 {
        harness.put("k", &n.to_string()).await;
    }
    let report = harness.koor.verify_audit().await.unwrap();
    let head = harness.koor.read(|tx| tx.audit_head()).await.unwrap().unwrap();
    assert_eq!((report.valid, report.entries, report.head), (true, 50, head.hash.to_string()));
}
