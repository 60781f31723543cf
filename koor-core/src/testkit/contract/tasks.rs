//! Tasks: who gets them, who keeps them, and what waits for them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::{Value, json};

use crate::{
    activity::FLUSH_EVERY,
    caller::Caller,
    domain::{
        LeaseTime, RawJson,
        audit::AuditFilter,
        events::EventFilter,
        tasks::{Fence, ReadyQuery, Task, TaskFilter, TaskId, TaskOrder, TaskStatus},
    },
    error::{Error, ErrorKind},
    ids::{AgentName, Cursor, TaskNumber},
    page::Limit,
    testkit::{
        Harness, StoreFixture,
        harness::{agent, topics},
    },
    use_cases::{
        AddTaskNote, ClaimRequest, Claimed, CreateTasks, DecideTask, DeregisterInstance, EditTask, FailTask,
        FinishTask, Holding, ReleaseTask, RenewClaim, SetCapabilities,
    },
};

/// An agent of project `p`, as it calls.
async fn worker(harness: &Harness, name: &str) -> Caller {
    agent(&harness.agent(name, "p").await)
}

fn id(number: u64) -> TaskId {
    TaskId { project: "p".parse().unwrap(), number: TaskNumber::new(number).unwrap() }
}

/// Makes tasks in project `p`, and answers their numbers.
async fn create(harness: &Harness, tasks: Value) -> Result<Vec<u64>, Error> {
    let tasks = serde_json::from_value(tasks).unwrap();
    let create = CreateTasks::new(&Caller::local(), "p".parse().unwrap(), tasks)?;
    Ok(harness.run(create).await?.iter().map(|created| created.task.number.get()).collect())
}

async fn claim(
    harness: &Harness,
    caller: &Caller,
    request: ClaimRequest,
) -> Result<Option<Arc<Task>>, Error> {
    let claimed = harness.koor.claim_task(caller, "p".parse().unwrap(), request, Duration::ZERO).await?;
    Ok(match claimed.output {
        Claimed::Task(task) => Some(task),
        Claimed::Nothing(_) => None,
    })
}

async fn next(harness: &Harness, caller: &Caller) -> Option<u64> {
    claim(harness, caller, ClaimRequest::default()).await.unwrap().map(|task| task.number.get())
}

async fn take(harness: &Harness, caller: &Caller, number: u64) -> Result<Arc<Task>, Error> {
    let request = ClaimRequest { number: TaskNumber::new(number), ..ClaimRequest::default() };
    claim(harness, caller, request).await.map(Option::unwrap)
}

async fn done(
    harness: &Harness,
    caller: &Caller,
    number: u64,
    fence: Option<Fence>,
) -> Result<Arc<Task>, Error> {
    let finish = FinishTask::new(Holding::new(caller, id(number), fence), None, None).unwrap();
    Ok(harness.koor.execute(caller, finish).await?.output)
}

async fn edit(harness: &Harness, number: u64, edit: Value) -> Result<Arc<Task>, Error> {
    let fields: crate::domain::tasks::TaskEditFields = serde_json::from_value(edit).unwrap();
    harness.run(EditTask::new(&Caller::local(), id(number), fields.try_into()?, None)).await
}

async fn task(harness: &Harness, number: u64) -> Arc<Task> {
    harness.koor.task(&id(number)).await.unwrap()
}

/// What was announced of tasks since then, as `topic number`.
async fn announced(harness: &Harness, since: Cursor) -> Vec<String> {
    let filter = EventFilter { topics: topics(&["$task.*"]), ..EventFilter::default() };
    let page = harness.koor.read(move |tx| tx.events_after(since, &filter, 1_000)).await.unwrap();
    let shown = page.events.iter().map(|event| {
        let data: Value = event.data.read().unwrap();
        format!("{} {}", event.topic.as_str().trim_start_matches("$task."), data["number"])
    });
    shown.collect()
}

fn refused<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error.to_string(),
    }
}

