//! Instances, and who may do what.

use std::time::Duration;

use crate::{
    caller::{Caller, Role},
    domain::{
        audit::Outcome,
        instances::{Instance, InstanceFilter, InstanceStatus},
        webhooks::Secret,
    },
    error::ErrorKind,
    identify::Credentials,
    ids::Hash,
    settings::Settings,
    testkit::{
        Harness, StoreFixture,
        harness::{agent, put},
    },
    use_cases::{
        ActivateInstance, CreateBackup, DeregisterInstance, InstanceDraft, RegisterInstance, RenewToken,
        ResetMetrics, SetCapabilities, SetIntent,
    },
};

async fn all(harness: &Harness, filter: InstanceFilter) -> Vec<String> {
    harness.koor.instances(filter).await.unwrap().into_iter().map(|instance| instance.name).collect()
}

async fn identify(
    harness: &Harness,
    bearer: Option<&str>,
    instance: Option<&str>,
) -> Result<(Role, String), ErrorKind> {
    let found = harness.koor.identify(Credentials { bearer, instance }).await;
    found.map(|found| (found.caller.role(), found.caller.actor().to_string())).map_err(|error| error.kind())
}

pub(super) async fn a_token_finds_its_instance(fixture: StoreFixture) {
    let token = Some(Secret::new("server").unwrap());
    let harness = Harness::with(fixture, Settings { server_token: token, ..Settings::default() }).await;
    let one = harness.agent("one", "").await;
    let two = harness.agent("two", "").await;
    let id = one.instance.id.to_string();
    let own = Ok((Role::Agent, id.clone()));
    assert_eq!(identify(&harness, Some(&one.token), None).await, own);
    assert_eq!(identify(&harness, Some(&one.token), Some(&two.instance.id.to_string())).await, own);
    assert_eq!(identify(&harness, Some("server"), None).await, Ok((Role::Admin, "admin".into())));
    assert_eq!(identify(&harness, Some("server"), Some(&id)).await, Ok((Role::Admin, id.clone())));
    for wrong in [None, Some(""), Some("serve"), Some("Server"), Some(id.as_str())] {
        assert_eq!(identify(&harness, wrong, Some(&id)).await, Err(ErrorKind::Unauthorized), "{wrong:?}");
    }
    let stranger =
        harness.koor.identify(Credentials { bearer: Some("server"), instance: Some("no-one") }).await;
    assert_eq!(stranger.unwrap().warning.unwrap(), "unknown instance no-one");
    let renewed = harness.run(RenewToken::new(&harness.koor, one.instance.id).unwrap()).await.unwrap();
    assert_eq!(identify(&harness, Some(&one.token), None).await, Err(ErrorKind::Unauthorized));
    assert_eq!(identify(&harness, Some(&renewed.token), None).await, own);
    harness.run(DeregisterInstance(one.instance.id)).await.unwrap();
    assert_eq!(identify(&harness, Some(&renewed.token), None).await, Err(ErrorKind::Unauthorized));
    assert_eq!(
        identify(&harness, Some(&two.token), None).await,
        Ok((Role::Agent, two.instance.id.to_string()))
    );
    let hash = Hash::of(two.token.as_bytes());
    let kept = harness.koor.read(move |tx| tx.instance_by_token(hash)).await.unwrap();
    assert_eq!(kept.map(|instance| instance.id), Some(two.instance.id));
}

pub(super) async fn instances_are_found_by_what_they_are(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    for (name, workspace, stack, skills) in [
        ("a", "w1", "go", vec!["review", " test ", "", "review"]),
        ("b", "w1", "rust", vec!["test"]),
        ("c", "w2", "rust", vec![]),
    ] {
        harness.clock.advance(Duration::from_secs(1));
        let capabilities = skills.into_iter().map(str::to_owned).collect();
        let draft =
            InstanceDraft { stack: stack.into(), capabilities, ..InstanceDraft::new(name, workspace) };
        harness.run(RegisterInstance::new(&harness.koor, &draft).unwrap()).await.unwrap();
    }
    let by = InstanceFilter::default;
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(all(&harness, by()).await, ["c", "b", "a"]);
    assert_eq!(all(&harness, InstanceFilter { workspace: some("w1"), ..by() }).await, ["b", "a"]);
    assert_eq!(all(&harness, InstanceFilter { capability: some("test"), ..by() }).await, ["b", "a"]);
    let combined = InstanceFilter { capability: some("test"), stack: some("go"), ..by() };
    assert_eq!(all(&harness, combined).await, ["a"]);
    assert_eq!(all(&harness, InstanceFilter { name: some("A"), ..by() }).await, [""; 0]);
    let pending = InstanceFilter { status: Some(InstanceStatus::Pending), ..by() };
    assert_eq!(all(&harness, pending.clone()).await.len(), 3);
    let found = harness.koor.instances(InstanceFilter { name: some("a"), ..by() }).await.unwrap();
    assert_eq!(found[0].capabilities, ["review", "test"]);
    let id = found[0].id;
    harness.clock.advance(Duration::from_secs(1));
    harness.run(SetCapabilities::new(id, &["x".into()]).unwrap()).await.unwrap();
    harness.run(SetIntent::new(id, "tidy up").unwrap()).await.unwrap();
    harness.run(ActivateInstance(id)).await.unwrap();
    let changed = harness.koor.instance(id).await.unwrap();
    let expected = Instance {
        capabilities: vec!["x".into()],
        intent: "tidy up".into(),
        status: InstanceStatus::Active,
        last_seen: harness.koor.now(),
        ..found[0].clone()
    };
    assert_eq!(changed, expected);
    assert_eq!(all(&harness, pending).await, ["c", "b"]);
    assert_eq!(all(&harness, by()).await, ["a", "c", "b"]);
    let nameless = RegisterInstance::new(&harness.koor, &InstanceDraft::new(" ", "")).unwrap_err();
    assert_eq!(nameless.to_string(), "name is required");
}

