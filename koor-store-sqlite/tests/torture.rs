//! A process that writes is killed, again and again: nothing it has answered may be lost, and nothing may be there by
//! half.
//!
//! The test starts itself as that process. It writes from many tasks and says on its standard output what was
//! answered; its reader holds the database against that.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of a test fail as it does")]

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    env,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use koor_core::{
    Caller, Error, Koor,
    domain::{
        ContentType,
        audit::{AuditFilter, ChainWalk, Outcome},
        events::EventFilter,
        state::{Precondition, Revision},
    },
    ids::{Cursor, DocumentKey, StateKey, Version},
    pattern::{Pattern, TopicFilter},
    ports::{ReadTx, StoreResult},
    use_cases::{DeleteDocument, PutDocument, Written},
};
use koor_store_sqlite::{SqliteOptions, SqliteStore};
use sqlx::{Connection as _, Row as _, SqliteConnection};
use tempfile::TempDir;

const DIRECTORY: &str = "KOOR_TORTURE_DIRECTORY";
const SEED: &str = "KOOR_TORTURE_SEED";
const ROUNDS: u64 = 50;
const TASKS: u64 = 16;
const KEYS: u64 = 40;

/// One write that was answered: which document, which version, what it holds.
type Answered = BTreeMap<(String, u64), String>;

/// A plain generator: what it draws can be drawn again.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

#[test]
fn nothing_that_was_answered_is_lost_when_the_process_is_killed() {
    if let Some(directory) = env::var_os(DIRECTORY) {
        let seed = env::var(SEED).unwrap().parse().unwrap();
        return runtime().block_on(write_until_killed(Path::new(&directory), seed));
    }
    let directory = TempDir::new().unwrap();
    let mut answered = Answered::new();
    let mut random = Random(u64::from(std::process::id()) | 1 << 40);
    for round in 1..=ROUNDS {
        let before = answered.len();
        let after = Duration::from_millis(random.below(250));
        write_and_kill(directory.path(), random.below(u64::MAX) | 1, after, &mut answered);
        assert!(answered.len() > before, "round {round}: nothing was written");
        if round % 10 == 0 {
            runtime().block_on(hold_against(directory.path(), &answered));
        }
    }
    eprintln!("{} answered writes survived {ROUNDS} kills", answered.len());
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Starts the process, and kills it some time after its first answer.
fn write_and_kill(directory: &Path, seed: u64, after: Duration, answered: &mut Answered) {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "nothing_that_was_answered_is_lost_when_the_process_is_killed", "--nocapture"])
        .env(DIRECTORY, directory)
        .env(SEED, seed.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut begin: Option<Instant> = None;
    let mut line = String::new();
    // A line without its end was cut off by the kill, so it was not reported.
    while output.read_line(&mut line).unwrap() > 0 && line.ends_with('\n') {
        if let Some(answer) = line.trim_end().strip_prefix("answered ") {
            let mut words = answer.split(' ');
            let (key, version, hash) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            answered.insert((key.to_owned(), version.parse().unwrap()), hash.to_owned());
            if begin.get_or_insert_with(Instant::now).elapsed() >= after {
                // SIGKILL, where there is such a thing. What is in the pipe by now was answered, and is read.
                child.kill().unwrap();
            }
        }
        line.clear();
    }
    child.wait().unwrap();
}

