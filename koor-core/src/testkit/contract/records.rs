//! Rules, webhooks, templates, compliance, counters and usage.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::{
    activity::Plane,
    app::Koor,
    caller::Caller,
    domain::{
        RawJson,
        compliance::RunFilter,
        metrics::{Metric, MetricFilter},
        rules::{RuleFilter, RuleStatus},
        usage::{GroupBy, UsageFilter},
    },
    error::ErrorKind,
    page::{Limit, TimeRange},
    ports::{FactSet, HttpSender, Outbound, OutboundAnswer, OutboundError},
    testkit::{
        Harness, StoreFixture,
        harness::{agent, rule},
    },
    use_cases::{
        CreateTemplate, CreateWebhook, DecideRule, Decision, DeleteTemplate, EnableWebhook, ImportRules,
        ProposeRule, PublishEvent, PutRules, RecordUsage, ReplaceTemplate, TemplateDraft, UsageDraft,
        WebhookDraft,
    },
    use_cases::{FileToCheck, Step},
};

async fn rule_ids(harness: &Harness, filter: RuleFilter) -> Vec<String> {
    harness
        .koor
        .rules(filter)
        .await
        .unwrap()
        .iter()
        .map(|rule| format!("{}/{}", rule.project, rule.rule_id))
        .collect()
}

pub(super) async fn rules_come_and_go(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let local = Caller::local();
    let every = RuleFilter::default;
    harness
        .run(PutRules::new("p".parse().unwrap(), vec![rule("", "b"), rule("", "a")]).unwrap())
        .await
        .unwrap();
    harness.run(ProposeRule::new(&local, rule("p", "proposed")).unwrap()).await.unwrap();
    harness.run(ImportRules::new(vec![rule("q", "z"), rule("p", "imported")]).unwrap()).await.unwrap();
    assert_eq!(rule_ids(&harness, every()).await, ["p/a", "p/b", "p/imported", "p/proposed", "q/z"]);
    let made = harness.koor.rules(every()).await.unwrap()[0].created_at;
    harness.clock.advance(Duration::from_mins(1));
    harness.run(PutRules::new("p".parse().unwrap(), vec![rule("", "a")]).unwrap()).await.unwrap();
    assert_eq!(rule_ids(&harness, every()).await, ["p/a", "p/proposed", "q/z"]);
    assert_eq!(harness.koor.rules(every()).await.unwrap()[0].created_at, made);
    let proposed = RuleFilter { status: Some(RuleStatus::Proposed), ..every() };
    assert_eq!(rule_ids(&harness, proposed).await, ["p/proposed"]);
    let of_q = RuleFilter { projects: vec!["q".parse().unwrap()], ..every() };
    assert_eq!(rule_ids(&harness, of_q).await, ["q/z"]);
    let exported = harness.koor.export_rules(vec![]).await.unwrap();
    assert_eq!(exported.iter().map(|rule| rule.rule_id.as_str()).collect::<Vec<_>>(), ["a"]);
    let mut broken = rule("p", "broken");
    broken.pattern = Some("(".into());
    let before = harness.dump().await;
    let refused = ImportRules::new(vec![rule("p", "fine"), broken]).unwrap_err().to_string();
    assert!(refused.starts_with("rule broken: "), "{refused}");
    assert_eq!(harness.dump().await, before);
    assert_eq!(ImportRules::new(vec![]).unwrap_err().to_string(), "empty rules array");
}

