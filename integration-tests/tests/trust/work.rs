//! Agents that coordinate their work while the server is killed, again and again: no claim, completion, lease or message that was
//! answered is lost, none is there twice, and fences grow.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use integration_tests::{Client, Server, Start};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::random::{Random, number, seed};

const AGENTS: u64 = 16;
/// So many paths are fought over.
const PATHS: u64 = 12;
const PROJECT: &str = "work";

/// What was answered to an agent.
#[derive(Debug)]
enum Answered {
    /// A task, by the key under which it was made.
    Created { number: u64, key: String },
    /// A claim.
    Claimed { number: u64, fence: u64, agent: u64 },
    /// A renewal, by that fence.
    Renewed { number: u64, fence: u64 },
    /// A release: the fence afterwards.
    Released { number: u64, fence: u64 },
    /// A completion, with what was left as its result.
    Done { number: u64, fence: u64, mark: String },
    /// A lease.
    Leased { id: u64, agent: u64 },
    /// A lease that was given back.
    GivenBack { id: u64 },
    /// A message, to one agent.
    Sent { id: u64, to: u64, body: String },
    /// A message that was acknowledged.
    Acked { id: u64, by: u64 },
}

/// What an agent does, as far as it remembers.
struct Agent<'a> {
    client: Client,
    number: u64,
    random: Random,
    marks: &'a AtomicU64,
    /// The task in hand, and its fence.
    held: Option<(u64, u64)>,
    leases: Vec<u64>,
    inbox: Vec<u64>,
}

impl Agent<'_> {
    /// Works until the server does not answer.
    fn work(&mut self, answered: &mpsc::Sender<Answered>) {
        while let Some(answers) = self.step() {
            for answer in answers {
                answered.send(answer).unwrap();
            }
        }
    }

    fn mark(&self) -> String {
        format!("{}-{}", self.number, self.marks.fetch_add(1, Relaxed))
    }

    /// Sends something that may be refused because another agent was faster, which says why; `None` where no answer came.
    fn send(&self, method: &str, path: &str, body: &Value) -> Option<Result<Value, String>> {
        let told = self.client.try_send(method, path, &body.to_string())?;
        match told.status {
            200 | 201 => Some(Ok(told.json())),
            409 => Some(Err(told.body)),
            _ => panic!("{method} {path}: {} {}", told.status, told.body),
        }
    }

    /// One call; what was answered, `None` where nothing was.
    fn step(&mut self) -> Option<Vec<Answered>> {
        let tasks = format!("/api/tasks/{PROJECT}");
        Some(match (self.random.below(12), self.held) {
            (0..2, _) => {
                let key = self.mark();
                let made = self.send("POST", &tasks, &json!({"title": "t", "key": key}))?.unwrap();
                vec![Answered::Created { number: made["number"].as_u64().unwrap(), key }]
            }
            (2..5, None) => self.claim(&tasks)?,
            (2, Some((number, fence))) => {
                let told = self.send("POST", &format!("{tasks}/{number}/renew"), &json!({"fence": fence}))?;
                assert!(told.is_ok(), "task {number} was renewed by its holder with fence {fence}");
                vec![Answered::Renewed { number, fence }]
            }
            (3, Some((number, fence))) => {
                let told =
                    self.send("POST", &format!("{tasks}/{number}/release"), &json!({"fence": fence}))?;
                self.held = None;
                vec![Answered::Released { number, fence: told.unwrap()["fence"].as_u64().unwrap() }]
            }
            (4, Some((number, fence))) => {
                let mark = self.mark();
                let body = json!({"fence": fence, "result": mark});
                let told = self.send("POST", &format!("{tasks}/{number}/done"), &body)?;
                assert!(told.is_ok(), "task {number} was finished by its holder with fence {fence}");
                self.held = None;
                vec![Answered::Done { number, fence, mark }]
            }
            (5..7, _) => {
                let path = format!("src/{}/**", self.random.below(PATHS));
                match self.send("POST", &format!("/api/leases/{PROJECT}"), &json!({"paths": [path]}))? {
                    Err(_) => vec![],
                    Ok(lease) => {
                        let id = lease["id"].as_u64().unwrap();
                        self.leases.push(id);
                        vec![Answered::Leased { id, agent: self.number }]
                    }
                }
            }
            (7, _) => match self.leases.pop() {
                None => vec![],
                Some(id) => {
                    let given = self.client.try_send("DELETE", &format!("/api/leases/{PROJECT}/{id}"), "")?;
                    assert_eq!(given.status, 200, "{}", given.body);
                    vec![Answered::GivenBack { id }]
                }
            },
            (8..10, _) => {
                let (to, body) = (self.random.below(AGENTS), self.mark());
                let message = json!({"to": [format!("a{to}")], "body": body, "ack": true});
                let told = self.send("POST", "/api/messages", &message)?.unwrap();
                vec![Answered::Sent { id: told["id"].as_u64().unwrap(), to, body }]
            }
            _ => self.read_messages()?,
        })
    }

    fn claim(&mut self, tasks: &str) -> Option<Vec<Answered>> {
        let told = self.send("POST", &format!("{tasks}/claim"), &json!({}))?.unwrap();
        let task = &told["task"];
        let (Some(number), Some(fence)) = (task["number"].as_u64(), task["fence"].as_u64()) else {
            return Some(vec![]);
        };
        self.held = Some((number, fence));
        Some(vec![Answered::Claimed { number, fence, agent: self.number }])
    }

    fn read_messages(&mut self) -> Option<Vec<Answered>> {
        let Some(id) = self.inbox.pop() else {
            let told = self.client.try_send("GET", "/api/messages?unread=1&limit=20", "")?.json();
            self.inbox =
                told.as_array().unwrap().iter().map(|message| message["id"].as_u64().unwrap()).collect();
            return Some(vec![]);
        };
        self.send("POST", &format!("/api/messages/{id}/ack"), &json!({}))?.unwrap();
        Some(vec![Answered::Acked { id, by: self.number }])
    }
}

