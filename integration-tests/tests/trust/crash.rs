//! The server under load is killed, again and again: whatever was answered is there, whole, and nothing is there by
//! half.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::TcpStream,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use integration_tests::{Client, Server, Start};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tungstenite::Message;

use crate::random::{Random, number, seed};

const CLIENTS: u64 = 32;
/// So many of them speak MCP.
const BY_MCP: u64 = 4;
const SUBSCRIBERS: usize = 4;
const KEYS: u64 = 60;
/// Of that many answered values, one is read again.
const SAMPLE: usize = 20;

/// What a version must be, as far as its writer knows.
#[derive(Debug)]
enum Wrote {
    /// What it sent, and the hash of that by its own reckoning.
    Value(String, String),
    /// What that version was.
    Again(u64),
    /// Nothing any more.
    Deletion,
}

/// What was answered.
#[derive(Debug)]
enum Answered {
    /// A version of a state value or a spec, and the cursor of its event.
    Version { path: String, version: u64, wrote: Wrote, cursor: u64 },
    /// An event, and what is in it.
    Event { id: u64, mark: String },
    /// A rule, and the cursor of its event, which MCP does not tell.
    Rule { id: String, cursor: Option<u64> },
    /// An instance.
    Instance { id: String },
}

/// How a rule is refused once the project has as many as it may: a long run gets there.
const FULL_OF_RULES: &str = "rules, at most";

/// Writes at random until the server does not answer.
fn write(client: &Client, number: u64, round: u64, marks: &AtomicU64, answered: &mpsc::Sender<Answered>) {
    let mut random = Random::new(round * 1000 + number);
    loop {
        let key = random.below(KEYS);
        let path = if key < 10 { format!("specs/crash/{key}") } else { format!("state/crash/{key}") };
        let mark = format!("{number}-{}", marks.fetch_add(1, Relaxed));
        let value = json!({"mark": mark, "fill": "x".repeat(usize::try_from(random.below(1500)).unwrap())})
            .to_string();
        let url = format!("/api/{path}");
        let back_to = 1 + random.below(5);
        let what = if number < BY_MCP { 9 } else { random.below(9) };
        let told = match what {
            0 => client.try_send("PUT", &format!("{url}?if_version={}", random.below(40)), &value),
            1 => client.try_send("DELETE", &url, ""),
            2 => client.try_send("POST", &format!("{url}?rollback={back_to}"), ""),
            3 | 4 => {
                let event = json!({"topic": "crash.mark", "data": mark});
                client.try_send("POST", "/api/events/publish", &event.to_string())
            }
            5 => {
                let rule = json!({"project": "crash", "rule_id": mark, "pattern": "x"});
                client.try_send("POST", "/api/rules/propose", &rule.to_string())
            }
            6 => client.try_send("POST", "/api/instances/register", &json!({"name": mark}).to_string()),
            9 => {
                let (name, arguments) = if random.below(2) == 0 {
                    ("register_instance", json!({"name": mark}))
                } else {
                    (
                        "propose_rule",
                        json!({"project": "crash", "rule_id": mark, "pattern": "x", "message": "m"}),
                    )
                };
                let call = json!({"name": name, "arguments": arguments});
                let ask = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call});
                client.try_send("POST", "/mcp", &ask.to_string())
            }
            _ => client.try_send("PUT", &url, &value),
        };
        let Some(told) = told else { return };
        if [404, 412].contains(&told.status) || told.body.contains(FULL_OF_RULES) {
            continue;
        }
        assert_eq!(told.status, 200, "{path}: {}", told.body);
        let cursor = || told.headers["x-koor-cursor"].to_str().unwrap().parse().unwrap();
        let body = told.json();
        let text = |field: &str| body[field].as_str().unwrap().to_owned();
        let answer = match what {
            3 | 4 => Answered::Event { id: body["id"].as_u64().unwrap(), mark },
            5 => Answered::Rule { id: mark, cursor: Some(cursor()) },
            6 => Answered::Instance { id: text("id") },
            9 => {
                assert!(body["result"]["isError"] != true, "{body}");
                let told = &body["result"]["structuredContent"];
                match told["instance_id"].as_str() {
                    Some(id) => Answered::Instance { id: id.to_owned() },
                    None => Answered::Rule { id: mark, cursor: None },
                }
            }
            _ => {
                let version = body["version"].as_u64().unwrap();
                let wrote = match what {
                    1 => Wrote::Deletion,
                    2 => Wrote::Again(back_to),
                    _ => {
                        let hash = hex::encode(Sha256::digest(&value));
                        assert_eq!(text("hash"), hash, "{path}");
                        Wrote::Value(value, hash)
                    }
                };
                Answered::Version { path, version, wrote, cursor: cursor() }
            }
        };
        answered.send(answer).unwrap();
    }
}

