//! Usage that clients report by themselves: whose it is, that it counts once, and the budgets that it is charged to.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use crate::{
    caller::Caller,
    clock::Timestamp,
    domain::{
        budgets::{BudgetState, BudgetView},
        events::EventFilter,
        telemetry::ReportedUsage,
        usage::{GroupBy, UNATTRIBUTED, UsageFilter, UsageRecord},
    },
    error::ErrorKind,
    ids::{Cursor, InstanceId, TaskNumber},
    page::{Limit, TimeRange},
    testkit::{
        Harness, StoreFixture,
        harness::{agent, topics},
    },
    use_cases::{
        AnnounceSession, ClaimRequest, Claimed, CreateTasks, DeleteBudget, DeregisterInstance, FinishTask,
        Holding, Ingested, RecordReported, RecordUsage, SetBudget, UsageDraft,
    },
};

/// A call of the session `session`, of a model without a price.
fn report(request: &str, session: &str) -> ReportedUsage {
    ReportedUsage {
        provider: "x".into(),
        model: "unpriced".into(),
        session: session.parse().ok(),
        instance: None,
        at: None,
        request_id: request.into(),
        tokens_in: 100,
        tokens_out: 10,
        cache_read_tokens: 1_000,
        cache_write_tokens: 5,
        cost_usd: Some(0.5),
    }
}

async fn record(harness: &Harness, reports: Vec<ReportedUsage>) -> Ingested {
    harness.run(RecordReported::new(&Caller::local(), reports)).await.unwrap()
}

async fn announce(harness: &Harness, id: InstanceId, session: &str) -> u64 {
    let command = AnnounceSession::new(&harness.koor, id, session.parse().unwrap());
    harness.run(command).await.unwrap().attributed
}

/// All records, oldest first.
async fn records(harness: &Harness) -> Vec<UsageRecord> {
    let mut all = harness.koor.usage(UsageFilter::default(), Limit::default()).await.unwrap();
    all.reverse();
    all
}

/// Whose each record is: the request, the project and the task, with `(unattributed)` where it is of no instance.
async fn whose(harness: &Harness) -> Vec<String> {
    let shown = |record: UsageRecord| {
        let whose = if record.instance_id == UNATTRIBUTED { UNATTRIBUTED } else { "known" };
        format!("{} {whose} {} {}", record.request_id, record.project, record.task).trim_end().to_owned()
    };
    records(harness).await.into_iter().map(shown).collect()
}

async fn add_task(harness: &Harness) {
    let tasks = serde_json::from_value(json!([{"title": "t"}])).unwrap();
    harness.run(CreateTasks::new(&Caller::local(), "p".parse().unwrap(), tasks).unwrap()).await.unwrap();
}

async fn claim(harness: &Harness, caller: &Caller, number: Option<u64>) -> Result<u64, crate::Error> {
    let request = ClaimRequest { number: number.and_then(TaskNumber::new), ..ClaimRequest::default() };
    let claimed = harness.koor.claim_task(caller, "p".parse().unwrap(), request, Duration::ZERO).await?;
    match claimed.output {
        Claimed::Task(task) => Ok(task.number.get()),
        Claimed::Nothing(_) => Ok(0),
    }
}

async fn finish(harness: &Harness, caller: &Caller, number: u64) {
    let id = format!("p/{number}").parse().unwrap();
    let finish = FinishTask::new(Holding::new(caller, id, None), None, None).unwrap();
    harness.koor.execute(caller, finish).await.unwrap();
}

/// The budget events since the log began.
async fn budget_events(harness: &Harness) -> Vec<String> {
    let filter = EventFilter { topics: topics(&["$budget.*"]), ..EventFilter::default() };
    let page = harness.koor.read(move |tx| tx.events_after(Cursor::START, &filter, 1_000)).await.unwrap();
    page.events.iter().map(|event| event.topic.as_str().trim_start_matches("$budget.").to_owned()).collect()
}

