//! What agents see of a few tasks that they claim, renew, give back and finish, at once and through kills and pauses, could have
//! been seen of one holder at a time. And the check is worth something: broken servers are found.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use integration_tests::{Client, Operation, Start, TaskAsk, TaskTold, linearizable};
use koor_core::{MemoryStore, ports::Store};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    broken::{Broken, Forgets, forgetful},
    random::{Random, number, seed},
};

const AGENTS: u64 = 8;
const TASKS: u64 = 3;
/// The end of an operation whose answer was lost.
const UNKNOWN: u64 = u64::MAX;

type History = Mutex<Vec<Operation<TaskAsk>>>;

/// Asks; `None` where the connection broke off.
fn send(client: &Client, task: u64, ask: TaskAsk) -> Option<TaskTold> {
    let call = |verb: &str, body: serde_json::Value| {
        client.try_send("POST", &format!("/api/tasks/p/{task}/{verb}"), &body.to_string())
    };
    let told = match ask {
        TaskAsk::Claim(_) => {
            client.try_send("POST", "/api/tasks/p/claim", &json!({"number": task}).to_string())
        }
        TaskAsk::Renew(_, fence) => call("renew", json!({"fence": fence})),
        TaskAsk::Release(_, fence) => call("release", json!({"fence": fence})),
        TaskAsk::Done(_, fence) => call("done", json!({"fence": fence})),
        TaskAsk::Reopen => call("reopen", json!({})),
    }?;
    Some(match told.status {
        200 => {
            let answer = told.json();
            let task = if matches!(ask, TaskAsk::Claim(_)) { &answer["task"] } else { &answer };
            TaskTold::Fence(task["fence"].as_u64().unwrap())
        }
        409 => TaskTold::Refused,
        503 => TaskTold::Nothing,
        _ => panic!("{ask:?}: {}", told.body),
    })
}

/// The agents, each with a name and an instance of its own, and the tasks.
fn prepare(api: &str) -> Vec<String> {
    let admin = Client::new(api);
    let tasks: Vec<_> =
        (0..TASKS).map(|n| json!({"title": format!("t{n}"), "key": format!("k{n}")})).collect();
    admin.ok("POST", "/api/tasks/p", &json!(tasks).to_string());
    let ids = (0..AGENTS).map(|n| {
        let agent = json!({"name": format!("a{n}"), "workspace": "p"}).to_string();
        let registered = admin.ok("POST", "/api/instances/register", &agent).json();
        registered["id"].as_str().unwrap().to_owned()
    });
    ids.collect()
}

/// Lets the agents work until they have done so much, or the server does not answer any more.
fn load(api: &str, ids: &[String], round: u64, each: u64, since: Instant, history: &History) {
    let now = || u64::try_from(since.elapsed().as_nanos()).unwrap();
    thread::scope(|scope| {
        for (agent, id) in (0..).zip(ids) {
            let client = Client::new(api).with("x-koor-instance", id);
            scope.spawn(move || {
                let mut random = Random::new(round * 100 + agent);
                let mut fences: HashMap<u64, u64> = HashMap::new();
                for _ in 0..each {
                    let task = 1 + random.below(TASKS);
                    // The fence of its last claim, which may be lost by now.
                    let fence = *fences.get(&task).unwrap_or(&1);
                    let ask = match random.below(10) {
                        0..4 => TaskAsk::Claim(agent),
                        4..6 => TaskAsk::Renew(agent, fence),
                        6..8 => TaskAsk::Release(agent, fence),
                        8 => TaskAsk::Done(agent, fence),
                        _ => TaskAsk::Reopen,
                    };
                    let called = now();
                    let said = send(&client, task, ask);
                    let answered = if said.is_some() { now() } else { UNKNOWN };
                    let told = said.unwrap_or(TaskTold::Nothing);
                    if let (TaskAsk::Claim(_), TaskTold::Fence(fence)) = (ask, told) {
                        fences.insert(task, fence);
                    }
                    history.lock().unwrap().push(Operation { key: task, called, answered, ask, told });
                    if said.is_none() {
                        return;
                    }
                }
            });
        }
    });
}

#[test]
#[ignore = "takes its time; .ci/suites/trust runs it, and `just torture` longer"]
fn one_agent_at_a_time_holds_a_task_through_kills_and_pauses() {
    let (rounds, begun) = (number("TRUST_ROUNDS", 6), Instant::now());
    eprintln!("trust: claims: seed {}", seed());
    let directory = Arc::new(TempDir::new().unwrap());
    let history = History::default();
    let (mut known, mut ids) = (0, Vec::new());
    for round in 0..rounds {
        let server = Start::default().within(&directory).args(["--log-level", "warn"]).start().unwrap();
        if ids.is_empty() {
            ids = prepare(&server.api);
        }
        thread::scope(|scope| {
            scope.spawn(|| load(&server.api, &ids, round, 100_000, begun, &history));
            let mut random = Random::new(round + 2_000_000);
            thread::sleep(Duration::from_millis(100 + random.below(200)));
            server.signal("STOP");
            thread::sleep(Duration::from_millis(100));
            server.signal("CONT");
            thread::sleep(Duration::from_millis(100 + random.below(300)));
            server.signal("KILL");
        });
        let _ = server.wait();
        // What that process has not done by now will not be done.
        let dead = u64::try_from(begun.elapsed().as_nanos()).unwrap();
        let mut history = history.lock().unwrap();
        for operation in history[known..].iter_mut().filter(|operation| operation.answered == UNKNOWN) {
            operation.answered = dead;
        }
        known = history.len();
    }
    let history = history.into_inner().unwrap();
    assert!(history.len() > 500, "{} operations show nothing", history.len());
    if let Err(operations) = linearizable(&history) {
        panic!("no task answers so: {operations:#?}");
    }
    let unknown = history.iter().filter(|operation| operation.told == TaskTold::Nothing).count();
    eprintln!(
        "trust: claims: {} operations of {AGENTS} agents on {TASKS} tasks through {rounds} kills and pauses, {unknown} of them \
         unanswered or 503: one holder at a time, and fences grow; {} s",
        history.len(),
        begun.elapsed().as_secs()
    );
}

/// What agents see of that store.
fn seen(store: impl Store, round: u64) -> Vec<Operation<TaskAsk>> {
    let server = Broken::on(store);
    let ids = prepare(&server.api);
    let history = History::default();
    load(&server.api, &ids, round, 60, Instant::now(), &history);
    history.into_inner().unwrap()
}

#[test]
fn a_forgotten_claim_and_a_lost_change_of_a_task_are_found() {
    let broken = [
        ("a forgotten claim", seen(forgetful(Forgets::Claims), 0)),
        ("a lost change of a task", seen(forgetful(Forgets::Tasks), 1)),
    ];
    for (what, history) in &broken {
        assert!(linearizable(history).is_err(), "{what} went unnoticed in {} operations", history.len());
    }
    let whole = seen(MemoryStore::default(), 2);
    assert_eq!(linearizable(&whole), Ok(()));
    eprintln!(
        "trust: claims: of servers with {} each was found, and none in one that is whole",
        broken.map(|(what, _)| what).join(" and ")
    );
}