/// Follows the log from where it was, until the connection breaks off.
fn follow(place: &str, seen: &Mutex<Vec<u64>>) {
    let since = seen.lock().unwrap().last().copied().unwrap_or(0);
    let Ok(stream) = TcpStream::connect(place) else { return };
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let url = format!("ws://{place}/api/events/subscribe?since={since}&pattern=*&pattern=$*");
    let Ok((mut socket, _)) = tungstenite::client(url, stream) else { return };
    while let Ok(message) = socket.read() {
        if let Message::Text(text) = message {
            let event: Value = serde_json::from_str(&text).unwrap();
            seen.lock().unwrap().push(event["id"].as_u64().unwrap_or_else(|| panic!("a gap: {event}")));
        }
    }
}

fn start(directory: &Arc<TempDir>) -> Server {
    let kept = ["--event-retention", "10000000", "--change-retention", "10000000", "--log-level", "warn"];
    Start::default().within(directory).args(kept).start().unwrap()
}

/// Lets everybody loose on the server, and kills it.
fn load_and_kill(
    directory: &Arc<TempDir>,
    round: u64,
    subscribers: &[Mutex<Vec<u64>>],
    marks: &AtomicU64,
) -> Vec<Answered> {
    let server = start(directory);
    let place = server.api.trim_start_matches("http://").to_owned();
    let after = Duration::from_millis(100 + Random::new(round).below(700));
    let (answer, answered) = mpsc::channel();
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (answer, client) = (answer.clone(), server.client());
            scope.spawn(move || write(&client, number, round, marks, &answer));
        }
        for seen in subscribers {
            let place = &place;
            scope.spawn(move || follow(place, seen));
        }
        let first = answered.recv_timeout(Duration::from_secs(30)).unwrap();
        thread::sleep(after);
        server.signal("KILL");
        assert_eq!(server.wait().code, None);
        drop(answer);
        std::iter::once(first).chain(answered).collect()
    })
}

/// A list that is answered in parts, oldest first.
fn all(client: &Client, path: &str) -> Vec<Value> {
    let mut items: Vec<Value> = Vec::new();
    loop {
        let after = items.last().map_or(0, |item| item["id"].as_u64().unwrap());
        let Value::Array(part) = client.ok("GET", &format!("{path}&after={after}"), "").json() else {
            panic!()
        };
        if part.is_empty() {
            return items;
        }
        items.extend(part);
    }
}

/// What the server has after all.
struct Kept {
    /// Versions by path, with their hashes; `None` for a deletion.
    versions: BTreeMap<String, BTreeMap<u64, Option<String>>>,
    /// Events by id.
    events: BTreeMap<u64, Value>,
    /// How many entries of the audit log speak of that.
    audit: BTreeMap<(String, String, u64), usize>,
    rules: BTreeSet<String>,
    instances: BTreeSet<String>,
}

/// How often each name is in what comes.
fn count(names: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    counts
}