async fn set_budget(harness: &Harness, draft: Value) -> BudgetView {
    let draft = serde_json::from_value(draft).unwrap();
    let command = SetBudget::new(&harness.koor, "p".parse().unwrap(), &draft).unwrap();
    harness.run(command).await.unwrap()
}

pub(super) async fn reported_usage_is_recorded_once(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let both = || vec![report("r1", "s"), report("r2", "s"), report("r1", "s")];
    assert_eq!(record(&harness, both()).await, Ingested { recorded: 2, repeated: 1 });
    let before = harness.dump().await;
    assert_eq!(record(&harness, both()).await, Ingested { recorded: 0, repeated: 3 });
    assert_eq!(harness.dump().await, before, "what is known already changes nothing");
    let third = record(&harness, vec![report("r2", "other"), report("r3", "s")]).await;
    assert_eq!(third, Ingested { recorded: 1, repeated: 1 });
    let all = records(&harness).await;
    assert_eq!(all.iter().map(|record| record.request_id.as_str()).collect::<Vec<_>>(), ["r1", "r2", "r3"]);
    let first = &all[0];
    assert_eq!((first.tokens_in, first.tokens_out), (100, 10));
    assert_eq!((first.cache_read_tokens, first.cache_write_tokens), (1_000, 5));
    assert_eq!((first.session.as_str(), first.instance_id.as_str()), ("s", UNATTRIBUTED));
    // What is recorded by hand counts once, too.
    let draft = UsageDraft {
        provider: "x".into(),
        model: "y".into(),
        request_id: "r3".into(),
        ..UsageDraft::default()
    };
    let known = harness.run(RecordUsage::new(&Caller::local(), draft.clone()).unwrap()).await.unwrap();
    assert_eq!(known, all[2].id);
    let by_hand = UsageDraft { request_id: "r4".into(), ..draft };
    harness.run(RecordUsage::new(&Caller::local(), by_hand).unwrap()).await.unwrap();
    assert_eq!(record(&harness, vec![report("r4", "s")]).await.repeated, 1);
}

pub(super) async fn what_a_model_costs_is_said_or_looked_up_or_not_known(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let silent = |request: &str, model: &str| ReportedUsage {
        model: model.into(),
        cost_usd: None,
        tokens_in: 1_000_000,
        tokens_out: 0,
        cache_read_tokens: 0,
        cache_write_tokens: 0,
        ..report(request, "s")
    };
    let said = ReportedUsage { model: "gpt-5".into(), ..report("said", "s") };
    record(&harness, vec![said, silent("looked-up", "gpt-5"), silent("unknown", "unpriced")]).await;
    let costs: Vec<(String, bool)> = records(&harness)
        .await
        .iter()
        .map(|record| (format!("{:.2}", record.cost_usd), record.priced))
        .collect();
    assert_eq!(costs, [("0.50".into(), true), ("1.25".into(), true), ("0.00".into(), false)]);
}

pub(super) async fn a_session_says_whose_usage_it_is(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let first = harness.agent("first", "/home/me/p").await.instance.id;
    let second = harness.agent("second", "q").await.instance.id;
    assert_eq!(announce(&harness, first, "s").await, 0);
    let before = harness.dump().await;
    assert_eq!(announce(&harness, first, "s").await, 0);
    assert_eq!(harness.dump().await, before, "to announce it again changes nothing");
    let started_for =
        |request: &str, session: &str, id| ReportedUsage { instance: Some(id), ..report(request, session) };
    record(
        &harness,
        vec![
            report("of-session", "s"),
            started_for("session-first", "s", second),
            started_for("started-for", "unknown", second),
            started_for("unknown-instance", "unknown", InstanceId::NIL),
            report("nothing-known", "unknown"),
        ],
    )
    .await;
    let of = |record: &UsageRecord| (record.instance_id.clone(), record.project.clone());
    let (of_first, of_second) = ((first.to_string(), "p".into()), (second.to_string(), "q".into()));
    let none = (UNATTRIBUTED.to_owned(), String::new());
    let found: Vec<_> = records(&harness).await.iter().map(of).collect();
    assert_eq!(found, [of_first.clone(), of_first, of_second.clone(), none.clone(), none]);
    // Another instance takes the session up: what comes from then on is its own.
    announce(&harness, second, "s").await;
    record(&harness, vec![report("later", "s")]).await;
    assert_eq!(of(records(&harness).await.last().unwrap()), of_second);
    // A session ends with its instance.
    harness.run(DeregisterInstance(second)).await.unwrap();
    record(&harness, vec![report("gone", "s")]).await;
    assert_eq!(records(&harness).await.last().unwrap().instance_id, UNATTRIBUTED);
    let sums = harness.koor.usage_summary(GroupBy::Instance, TimeRange::default()).await.unwrap();
    assert_eq!((sums[UNATTRIBUTED].request_count, sums[&first.to_string()].request_count), (3, 2));
    let unknown = AnnounceSession::new(&harness.koor, InstanceId::NIL, "s".parse().unwrap());
    assert_eq!(harness.run(unknown).await.unwrap_err().kind(), ErrorKind::NotFound);
}

