//! Many instances claim the tasks of one project at once, half of them woken by a WebSocket: each task is claimed once, and none
//! is left.

use std::{
    collections::BTreeMap,
    env, process,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Instant,
};

use integration_tests::{Client, Start};
use koor_core::MemoryStore;
use serde_json::{Value, json};

use crate::{
    broken::{Broken, reads_then_writes},
    random::number,
};

const INSTANCES: u64 = 64;
/// As many as one call makes.
const AT_ONCE: u64 = 500;
/// Published when all tasks are there: whatever waits for an event looks once more.
const OVER: &str = "race.over";

/// What came of a race.
struct Race {
    tasks: u64,
    /// The fences of the claims of each task.
    claims: BTreeMap<u64, Vec<u64>>,
    /// How many tasks are in each state, as the server counts them.
    counts: Value,
}

impl Race {
    /// Whether each task was claimed once, and none is left.
    fn check(&self) -> Result<(), String> {
        let expected: BTreeMap<u64, Vec<u64>> = (1..=self.tasks).map(|number| (number, vec![1])).collect();
        if let Some((number, fences)) =
            self.claims.iter().find(|(number, fences)| expected.get(number) != Some(fences))
        {
            return Err(format!("task {number} was claimed with the fences {fences:?}"));
        }
        let claimed = self.claims.len() as u64;
        if claimed < self.tasks || self.counts["done"] != self.tasks {
            return Err(format!(
                "{claimed} of {} tasks were claimed, and the server has {}",
                self.tasks, self.counts
            ));
        }
        Ok(())
    }
}

/// What the workers of a race share.
struct Course {
    /// A project of its own: a database may have seen another race.
    project: String,
    tasks: u64,
    /// Whether all tasks have been made.
    over: AtomicBool,
    claims: Mutex<BTreeMap<u64, Vec<u64>>>,
    made: AtomicU64,
}

impl Course {
    /// Claims a task and finishes it; whether there was one.
    fn work(&self, client: &Client, wait: &str) -> bool {
        let answer = client.ok("POST", &format!("/api/tasks/{}/claim{wait}", self.project), "{}").json();
        let task = &answer["task"];
        let (Some(number), Some(fence)) = (task["number"].as_u64(), task["fence"].as_u64()) else {
            return false;
        };
        self.claims.lock().unwrap().entry(number).or_default().push(fence);
        // In a broken store, another worker may have it, too.
        let done = client.send(
            "POST",
            &format!("/api/tasks/{}/{number}/done", self.project),
            &json!({"fence": fence}).to_string(),
        );
        assert!(matches!(done.status, 200 | 409), "{}", done.body);
        true
    }

    /// Whether there is nothing left to do: a broken store may give tasks away for ever.
    fn is_over(&self, found: bool) -> bool {
        let claims: usize = self.claims.lock().unwrap().values().map(Vec::len).sum();
        (!found && self.over.load(Relaxed)) || claims as u64 > 2 * self.tasks
    }

    fn asks(&self, client: &Client) {
        loop {
            let over = self.over.load(Relaxed);
            let found = self.work(client, "?wait=250ms");
            if self.is_over(found || !over) {
                return;
            }
        }
    }

    fn listens(&self, client: &Client) {
        let mut events = client.events(&format!("since=0&pattern=$task.ready&pattern={OVER}"));
        loop {
            let event = events.next_event().unwrap();
            while self.work(client, "") {
                if self.is_over(true) {
                    return;
                }
            }
            if event["topic"] == OVER {
                return;
            }
        }
    }

    fn create(&self, client: &Client) {
        while self.made.load(Relaxed) < self.tasks {
            let count = AT_ONCE.min(self.tasks - self.made.load(Relaxed));
            let tasks: Vec<Value> = (0..count).map(|_| json!({"title": "race"})).collect();
            client.ok("POST", &format!("/api/tasks/{}", self.project), &json!(tasks).to_string());
            self.made.fetch_add(count, Relaxed);
        }
    }
}

/// A race at one server, or at several that share a database.
fn race(apis: &[&str], tasks: u64) -> Race {
    static RACES: AtomicU64 = AtomicU64::new(0);
    let course = Course {
        project: format!("race-{}-{}", process::id(), RACES.fetch_add(1, Relaxed)),
        tasks,
        over: AtomicBool::new(false),
        claims: Mutex::default(),
        made: AtomicU64::new(0),
    };
    let admin = Client::new(apis[0]);
    let workers: Vec<Client> = (0..INSTANCES)
        .zip(apis.iter().cycle())
        .map(|(n, api)| {
            let agent = json!({"name": format!("w{n}"), "workspace": course.project});
            let id = admin.ok("POST", "/api/instances/register", &agent.to_string()).json();
            Client::new(api).with("x-koor-instance", id["id"].as_str().unwrap())
        })
        .collect();
    thread::scope(|scope| {
        for (n, client) in workers.iter().enumerate() {
            let course = &course;
            scope.spawn(move || if n % 2 == 0 { course.asks(client) } else { course.listens(client) });
        }
        course.create(&admin);
        course.over.store(true, Relaxed);
        admin.ok("POST", "/api/events/publish", &json!({"topic": OVER}).to_string());
    });
    let counts = admin.ok("GET", "/api/tasks", "").json()["projects"].take();
    let counts =
        counts.as_array().unwrap().iter().find(|counts| counts["project"] == course.project).unwrap().clone();
    Race { tasks, claims: course.claims.into_inner().unwrap(), counts }
}

fn count() -> u64 {
    number("KOOR_RACE_TASKS", 640)
}

/// Lets 64 instances race at these servers; each task must be claimed once.
fn race_well(apis: &[&str], on: &str) {
    let (tasks, begun) = (count(), Instant::now());
    race(apis, tasks).check().unwrap();
    eprintln!(
        "trust: race: {INSTANCES} instances claimed and finished {tasks} tasks, each once: {on} in {} ms",
        begun.elapsed().as_millis()
    );
}

#[test]
fn in_memory_each_task_is_claimed_once_and_none_is_left() {
    let memory = Broken::on(MemoryStore::default());
    race_well(&[&memory.api], "in memory");
}

#[test]
fn on_sqlite_each_task_is_claimed_once_and_none_is_left() {
    let server = Start::default().args(["--log-level", "warn"]).start().unwrap();
    race_well(&[&server.api], "on SQLite");
}

#[test]
fn on_three_servers_each_task_is_claimed_once_and_none_is_left() {
    let Some(url) = env::var("KOOR_TEST_POSTGRES").ok().filter(|url| !url.is_empty()) else {
        eprintln!("trust: race: PostgreSQL is not tested: KOOR_TEST_POSTGRES names no server");
        return;
    };
    let start = || Start::default().args(["--log-level", "warn", "--store", &url]).start().unwrap();
    let servers = [start(), start(), start()];
    race_well(&servers.each_ref().map(|server| server.api.as_str()), "on three servers on PostgreSQL");
}

#[test]
fn a_store_whose_claim_is_a_read_and_then_a_write_is_found() {
    let broken = Broken::on(reads_then_writes());
    let found = race(&[&broken.api], 200).check();
    assert!(found.is_err(), "each task was claimed once");
    eprintln!("trust: race: a store that reads and then writes is found: {}", found.unwrap_err());
}