impl Kept {
    fn read(client: &Client) -> Self {
        let mut versions = BTreeMap::new();
        for key in 0..KEYS {
            let path = if key < 10 { format!("specs/crash/{key}") } else { format!("state/crash/{key}") };
            let history = client.ok("GET", &format!("/api/{path}?history=1&limit=10000"), "").json();
            let history = history["versions"].as_array().unwrap().iter().map(|version| {
                let hash = version["hash"].as_str().filter(|_| version["deleted"] != true);
                (version["version"].as_u64().unwrap(), hash.map(str::to_owned))
            });
            versions.insert(path, history.collect());
        }
        let mut events = BTreeMap::new();
        for pattern in ["*", "$*"] {
            let part = all(client, &format!("/api/events/history?last=10000&topic={pattern}"));
            events.extend(part.into_iter().map(|event| (event["id"].as_u64().unwrap(), event)));
        }
        let mut audit = BTreeMap::new();
        for entry in all(client, "/api/audit?limit=10000&outcome=success") {
            let detail: Value = serde_json::from_str(entry["detail"].as_str().unwrap()).unwrap();
            let version = detail["version"].as_u64().or_else(|| detail["new_version"].as_u64()).unwrap_or(0);
            let text = |field: &str| entry[field].as_str().unwrap().to_owned();
            *audit.entry((text("action"), text("resource"), version)).or_default() += 1;
        }
        let ids = |path: &str, field: &str| {
            let list = client.ok("GET", path, "").json();
            list.as_array().unwrap().iter().map(|item| item[field].as_str().unwrap().to_owned()).collect()
        };
        Self {
            versions,
            events,
            audit,
            rules: ids("/api/rules?project=crash", "rule_id"),
            instances: ids("/api/instances", "id"),
        }
    }

    /// Holds what was answered against what is there.
    fn holds(&self, answered: &[Answered]) {
        for answer in answered {
            match answer {
                Answered::Version { path, version, wrote, cursor } => {
                    let versions = &self.versions[path];
                    let hash = match wrote {
                        Wrote::Value(_, hash) => Some(hash),
                        Wrote::Again(older) => versions[older].as_ref(),
                        Wrote::Deletion => None,
                    };
                    assert_eq!(versions.get(version).map(Option::as_ref), Some(hash), "{answer:?}");
                    let event = self.events.get(cursor).unwrap_or_else(|| panic!("{answer:?} has no event"));
                    assert_eq!(event["data"]["version"], *version, "{answer:?}: {event}");
                    assert!(event["topic"].as_str().unwrap().ends_with(".changed"), "{answer:?}: {event}");
                }
                Answered::Event { id, mark } => {
                    assert_eq!(
                        self.events.get(id).map(|event| &event["data"]),
                        Some(&json!(mark)),
                        "{answer:?}"
                    );
                }
                Answered::Rule { id, cursor } => {
                    assert!(self.rules.contains(id), "{answer:?}");
                    if let Some(event) = cursor.map(|cursor| &self.events[&cursor]) {
                        assert_eq!(event["topic"], "$rule.proposed", "{answer:?}");
                        assert_eq!(event["data"]["rule_id"], *id, "{answer:?}");
                    }
                }
                // That each has one event and one entry holds for all of them, answered or not.
                Answered::Instance { id } => assert!(self.instances.contains(id), "{answer:?}"),
            }
        }
    }

    /// Holds that as many events of that topic and as many entries of that action are there as things, one for each.
    fn has_one_each(&self, things: &BTreeSet<String>, topic: &str, field: &str, action: &str, before: &str) {
        let once: BTreeMap<_, _> = things.iter().map(|thing| (thing.clone(), 1)).collect();
        let announced = self.events.values().filter(|event| event["topic"] == topic);
        let announced = count(announced.map(|event| event["data"][field].as_str().unwrap().to_owned()));
        assert_eq!(announced, once, "{topic}");
        let entries = self.audit.iter().filter(|((of, ..), _)| of == action);
        let entries: BTreeMap<_, _> = entries
            .map(|((_, resource, _), count)| (resource.strip_prefix(before).unwrap().to_owned(), *count))
            .collect();
        assert_eq!(entries, once, "{action}");
    }