pub(super) async fn an_agent_reports_for_itself_alone(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let (own, other) = (harness.agent("own", "p").await, harness.agent("other", "q").await);
    announce(&harness, other.instance.id, "s").await;
    let caller = agent(&own);
    let forged = AnnounceSession::new(&harness.koor, other.instance.id, "t".parse().unwrap());
    let refused = harness.koor.execute(&caller, forged).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Forbidden);
    let reports = vec![ReportedUsage { instance: Some(other.instance.id), ..report("r", "s") }];
    harness.koor.execute(&caller, RecordReported::new(&caller, reports)).await.unwrap();
    assert_eq!(records(&harness).await[0].instance_id, own.instance.id.to_string());
}

pub(super) async fn a_late_announcement_attributes_the_usage_of_a_day(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let worker = harness.agent("worker", "p").await.instance.id;
    record(&harness, vec![report("too-old", "s")]).await;
    harness.clock.advance(Duration::from_hours(2));
    // When it was received counts, not when the call was made.
    let long_ago = Some(harness.koor.now().minus(Duration::from_hours(24 * 30)));
    record(&harness, vec![ReportedUsage { at: long_ago, ..report("old-call", "s") }, report("other", "t")])
        .await;
    harness.clock.advance(Duration::from_hours(23));
    record(&harness, vec![report("new", "s")]).await;
    assert_eq!(announce(&harness, worker, "s").await, 2);
    let expected = ["too-old (unattributed)", "old-call known p", "other (unattributed)", "new known p"];
    assert_eq!(whose(&harness).await, expected);
    let of_p = UsageFilter { project: Some("p".into()), ..UsageFilter::default() };
    assert_eq!(harness.koor.usage(of_p, Limit::default()).await.unwrap().len(), 2);
    assert_eq!(announce(&harness, worker, "s").await, 0);
}