pub(super) async fn tasks_are_made_all_or_none(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    assert_eq!(create(&harness, json!([{"title": "a"}, {"title": "b", "key": "k"}])).await.unwrap(), [1, 2]);
    // A key that is there answers its task, and changes nothing.
    let before = harness.dump().await;
    assert_eq!(create(&harness, json!([{"title": "other", "key": "k"}])).await.unwrap(), [2]);
    assert_eq!(harness.dump().await, before);
    // Items name each other by key, forwards too.
    let linked = json!([
        {"title": "last", "after": ["first", "k"], "key": "last"}, {"title": "b again", "key": "k"},
        {"title": "first", "key": "first", "parent": 1},
    ]);
    assert_eq!(create(&harness, linked).await.unwrap(), [3, 2, 4]);
    let last = task(&harness, 3).await;
    assert_eq!(
        (last.after.clone(), last.blocked_by.clone()),
        (vec![id(2).number, id(4).number], last.after.clone())
    );
    assert_eq!(task(&harness, 4).await.parent, Some(id(1).number));
    // One bad item, and none is stored.
    let before = harness.dump().await;
    for bad in [
        json!([{"title": "fine"}, {"title": ""}]),
        json!([{"title": "fine"}, {"title": "x", "after": [99]}]),
        json!([{"title": "fine"}, {"title": "x", "parent": "stranger"}]),
        json!([{"title": "x", "key": "new"}, {"title": "y", "key": "new"}]),
        json!([]),
    ] {
        assert_eq!(create(&harness, bad.clone()).await.unwrap_err().kind(), ErrorKind::Invalid, "{bad}");
    }
    assert_eq!(harness.dump().await, before);
    // Another project counts anew.
    let other = CreateTasks::new(
        &Caller::local(),
        "q".parse().unwrap(),
        vec![serde_json::from_value(json!({"title": "x"})).unwrap()],
    );
    assert_eq!(harness.run(other.unwrap()).await.unwrap()[0].task.number.get(), 1);
}

pub(super) async fn of_64_racing_claims_of_a_task_one_wins(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let tasks: Vec<Value> = (0..96).map(|n| json!({"title": format!("t{n}")})).collect();
    create(&harness, json!(tasks)).await.unwrap();
    let mut racing = tokio::task::JoinSet::new();
    for n in 0..16 {
        let (koor, caller) = (harness.koor.clone(), worker(&harness, &format!("w{n}")).await);
        racing.spawn(async move {
            let mut got = Vec::new();
            loop {
                let project = "p".parse().unwrap();
                let claimed =
                    koor.claim_task(&caller, project, ClaimRequest::default(), Duration::ZERO).await;
                match claimed.unwrap().output {
                    Claimed::Task(task) => got.push((task.number, task.fence)),
                    Claimed::Nothing(counts) => {
                        assert_eq!((counts.open(), counts.claimable), (0, 0));
                        return got;
                    }
                }
            }
        });
    }
    let mut all: Vec<_> = racing.join_all().await.into_iter().flatten().collect();
    all.sort_unstable();
    let expected: Vec<_> = (1..=96).map(|n| (TaskNumber::new(n).unwrap(), Fence(1))).collect();
    assert_eq!(all, expected);
    // The same for one task, by its number.
    create(&harness, json!([{"title": "one"}])).await.unwrap();
    let mut racing = tokio::task::JoinSet::new();
    for n in 0..64 {
        let (koor, caller) = (harness.koor.clone(), worker(&harness, &format!("r{n}")).await);
        racing.spawn(async move {
            let request = ClaimRequest { number: TaskNumber::new(97), ..ClaimRequest::default() };
            koor.claim_task(&caller, "p".parse().unwrap(), request, Duration::ZERO).await.is_ok()
        });
    }
    assert_eq!(racing.join_all().await.into_iter().filter(|won| *won).count(), 1);
}

