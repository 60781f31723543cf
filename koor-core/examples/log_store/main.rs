//! A store of one's own, complete: everything is in one file that only ever grows, and in memory as long as the program
//! runs. It passes the suite that every store must pass, with those cases that open it again.
//!
//! Run it twice: `cargo run -p koor-core --example log_store -- koor.log`; hold it to its promises:
//! `cargo test -p koor-core --example log_store`
//!
//! What is where: `journal.rs` is the file, `write.rs` what can stand in it. What it lacks to be more than an example: it
//! never makes the file shorter, and every caller waits for the disk in turn.

mod journal;
mod write;

use std::{
    env, io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use async_trait::async_trait;
use journal::Journal;
use koor_core::{
    Caller, Koor, MemoryBackend, MemoryStore,
    domain::{ContentType, state::Document},
    ids::{DocumentKey, StateKey},
    ports::{
        Backend, Basis, Change, Committer, FactSet, Facts, Outcome, Point, ReadJob, Store, StoreError,
        StoreResult,
    },
    use_cases::PutDocument,
};
use write::Write;

/// A backend that writes each commit to a file before it makes it in memory.
struct LogBackend {
    memory: MemoryBackend,
    journal: Journal,
    length: Arc<AtomicU64>,
}

#[async_trait]
impl Backend for LogBackend {
    async fn fetch(&mut self, wanted: &FactSet, basis: Basis) -> StoreResult<Facts> {
        self.memory.fetch(wanted, basis).await
    }

    async fn commit(&mut self, at: Point, changes: &[Change]) -> StoreResult<Outcome> {
        // What the memory would refuse must not be in the file.
        self.memory.check(changes)?;
        let writes: Vec<Write> = changes.iter().map(Write::from).collect();
        let record = serde_json::to_vec(&writes)
            .map_err(|error| StoreError::Backend { attempted: "write JSON", source: error.into() })?;
        self.journal.append(&record).map_err(|error| failed("write the file", error))?;
        self.length.store(self.journal.length(), Relaxed);
        self.memory.commit(at, changes).await
    }
}

/// A store that keeps everything in a file: it reads from memory, and commits through the backend above.
struct LogStore {
    memory: MemoryStore,
    length: Arc<AtomicU64>,
}

impl LogStore {
    /// Opens the file, makes it if it is not there, and commits again what stands in it.
    fn open(path: &Path) -> StoreResult<Self> {
        let (journal, records) = Journal::open(path).map_err(|error| failed("open the file", error))?;
        let length = Arc::new(AtomicU64::new(journal.length()));
        let mut committed = Vec::new();
        for record in records {
            let writes: Vec<Write> = serde_json::from_slice(&record).map_err(|error| {
                StoreError::Corrupt { place: path.display().to_string(), source: Some(error.into()) }
            })?;
            for write in writes {
                committed.push(write.restored()?);
            }
        }
        let new_length = Arc::clone(&length);
        let memory =
            MemoryStore::holding(&committed, |memory| LogBackend { memory, journal, length: new_length })?;
        Ok(Self { memory, length })
    }
}

fn failed(attempted: &'static str, error: io::Error) -> StoreError {
    if error.kind() == io::ErrorKind::StorageFull {
        StoreError::Full { reason: "disk full" }
    } else {
        StoreError::Backend { attempted, source: error.into() }
    }
}

#[async_trait]
impl Store for LogStore {
    fn committer(&self) -> &Committer {
        self.memory.committer()
    }

    async fn inspect(&self, job: ReadJob) -> StoreResult<()> {
        self.memory.inspect(job).await
    }

    async fn read_detached(&self, job: ReadJob) -> StoreResult<()> {
        self.memory.read_detached(job).await
    }

    async fn latest_document(&self, key: &DocumentKey) -> StoreResult<Option<Arc<Document>>> {
        self.memory.latest_document(key).await
    }

    async fn size(&self) -> StoreResult<u64> {
        Ok(self.length.load(Relaxed))
    }

    async fn close(&self) {
        self.memory.close().await;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = env::args().nth(1).ok_or("usage: log_store <file>")?;
    let koor = Koor::on(LogStore::open(Path::new(&path))?).open().await?;
    let put = PutDocument::state(StateKey::new("runs")?, "another one", ContentType::new("text/plain")?)?;
    let version = koor.execute(&Caller::local(), put).await?.output.revision.version;
    println!("{path} has seen {version} runs");
    koor.close().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use koor_core::testkit::StoreFixture;
    use tempfile::TempDir;

    use super::*;

    /// A store in a directory that goes when the last one who knows it does.
    async fn fixture() -> StoreFixture {
        let directory = Arc::new(TempDir::new().unwrap());
        StoreFixture::reopening(move || {
            let directory = Arc::clone(&directory);
            async move { LogStore::open(&directory.path().join("koor.log")).unwrap() }
        })
        .await
    }

    koor_core::contract_suite!(fixture().await, restarts);

    #[tokio::test]
    async fn a_change_that_was_cut_off_on_its_way_to_the_file_was_never_there() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("koor.log");
        let mut lengths = Vec::new();
        for step in 1..=2 {
            let koor = Koor::on(LogStore::open(&path).unwrap()).open().await.unwrap();
            let key = StateKey::new("plan").unwrap();
            let put = PutDocument::state(key, step.to_string(), ContentType::json()).unwrap();
            koor.execute(&Caller::local(), put).await.unwrap();
            koor.close().await;
            lengths.push(std::fs::metadata(&path).unwrap().len());
        }
        for length in lengths[0]..lengths[1] {
            let cut = directory.path().join("cut.log");
            let whole = std::fs::read(&path).unwrap();
            std::fs::write(&cut, &whole[..usize::try_from(length).unwrap()]).unwrap();
            let store = LogStore::open(&cut).unwrap();
            let key = DocumentKey::State(StateKey::new("plan").unwrap());
            let newest = store.latest_document(&key).await.unwrap().unwrap();
            assert_eq!(newest.value, "1", "cut after {length} bytes");
            assert_eq!(std::fs::metadata(&cut).unwrap().len(), lengths[0], "what is cut off is gone");
        }
    }
}
