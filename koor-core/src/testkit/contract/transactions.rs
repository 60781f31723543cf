//! All or nothing.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::{
    caller::Caller,
    command::{Applied, Command, CommandContext, Operation},
    domain::{
        Actor, RawJson,
        audit::{Action, AuditEntry, Outcome},
        backup::Backup,
    },
    error::{Error, ErrorKind, Invalid},
    execute::read,
    ids::{AuditId, Cursor},
    memory::MemoryStore,
    page::Limit,
    pattern::{Pattern, TopicFilter},
    ports::{Change, FactSet},
    settings::Settings,
    testkit::{
        Harness, StoreFixture,
        harness::{key, put, rule, version},
    },
    use_cases::{
        ActivateInstance, CheckLiveness, CreateTasks, CreateTemplate, CreateWebhook, DeleteDocument,
        ImportRules, InstanceDraft, PublishEvent, PutRules, RecordUsage, RegisterInstance, RestoreBackup,
        RollbackDocument, TemplateDraft, UsageDraft, WebhookDraft,
    },
};

pub(super) async fn a_fault_at_any_step_leaves_nothing(fixture: StoreFixture) {
    let harness = Harness::with(fixture, Settings { history_limit: Some(1), ..Settings::default() }).await;
    harness.put("k", "1").await;
    harness.put("k", "2").await;
    let silent = harness.agent("silent", "w").await.instance.id;
    harness.clock.advance(harness.koor.settings().stale_after * 2);
    let backup = r#"{"state":{"r1":1,"r2":2},"rules":[{"project":"p","rule_id":"x","pattern":"x"}]}"#;
    let backup: Backup = serde_json::from_str(backup).unwrap();
    let topic = "t".parse().unwrap();
    let draft = TemplateDraft { id: "t".into(), name: "t".into(), ..TemplateDraft::default() };
    let hook = WebhookDraft { id: "w".into(), url: "http://x/".into(), ..WebhookDraft::default() };
    let usage = UsageDraft { provider: "x".into(), model: "y".into(), ..UsageDraft::default() };
    let local = Caller::local();
    let register = RegisterInstance::new(&harness.koor, &InstanceDraft::new("new", "")).unwrap();
    let rules = || vec![rule("p", "a"), rule("p", "b")];
    let mut steps = 0;
    steps += fails_whole(&harness, put("k", "3")).await;
    steps += fails_whole(&harness, RollbackDocument::new(key("k"), version(2))).await;
    steps += fails_whole(&harness, DeleteDocument::new(key("k"))).await;
    steps += fails_whole(&harness, PublishEvent::new(topic, RawJson::null(), None).unwrap()).await;
    steps += fails_whole(&harness, register).await;
    steps += fails_whole(&harness, CheckLiveness).await;
    steps += fails_whole(&harness, ActivateInstance(silent)).await;
    steps += fails_whole(&harness, ImportRules::new(rules()).unwrap()).await;
    steps += fails_whole(&harness, PutRules::new("p".parse().unwrap(), rules()).unwrap()).await;
    steps += fails_whole(&harness, CreateTemplate::new(draft).unwrap()).await;
    steps += fails_whole(&harness, CreateWebhook::new(hook).unwrap()).await;
    steps += fails_whole(&harness, RecordUsage::new(&local, usage).unwrap()).await;
    steps += fails_whole(&harness, RestoreBackup::new(backup, harness.koor.now()).unwrap()).await;
    assert!(steps > 30, "only {steps} steps could fail");
    assert!(harness.koor.verify_audit().await.unwrap().valid);
}

/// Lets the commit of a command fail before its first change, before its second and so on, until it is done; answers how
/// often it failed.
async fn fails_whole<C: Command>(harness: &Harness, command: C) -> usize {
    let command = Arc::new(command);
    let before = harness.dump().await;
    for at in 0.. {
        let poisoned = Poisoned { command: Arc::clone(&command), at };
        let Err(error) = harness.run(poisoned).await else {
            assert!(at >= 1, "{:?} changes nothing", command.operation());
            assert_ne!(harness.dump().await, before);
            return at;
        };
        assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
        assert_eq!(harness.dump().await, before, "{:?} after {at} changes", command.operation());
    }
    unreachable!("a command ends")
}