pub(super) async fn the_next_task_is_the_first_that_suits(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let (ann, bob) = (worker(&harness, "ann").await, worker(&harness, "bob").await);
    let bob_id = bob.as_instance().unwrap().id;
    harness.run(SetCapabilities::new(bob_id, &["sql".to_owned(), "css".to_owned()]).unwrap()).await.unwrap();
    let tasks = json!([
        {"title": "1", "priority": 3, "key": "1"}, {"title": "2", "needs": ["sql"]}, {"title": "3", "labels": ["ui", "x"]},
        {"title": "4", "priority": 0, "assignee": "bob"}, {"title": "5", "needs": ["sql", "go"], "priority": 0},
        {"title": "6", "labels": ["ui"], "priority": 4}, {"title": "7", "priority": 0, "after": ["1"]},
    ]);
    create(&harness, tasks).await.unwrap();
    let query = |labels: &[&str]| {
        let labels: Vec<String> = labels.iter().map(ToString::to_string).collect();
        ReadyQuery::of(
            &"p".parse().unwrap(),
            &"bob".parse().unwrap(),
            &["css".to_owned(), "sql".to_owned()],
            &labels,
        )
    };
    let ready = harness.koor.ready_tasks(query(&[]), 9).await.unwrap();
    assert_eq!(ready.iter().map(|task| task.number.get()).collect::<Vec<_>>(), [4, 2, 3, 1, 6]);
    assert_eq!(harness.koor.ready_tasks(query(&["ui", "x"]), 9).await.unwrap().len(), 1);
    // Ann has no capabilities, and 4 is Bob's.
    assert_eq!(next(&harness, &ann).await, Some(3));
    assert_eq!(next(&harness, &bob).await, Some(4));
    assert_eq!(next(&harness, &bob).await, Some(2));
    let ui = ClaimRequest { labels: vec!["ui".to_owned()], ..ClaimRequest::default() };
    assert_eq!(claim(&harness, &ann, ui.clone()).await.unwrap().unwrap().number.get(), 6);
    assert_eq!(claim(&harness, &ann, ui).await.unwrap(), None);
    assert_eq!(next(&harness, &ann).await, Some(1));
    for (number, why) in
        [(5, "task 5 needs sql, go"), (7, "task 7 is blocked by 1"), (4, "task 4 is claimed by bob until ")]
    {
        let said = refused(take(&harness, &ann, number).await);
        assert!(said.starts_with(why), "{said}");
    }
    // Its own task is answered again, with the same claim.
    let (first, again) = (task(&harness, 1).await, take(&harness, &ann, 1).await.unwrap());
    assert_eq!((again.fence, again.version), (first.fence, first.version));
    assert_eq!(next(&harness, &ann).await, None);
}

pub(super) async fn an_admin_holds_no_task(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    create(&harness, json!([{"title": "a"}])).await.unwrap();
    let needed = claim(&harness, &Caller::admin(), ClaimRequest::default()).await.unwrap_err();
    assert_eq!(needed.kind(), ErrorKind::Invalid);
    let stranger = agent(&harness.agent("stranger", "elsewhere").await);
    assert_eq!(
        claim(&harness, &stranger, ClaimRequest::default()).await.unwrap_err().kind(),
        ErrorKind::Forbidden
    );
    let foreign = AddTaskNote::new(&stranger, id(1), Some("hello".to_owned())).unwrap();
    assert_eq!(harness.koor.execute(&stranger, foreign).await.unwrap_err().kind(), ErrorKind::Forbidden);
}

