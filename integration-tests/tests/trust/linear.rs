//! What clients see of a few keys, at once and through kills and pauses, could have been seen of one register each. And
//! the check is worth something: two kinds of broken servers are found.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use integration_tests::{Ask, Client, Operation, Server, Start, Told, linearizable};
use tempfile::TempDir;

use crate::random::{Random, number, seed};

const CLIENTS: u64 = 8;
const KEYS: u64 = 3;

/// What stands between the clients and the server.
enum Between {
    Nothing,
    /// A cache that asks again only at every fourth read.
    StaleCache(Mutex<HashMap<u64, (u64, Told)>>),
    /// Somebody who forgets conditions.
    LostCondition,
}

impl Between {
    fn ask(&self, client: &Client, key: u64, ask: Ask) -> Told {
        match self {
            Self::Nothing => send(client, key, ask),
            Self::StaleCache(cache) => {
                if ask != Ask::Get {
                    return send(client, key, ask);
                }
                let mut cache = cache.lock().unwrap();
                let (age, told) = cache.entry(key).or_insert((0, Told::Nothing));
                if age.is_multiple_of(4) {
                    *told = send(client, key, ask);
                }
                *age += 1;
                *told
            }
            Self::LostCondition => match ask {
                Ask::Put(value, Some(_)) => send(client, key, Ask::Put(value, None)),
                other => send(client, key, other),
            },
        }
    }
}

fn send(client: &Client, key: u64, ask: Ask) -> Told {
    let path = format!("/api/state/linear/{key}");
    let told = match ask {
        Ask::Get => client.try_send("GET", &path, ""),
        Ask::Put(value, None) => client.try_send("PUT", &path, &value.to_string()),
        Ask::Put(value, Some(version)) => {
            client.try_send("PUT", &format!("{path}?if_version={version}"), &value.to_string())
        }
        Ask::Delete => client.try_send("DELETE", &path, ""),
    };
    let Some(told) = told else { return Told::Nothing };
    let version = || told.json()["version"].as_u64().unwrap();
    match (told.status, ask) {
        (200, Ask::Get) => Told::Has(
            told.headers["x-koor-version"].to_str().unwrap().parse().unwrap(),
            told.body.parse().unwrap(),
        ),
        (200, _) => Told::Done(version()),
        (404, _) => Told::Absent,
        (412, _) => Told::Conflict(version()),
        other => panic!("{other:?}: {}", told.body),
    }
}

/// Lets clients loose until they have done so much, or nobody answers any more.
fn load(
    server: &Server,
    between: &Between,
    round: u64,
    each: u64,
    since: Instant,
    history: &Mutex<Vec<Operation>>,
) {
    let now = || u64::try_from(since.elapsed().as_nanos()).unwrap();
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let client = server.client();
            scope.spawn(move || {
                let mut random = Random::new(round * 100 + number);
                let mut seen = HashMap::new();
                for n in 0..each {
                    let (key, value) = (random.below(KEYS), round << 40 | number << 32 | n);
                    let ask = match random.below(10) {
                        0..4 => Ask::Get,
                        4..6 => Ask::Put(value, None),
                        6..9 => Ask::Put(value, Some(*seen.get(&key).unwrap_or(&0))),
                        _ => Ask::Delete,
                    };
                    let called = now();
                    let told = between.ask(&client, key, ask);
                    let answered = now();
                    match told {
                        Told::Has(version, _) | Told::Conflict(version) => drop(seen.insert(key, version)),
                        Told::Done(version) => {
                            seen.insert(key, if ask == Ask::Delete { 0 } else { version });
                        }
                        Told::Absent => drop(seen.insert(key, 0)),
                        Told::Nothing => {}
                    }
                    history.lock().unwrap().push(Operation { key, called, answered, ask, told });
                    if told == Told::Nothing {
                        return;
                    }
                }
            });
        }
    });
}

#[test]
#[ignore = "takes its time; .ci/suites/trust runs it, and `just torture` longer"]
fn what_clients_see_is_linearizable_through_kills_and_pauses() {
    let (rounds, begun) = (number("TRUST_ROUNDS", 6), Instant::now());
    eprintln!("trust: linearizability: seed {}", seed());
    let directory = Arc::new(TempDir::new().unwrap());
    let history: Mutex<Vec<Operation>> = Mutex::default();
    let mut known = 0;
    for round in 0..rounds {
        let server = Start::default().within(&directory).args(["--log-level", "warn"]).start().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| load(&server, &Between::Nothing, round, 100_000, begun, &history));
            let mut random = Random::new(round + 1_000_000);
            thread::sleep(Duration::from_millis(100 + random.below(200)));
            server.signal("STOP");
            thread::sleep(Duration::from_millis(100));
            server.signal("CONT");
            thread::sleep(Duration::from_millis(100 + random.below(200)));
            server.signal("KILL");
        });
        let _ = server.wait();
        // What that process has not done by now nobody will.
        let dead = u64::try_from(begun.elapsed().as_nanos()).unwrap();
        let mut history = history.lock().unwrap();
        let unanswered = |operation: &&mut Operation| operation.told == Told::Nothing;
        for operation in history[known..].iter_mut().filter(unanswered) {
            operation.answered = dead;
        }
        known = history.len();
    }
    let history = history.into_inner().unwrap();
    let unknown = history.iter().filter(|operation| operation.told == Told::Nothing).count();
    assert!(history.len() > 500, "{} operations show nothing", history.len());
    if let Err(operations) = linearizable(&history) {
        panic!("no register answers so: {operations:#?}");
    }
    eprintln!(
        "trust: linearizability: {} operations of {CLIENTS} clients on {KEYS} keys through {rounds} kills and pauses, {unknown} \
         of them unanswered: linearizable; {} s",
        history.len(),
        begun.elapsed().as_secs()
    );
}

#[test]
fn a_stale_cache_and_a_lost_condition_are_found() {
    for (round, (what, between)) in [
        ("a stale cache", Between::StaleCache(Mutex::default())),
        ("a lost condition", Between::LostCondition),
    ]
    .into_iter()
    .enumerate()
    {
        let history = Mutex::default();
        let server = Server::start();
        load(&server, &between, round as u64, 60, Instant::now(), &history);
        assert!(linearizable(&history.into_inner().unwrap()).is_err(), "{what} went unnoticed");
    }
    let history = Mutex::default();
    let server = Server::start();
    load(&server, &Between::Nothing, 2, 60, Instant::now(), &history);
    assert_eq!(linearizable(&history.into_inner().unwrap()), Ok(()));
}