/// A command with a change among its own that no store can commit: an audit entry that is there already.
struct Poisoned<C> {
    command: Arc<C>,
    /// Before so many of its own changes; where there are fewer, nothing is added.
    at: usize,
}

impl<C: Command> Command for Poisoned<C> {
    type Output = C::Output;

    fn operation(&self) -> Operation {
        self.command.operation()
    }

    fn reads(&self, wanted: &mut FactSet) {
        self.command.reads(wanted);
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<C::Output>, Error> {
        let applied = self.command.apply(cx)?;
        let entry = AuditEntry {
            id: AuditId::FIRST,
            timestamp: cx.now,
            actor: Actor::default(),
            action: "state.put".to_owned(),
            resource: String::new(),
            detail: "{}".to_owned(),
            outcome: Outcome::Success,
        };
        cx.view().insert(self.at, Change::AppendAudit(entry.chain(None)));
        Ok(applied)
    }
}

/// A command that writes, and then does something else.
struct WriteThen(fn() -> Result<(), Error>);

impl Command for WriteThen {
    type Output = ();

    fn operation(&self) -> Operation {
        Operation::to(Action::StatePut, "k", crate::caller::Access::Anyone)
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<()>, Error> {
        cx.publish("half".parse()?, RawJson::null(), String::new());
        (self.0)().map(Applied::new)
    }
}

pub(super) async fn a_job_that_panics_fails_alone(fixture: StoreFixture) {
    let harness = Arc::new(Harness::on(fixture).await);
    let mut jobs = tokio::task::JoinSet::new();
    for n in 0..20 {
        let harness = Arc::clone(&harness);
        jobs.spawn(async move {
            if n % 5 == 0 {
                let failed = harness.run(WriteThen(|| panic!("this job is meant to panic"))).await;
                assert_eq!(failed.unwrap_err().kind(), ErrorKind::Internal);
            } else {
                harness.put(&format!("k{n}"), "1").await;
            }
        });
    }
    while let Some(done) = jobs.join_next().await {
        done.unwrap();
    }
    assert_eq!(harness.koor.server_metrics().await.unwrap().state_keys, 16);
    let bounds = harness.koor.read(|tx| tx.log_bounds()).await.unwrap();
    assert_eq!(bounds.last.get(), 16);
    assert!(harness.koor.verify_audit().await.unwrap().valid);
}

pub(super) async fn a_refusal_after_a_write_undoes_it(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    harness.put("k", "1").await;
    let before = harness.dump().await;
    let refused = harness.run(WriteThen(|| Err(Invalid::new("no").into()))).await.unwrap_err();
    assert_eq!(refused.to_string(), "no");
    assert_eq!(harness.dump().await, before);
    let conflict = || Err(Error::Exists { what: "thing", name: "x".into() });
    harness.run(WriteThen(conflict)).await.unwrap_err();
    assert_eq!(harness.dump().await.len(), before.len() + 1);
    assert_eq!(harness.audit(1).await[0].detail, r#"{"error":"thing already exists: x"}"#);
    assert_eq!(harness.publish("t", 1).await.id.get(), 2);
}

pub(super) async fn a_caller_that_goes_away_takes_nothing_with_it(fixture: StoreFixture) {
    let harness = Arc::new(Harness::on(fixture).await);
    let mut callers = Vec::new();
    for n in 0..50 {
        let harness = Arc::clone(&harness);
        callers.push(tokio::spawn(async move { harness.put(&format!("k{n}"), "1").await }));
        if n % 2 == 0 {
            tokio::task::yield_now().await;
            callers[n].abort();
        }
    }
    for (n, caller) in callers.into_iter().enumerate() {
        if n % 2 == 1 {
            caller.await.unwrap();
        }
    }
    harness.put("last", "1").await;
    // Each is there as a whole, or not at all: as many documents as events and audit entries.
    let keys = harness.koor.server_metrics().await.unwrap();
    let entries = harness.koor.verify_audit().await.unwrap();
    assert!(entries.valid);
    assert_eq!((keys.state_keys, keys.last_event_id.get()), (entries.entries, entries.entries));
    assert!(keys.state_keys >= 26);
}

pub(super) async fn a_snapshot_stands_still(fixture: StoreFixture) {
    let harness = Arc::new(Harness::on(fixture).await);
    let writer = {
        let harness = Arc::clone(&harness);
        tokio::spawn(async move {
            for n in 0..500 {
                harness.put("k", &n.to_string()).await;
            }
        })
    };
    let count = |tx: &mut dyn crate::ports::ReadTx| {
        let version = tx.revision(&key("k"))?.map_or(0, |revision| revision.version.get());
        std::thread::yield_now();
        let entries = tx.audit_head()?.map_or(0, |head| head.id.get());
        std::thread::yield_now();
        Ok((version, entries, tx.log_bounds()?.last.get()))
    };
    for _ in 0..200 {
        let (version, entries, events) = read(harness.store(), count).await.unwrap();
        assert_eq!((version, version), (entries, events));
    }
    let (sender, receiver) = oneshot::channel();
    let sender = Mutex::new(Some(sender));
    let job = harness.store().read_detached(Box::new(move |tx| {
        let counted = count(tx)?;
        sender.lock().unwrap().take().unwrap().send(counted).unwrap();
        Ok(())
    }));
    job.await.unwrap();
    let (version, entries, events) = receiver.await.unwrap();
    assert_eq!((version, version), (entries, events));
    writer.await.unwrap();
    assert_eq!(harness.koor.document(&key("k")).await.unwrap().revision.version, self::version(500));
}

async fn backup_of(harness: &Harness) -> String {
    let mut pieces = harness.koor.backup(&Caller::local()).await.unwrap();
    let mut text = Vec::new();
    while let Some(piece) = pieces.recv().await {
        text.extend_from_slice(&piece.unwrap());
    }
    String::from_utf8(text).unwrap()
}

pub(super) async fn a_backup_brings_everything_back(fixture: StoreFixture) {
    let from = Harness::on(StoreFixture::of(MemoryStore::default())).await;
    from.put("k", "1").await;
    from.put("k", "2").await;
    from.put("gone", "1").await;
    from.delete("gone").await;
    from.put_spec("p/s", &json!({"a": 1})).await.unwrap();
    from.run(ImportRules::new(vec![rule("p", "r")]).unwrap()).await.unwrap();
    from.agent("worker", "w").await;
    let usage = UsageDraft { provider: "x".into(), model: "y".into(), ..UsageDraft::default() };
    from.run(RecordUsage::new(&Caller::local(), usage).unwrap()).await.unwrap();
    let tasks = json!([{"title": "a", "key": "a"}, {"title": "b", "after": ["a"]}]);
    let tasks = serde_json::from_value(tasks).unwrap();
    from.run(CreateTasks::new(&Caller::local(), "p".parse().unwrap(), tasks).unwrap()).await.unwrap();
    let text = backup_of(&from).await;
    assert!(!text.contains("secret-"), "a token is in the backup");
    let harness = Harness::on(fixture).await;
    harness.clock.advance(std::time::Duration::from_hours(1));
    let backup: Backup = serde_json::from_str(&text).unwrap();
    let restored = harness.run(RestoreBackup::new(backup, harness.koor.now()).unwrap()).await.unwrap();
    assert_eq!((restored.state, restored.state_versions, restored.specs), (2, 4, 1));
    assert_eq!((restored.rules, restored.instances, restored.usage), (1, 1, 1));
    // All that is not an event or the restore's own entry is what it was.
    let kept = |lines: Vec<String>| -> Vec<String> {
        let volatile = |line: &String| line.starts_with("Event") || line.starts_with("LogBounds");
        lines
            .into_iter()
            .filter(|line| !volatile(line))
            // A backup is recorded when it has been taken, so it is not in itself.
            .filter(|line| !line.contains("backup.restore") && !line.contains("backup.create"))
            .collect()
    };
    assert_eq!(kept(harness.dump().await), kept(from.dump().await));
    assert!(harness.koor.verify_audit().await.unwrap().valid);
    assert_eq!(harness.put("gone", "2").await.revision.version, version(3));
}

pub(super) async fn a_restore_loses_nothing_that_is_there(fixture: StoreFixture) {
    let from = Harness::on(StoreFixture::of(MemoryStore::default())).await;
    from.put("k", "\"saved\"").await;
    from.put("same", "1").await;
    let backup: Backup = serde_json::from_str(&backup_of(&from).await).unwrap();
    let harness = Harness::on(fixture).await;
    for n in 1..=3 {
        harness.put("k", &n.to_string()).await;
    }
    harness.put("same", "1").await;
    let entries = harness.koor.verify_audit().await.unwrap().entries;
    let restored = harness.run(RestoreBackup::new(backup, harness.koor.now()).unwrap()).await.unwrap();
    assert_eq!((restored.state, restored.state_versions, restored.audit), (1, 1, 0));
    let history = harness.koor.history(&key("k"), Limit::default()).await.unwrap();
    assert_eq!(history.len(), 4);
    assert_eq!(harness.koor.document(&key("k")).await.unwrap().value, "\"saved\"");
    assert_eq!(harness.koor.document(&key("same")).await.unwrap().revision.version, version(1));
    assert_eq!(harness.koor.verify_audit().await.unwrap().entries, entries + 1);
}

pub(super) async fn a_restored_value_passes_the_checks_of_a_new_one(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let hash = crate::ids::Hash::of(b"1").to_string();
    let version = |number: u64| {
        json!({"state": [{"key": "k", "version": number, "hash": hash, "content_type": "application/json",
            "updated_at": "2026-01-01T00:00:00Z", "text": "1"}]})
    };
    let most = crate::ids::MAX_RESTORED;
    let time = "2026-01-01T00:00:00Z";
    let template = |name: &str, version: u64| {
        json!({"templates": [{"id": "t", "name": name, "kind": "rules", "data": [], "version": version,
            "created_at": time, "updated_at": time}]})
    };
    let instance = |name: &str| {
        json!({"instances": [{"id": "00000000-0000-0000-0000-000000000001", "name": name, "status": "active",
            "registered_at": time, "last_seen": time}]})
    };
    let usage = |model: &str, cost: f64| {
        json!({"usage": [{"id": 1, "provider": "x", "model": model, "instance_id": "", "project": "",
            "tokens_in": 1, "tokens_out": 1, "cost_usd": cost, "request_type": "x", "session_tag": "",
            "created_at": time}]})
    };
    let spec = json!({"specs": [{"project": "p", "name": "s", "version": 1,
        "hash": crate::ids::Hash::of(b"{").to_string(), "content_type": "application/json", "updated_at": time,
        "text": "{"}]});
    let hook = json!({"webhooks": [{"id": "w", "url": "http://x/", "patterns": vec!["*"; 101], "active": true,
        "has_secret": false, "created_at": time}]});
    let restore = async |backup: &Value| {
        let backup: Backup = serde_json::from_value(backup.clone()).unwrap();
        harness.run(RestoreBackup::new(backup, harness.koor.now())?).await.map(drop)
    };
    for (backup, said) in [
        (version(most + 1), "key k version 9007199254740992: no version counts that far"),
        (version(i64::MAX.unsigned_abs()), "key k version 9223372036854775807: no version counts that far"),
        (template("a\u{7}", 1), "invalid name: control character '\\u{7}'"),
        (template("a", u64::MAX), "template t: no version counts to 18446744073709551615"),
        (instance("a\nb"), "invalid name: control character '\\n'"),
        (instance(" "), "instance 00000000-0000-0000-0000-000000000001 has no name"),
        (usage("", 0.0), "usage record 1: provider and model are required"),
        (usage("m", -1.0), "usage record 1: cost_usd must not be negative"),
        (spec, "spec p/s version 1: it is not JSON: EOF while parsing an object at line 1 column 1"),
        (hook, "webhook w has 101 patterns, at most 100 are allowed"),
    ] {
        let before = harness.dump().await.into_iter().filter(|line| !line.contains("backup.restore"));
        let before: Vec<_> = before.collect();
        assert_eq!(restore(&backup).await.unwrap_err().to_string(), said);
        let after = harness.dump().await.into_iter().filter(|line| !line.contains("backup.restore"));
        assert_eq!(after.collect::<Vec<_>>(), before, "{said}");
    }
    for good in [version(most), template("a", 1), instance("a"), usage("m", 0.5)] {
        restore(&good).await.unwrap();
    }
    assert_eq!(harness.put("k", "2").await.revision.version.get(), most + 1);
}

pub(super) async fn the_originals_backup_is_understood(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let text = r#"{"state":{"a/b":{"x": 1.0},"c":"text"},"rules":[{"project":"p","rule_id":"r","severity":"error",
        "match_type":"regex","pattern":"x","message":"m","stack":"","applies_to":["*"],"source":"local",
        "status":"accepted"}]}"#;
    let backup: Backup = serde_json::from_str(text).unwrap();
    let restored = harness.run(RestoreBackup::new(backup, harness.koor.now()).unwrap()).await.unwrap();
    assert_eq!((restored.state, restored.rules), (2, 1));
    assert_eq!(harness.koor.document(&key("a/b")).await.unwrap().value, r#"{"x": 1.0}"#);
    let broken = r#"{"state":[{"key":"k","version":1,"hash":"00","content_type":"x","updated_at":"x"}]}"#;
    assert!(serde_json::from_str::<Backup>(broken).is_err());
}

pub(super) async fn an_event_log_comes_back_with_its_ids(fixture: StoreFixture) {
    let settings = Settings { event_retention: 3, change_retention: 2, ..Settings::default() };
    let from = Harness::with(StoreFixture::of(MemoryStore::default()), settings).await;
    for n in 0..5 {
        from.publish("user", n).await;
        from.put("k", &n.to_string()).await;
    }
    from.koor.prune_events().await.unwrap();
    let text = backup_of(&from).await;
    let before = event_lines(&from).await;
    let harness = Harness::on(fixture).await;
    let backup: Backup = serde_json::from_str(&text).unwrap();
    let restored = harness.run(RestoreBackup::new(backup, harness.koor.now()).unwrap()).await.unwrap();
    assert_eq!(restored.events, 5);
    let after = event_lines(&harness).await;
    assert_eq!(after[after.len() - before.len()..], before[..]);
    let bounds = harness.koor.read(|tx| tx.log_bounds()).await.unwrap();
    assert_eq!((bounds.pruned_user.get(), bounds.pruned_system.get()), (3, 6));
    // Behind the five that came back: what the restore did, and then what comes.
    let last = bounds.last.get();
    assert!(last > 10, "{last}");
    assert_eq!(harness.publish("user", 9).await.id.get(), last + 1);
    // What was pruned there is missing here, too.
    for (since, kept) in [(2, false), (3, true)] {
        let topics = TopicFilter::new(vec![Pattern::new("*").unwrap()]);
        let since = Some(Cursor::new(since));
        let waited = harness.koor.wait_for_events(topics, since, Duration::ZERO, Limit::default()).await;
        assert_eq!(waited.is_ok(), kept, "{since:?}");
    }
    let backup: Backup = serde_json::from_str(&text).unwrap();
    let again = harness.run(RestoreBackup::new(backup, harness.koor.now()).unwrap()).await.unwrap();
    assert_eq!(again.events, 0);
}

/// The events of a log, newest first.
async fn event_lines(harness: &Harness) -> Vec<String> {
    harness.dump().await.into_iter().filter(|line| line.starts_with("Event")).collect()
}