pub(super) async fn a_proposal_is_decided_once(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let worker = agent(&harness.agent("worker", "").await);
    let propose = || ProposeRule::new(&worker, rule("p", "r")).unwrap();
    let decide =
        |decision| DecideRule { project: "p".parse().unwrap(), rule_id: "r".parse().unwrap(), decision };
    let proposed = harness.koor.execute(&worker, propose()).await.unwrap().output;
    assert_eq!(proposed.proposed_by, worker.actor().as_str());
    assert_eq!(harness.koor.execute(&worker, propose()).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(harness.run(decide(Decision::Reject)).await.unwrap(), RuleStatus::Rejected);
    let again = harness.run(decide(Decision::Accept)).await.unwrap_err();
    assert_eq!(again.to_string(), "proposed rule not found: p/r");
    harness.koor.execute(&worker, propose()).await.unwrap();
    let forbidden = harness.koor.execute(&worker, decide(Decision::Accept)).await.unwrap_err();
    assert_eq!(forbidden.kind(), ErrorKind::Forbidden);
    assert_eq!(harness.run(decide(Decision::Accept)).await.unwrap(), RuleStatus::Accepted);
    assert_eq!(harness.koor.execute(&worker, propose()).await.unwrap_err().kind(), ErrorKind::Conflict);
}

pub(super) async fn a_file_is_held_against_its_rules(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let local = Caller::local();
    let mut for_go = rule("p", "go-only");
    for_go.stack = Some("go".into());
    let rules = vec![rule("p", "own"), rule("_global", "global"), rule("q", "other"), for_go];
    harness.run(ImportRules::new(rules).unwrap()).await.unwrap();
    harness.run(ProposeRule::new(&local, rule("p", "proposed")).unwrap()).await.unwrap();
    let found = async |stack: Option<&str>| -> Vec<(String, Option<usize>)> {
        let stack = stack.map(str::to_owned);
        let file = FileToCheck { filename: None, content: "fine\n// TODO\n".into(), stack, rules: None };
        let found = harness.koor.validate(&local, "p".parse().unwrap(), file).await.unwrap();
        assert_eq!(found.count, found.violations.len());
        let mut found: Vec<_> =
            found.violations.into_iter().map(|one| (one.rule_id.to_string(), one.line)).collect();
        found.sort();
        found
    };
    let line = Some(2);
    assert_eq!(found(Some("rust")).await, [("global".to_owned(), line), ("own".to_owned(), line)]);
    let all = [("global".to_owned(), line), ("go-only".to_owned(), line), ("own".to_owned(), line)];
    assert_eq!(found(None).await, all);
    assert_eq!(found(Some("go")).await, all);
}

/// A world outside that notes who was called, and fails where it is told to.
#[derive(Clone, Default)]
struct Outside(Arc<Mutex<World>>);

#[derive(Default)]
struct World {
    calls: Vec<(String, Value)>,
    last: String,
    down: bool,
}

#[async_trait]
impl HttpSender for Outside {
    async fn send(&self, call: Outbound) -> Result<OutboundAnswer, OutboundError> {
        let mut world = self.0.lock().unwrap();
        if world.down {
            return Err(OutboundError::Failed("connection refused".into()));
        }
        world.last = String::from_utf8(call.body.to_vec()).unwrap();
        world.calls.push((call.url, serde_json::from_slice(&call.body).unwrap()));
        Ok(OutboundAnswer { status: 204, body: bytes::Bytes::new() })
    }
}

async fn calling(harness: &Harness, outside: &Outside) -> Koor {
    let store = Arc::clone(&harness.koor.inner.store);
    Koor::on_shared(store).clock(harness.clock.clone()).sender(outside.clone()).open().await.unwrap()
}

fn webhook(id: &str, patterns: &[&str]) -> CreateWebhook {
    let patterns = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
    let url = format!("http://{id}.example/");
    CreateWebhook::new(WebhookDraft { id: id.into(), url, patterns, secret: String::new() }).unwrap()
}

pub(super) async fn webhooks_are_told_in_order(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let outside = Outside::default();
    let koor = calling(&harness, &outside).await;
    let local = Caller::local();
    koor.execute(&local, webhook("w", &["a.*"])).await.unwrap();
    let twice = koor.execute(&local, webhook("w", &[])).await.unwrap_err();
    assert_eq!(twice.to_string(), "webhook already exists: w");
    for n in 0..6 {
        harness.publish(["a.x", "b"][usize::try_from(n).unwrap() % 2], n).await;
    }
    let id = "w".parse().unwrap();
    for _ in 0..3 {
        assert_eq!(koor.deliver_next(&id).await.unwrap(), Step::Delivered);
    }
    assert_eq!(koor.deliver_next(&id).await.unwrap(), Step::Idle);
    let told: Vec<Value> =
        outside.0.lock().unwrap().calls.iter().map(|(_, body)| body["data"].clone()).collect();
    assert_eq!(told, [json!(0), json!(2), json!(4)]);
    let view = koor.webhook(&local, &id).await.unwrap();
    assert_eq!((view.pending, view.webhook.fail_count), (0, 0));
    for n in 0..60 {
        harness.publish("a.x", n).await;
        koor.deliver_next(&id).await.unwrap();
    }
    let remembered = koor.deliveries(&local, &id).await.unwrap();
    assert_eq!(remembered.len(), 50);
    assert!(remembered.is_sorted_by(|newer, older| newer.event_id > older.event_id));
    let exact = r#"{"b": 1.0, "a": 123456789012345678901234567890}"#;
    let exact_event =
        PublishEvent::new("a.x".parse().unwrap(), RawJson::parse(exact).unwrap(), None).unwrap();
    harness.run(exact_event).await.unwrap();
    assert_eq!(koor.deliver_next(&id).await.unwrap(), Step::Delivered);
    assert!(outside.0.lock().unwrap().last.contains(exact));
    koor.test_webhook(&local, &id).await.unwrap();
    assert_eq!(outside.0.lock().unwrap().calls.last().unwrap().1["topic"], "webhook.test");
    koor.execute(&local, crate::use_cases::DeleteWebhook(id.clone())).await.unwrap();
    assert_eq!(koor.deliver_next(&id).await.unwrap(), Step::Off);
    koor.execute(&local, webhook("w", &[])).await.unwrap();
    assert_eq!(koor.deliveries(&local, &id).await.unwrap(), []);
}

pub(super) async fn a_dead_webhook_is_switched_off(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let outside = Outside::default();
    let koor = calling(&harness, &outside).await;
    let local = Caller::local();
    koor.execute(&local, webhook("w", &["*"])).await.unwrap();
    let event = harness.publish("t", 1).await;
    outside.0.lock().unwrap().down = true;
    let id = "w".parse().unwrap();
    for attempt in 1..10 {
        let step = koor.deliver_next(&id).await.unwrap();
        let Step::Paused(until) = step else { panic!("{step:?}") };
        assert_eq!(koor.deliver_next(&id).await.unwrap(), Step::Paused(until));
        assert_eq!(koor.webhook(&local, &id).await.unwrap().webhook.fail_count, attempt);
        harness.clock.set(until);
    }
    assert_eq!(koor.deliver_next(&id).await.unwrap(), Step::Off);
    let off = koor.webhook(&local, &id).await.unwrap();
    assert_eq!(
        (off.webhook.active, off.pending, off.webhook.last_error.as_str()),
        (false, 1, "connection refused")
    );
    outside.0.lock().unwrap().down = false;
    assert_eq!(koor.deliver_next(&id).await.unwrap(), Step::Off);
    koor.execute(&local, EnableWebhook(id.clone())).await.unwrap();
    assert_eq!(koor.deliver_next(&id).await.unwrap(), Step::Delivered);
    assert_eq!(outside.0.lock().unwrap().calls[0].1["event_id"], event.id.get());
    let attempts: Vec<u32> =
        koor.deliveries(&local, &id).await.unwrap().iter().map(|one| one.attempt).collect();
    assert_eq!(attempts, [1, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
}

fn template(id: &str, kind: &str, data: &Value) -> TemplateDraft {
    let data = Some(RawJson::from(data));
    TemplateDraft { id: id.into(), name: id.into(), kind: kind.into(), data, ..TemplateDraft::default() }
}

pub(super) async fn a_template_is_applied_as_a_whole(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let local = Caller::local();
    let contract = json!({"kind": "contract", "version": 1, "endpoints": {"GET /x": {"response": {}}}});
    let bundle = json!({
        "rules": [{"rule_id": "r", "pattern": "x", "message": "m"}],
        "contracts": {"api": contract},
        "specs": {"conf": {"port": 1}},
    });
    harness.run(CreateTemplate::new(template("t", "bundle", &bundle)).unwrap()).await.unwrap();
    let (id, project) = ("t".parse().unwrap(), "p".parse().unwrap());
    harness.koor.apply_template(&local, &id, &project).await.unwrap();
    let specs = harness.koor.specs(project.clone()).await.unwrap();
    assert_eq!(specs.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["api", "conf"]);
    assert_eq!(rule_ids(&harness, RuleFilter::default()).await, ["p/r"]);
    assert_eq!(harness.koor.contracts(&project).await.unwrap()[0].endpoints, 1);
    // One spec that the project's schema refuses, and nothing of the template comes.
    harness.put_spec("q/conf.schema", &json!({"properties": {"port": {"type": "string"}}})).await.unwrap();
    let refused = harness.koor.apply_template(&local, &id, &"q".parse().unwrap()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unprocessable);
    assert_eq!(rule_ids(&harness, RuleFilter::default()).await, ["p/r"]);
    let captured = harness
        .koor
        .capture_template(&local, template("copy", "bundle", &json!({})), &project)
        .await
        .unwrap();
    let data: Value = captured.output.data.read().unwrap();
    assert_eq!((&data["contracts"], &data["specs"]), (&bundle["contracts"], &bundle["specs"]));
    harness.clock.advance(Duration::from_secs(1));
    let replaced = ReplaceTemplate::new(&id, template("anything", "rules", &json!([]))).unwrap();
    assert_eq!(harness.run(replaced).await.unwrap().version, 2);
    let ids = async |kind, tag| -> Vec<String> {
        harness.koor.templates(kind, tag).await.unwrap().iter().map(|one| one.id.to_string()).collect()
    };
    assert_eq!(ids(None, None).await, ["t", "copy"]);
    assert_eq!(ids(Some("bundle".parse().unwrap()), None).await, ["copy"]);
    assert_eq!(ids(None, Some("tag".into())).await, [""; 0]);
    let twice = harness.run(CreateTemplate::new(template("t", "", &json!([]))).unwrap()).await.unwrap_err();
    assert_eq!(twice.kind(), ErrorKind::Conflict);
    harness.run(DeleteTemplate("copy".parse().unwrap())).await.unwrap();
    assert_eq!(ids(None, None).await, ["t"]);
    let gone = harness.run(DeleteTemplate("copy".parse().unwrap())).await.unwrap_err();
    assert_eq!(gone.to_string(), "template not found: copy");
    assert!(CreateTemplate::new(template("bad", "contracts", &json!({"a": 1}))).is_err());
    let nameless = CreateTemplate::new(TemplateDraft::default()).unwrap_err();
    assert_eq!(nameless.to_string(), "id and name are required");
}

pub(super) async fn compliance_finds_what_is_wrong(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let contract = json!({
        "kind": "contract", "version": 1,
        "endpoints": {"POST /x": {"request": {"n": {"type": "number", "required": true}}}},
        "checks": [{"state": "sample", "endpoint": "POST /x", "direction": "request"}],
    });
    harness.put_spec("Truck-Wash/api", &contract).await.unwrap();
    harness.put_spec("Truck-Wash/other", &json!({"kind": "something"})).await.unwrap();
    let worker = harness.agent("worker", "/home/me/Truck-Wash").await.instance;
    harness.agent("elsewhere", "nowhere").await;
    harness.put("sample", r#"{"n": "one"}"#).await;
    let runs = harness.koor.watch_compliance().await.unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!((runs[0].instance_id, runs[0].pass, runs[0].violations.len()), (worker.id, false, 1));
    assert_eq!(runs[0].violations[0].message, "expected number, got string");
    harness.put("sample", r#"{"n": 1}"#).await;
    let forced = harness.koor.run_compliance(&Caller::local()).await.unwrap().output;
    assert!(forced[0].pass && forced[0].id > runs[0].id);
    let limit = Limit::default();
    let history = harness.koor.compliance_history(RunFilter::default(), limit).await.unwrap();
    assert_eq!(history, [forced[0].clone(), runs[0].clone()]);
    let failed = RunFilter { pass: Some(false), ..RunFilter::default() };
    assert_eq!(harness.koor.compliance_history(failed, limit).await.unwrap(), runs);
    let unknown = RunFilter { project: Some("x".parse().unwrap()), ..RunFilter::default() };
    assert_eq!(harness.koor.compliance_history(unknown, limit).await.unwrap(), []);
    let through = runs[0].id;
    let pruned = harness.koor.housekeep("test", FactSet::default(), move |cx| {
        cx.prune_runs(through);
        Ok(())
    });
    pruned.await.unwrap();
    let history = harness.koor.compliance_history(RunFilter::default(), limit).await.unwrap();
    assert_eq!(history, forced);
    let next = harness.koor.watch_compliance().await.unwrap();
    assert!(next[0].id > forced[0].id);
}

pub(super) async fn counters_add_up(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let one = agent(&harness.agent("one", "").await);
    for hour in 0..2 {
        for _ in 0..3 {
            harness.koor.count_call(&one, Plane::Rest, 100);
            harness.koor.flush_activity().await.unwrap();
        }
        harness.koor.execute(&one, crate::testkit::harness::put("k", "1")).await.unwrap();
        harness.koor.count_call(&Caller::local(), Plane::Mcp, hour);
        harness.clock.advance(Duration::from_hours(1));
    }
    let rows = harness.koor.agent_metrics(MetricFilter::default()).await.unwrap();
    let shown: Vec<(&str, Metric, u64)> =
        rows.iter().map(|row| (row.period.as_str(), row.metric_name, row.metric_value)).collect();
    let (first, second) = ("2026-02-16T14", "2026-02-16T15");
    assert_eq!(
        shown,
        [
            (second, Metric::RestCalls, 3),
            (second, Metric::StateWrites, 1),
            (first, Metric::RestCalls, 3),
            (first, Metric::StateWrites, 1),
        ]
    );
    let hour = MetricFilter { period: second.into(), ..MetricFilter::default() };
    assert_eq!(harness.koor.agent_metrics(hour).await.unwrap().len(), 2);
    let unknown = MetricFilter { instance_id: Some(crate::ids::InstanceId::NIL), ..MetricFilter::default() };
    assert_eq!(harness.koor.agent_metrics(unknown).await.unwrap(), []);
    let tax = harness.koor.token_tax();
    assert_eq!((tax.rest_calls, tax.mcp_calls, tax.measured.rest_bytes), (6, 2, 600));
    harness.koor.reset_calls(&Caller::local()).await.unwrap();
    assert_eq!(harness.koor.token_tax().total_calls, 0);
    let totals = harness.koor.agent_totals(MetricFilter::default()).await.unwrap();
    assert_eq!(totals.values().next().unwrap()[&Metric::RestCalls], 6);
}

pub(super) async fn usage_is_summed_up(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    for (project, model, tokens) in [("p", "big", 100), ("p", "small", 10), ("q", "small", 1)] {
        harness.clock.advance(Duration::from_secs(1));
        let draft = UsageDraft {
            provider: "x".into(),
            model: model.into(),
            project: project.into(),
            tokens_in: tokens,
            tokens_out: 2 * tokens,
            cost_usd: Some(0.5),
            ..UsageDraft::default()
        };
        harness.run(RecordUsage::new(&Caller::local(), draft).unwrap()).await.unwrap();
    }
    let records = harness.koor.usage(UsageFilter::default(), Limit::default()).await.unwrap();
    assert_eq!(records.iter().map(|record| record.id.get()).collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!(records[0].request_type, "completion");
    let of_p = UsageFilter { project: Some("p".into()), ..UsageFilter::default() };
    assert_eq!(harness.koor.usage(of_p, Limit::default()).await.unwrap(), records[1..]);
    let sums = harness.koor.usage_summary(GroupBy::Model, TimeRange::default()).await.unwrap();
    let (big, small) = (&sums["big"], &sums["small"]);
    assert_eq!((big.total_tokens_in, big.request_count), (100, 1));
    assert_eq!((small.total_tokens_in, small.total_tokens_out, small.request_count), (11, 22, 2));
    assert!((small.total_cost_usd - 1.0).abs() < 1e-9);
    let last = TimeRange { from: Some(harness.koor.now()), to: None };
    let sums = harness.koor.usage_summary(GroupBy::Project, last).await.unwrap();
    assert_eq!(sums.keys().collect::<Vec<_>>(), ["q"]);
    let worker = agent(&harness.agent("worker", "").await);
    let forged = UsageDraft {
        provider: "x".into(),
        model: "y".into(),
        instance_id: "admin".into(),
        ..UsageDraft::default()
    };
    harness.koor.execute(&worker, RecordUsage::new(&worker, forged).unwrap()).await.unwrap();
    let newest = harness.koor.usage(UsageFilter::default(), Limit::default()).await.unwrap().remove(0);
    assert_eq!(newest.instance_id, worker.actor().as_str());
    for wrong in [
        UsageDraft::default(),
        UsageDraft { provider: "x".into(), ..UsageDraft::default() },
        UsageDraft { provider: "x".into(), model: "y".into(), tokens_in: -1, ..UsageDraft::default() },
        UsageDraft { provider: "x".into(), model: "y".into(), cost_usd: Some(-0.1), ..UsageDraft::default() },
    ] {
        assert!(RecordUsage::new(&Caller::local(), wrong).is_err());
    }
}