pub(super) async fn usage_is_of_the_task_that_was_held_then(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let worker = harness.agent("worker", "p").await;
    let caller = agent(&worker);
    announce(&harness, worker.instance.id, "s").await;
    add_task(&harness).await;
    add_task(&harness).await;
    let moments: Vec<Timestamp> = {
        let mut moments = Vec::new();
        let mut tick = || {
            harness.clock.advance(Duration::from_mins(1));
            moments.push(harness.koor.now());
            harness.clock.advance(Duration::from_mins(1));
        };
        tick();
        claim(&harness, &caller, Some(1)).await.unwrap();
        tick();
        finish(&harness, &caller, 1).await;
        tick();
        claim(&harness, &caller, Some(2)).await.unwrap();
        tick();
        moments
    };
    let at =
        |number: usize, request: &str| ReportedUsage { at: Some(moments[number]), ..report(request, "s") };
    record(&harness, vec![at(3, "second"), at(1, "first"), at(2, "between"), at(0, "before")]).await;
    let expected = ["second known p p/2", "first known p p/1", "between known p", "before known p"];
    assert_eq!(whose(&harness).await, expected);
    // The same holds where the session is announced late.
    record(&harness, vec![ReportedUsage { session: "t".parse().ok(), ..at(1, "late") }]).await;
    assert_eq!(announce(&harness, worker.instance.id, "t").await, 1);
    assert_eq!(whose(&harness).await[4], "late known p p/1");
    let sums = harness.koor.usage_summary(GroupBy::Task, TimeRange::default()).await.unwrap();
    let counts: Vec<(&str, u64)> =
        sums.iter().map(|(task, sum)| (task.as_str(), sum.request_count)).collect();
    assert_eq!(counts, [("", 2), ("p/1", 2), ("p/2", 1)]);
    let day = moments[0].day();
    let sums = harness.koor.usage_summary(GroupBy::Day, TimeRange::default()).await.unwrap();
    assert_eq!(sums[&day].request_count, 5);
    // What an agent records by hand is of the task that it holds.
    let draft = UsageDraft { provider: "x".into(), model: "y".into(), ..UsageDraft::default() };
    harness.koor.execute(&caller, RecordUsage::new(&caller, draft).unwrap()).await.unwrap();
    assert_eq!(records(&harness).await.last().unwrap().task, "p/2");
}

pub(super) async fn a_budget_warns_and_stops_once_in_each_period(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let worker = harness.agent("worker", "p").await;
    let caller = agent(&worker);
    announce(&harness, worker.instance.id, "s").await;
    add_task(&harness).await;
    add_task(&harness).await;
    // One record counts 115 tokens: what came from a cache is left out.
    record(&harness, vec![report("before", "s")]).await;
    let view = set_budget(&harness, json!({"period": "day", "tokens": 460, "action": "stop"})).await;
    assert_eq!((view.used_tokens, view.state), (115, BudgetState::Ok));
    assert_eq!(budget_events(&harness).await, ["set"]);
    record(&harness, vec![report("2", "s"), report("2", "s")]).await;
    assert_eq!(budget_events(&harness).await, ["set"]);
    let other = ReportedUsage { tokens_in: 500, ..report("elsewhere", "unknown") };
    record(&harness, vec![other]).await;
    assert_eq!(harness.koor.budget(&"p".parse().unwrap()).await.unwrap().used_tokens, 230);
    assert_eq!(claim(&harness, &caller, None).await.unwrap(), 1);
    record(&harness, vec![ReportedUsage { tokens_in: 123, ..report("3", "s") }]).await;
    assert_eq!(budget_events(&harness).await, ["set", "warned"]);
    record(&harness, vec![report("4", "s")]).await;
    record(&harness, vec![report("5", "s")]).await;
    assert_eq!(budget_events(&harness).await, ["set", "warned", "exceeded"]);
    let view = harness.koor.budget(&"p".parse().unwrap()).await.unwrap();
    assert_eq!((view.used_tokens, view.state), (598, BudgetState::Exceeded));
    let until = view.resets_at.unwrap();
    for number in [None, Some(2)] {
        let refused = claim(&harness, &caller, number).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Forbidden);
        assert_eq!(refused.to_string(), format!("budget of p is used up until {until}"));
    }
    assert_eq!(claim(&harness, &caller, Some(1)).await.unwrap(), 1, "what is held can be renewed");
    let brief = harness.koor.brief(&caller, None, None).await.unwrap();
    let reason = brief.stop_reason().unwrap();
    assert_eq!(reason, format!("budget of p is used up until {until}"));
    assert!(brief.to_text().text.starts_with(&format!("STOP: {reason}")), "{}", brief.to_text().text);
    // The same budget again announces nothing again; a larger one ends the stop.
    set_budget(&harness, json!({"period": "day", "tokens": 460, "action": "stop"})).await;
    assert_eq!(budget_events(&harness).await, ["set", "warned", "exceeded", "set"]);
    harness.clock.set(until);
    assert_eq!(harness.koor.budget(&"p".parse().unwrap()).await.unwrap().used_tokens, 0);
    assert_eq!(claim(&harness, &caller, None).await.unwrap(), 2, "a new period begins with nothing spent");
    // A call of the day before is no longer counted, and one step may pass both limits.
    let yesterday = Some(until.minus(Duration::from_secs(1)));
    record(&harness, vec![ReportedUsage { at: yesterday, tokens_in: 9_000, ..report("yesterday", "s") }])
        .await;
    assert_eq!(budget_events(&harness).await.len(), 4);
    record(&harness, vec![ReportedUsage { tokens_in: 9_000, ..report("much", "s") }]).await;
    assert_eq!(budget_events(&harness).await[4..], ["warned", "exceeded"]);
    harness.run(DeleteBudget("p".parse().unwrap())).await.unwrap();
    assert_eq!(harness.koor.budgets().await.unwrap(), []);
    assert_eq!(
        harness.run(DeleteBudget("p".parse().unwrap())).await.unwrap_err().to_string(),
        "budget not found: p"
    );
    assert_eq!(budget_events(&harness).await.last().unwrap(), "deleted");
    let draft = serde_json::from_value(json!({"period": "total", "usd": 1, "action": "warn"})).unwrap();
    let forbidden = SetBudget::new(&harness.koor, "p".parse().unwrap(), &draft).unwrap();
    assert_eq!(harness.koor.execute(&caller, forbidden).await.unwrap_err().kind(), ErrorKind::Forbidden);
}