fn start(directory: &Arc<TempDir>) -> Server {
    let kept = ["--event-retention", "10000000", "--change-retention", "10000000", "--log-level", "warn"];
    Start::default().within(directory).args(kept).start().unwrap()
}

fn register(client: &Client) -> Vec<String> {
    let ids = (0..AGENTS).map(|n| {
        let agent = json!({"name": format!("a{n}"), "workspace": PROJECT}).to_string();
        let registered = client.ok("POST", "/api/instances/register", &agent).json();
        registered["id"].as_str().unwrap().to_owned()
    });
    ids.collect()
}

/// The task that an agent holds after a restart, as the server knows: a claim whose answer was lost is its own, too.
fn in_hand(client: &Client, number: u64) -> Option<(u64, u64)> {
    let path = format!("/api/tasks/{PROJECT}?claimed_by=a{number}");
    let held = client.ok("GET", &path, "").json();
    let task = held.as_array().unwrap().first()?.clone();
    Some((task["number"].as_u64().unwrap(), task["fence"].as_u64().unwrap()))
}

fn load_and_kill(
    directory: &Arc<TempDir>,
    round: u64,
    ids: &mut Vec<String>,
    marks: &AtomicU64,
) -> Vec<Answered> {
    let server = start(directory);
    if ids.is_empty() {
        *ids = register(&server.client());
    }
    let after = Duration::from_millis(100 + Random::new(round).below(700));
    let (answer, answered) = mpsc::channel();
    thread::scope(|scope| {
        for (number, id) in (0..).zip(ids.iter()) {
            let (answer, client) = (answer.clone(), server.client().with("x-koor-instance", id));
            let path = format!("/api/leases/{PROJECT}?name=a{number}");
            let leases = client.ok("GET", &path, "").json();
            let leases =
                leases.as_array().unwrap().iter().map(|lease| lease["id"].as_u64().unwrap()).collect();
            let held = in_hand(&client, number);
            let random = Random::new(round * 1000 + number);
            let mut agent = Agent { client, number, random, marks, held, leases, inbox: Vec::new() };
            scope.spawn(move || agent.work(&answer));
        }
        let first = answered.recv_timeout(Duration::from_secs(30)).unwrap();
        thread::sleep(after);
        server.signal("KILL");
        assert_eq!(server.wait().code, None);
        drop(answer);
        std::iter::once(first).chain(answered).collect()
    })
}