    /// Holds that nothing is there by half, answered or not.
    fn is_whole(&self) {
        let mut announced = BTreeMap::<(String, u64), usize>::new();
        for event in self.events.values() {
            let data = &event["data"];
            let path = match event["topic"].as_str().unwrap() {
                "$state.changed" => format!("state/{}", data["key"].as_str().unwrap()),
                "$spec.changed" => {
                    format!("specs/{}/{}", data["project"].as_str().unwrap(), data["name"].as_str().unwrap())
                }
                _ => continue,
            };
            *announced.entry((path, data["version"].as_u64().unwrap())).or_default() += 1;
        }
        for (path, versions) in &self.versions {
            let numbers: Vec<u64> = versions.keys().copied().collect();
            assert_eq!(numbers, (1..=versions.len() as u64).collect::<Vec<_>>(), "{path} has holes");
            let (noun, resource) = path.split_once('/').unwrap();
            let noun = noun.trim_end_matches('s');
            for version in versions.keys() {
                assert_eq!(announced.remove(&(path.clone(), *version)), Some(1), "{path} version {version}");
                // A deletion's entry does not name its version.
                let entries: usize = ["put", "rollback"]
                    .iter()
                    .filter_map(|verb| {
                        self.audit.get(&(format!("{noun}.{verb}"), resource.to_owned(), *version))
                    })
                    .sum();
                assert_eq!(entries, usize::from(versions[version].is_some()), "{path} version {version}");
            }
            let deletions = versions.values().filter(|hash| hash.is_none()).count();
            let entries: usize = (self.audit.iter())
                .filter(|((action, of, _), _)| *action == format!("{noun}.delete") && of == resource)
                .map(|(_, count)| count)
                .sum();
            assert_eq!(entries, deletions, "{path}");
        }
        assert_eq!(announced, BTreeMap::new(), "an event speaks of a version that is not there");
        self.has_one_each(&self.rules, "$rule.proposed", "rule_id", "rule.propose", "crash/");
        self.has_one_each(&self.instances, "$instance.registered", "instance_id", "instance.register", "");
        let ids: Vec<u64> = self.events.keys().copied().collect();
        assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>(), "the log has holes");
    }
}

/// Reads some of what was answered again, byte by byte; how many.
fn read_again(client: &Client, answered: &[Answered]) -> usize {
    let values = answered.iter().filter_map(|answer| match answer {
        Answered::Version { path, version, wrote: Wrote::Value(value, _), .. } => {
            Some((path, version, value))
        }
        _ => None,
    });
    let sample = values.step_by(SAMPLE);
    sample
        .map(|(path, version, value)| {
            let kept = client.ok("GET", &format!("/api/{path}?version={version}"), "").body;
            assert!(kept == *value, "{path}, version {version}: {kept} is not {value}");
        })
        .count()
}

#[test]
#[ignore = "takes its time; .ci/suites/trust runs it, and `just torture` longer"]
fn whatever_was_answered_outlives_a_kill() {
    let (kills, begun) = (number("TRUST_KILLS", 10), Instant::now());
    eprintln!("trust: crash: seed {}", seed());
    let directory = Arc::new(TempDir::new().unwrap());
    let subscribers: Vec<_> = (0..SUBSCRIBERS).map(|_| Mutex::default()).collect();
    let (marks, mut answered) = (AtomicU64::new(0), Vec::new());
    for round in 0..kills {
        answered.extend(load_and_kill(&directory, round, &subscribers, &marks));
    }
    let server = start(&directory);
    let client = server.client();
    let kept = Kept::read(&client);
    kept.holds(&answered);
    kept.is_whole();
    let read = read_again(&client, &answered);
    assert!(read > 0);
    let chain = client.ok("GET", "/api/audit/verify", "").json();
    assert_eq!(chain["valid"], true, "{chain}");
    // Once more, for what came after the last kill; then each has seen the whole log, in order, without a repeat.
    let place = server.api.trim_start_matches("http://").to_owned();
    let last = *kept.events.keys().last().unwrap();
    thread::scope(|scope| {
        for seen in &subscribers {
            let place = &place;
            scope.spawn(move || follow(place, seen));
        }
        integration_tests::until(|| {
            subscribers.iter().all(|seen| seen.lock().unwrap().last() == Some(&last)).then_some(())
        });
        server.signal("KILL");
    });
    for seen in subscribers {
        assert_eq!(seen.into_inner().unwrap(), (1..=last).collect::<Vec<_>>());
    }
    eprintln!(
        "trust: crash: {kills} kills, {} answered writes of {CLIENTS} clients all there, {read} of them compared byte by \
         byte; {last} events, each seen once by {SUBSCRIBERS} subscribers; {} audit entries verify; {} s",
        answered.len(),
        chain["entries"],
        begun.elapsed().as_secs()
    );
}