pub(super) async fn a_budget_for_each_task_stops_that_task(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let worker = harness.agent("worker", "p").await;
    let caller = agent(&worker);
    add_task(&harness).await;
    add_task(&harness).await;
    set_budget(&harness, json!({"period": "total", "per_task_tokens": 200, "action": "stop"})).await;
    claim(&harness, &caller, Some(1)).await.unwrap();
    record(&harness, vec![report("1", "s"), report("2", "s")]).await;
    assert_eq!(budget_events(&harness).await, ["set"], "usage without an instance is of no task");
    assert_eq!(announce(&harness, worker.instance.id, "s").await, 2);
    assert_eq!(budget_events(&harness).await, ["set", "task_exceeded"], "230 of 200 tokens");
    record(&harness, vec![report("3", "s")]).await;
    assert_eq!(budget_events(&harness).await, ["set", "task_exceeded"], "once for each task");
    let brief = harness.koor.brief(&caller, None, None).await.unwrap();
    assert_eq!(brief.stop_reason().unwrap(), "budget of p is used up for task 1");
    let release =
        crate::use_cases::ReleaseTask::new(Holding::new(&caller, "p/1".parse().unwrap(), None), None, None);
    harness.koor.execute(&caller, release.unwrap()).await.unwrap();
    let refused = claim(&harness, &caller, Some(1)).await.unwrap_err();
    assert_eq!(refused.to_string(), "budget of p is used up for task 1");
    assert_eq!(claim(&harness, &caller, Some(2)).await.unwrap(), 2);
    let brief = harness.koor.brief(&caller, None, None).await.unwrap();
    assert_eq!(brief.stop_reason(), None);
    let (task, found) = ("p/1".parse().unwrap(), harness.koor.read(|tx| tx.task_costs_after(None, 9)));
    let found = found.await.unwrap();
    assert_eq!((&found[0].task, found[0].tokens), (&task, 345));
}

pub(super) async fn racing_reports_of_a_request_are_recorded_once(fixture: StoreFixture) {
    let harness = Arc::new(Harness::on(fixture).await);
    let all = (0..16).map(|_| {
        let harness = Arc::clone(&harness);
        tokio::spawn(async move { record(&harness, vec![report("r", "s"), report("q", "s")]).await.recorded })
    });
    let mut recorded = 0;
    for one in all.collect::<Vec<_>>() {
        recorded += one.await.unwrap();
    }
    assert_eq!((recorded, records(&harness).await.len()), (2, 2));
}