/// A list that is answered in parts, each after a number.
fn all(client: &Client, path: &str, field: &str, after: &str) -> Vec<Value> {
    let mut items: Vec<Value> = Vec::new();
    loop {
        let last = items.last().map_or(0, |item| item[field].as_u64().unwrap());
        let part = client.ok("GET", &format!("{path}&{after}={last}"), "").json();
        let part = part.as_array().unwrap();
        if part.is_empty() {
            return items;
        }
        items.extend(part.iter().cloned());
    }
}

/// What the server has after all.
struct Kept {
    tasks: BTreeMap<u64, Value>,
    /// Events by topic, oldest first.
    events: BTreeMap<String, Vec<Value>>,
    leases: BTreeMap<u64, Value>,
    /// Messages by id, in the inbox of each agent.
    inboxes: Vec<BTreeMap<u64, Value>>,
}

impl Kept {
    fn read(client: &Client) -> Self {
        let by = |items: Vec<Value>, field: &str| {
            items.into_iter().map(|item| (item[field].as_u64().unwrap(), item)).collect()
        };
        let tasks = all(client, &format!("/api/tasks/{PROJECT}?limit=10000"), "number", "after_number");
        let mut events: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for event in all(client, "/api/events/history?last=10000&topic=$*", "id", "after") {
            events
                .entry(event["topic"].as_str().unwrap().to_owned())
                .or_default()
                .push(event["data"].clone());
        }
        let leases = client.ok("GET", &format!("/api/leases/{PROJECT}"), "").json();
        let inbox = |n| all(client, &format!("/api/messages?agent={PROJECT}/a{n}&limit=1000"), "id", "after");
        Self {
            tasks: by(tasks, "number"),
            events,
            leases: by(leases.as_array().unwrap().clone(), "id"),
            inboxes: (0..AGENTS).map(|n| by(inbox(n), "id")).collect(),
        }
    }

    fn events(&self, topic: &str) -> &[Value] {
        self.events.get(topic).map_or(&[], Vec::as_slice)
    }

    /// How often there was an event of a task with that fence.
    fn count(&self, topic: &str, number: u64, fence: u64) -> usize {
        let those = self.events(topic).iter();
        those.filter(|data| data["number"] == number && data["fence"] == fence).count()
    }

    /// Holds what was answered against what is there.
    fn holds(&self, answered: &[Answered]) {
        let mut claims = BTreeSet::new();
        for answer in answered {
            let fence_of = |number: &u64| self.tasks[number]["fence"].as_u64().unwrap();
            match answer {
                Answered::Created { number, key } => {
                    assert_eq!(self.tasks[number]["key"], **key, "{answer:?}");
                }
                Answered::Claimed { number, fence, agent } => {
                    assert!(claims.insert((*number, *fence)), "{answer:?} was given twice");
                    assert_eq!(self.count("$task.claimed", *number, *fence), 1, "{answer:?}");
                    let event = self.events("$task.claimed").iter();
                    let mut event = event.filter(|data| data["number"] == *number && data["fence"] == *fence);
                    assert_eq!(event.next().unwrap()["name"], format!("a{agent}"), "{answer:?}");
                    assert!(fence_of(number) >= *fence, "{answer:?}");
                }
                Answered::Renewed { number, fence } => assert!(fence_of(number) >= *fence, "{answer:?}"),
                Answered::Released { number, fence } => {
                    assert_eq!(self.count("$task.released", *number, *fence), 1, "{answer:?}");
                }
                Answered::Done { number, fence, mark } => {
                    let task = &self.tasks[number];
                    let kept = (task["status"].as_str(), task["fence"].as_u64(), task["result"].as_str());
                    assert_eq!(kept, (Some("done"), Some(*fence), Some(&**mark)), "{answer:?}");
                }
                Answered::Leased { id, agent } => {
                    let taken: Vec<&Value> =
                        self.events("$lease.taken").iter().filter(|data| data["id"] == *id).collect();
                    assert_eq!(taken.len(), 1, "{answer:?}");
                    assert_eq!(taken[0]["name"], format!("a{agent}"), "{answer:?}");
                }
                Answered::GivenBack { id } => assert!(!self.leases.contains_key(id), "{answer:?}"),
                Answered::Sent { id, to, body } => {
                    let message = &self.inboxes[usize::try_from(*to).unwrap()][id];
                    assert_eq!(message["body"], **body, "{answer:?}");
                }
                Answered::Acked { id, by } => {
                    let message = &self.inboxes[usize::try_from(*by).unwrap()][id];
                    assert!(message["acked_at"].is_string(), "{answer:?}");
                }
            }
        }
    }