pub(super) async fn a_lost_claim_writes_nothing(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let (ann, bob) = (worker(&harness, "ann").await, worker(&harness, "bob").await);
    create(&harness, json!([{"title": "a", "review": true}])).await.unwrap();
    let old = take(&harness, &ann, 1).await.unwrap().fence;
    let release =
        ReleaseTask::new(Holding::new(&ann, id(1), Some(old)), Some("not mine".to_owned()), None).unwrap();
    let released = harness.koor.execute(&ann, release).await.unwrap().output;
    assert!(released.fence > old && released.claim.is_none());
    let newer = take(&harness, &bob, 1).await.unwrap().fence;
    assert!(newer > released.fence);
    let before = task(&harness, 1).await;
    for fence in [None, Some(old), Some(newer)] {
        let holding = Holding::new(&ann, id(1), fence);
        let lost = [
            refused(done(&harness, &ann, 1, fence).await),
            refused(harness.koor.execute(&ann, ReleaseTask::new(holding.clone(), None, None).unwrap()).await),
            refused(
                harness
                    .koor
                    .execute(&ann, FailTask::new(holding.clone(), Some("x".to_owned()), true).unwrap())
                    .await,
            ),
            refused(harness.koor.execute(&ann, RenewClaim { holding, lease: None }).await),
        ];
        for said in lost {
            assert_eq!(said, format!("claim lost: task 1 was taken by bob (fence {newer})"));
        }
    }
    assert_eq!(task(&harness, 1).await, before);
    // The holder itself is told when its fence is old.
    assert!(refused(done(&harness, &bob, 1, Some(old)).await).starts_with("claim lost: "));
    // To finish twice is to finish once.
    let first = done(&harness, &bob, 1, Some(newer)).await.unwrap();
    let events = harness.koor.last_event();
    assert_eq!(done(&harness, &bob, 1, Some(newer)).await.unwrap(), first);
    assert_eq!((first.status, harness.koor.last_event()), (TaskStatus::Review, events));
}

pub(super) async fn a_task_waits_for_those_before_it(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let ann = worker(&harness, "ann").await;
    create(&harness, json!([{"title": "1"}, {"title": "2"}])).await.unwrap();
    create(&harness, json!([{"title": "3", "after": [1, 2]}, {"title": "4", "after": [1]}])).await.unwrap();
    take(&harness, &ann, 1).await.unwrap();
    let version = task(&harness, 4).await.version;
    let since = harness.koor.last_event();
    done(&harness, &ann, 1, None).await.unwrap();
    assert_eq!(announced(&harness, since).await, ["done 1", "ready 4"]);
    assert_eq!(
        (task(&harness, 4).await.version, task(&harness, 3).await.blocked_by.clone()),
        (version, vec![id(2).number])
    );
    // What is reopened is waited for again.
    let since = harness.koor.last_event();
    harness.run(DecideTask::reopen(&Caller::local(), id(1))).await.unwrap();
    assert_eq!(announced(&harness, since).await, ["reopened 1", "ready 1"]);
    assert_eq!(refused(take(&harness, &ann, 4).await), "task 4 is blocked by 1");
    // What is cancelled is not done.
    harness
        .run(DecideTask::cancel(&Caller::local(), id(2), Some("no need".to_owned())).unwrap())
        .await
        .unwrap();
    assert_eq!(task(&harness, 3).await.blocked_by.len(), 2);
    let since = harness.koor.last_event();
    assert!(edit(&harness, 3, json!({"after": []})).await.unwrap().claimable);
    assert_eq!(announced(&harness, since).await, ["updated 3", "ready 3"]);
    // Circles are refused, by any way.
    assert_eq!(refused(edit(&harness, 1, json!({"after": [4]})).await), "dependency cycle: 1 → 4 → 1");
    assert_eq!(refused(edit(&harness, 1, json!({"parent": 1})).await), "dependency cycle: 1 → 1");
    edit(&harness, 4, json!({"parent": 3})).await.unwrap();
    assert_eq!(refused(edit(&harness, 1, json!({"after": [3]})).await), "dependency cycle: 1 → 3 → 4 → 1");
    let inner = create(&harness, json!([{"title": "5", "parent": 4, "after": [3]}])).await;
    assert_eq!(refused(inner), "dependency cycle: 5 → 3 → 4 → 5");
    assert_eq!(
        refused(edit(&harness, 1, json!({"after": [99]})).await),
        "after names task 99, which project p does not have"
    );
}