pub(super) async fn silence_makes_stale_and_a_call_revives(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let silent = harness.agent("silent", "w").await.instance;
    let caller = harness.agent("caller", "w").await;
    let pending = RegisterInstance::new(&harness.koor, &InstanceDraft::new("pending", "")).unwrap();
    harness.run(pending).await.unwrap();
    harness.clock.advance(Duration::from_mins(5));
    assert_eq!(harness.koor.watch_liveness().await.unwrap(), []);
    let named = caller.instance.id.to_string();
    let credentials = Credentials { bearer: None, instance: Some(&named) };
    harness.koor.identify(credentials).await.unwrap();
    harness.clock.advance(Duration::from_millis(1));
    let stale = harness.koor.watch_liveness().await.unwrap();
    assert_eq!(stale.iter().map(|one| &one.name).collect::<Vec<_>>(), ["silent"]);
    assert_eq!(harness.koor.watch_liveness().await.unwrap(), []);
    let status = async |id| harness.koor.instance(id).await.unwrap().status;
    assert_eq!(status(silent.id).await, InstanceStatus::Stale);
    harness.koor.heartbeat(&Caller::local(), silent.id).await.unwrap();
    assert_eq!(status(silent.id).await, InstanceStatus::Active);
    harness.clock.advance(Duration::from_mins(10));
    let forced = harness.koor.check_liveness(&Caller::local()).await.unwrap().output;
    assert_eq!(forced.len(), 2);
    // A stale instance that merely calls is at work again.
    harness.koor.identify(credentials).await.unwrap();
    assert_eq!(status(caller.instance.id).await, InstanceStatus::Active);
    // One whose intent is set is there, too.
    assert_eq!(status(silent.id).await, InstanceStatus::Stale);
    let spoken = harness.run(SetIntent::new(silent.id, "back").unwrap()).await.unwrap();
    assert_eq!((spoken.status, spoken.last_seen), (InstanceStatus::Active, harness.koor.now()));
    assert_eq!(status(silent.id).await, InstanceStatus::Active);
    let missing = harness.koor.heartbeat(&Caller::local(), crate::ids::InstanceId::NIL).await.unwrap_err();
    assert_eq!(missing.to_string(), "instance not found: 00000000-0000-0000-0000-000000000000");
}

pub(super) async fn an_agent_reaches_no_further_than_it_may(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let one = harness.agent("one", "").await;
    let two = harness.agent("two", "").await;
    let caller = agent(&one);
    harness.koor.execute(&caller, put("k", "1")).await.unwrap();
    let own = one.instance.id;
    harness.koor.execute(&caller, SetIntent::new(own, "work").unwrap()).await.unwrap();
    harness.koor.heartbeat(&caller, own).await.unwrap();
    harness.koor.flush_activity().await.unwrap();
    let before = harness.dump().await.len();
    let other = two.instance.id;
    let refusals = [
        harness.koor.execute(&caller, SetIntent::new(other, "x").unwrap()).await.map(|_| ()),
        harness.koor.execute(&caller, DeregisterInstance(other)).await.map(|_| ()),
        harness.koor.execute(&caller, ResetMetrics).await.map(|_| ()),
        harness.koor.execute(&caller, CreateBackup).await.map(|_| ()),
        harness.koor.check_liveness(&caller).await.map(|_| ()),
        harness.koor.run_compliance(&caller).await.map(|_| ()),
    ];
    for refused in refusals {
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Forbidden);
        assert!(refused.to_string().starts_with("admin role required"), "{refused}");
    }
    assert!(harness.koor.heartbeat(&caller, other).await.is_err());
    assert!(harness.koor.webhooks(&caller).await.is_err());
    let denied = harness.audit(6).await;
    assert!(denied.iter().all(|entry| entry.outcome == Outcome::Denied && entry.actor == *caller.actor()));
    assert_eq!(harness.dump().await.len(), before + 6);
}