    /// Holds that nothing is there twice or by half, answered or not.
    fn is_whole(&self, client: &Client) {
        let numbers: Vec<u64> = self.tasks.keys().copied().collect();
        assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "numbers of tasks have holes");
        let keys: BTreeSet<&str> = self.tasks.values().map(|task| task["key"].as_str().unwrap()).collect();
        assert_eq!(keys.len(), numbers.len(), "a task is there twice");
        // Each change of hands has a higher fence than the one before.
        let mut fences: BTreeMap<u64, u64> = BTreeMap::new();
        for data in self.events("$task.claimed") {
            let (number, fence) = (data["number"].as_u64().unwrap(), data["fence"].as_u64().unwrap());
            let before = fences.insert(number, fence).unwrap_or(0);
            assert!(fence > before, "task {number} was claimed with fence {fence} after {before}");
        }
        let dones: Vec<u64> =
            self.events("$task.done").iter().map(|data| data["number"].as_u64().unwrap()).collect();
        let done: BTreeSet<u64> = dones.iter().copied().collect();
        assert_eq!(done.len(), dones.len(), "a task was done twice");
        let with_status =
            |status: &str| self.tasks.values().filter(|task| task["status"] == status).count() as u64;
        assert_eq!(done.len() as u64, with_status("done"));
        let counts = client.ok("GET", "/api/tasks", "").json()["projects"][0].clone();
        for status in ["open", "claimed", "done"] {
            assert_eq!(counts[status], with_status(status), "{counts}");
        }
        let taken: Vec<u64> =
            self.events("$lease.taken").iter().map(|data| data["id"].as_u64().unwrap()).collect();
        assert_eq!(taken, (1..=taken.len() as u64).collect::<Vec<_>>(), "numbers of leases");
        let ended = self.events("$lease.released").len() + self.events("$lease.expired").len();
        assert_eq!(taken.len() - ended, self.leases.len(), "each lease has ended once, or is there");
        let bodies: Vec<&str> = (self.inboxes.iter())
            .flat_map(BTreeMap::values)
            .map(|message| message["body"].as_str().unwrap())
            .collect();
        assert_eq!(bodies.iter().collect::<BTreeSet<_>>().len(), bodies.len(), "a message is there twice");
        assert_eq!(bodies.len(), self.events("$message.sent").len());
    }
}

#[test]
#[ignore = "takes its time; .ci/suites/trust runs it, and `just torture` longer"]
fn no_claim_lease_or_message_that_was_answered_is_lost_by_a_kill() {
    let (kills, begun) = (number("TRUST_KILLS", 10), Instant::now());
    eprintln!("trust: work: seed {}", seed());
    let directory = Arc::new(TempDir::new().unwrap());
    let (marks, mut ids, mut answered) = (AtomicU64::new(0), Vec::new(), Vec::new());
    for round in 0..kills {
        answered.extend(load_and_kill(&directory, round, &mut ids, &marks));
    }
    let server = start(&directory);
    let client = server.client();
    let kept = Kept::read(&client);
    kept.holds(&answered);
    kept.is_whole(&client);
    let chain = client.ok("GET", "/api/audit/verify", "").json();
    assert_eq!(chain["valid"], true, "{chain}");
    let count = |is: fn(&Answered) -> bool| answered.iter().filter(|answer| is(answer)).count();
    eprintln!(
        "trust: work: {kills} kills; of {AGENTS} agents {} answered claims, {} completions, {} leases and {} messages all there, \
         none twice, and fences grow; {} s",
        count(|answer| matches!(answer, Answered::Claimed { .. })),
        count(|answer| matches!(answer, Answered::Done { .. })),
        count(|answer| matches!(answer, Answered::Leased { .. })),
        count(|answer| matches!(answer, Answered::Sent { .. })),
        begun.elapsed().as_secs()
    );
}
