//! The load, and the hour.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use integration_tests::{Answer, Client, Server, Start};
use serde_json::json;

use crate::{
    measure::Watch,
    record::{Kind, Latency, Record},
};

/// Connections that send what is due.
const CLIENTS: usize = 24;
const SUBSCRIBERS: u64 = 8;
const INSTANCES: u64 = 8;
const KEYS: u64 = 1000;
/// How many times the run is looked at.
const LOOKS: u64 = 120;

/// What is asked of the server, and how often of a hundred times.
const MIX: [(&str, u64); 9] = [
    ("GET of a value", 36),
    ("GET with If-None-Match", 12),
    ("PUT", 18),
    ("PUT with if_version", 10),
    ("event published", 10),
    ("history of a key", 3),
    ("audit log, last 20 entries", 3),
    ("MCP set_intent", 4),
    ("MCP discover_instances", 4),
];

/// What all threads share.
struct Soak {
    server: Server,
    begun: Instant,
    rate: u64,
    /// Operations that are due before the end.
    all: u64,
    next: AtomicU64,
    /// The last version that was seen of each key, with its tag.
    versions: Vec<Mutex<(u64, String)>>,
    instances: Vec<String>,
    latencies: Mutex<[Vec<u64>; 4]>,
    asked: Mutex<BTreeMap<usize, u64>>,
    refused: AtomicU64,
    published: AtomicU64,
}

impl Soak {
    /// When an operation is due, whatever came before it.
    fn due(&self, number: u64) -> Instant {
        self.begun + Duration::from_nanos(number * 1_000_000_000 / self.rate)
    }

    fn took(&self, kind: Kind, micros: u64) {
        self.latencies.lock().unwrap()[kind as usize].push(micros);
    }

    /// Sends whatever is due next, until the end. How long something took counts from when it was due: if the server
    /// keeps others waiting, that shows.
    fn send(&self) {
        let client = self.server.client();
        loop {
            let number = self.next.fetch_add(1, Relaxed);
            if number >= self.all {
                return;
            }
            let due = self.due(number);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let mut dice = scatter(number);
            let what = pick(&mut dice);
            let kind = self.ask(&client, what, number, dice);
            self.took(kind, micros(due.elapsed()));
            *self.asked.lock().unwrap().entry(what).or_default() += 1;
        }
    }

    fn ask(&self, client: &Client, what: usize, number: u64, dice: u64) -> Kind {
        let key = dice % KEYS;
        let path = format!("/api/state/soak/{key}");
        let (version, tag) = self.versions[usize::try_from(key).unwrap()].lock().unwrap().clone();
        let value = || {
            let fill = "x".repeat(usize::try_from(200 + dice / KEYS % 1800).unwrap());
            json!({"number": number, "fill": fill}).to_string()
        };
        match what {
            0 | 5 => {
                let query = if what == 5 { "?history=1&limit=20" } else { "" };
                client.ok("GET", &format!("{path}{query}"), "");
                Kind::Read
            }
            1 => {
                let status = client.clone().with("if-none-match", &tag).send("GET", &path, "").status;
                assert!([200, 304].contains(&status), "{path}: {status}");
                Kind::Read
            }
            2 | 3 => {
                let query = if what == 3 { format!("?if_version={version}") } else { String::new() };
                let answer = client.send("PUT", &format!("{path}{query}"), &value());
                if what == 3 && answer.status == 412 {
                    self.refused.fetch_add(1, Relaxed);
                    return Kind::Write;
                }
                assert_eq!(answer.status, 200, "{path}: {}", answer.body);
                let (version, tag) = version_and_tag(&answer);
                let mut seen = self.versions[usize::try_from(key).unwrap()].lock().unwrap();
                if seen.0 < version {
                    *seen = (version, tag);
                }
                Kind::Write
            }
            4 => {
                let due = micros(self.due(number).duration_since(self.begun));
                let event = json!({"topic": "soak.event", "data": {"number": number, "due": due}});
                client.ok("POST", "/api/events/publish", &event.to_string());
                self.published.fetch_add(1, Relaxed);
                Kind::Write
            }
            6 => {
                client.ok("GET", "/api/audit?limit=20", "");
                Kind::Read
            }
            _ => {
                let call = if what == 7 {
                    let id = &self.instances[usize::try_from(dice % INSTANCES).unwrap()];
                    json!({"name": "set_intent", "arguments": {"instance_id": id, "intent": format!("step {number}")}})
                } else {
                    json!({"name": "discover_instances", "arguments": {"workspace": "soak"}})
                };
                let ask = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call});
                let answer = client.ok("POST", "/mcp", &ask.to_string()).json();
                assert_eq!(answer["result"]["isError"], false, "{answer}");
                Kind::Mcp
            }
        }
    }

    /// Follows the events to the last; how many there were.
    fn follow(&self) -> u64 {
        let mut events = self.server.client().events("pattern=soak.*");
        let (mut last, mut seen) = (0, 0);
        loop {
            let event = events.next_event().unwrap();
            let id = event["id"].as_u64().unwrap_or_else(|| panic!("not an event: {event}"));
            assert!(last < id, "event {id} after {last}");
            last = id;
            if event["topic"] == "soak.end" {
                return seen;
            }
            seen += 1;
            let due = event["data"]["due"].as_u64().unwrap();
            self.took(Kind::Delivery, micros(self.begun.elapsed()).saturating_sub(due));
        }
    }
}