pub(super) async fn a_parent_is_done_after_its_parts(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let ann = worker(&harness, "ann").await;
    create(
        &harness,
        json!([{"title": "whole", "key": "w"}, {"title": "a", "parent": "w"}, {"title": "b", "parent": "w"}]),
    )
    .await
    .unwrap();
    take(&harness, &ann, 1).await.unwrap();
    assert_eq!(refused(done(&harness, &ann, 1, None).await), "task 1 has parts that are not done: 2, 3");
    take(&harness, &ann, 2).await.unwrap();
    done(&harness, &ann, 2, None).await.unwrap();
    harness.run(DecideTask::cancel(&Caller::local(), id(3), None).unwrap()).await.unwrap();
    assert_eq!(done(&harness, &ann, 1, None).await.unwrap().status, TaskStatus::Done);
}

pub(super) async fn a_failure_is_tried_again_after_a_pause(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let ann = worker(&harness, "ann").await;
    create(
        &harness,
        json!([{"title": "a", "max_attempts": 2}, {"title": "b", "not_before": "2026-02-16T15:00:00Z"}]),
    )
    .await
    .unwrap();
    let fail =
        |retry| FailTask::new(Holding::new(&ann, id(1), None), Some("broken".to_owned()), retry).unwrap();
    take(&harness, &ann, 1).await.unwrap();
    let failed = harness.koor.execute(&ann, fail(true)).await.unwrap().output;
    assert_eq!((failed.status, failed.attempts), (TaskStatus::Open, 1));
    harness.clock.advance(Duration::from_millis(9_999));
    assert_eq!(next(&harness, &ann).await, None);
    harness.koor.watch_tasks().await.unwrap();
    let since = harness.koor.last_event();
    harness.clock.advance(Duration::from_millis(1));
    // It can be claimed at once, and the monitor says so.
    let filter = TaskFilter { ready_at: Some(harness.koor.now()), ..TaskFilter::default() };
    assert_eq!(
        harness
            .koor
            .tasks("p".parse().unwrap(), filter, TaskOrder::Number, Limit::default())
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(harness.koor.task_summaries().await.unwrap()[0].ready, 1);
    harness.koor.watch_tasks().await.unwrap();
    assert_eq!(announced(&harness, since).await, ["ready 1"]);
    take(&harness, &ann, 1).await.unwrap();
    let failed = harness.koor.execute(&ann, fail(true)).await.unwrap().output;
    assert_eq!(
        (failed.status, failed.attempts, failed.reason.as_deref()),
        (TaskStatus::Failed, 2, Some("broken"))
    );
    assert_eq!(harness.koor.task_notes(&id(1)).await.unwrap().len(), 2);
    // Without the monitor, a claim finds what has come due.
    harness.clock.advance(Duration::from_hours(1));
    let since = harness.koor.last_event();
    assert_eq!(next(&harness, &ann).await, Some(2));
    assert_eq!(announced(&harness, since).await, ["ready 2", "claimed 2"]);
    let counts = &harness.koor.task_summaries().await.unwrap()[0];
    assert_eq!((counts.open, counts.claimed, counts.failed), (0, 1, 1));
}

pub(super) async fn a_silent_holder_loses_its_claim_and_no_other_does(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let (ann, bob) = (worker(&harness, "ann").await, worker(&harness, "bob").await);
    create(&harness, json!([{"title": "a", "max_attempts": 2}, {"title": "b"}, {"title": "c"}]))
        .await
        .unwrap();
    let minute = ClaimRequest { lease: Some(LeaseTime::minutes(1)), ..ClaimRequest::default() };
    let of_ann = claim(&harness, &ann, minute.clone()).await.unwrap().unwrap();
    claim(&harness, &bob, minute).await.unwrap().unwrap();
    let call = async |caller: &Caller| {
        let id = caller.as_instance().unwrap().id.to_string();
        let credentials = crate::identify::Credentials { bearer: None, instance: Some(&id) };
        harness.koor.identify(credentials).await.unwrap();
    };
    // A clock that jumps back ends nothing.
    let start = harness.koor.now();
    harness.clock.set(crate::clock::Timestamp::EPOCH);
    assert_eq!(harness.koor.watch_tasks().await.unwrap(), 0);
    harness.clock.set(start);
    // Bob calls, Ann does not: before its end and what a crash may have lost, hers is not taken.
    harness.clock.advance(Duration::from_secs(40));
    call(&bob).await;
    harness.clock.advance(Duration::from_millis(19_999));
    assert_eq!(harness.koor.watch_tasks().await.unwrap(), 0);
    let writes = harness.audit(1).await[0].id;
    harness.clock.advance(FLUSH_EVERY + Duration::from_secs(1));
    let since = harness.koor.last_event();
    assert_eq!(harness.koor.watch_tasks().await.unwrap(), 1);
    assert_eq!(announced(&harness, since).await, ["expired 1", "ready 1"]);
    let entry = &harness.audit(1).await[0];
    assert_eq!(
        (entry.actor.as_str(), entry.action.as_str(), entry.resource.as_str()),
        ("task-monitor", "task.expire", "p/1")
    );
    assert_eq!(entry.id, writes.next(), "what Bob's call renewed has no entry");
    let expired = task(&harness, 1).await;
    assert_eq!((expired.status, expired.attempts), (TaskStatus::Open, 1));
    assert!(expired.fence > of_ann.fence);
    assert!(refused(done(&harness, &ann, 1, Some(of_ann.fence)).await).starts_with("claim lost: "));
    // Bob's call counted from when it came: 40 s later, and written down or not.
    assert_eq!(task(&harness, 2).await.status, TaskStatus::Claimed);
    harness.koor.flush_activity().await.unwrap();
    harness.clock.advance(Duration::from_secs(35));
    assert_eq!(harness.koor.watch_tasks().await.unwrap(), 0);
    harness.clock.advance(Duration::from_secs(2));
    assert_eq!(harness.koor.watch_tasks().await.unwrap(), 1);
    // The second time, its attempts are used up.
    claim(&harness, &ann, ClaimRequest { number: TaskNumber::new(1), ..ClaimRequest::default() })
        .await
        .unwrap();
    harness.clock.advance(Duration::from_mins(16));
    let since = harness.koor.last_event();
    assert_eq!(harness.koor.watch_tasks().await.unwrap(), 1);
    assert_eq!(announced(&harness, since).await, ["expired 1", "failed 1"]);
}

pub(super) async fn a_review_is_anothers(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let (ann, bob) = (worker(&harness, "ann").await, worker(&harness, "bob").await);
    create(&harness, json!([{"title": "a", "review": true, "key": "a"}, {"title": "b", "after": ["a"]}]))
        .await
        .unwrap();
    take(&harness, &ann, 1).await.unwrap();
    let result = Some(RawJson::parse("{\"tests\": 3}").unwrap());
    let finish = FinishTask::new(Holding::new(&ann, id(1), None), result, Some("ready".to_owned())).unwrap();
    let since = harness.koor.last_event();
    harness.koor.execute(&ann, finish).await.unwrap();
    // Ann again, after a restart, is Ann still.
    let again = worker(&harness, "ann").await;
    for own in [&ann, &again] {
        let approve = DecideTask::approve(own, id(1), None).unwrap();
        assert_eq!(harness.koor.execute(own, approve).await.unwrap_err().kind(), ErrorKind::Forbidden);
    }
    assert!(DecideTask::reject(&bob, id(1), None).is_err(), "a rejection says why");
    let reject = DecideTask::reject(&bob, id(1), Some("one test is missing".to_owned())).unwrap();
    let rejected = harness.koor.execute(&bob, reject).await.unwrap().output;
    assert_eq!(
        (rejected.status, rejected.assignee.as_ref().map(AgentName::as_str)),
        (TaskStatus::Open, Some("ann"))
    );
    take(&harness, &ann, 1).await.unwrap();
    done(&harness, &ann, 1, None).await.unwrap();
    harness.koor.execute(&bob, DecideTask::approve(&bob, id(1), None).unwrap()).await.unwrap();
    let story = ["review 1", "rejected 1", "ready 1", "claimed 1", "review 1", "done 1", "ready 2"];
    assert_eq!(announced(&harness, since).await, story);
    let notes = harness.koor.task_notes(&id(1)).await.unwrap();
    let notes: Vec<_> =
        notes.iter().map(|note| (note.id, note.author.as_str(), note.text.as_str())).collect();
    assert_eq!(notes, [(1, "ann", "ready\n\n{\"tests\": 3}"), (2, "bob", "one test is missing")]);
    let twice = harness.run(DecideTask::approve(&Caller::local(), id(1), None).unwrap()).await;
    assert_eq!(refused(twice), "task 1 is done, not in review");
}

pub(super) async fn a_deregistered_agent_holds_nothing(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let (ann, bob) = (worker(&harness, "ann").await, worker(&harness, "bob").await);
    create(&harness, json!([{"title": "a"}, {"title": "b"}])).await.unwrap();
    take(&harness, &ann, 1).await.unwrap();
    take(&harness, &ann, 2).await.unwrap();
    let since = harness.koor.last_event();
    let instance = ann.as_instance().unwrap().id;
    let gone = harness.koor.execute(&Caller::local(), DeregisterInstance(instance)).await.unwrap();
    assert_eq!(announced(&harness, since).await, ["released 1", "ready 1", "released 2", "ready 2"]);
    assert_eq!(gone.cursor, harness.koor.last_event());
    let released = AuditFilter { action: Some("task.release".to_owned()), ..AuditFilter::default() };
    assert_eq!(harness.koor.audit(released, Limit::default()).await.unwrap().len(), 2);
    assert_eq!(next(&harness, &bob).await, Some(1));
    assert_eq!(task(&harness, 1).await.attempts, 0);
    // Reassigning ends a claim, too.
    let taken = edit(&harness, 1, json!({"assignee": "ann"})).await.unwrap();
    assert_eq!((taken.status, taken.claim.is_none()), (TaskStatus::Open, true));
    assert!(refused(done(&harness, &bob, 1, None).await).starts_with("claim lost: "));
}

pub(super) async fn tasks_are_found_by_what_they_are(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let ann = worker(&harness, "ann").await;
    let tasks = json!([
        {"title": "1", "labels": ["ui"]}, {"title": "2", "parent": 1, "priority": 0}, {"title": "3", "after": [1], "assignee": "bob"},
        {"title": "4", "labels": ["ui"], "priority": 4},
    ]);
    create(&harness, json!([tasks[0]])).await.unwrap();
    create(&harness, json!([tasks[1], tasks[2], tasks[3]])).await.unwrap();
    take(&harness, &ann, 4).await.unwrap();
    let found = async |filter: TaskFilter, order, limit| -> Vec<u64> {
        let limit = Limit::new("limit", limit).unwrap();
        let found = harness.koor.tasks("p".parse().unwrap(), filter, order, limit).await.unwrap();
        found.iter().map(|task| task.number.get()).collect()
    };
    let every = TaskFilter::default;
    let by_number = TaskOrder::Number;
    assert_eq!(found(every(), by_number, 3).await, [1, 2, 3]);
    assert_eq!(found(every(), TaskOrder::Priority, 9).await, [2, 1, 3, 4]);
    assert_eq!(found(TaskFilter { after_number: 2, ..every() }, by_number, 9).await, [3, 4]);
    let claimed = TaskStatus::Claimed;
    assert_eq!(found(TaskFilter { status: vec![claimed], ..every() }, by_number, 9).await, [4]);
    assert_eq!(
        found(TaskFilter { status: vec![claimed, TaskStatus::Open], ..every() }, by_number, 9).await,
        [1, 2, 3, 4]
    );
    assert_eq!(
        found(TaskFilter { ready_at: Some(harness.koor.now()), ..every() }, by_number, 9).await,
        [1, 2]
    );
    assert_eq!(found(TaskFilter { label: Some("ui".to_owned()), ..every() }, by_number, 9).await, [1, 4]);
    let named = |name: &str| Some(AgentName::new(name).unwrap());
    assert_eq!(found(TaskFilter { assignee: named("bob"), ..every() }, by_number, 9).await, [3]);
    assert_eq!(found(TaskFilter { claimed_by: named("ann"), ..every() }, by_number, 9).await, [4]);
    assert_eq!(found(TaskFilter { parent: TaskNumber::new(1), ..every() }, by_number, 9).await, [2]);
    let both = TaskFilter {
        status: vec![claimed],
        label: Some("ui".to_owned()),
        claimed_by: named("ann"),
        ..every()
    };
    assert_eq!(found(both, TaskOrder::Priority, 9).await, [4]);
}

pub(super) async fn a_wait_for_a_task_ends_with_it(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let ann = worker(&harness, "ann").await;
    let (koor, caller) = (harness.koor.clone(), ann.clone());
    let subscribers = harness.koor.subscribers();
    let waiting = tokio::spawn(async move {
        koor.claim_task(&caller, "p".parse().unwrap(), ClaimRequest::default(), Duration::from_mins(1)).await
    });
    while harness.koor.subscribers() == subscribers {
        tokio::task::yield_now().await;
    }
    create(&harness, json!([{"title": "a"}])).await.unwrap();
    let Claimed::Task(claimed) = waiting.await.unwrap().unwrap().output else { panic!("no task") };
    assert_eq!(claimed.number.get(), 1);
    // A caller that goes away while it waits gets nothing, and the next one does.
    let (koor, caller) = (harness.koor.clone(), ann.clone());
    let gone = tokio::spawn(async move {
        koor.claim_task(&caller, "p".parse().unwrap(), ClaimRequest::default(), Duration::from_mins(1)).await
    });
    while harness.koor.subscribers() == subscribers {
        tokio::task::yield_now().await;
    }
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    create(&harness, json!([{"title": "b"}])).await.unwrap();
    assert_eq!(task(&harness, 2).await.status, TaskStatus::Open);
    // A new version ends a wait for one; a renewal does not make one.
    let version = task(&harness, 2).await.version.get();
    let (koor, wanted) = (harness.koor.clone(), id(2));
    let changed =
        tokio::spawn(async move { koor.wait_for_task(&wanted, Some(version), Duration::from_mins(1)).await });
    edit(&harness, 2, json!({"title": "new"})).await.unwrap();
    assert_eq!(changed.await.unwrap().unwrap().unwrap().title, "new");
}

pub(super) async fn every_change_of_a_task_is_one_commit(fixture: StoreFixture) {
    let harness = Harness::on(fixture).await;
    let ann = worker(&harness, "ann").await;
    create(&harness, json!([{"title": "a", "body": "b"}])).await.unwrap();
    let note = AddTaskNote::new(&ann, id(1), Some("seen".to_owned())).unwrap();
    assert_eq!(harness.koor.execute(&ann, note).await.unwrap().output.author, "ann");
    take(&harness, &ann, 1).await.unwrap();
    done(&harness, &ann, 1, None).await.unwrap();
    let counted: BTreeMap<String, u64> = harness
        .koor
        .audit_summary(crate::page::TimeRange::default())
        .await
        .unwrap()
        .action_counts
        .into_iter()
        .filter(|(action, _)| action.starts_with("task."))
        .collect();
    let one = |action: &str| (format!("task.{action}"), 1);
    assert_eq!(counted, BTreeMap::from([one("create"), one("note"), one("claim"), one("done")]));
    assert_eq!(
        announced(&harness, Cursor::START).await,
        ["created 1", "ready 1", "noted 1", "claimed 1", "done 1"]
    );
    assert_eq!(task(&harness, 1).await.version.get(), 4);
}
