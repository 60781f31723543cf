//! What clients see of a few keys, at once and through kills, pauses and a database that another process has locked, could
//! have been seen of one register each. And the check is worth something: broken servers are found.

use std::{
    collections::HashMap,
    env,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use integration_tests::{Ask, Client, Operation, Start, Told, linearizable};
use koor_core::{MemoryStore, ports::Store};
use tempfile::TempDir;

use crate::{
    broken::{Broken, Forgets, OutdatedStore, forgetful},
    faults::Holder,
    random::{Random, number, seed},
};

const CLIENTS: u64 = 8;
const KEYS: u64 = 3;
/// In the first of so many rounds another process locks the database: it takes seconds until the server gives up.
const LOCKED_EVERY: u64 = 5;
/// The end of an operation whose answer was lost.
const UNKNOWN: u64 = u64::MAX;

/// Asks; `None` where the connection broke off. And whether it is certain that nothing was done, and never will be.
fn send(client: &Client, key: u64, ask: Ask) -> Option<(Told, bool)> {
    let path = format!("/api/state/linear/{key}");
    let told = match ask {
        Ask::Get => client.try_send("GET", &path, ""),
        Ask::Put(value, None) => client.try_send("PUT", &path, &value.to_string()),
        Ask::Put(value, Some(version)) => {
            client.try_send("PUT", &format!("{path}?if_version={version}"), &value.to_string())
        }
        Ask::Delete => client.try_send("DELETE", &path, ""),
    }?;
    let version = || told.json()["version"].as_u64().unwrap();
    let undone = told.status == 503 && told.body.contains("nothing was done");
    let told = match (told.status, ask) {
        (200, Ask::Get) => Told::Has(
            told.headers["x-koor-version"].to_str().unwrap().parse().unwrap(),
            told.body.parse().unwrap(),
        ),
        (200, _) => Told::Done(version()),
        (404, _) => Told::Absent,
        (412, _) => Told::Conflict(version()),
        // As good as told nothing: it may have been done, but not after this.
        (503, Ask::Put(..) | Ask::Delete) => Told::Nothing,
        (503, Ask::Get) if undone => Told::Nothing,
        other => panic!("{other:?}: {}", told.body),
    };
    Some((told, undone))
}

/// Until when clients ask, and what an answer of 503 means.
#[derive(Clone, Copy)]
enum Until {
    /// Until they have done so much, or the server does not answer any more. After a 503, nothing is done any more.
    Ends(u64),
    /// Until this moment, or the server is gone. What was answered by 503 may be done later: the database may have got it.
    Passes(Instant),
}

impl Until {
    fn is_over(self, done: u64) -> bool {
        match self {
            Self::Ends(each) => done >= each,
            Self::Passes(end) => Instant::now() >= end,
        }
    }

    /// After a 503. The search gets the longer the more there is that may be done at any time.
    fn pause(self) -> Duration {
        match self {
            Self::Ends(_) => Duration::from_millis(20),
            Self::Passes(_) => Duration::from_secs(1),
        }
    }
}

/// Runs clients, each at one of the servers.
fn load(apis: &[&str], round: u64, until: Until, since: Instant, history: &Mutex<Vec<Operation>>) {
    let now = || u64::try_from(since.elapsed().as_nanos()).unwrap();
    thread::scope(|scope| {
        for (number, api) in (0..CLIENTS).zip(apis.iter().cycle()) {
            let client = Client::new(api);
            scope.spawn(move || {
                let mut random = Random::new(round * 100 + number);
                let mut seen = HashMap::new();
                for n in (0..).take_while(|n| !until.is_over(*n)) {
                    let (key, value) = (random.below(KEYS), round << 40 | number << 32 | n);
                    let ask = match random.below(10) {
                        0..4 => Ask::Get,
                        4..6 => Ask::Put(value, None),
                        6..9 => Ask::Put(value, Some(*seen.get(&key).unwrap_or(&0))),
                        _ => Ask::Delete,
                    };
                    let called = now();
                    let said = send(&client, key, ask);
                    let (told, undone) = said.unwrap_or((Told::Nothing, false));
                    match told {
                        Told::Has(version, _) | Told::Conflict(version) => drop(seen.insert(key, version)),
                        Told::Done(version) => {
                            seen.insert(key, if ask == Ask::Delete { 0 } else { version });
                        }
                        Told::Absent => drop(seen.insert(key, 0)),
                        Told::Nothing => {}
                    }
                    let is_open = match until {
                        Until::Ends(_) => said.is_none(),
                        Until::Passes(_) => told == Told::Nothing,
                    };
                    let answered = if is_open { UNKNOWN } else { now() };
                    // A read that was told nothing says nothing, nor does what was not done.
                    if !undone && (told != Told::Nothing || ask != Ask::Get) {
                        history.lock().unwrap().push(Operation { key, called, answered, ask, told });
                    }
                    match said {
                        None => return,
                        // A client that cannot write does not try a thousand times.
                        Some((Told::Nothing, _)) => thread::sleep(until.pause()),
                        Some(_) => {}
                    }
                }
            });
        }
    });
}

/// The servers and the time come from `scripts/torture-postgres`, which breaks the database below them meanwhile.
#[test]
#[ignore = "needs several servers; `just torture-postgres linear` runs it"]
fn what_clients_of_several_servers_see_is_linearizable() {
    let Ok(servers) = env::var("KOOR_LINEAR_SERVERS") else {
        eprintln!("trust: linearizability: several servers are not tested: KOOR_LINEAR_SERVERS names none");
        return;
    };
    let servers: Vec<&str> = servers.split(',').collect();
    let (begun, history) = (Instant::now(), Mutex::default());
    let end = begun + Duration::from_secs(number("KOOR_LINEAR_SECONDS", 20));
    load(&servers, 0, Until::Passes(end), begun, &history);
    let history = history.into_inner().unwrap();
    let open = history.iter().filter(|operation| operation.answered == UNKNOWN).count();
    assert!(history.len() > 500, "{} operations show nothing", history.len());
    if let Err(operations) = linearizable(&history) {
        panic!("no register answers so: {operations:#?}");
    }
    eprintln!(
        "trust: linearizability: {} operations of {CLIENTS} clients at {} servers on {KEYS} keys, {open} of them without an \
         answer: linearizable; {} s",
        history.len(),
        servers.len(),
        begun.elapsed().as_secs()
    );
}

#[test]
#[ignore = "takes its time; .ci/suites/trust runs it, and `just torture` longer"]
fn what_clients_see_is_linearizable_through_kills_pauses_and_locks() {
    let (rounds, begun) = (number("TRUST_ROUNDS", 6), Instant::now());
    eprintln!("trust: linearizability: seed {}", seed());
    let directory = Arc::new(TempDir::new().unwrap());
    let history: Mutex<Vec<Operation>> = Mutex::default();
    let (mut known, mut locks) = (0, 0);
    for round in 0..rounds {
        let server = Start::default().within(&directory).args(["--log-level", "warn"]).start().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| load(&[&server.api], round, Until::Ends(100_000), begun, &history));
            let mut random = Random::new(round + 1_000_000);
            thread::sleep(Duration::from_millis(100 + random.below(200)));
            server.signal("STOP");
            thread::sleep(Duration::from_millis(100));
            server.signal("CONT");
            thread::sleep(Duration::from_millis(100 + random.below(200)));
            if round % LOCKED_EVERY == 0 {
                let holder = Holder::of(&server);
                let refused = || {
                    let history = history.lock().unwrap();
                    history[known..].iter().any(|operation| operation.told == Told::Nothing)
                };
                integration_tests::until(|| refused().then_some(()));
                holder.let_go();
                locks += 1;
                thread::sleep(Duration::from_millis(100));
            }
            server.signal("KILL");
        });
        let _ = server.wait();
        // What that process has not done by now will not be done.
        let dead = u64::try_from(begun.elapsed().as_nanos()).unwrap();
        let mut history = history.lock().unwrap();
        let unanswered = |operation: &&mut Operation| operation.answered == UNKNOWN;
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
        "trust: linearizability: {} operations of {CLIENTS} clients on {KEYS} keys through {rounds} kills and pauses and \
         {locks} locks, {unknown} of them unanswered or 503: linearizable; {} s",
        history.len(),
        begun.elapsed().as_secs()
    );
}

/// What a client sees of that store.
fn seen(store: impl Store, round: u64) -> Vec<Operation> {
    let broken = Broken::on(store);
    let history = Mutex::default();
    load(&[&broken.api], round, Until::Ends(60), Instant::now(), &history);
    history.into_inner().unwrap()
}

#[test]
fn a_stale_cache_a_lost_condition_and_a_lost_write_are_found() {
    let broken = [
        ("a stale cache", seen(OutdatedStore::default(), 0)),
        ("a lost condition", seen(forgetful(Forgets::Conditions), 1)),
        ("a lost write", seen(forgetful(Forgets::Writes), 2)),
    ];
    for (what, history) in &broken {
        assert!(linearizable(history).is_err(), "{what} went unnoticed in {} operations", history.len());
    }
    let whole = seen(MemoryStore::default(), 3);
    assert_eq!(linearizable(&whole), Ok(()));
    eprintln!(
        "trust: linearizability: of servers with {} each was found, and none in one that is whole",
        broken.map(|(what, _)| what).join(", ")
    );
}
