//! A store of one's own, complete: everything is in one file that only ever grows, and in memory as long as the program
//! runs. It passes the suite that every store must pass, with those cases that open it again.
//!
//! Run it twice: `cargo run -p koor-core --example log_store -- koor.log`; hold it to its promises:
//! `cargo test -p koor-core --example log_store`
//!
//! What is where: `journal.rs` is the file, `write.rs` what can stand in it, `transaction.rs` the ports. What it lacks to
//! be more than an example: it never makes the file shorter, and whoever waits for the disk holds up everybody.

mod journal;
mod transaction;
mod write;

use std::{
    env, io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use journal::Journal;
use koor_core::{
    Caller, Koor, MemoryStore,
    commands::PutDocument,
    domain::{ContentType, state::Document},
    ids::{DocumentKey, StateKey},
    ports::{
        CommitObserver, Commits, ReadJob, Store, StoreError, StoreHealth, StoreResult, Verdict, WriteJob,
        WriteTx as _,
    },
};
use transaction::Noting;
use write::Write;

/// A store that keeps what it is told in a file.
struct LogStore {
    memory: MemoryStore,
    journal: Arc<Mutex<Journal>>,
}

impl LogStore {
    /// Opens the file, makes it if it is not there, and does again what stands in it.
    async fn open(path: &Path) -> StoreResult<Self> {
        let (journal, jobs) = Journal::open(path).map_err(|error| failed("open the file", error))?;
        let memory = MemoryStore::default();
        for writes in jobs {
            let writes: Vec<Write> = serde_json::from_slice(&writes).map_err(|error| {
                StoreError::Corrupt { place: path.display().to_string(), source: Some(error.into()) }
            })?;
            let again: WriteJob = Box::new(move |tx| {
                writes.iter().try_for_each(|write| write.apply(tx))?;
                Ok(Verdict::Keep)
            });
            memory.submit(again).await?;
        }
        Ok(Self { memory, journal: Arc::new(Mutex::new(journal)) })
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
    async fn submit(&self, mut job: WriteJob) -> StoreResult<()> {
        let journal = Arc::clone(&self.journal);
        let noted: WriteJob = Box::new(move |tx| {
            let mut tx = Noting::new(tx);
            let verdict = job(&mut tx)?;
            // On disk before it is in memory, where others see it: the memory undoes a job that fails here.
            if verdict == Verdict::Keep && tx.dirty() {
                let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
                let writes = serde_json::to_vec(&tx.noted())
                    .map_err(|error| StoreError::Backend { attempted: "write JSON", source: error.into() })?;
                journal.append(&writes).map_err(|error| failed("write the file", error))?;
            }
            Ok(verdict)
        });
        self.memory.submit(noted).await
    }

    async fn inspect(&self, job: ReadJob) -> StoreResult<()> {
        self.memory.inspect(job).await
    }

    async fn inspect_at_leisure(&self, job: ReadJob) -> StoreResult<()> {
        self.memory.inspect_at_leisure(job).await
    }

    async fn newest(&self, key: &DocumentKey) -> StoreResult<Option<Arc<Document>>> {
        self.memory.newest(key).await
    }

    fn observe(&self, observer: Arc<dyn CommitObserver>) {
        self.memory.observe(observer);
    }

    async fn health(&self) -> StoreHealth {
        self.memory.health().await
    }

    fn commits(&self) -> Commits {
        self.memory.commits()
    }

    async fn size(&self) -> StoreResult<u64> {
        Ok(self.journal.lock().unwrap_or_else(PoisonError::into_inner).length())
    }

    async fn close(&self) {
        self.memory.close().await;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = env::args().nth(1).ok_or("usage: log_store <file>")?;
    let koor = Koor::on(LogStore::open(Path::new(&path)).await?).open().await?;
    let put = PutDocument::state(StateKey::new("runs")?, "another one", ContentType::new("text/plain")?)?;
    let version = koor.execute(&Caller::local(), put).await?.output.revision.version;
    println!("{path} has seen {version} runs");
    koor.close().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use koor_core::testkit::Ground;
    use tempfile::TempDir;

    use super::*;

    /// A store in a directory that goes when the last one who knows it does.
    async fn ground() -> Ground {
        let directory = Arc::new(TempDir::new().unwrap());
        Ground::reopening(move || {
            let directory = Arc::clone(&directory);
            async move { LogStore::open(&directory.path().join("koor.log")).await.unwrap() }
        })
        .await
    }

    koor_core::contract_suite!(ground().await, restarts);

    #[tokio::test]
    async fn a_change_that_was_cut_off_on_its_way_to_the_file_was_never_there() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("koor.log");
        let mut lengths = Vec::new();
        for step in 1..=2 {
            let koor = Koor::on(LogStore::open(&path).await.unwrap()).open().await.unwrap();
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
            let store = LogStore::open(&cut).await.unwrap();
            let key = DocumentKey::State(StateKey::new("plan").unwrap());
            let newest = store.newest(&key).await.unwrap().unwrap();
            assert_eq!(newest.value, "1", "cut after {length} bytes");
            assert_eq!(std::fs::metadata(&cut).unwrap().len(), lengths[0], "what is cut off is gone");
        }
    }
}