async fn write_until_killed(directory: &Path, seed: u64) {
    let store = SqliteStore::open(SqliteOptions::new(directory)).await.unwrap();
    let koor = Koor::on(store).open().await.unwrap();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            tokio::spawn(write(koor.clone(), Random(seed ^ (task + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))))
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

async fn write(koor: Koor, mut random: Random) {
    // A bound, in case that the kill does not come.
    for _ in 0..100_000 {
        let key = StateKey::new(format!("torture/{}", random.below(KEYS))).unwrap();
        let value = vec![b'x'; usize::try_from(1 + random.below(2000)).unwrap()];
        let put = PutDocument::state(key.clone(), value, ContentType::json()).unwrap();
        let written = match random.below(8) {
            0 => koor.execute(&Caller::local(), DeleteDocument::new(key)).await,
            1 => {
                let at = Version::new(1 + random.below(200)).unwrap();
                koor.execute(&Caller::local(), put.only_if(Precondition::at(at))).await
            }
            2 => koor.execute(&Caller::local(), put.only_if(Precondition::absent())).await,
            _ => koor.execute(&Caller::local(), put).await,
        };
        match written {
            Ok(committed) => say(&committed.output),
            Err(Error::NotFound { .. } | Error::VersionConflict { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}

fn say(written: &Written) {
    let Revision { version, hash, .. } = &written.revision;
    let line = format!("answered {} {version} {hash}\n", written.key);
    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
}

/// Everything there is, as the store has it.
#[derive(Default)]
struct Everything {
    revisions: HashMap<String, Vec<Revision>>,
    audited: HashMap<String, u64>,
    refused: u64,
    events: BTreeSet<(String, u64)>,
    last_event: u64,
    chain: ChainWalk,
}

fn look(tx: &mut dyn ReadTx) -> StoreResult<Everything> {
    let mut all = Everything::default();
    for number in 0..KEYS {
        let key = format!("torture/{number}");
        let revisions = tx.revisions(&DocumentKey::from(StateKey::new(&key).unwrap()), usize::MAX)?;
        all.revisions.insert(key, revisions);
    }
    let mut filter = AuditFilter { after: Some(0), ..AuditFilter::default() };
    loop {
        let entries = tx.audit(&filter, 5000)?;
        let Some(last) = entries.last() else { break };
        filter.after = Some(last.entry.id.get());
        for entry in &entries {
            all.chain.step(entry);
            if entry.entry.outcome == Outcome::Success {
                *all.audited.entry(entry.entry.resource.clone()).or_default() += 1;
            } else {
                all.refused += 1;
            }
        }
    }
    let filter = EventFilter {
        topics: TopicFilter::new(vec![Pattern::new("$state.*").unwrap()]),
        ..EventFilter::default()
    };
    all.last_event = tx.log_bounds()?.last.get();
    let mut after = Cursor::START;
    while after.get() < all.last_event {
        let page = tx.events_after(after, &filter, 5000)?;
        after = page.through;
        for event in page.events {
            let data: serde_json::Value = serde_json::from_str(event.data.as_str()).unwrap();
            let version = data["version"].as_u64().unwrap();
            all.events.insert((data["key"].as_str().unwrap().to_owned(), version));
        }
    }
    Ok(all)
}

async fn hold_against(directory: &Path, answered: &Answered) {
    let store = SqliteStore::open(SqliteOptions::new(directory)).await.unwrap();
    let koor = Koor::on_shared(std::sync::Arc::new(store)).open().await.unwrap();
    let mut all = koor.read(look).await.unwrap();
    let report = std::mem::take(&mut all.chain).report();
    assert!(report.valid, "{report:?}");
    let mut versions_there = 0;
    for (key, revisions) in &all.revisions {
        let versions: Vec<u64> = revisions.iter().map(|revision| revision.version.get()).collect();
        let whole: Vec<u64> = (1..=versions.len() as u64).rev().collect();
        assert_eq!(versions, whole, "{key} has holes in its history");
        assert_eq!(
            all.audited.get(key).copied().unwrap_or(0),
            versions.len() as u64,
            "{key}: each version has its audit entry, and no other has"
        );
        for version in versions {
            assert!(all.events.contains(&(key.clone(), version)), "{key} {version} has its event");
        }
        versions_there += revisions.len() as u64;
    }
    assert_eq!(all.events.len() as u64, versions_there, "no event without its version");
    assert_eq!(all.last_event, versions_there, "ids of events have no holes");
    assert_eq!(report.entries, versions_there + all.refused);
    for ((key, version), hash) in answered {
        let revisions = &all.revisions[key];
        let there = revisions.iter().find(|revision| revision.version.get() == *version);
        assert_eq!(there.map(|revision| revision.hash.to_string()).as_ref(), Some(hash), "{key} {version}");
    }
    for key in all.revisions.keys() {
        let key = DocumentKey::from(StateKey::new(key).unwrap());
        match koor.document(&key).await {
            Ok(document) => {
                let hash = koor_core::ids::Hash::of(&document.value);
                assert_eq!(hash, document.revision.hash);
            }
            Err(Error::NotFound { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    koor.close().await;
    let url = format!("sqlite://{}", directory.join("data.db").display());
    let mut conn = SqliteConnection::connect(&url).await.unwrap();
    let sound: String = sqlx::query("PRAGMA integrity_check").fetch_one(&mut conn).await.unwrap().get(0);
    assert_eq!(sound, "ok");
    conn.close().await.unwrap();
}