/// Loads a server for so long, and writes down how it was.
pub(crate) fn run(directory: &Path, seconds: u64, rate: u64) {
    fs::create_dir_all(directory).unwrap();
    // The reader of the log would keep a line for each request, too.
    let server = Start::default().args(["--log-level", "warn"]).start().unwrap();
    let client = server.client();
    let versions = (0..KEYS)
        .map(|key| {
            let answer = client.ok("PUT", &format!("/api/state/soak/{key}"), "{\"number\": 0}");
            Mutex::new(version_and_tag(&answer))
        })
        .collect();
    let instances = (0..INSTANCES)
        .map(|number| {
            let instance = json!({"name": format!("agent-{number}"), "workspace": "soak"});
            let told = client.ok("POST", "/api/instances/register", &instance.to_string()).json();
            told["id"].as_str().unwrap().to_owned()
        })
        .collect();
    let soak = Soak {
        server,
        begun: Instant::now() + Duration::from_millis(500),
        rate,
        all: seconds * rate,
        next: AtomicU64::new(0),
        versions,
        instances,
        latencies: Mutex::default(),
        asked: Mutex::default(),
        refused: AtomicU64::new(0),
        published: AtomicU64::new(0),
    };
    let mut record = Record {
        seconds,
        rate,
        day: day(),
        cores: thread::available_parallelism().unwrap().get() as u64,
        subscribers: SUBSCRIBERS,
        ..Record::default()
    };
    thread::scope(|scope| {
        let subscribers: Vec<_> = (0..SUBSCRIBERS).map(|_| scope.spawn(|| soak.follow())).collect();
        let senders: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| soak.send())).collect();
        watch(&soak, directory, seconds, &mut record);
        for sender in senders {
            sender.join().unwrap();
        }
        client.ok("POST", "/api/events/publish", &json!({"topic": "soak.end"}).to_string());
        record.events = soak.published.load(Relaxed);
        for subscriber in subscribers {
            assert_eq!(subscriber.join().unwrap(), record.events, "each sees each event once");
        }
    });
    let chain = client.ok("GET", "/api/audit/verify", "").json();
    assert_eq!(chain["valid"], true, "{chain}");
    record.audited = chain["entries"].as_u64().unwrap();
    record.refused = soak.refused.load(Relaxed);
    let asked = soak.asked.lock().unwrap().clone();
    record.asked = asked.into_iter().map(|(what, count)| (MIX[what].0.to_owned(), count)).collect();
    let ended = soak.server.stop();
    assert_eq!(ended.code, Some(0), "{:#?}", ended.log);
    record.write(directory);
    for (kind, latency) in Kind::ALL.iter().zip(record.whole) {
        println!("soak: {}: {latency:?}", kind.name());
    }
    println!("soak: {} events, each seen once by {SUBSCRIBERS}; audit {chain}", record.events);
}

/// Looks at the server from time to time.
fn watch(soak: &Soak, directory: &Path, seconds: u64, record: &mut Record) {
    let mut watch = Watch::over(soak.server.pid(), soak.begun);
    let every = Duration::from_millis((seconds * 1000 / LOOKS).max(1000));
    let end = soak.begun + Duration::from_secs(seconds);
    let mut whole: [Vec<u64>; 4] = Default::default();
    let mut look = soak.begun;
    while look < end {
        look += every;
        thread::sleep(look.saturating_duration_since(Instant::now()));
        let mut sample = watch.look(soak.server.directory().path());
        let since = std::mem::take(&mut *soak.latencies.lock().unwrap());
        for (kind, micros) in since.into_iter().enumerate() {
            whole[kind].extend(&micros);
            sample.latency[kind] = Latency::of(micros);
        }
        println!(
            "soak: {:.0} s: {} MiB, {} files, {} MiB of data, writes p99 {} us",
            sample.at,
            sample.rss >> 20,
            sample.files,
            sample.database >> 20,
            sample.latency[Kind::Write as usize].p99,
        );
        record.samples.push(sample);
        // What there is so far can be drawn.
        record.write(directory);
    }
    record.whole = whole.map(Latency::of);
}

fn version_and_tag(answer: &Answer) -> (u64, String) {
    let told = answer.json();
    (told["version"].as_u64().unwrap(), format!("\"{}\"", told["hash"].as_str().unwrap()))
}

/// A number that looks like chance, and is the same in every run.
fn scatter(number: u64) -> u64 {
    let mut dice = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    dice = (dice ^ (dice >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    dice = (dice ^ (dice >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    dice ^ (dice >> 31)
}

fn pick(dice: &mut u64) -> usize {
    let mut of_a_hundred = *dice % 100;
    *dice /= 100;
    for (what, (_, share)) in MIX.iter().enumerate() {
        if of_a_hundred < *share {
            return what;
        }
        of_a_hundred -= share;
    }
    unreachable!("the shares are a hundred")
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn day() -> String {
    let told = std::process::Command::new("date").args(["-u", "+%F"]).output().unwrap();
    String::from_utf8(told.stdout).unwrap().trim().to_owned()
}
