//! The store itself: it hands jobs to the threads that do them.

use std::{
    convert::Infallible,
    fs, io,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread,
};

use async_trait::async_trait;
use koor_core::{
    domain::state::Document,
    ids::DocumentKey,
    ports::{CommitObserver, Commits, ReadJob, Store, StoreError, StoreHealth, StoreResult, WriteJob},
};
use tokio::sync::{oneshot, watch};

use crate::{
    cache::Cache,
    error::store_error,
    lock::DataDirectory,
    open::{self, OpenError, SqliteOptions},
    reader::{self, Question, Questions, READ_QUEUE},
    recent::Recent,
    writer::{self, Shared, Task, Work, Writer},
};

/// Jobs at leisure that run at a time: each has a copy of the whole database on disk.
const MAX_AT_LEISURE: usize = 2;

/// The ways to the threads. When they are gone, the threads finish.
struct Doors {
    writer: SyncSender<Task>,
    readers: SyncSender<Question>,
    /// Held by everybody who reads: the writer leaves last.
    alive: SyncSender<Infallible>,
}

/// All of Koor's data in one `SQLite` database.
///
/// A store that is dropped finishes what is queued in the background; [`close`](Store::close) waits for it.
pub struct SqliteStore {
    database: PathBuf,
    shared: Arc<Shared>,
    doors: RwLock<Option<Doors>>,
    /// The same as no doors, for those who only look into the cache: a lock would be touched by every reader.
    closed: AtomicBool,
    at_leisure: Arc<AtomicUsize>,
    /// Turns true when the last thread is done.
    finished: watch::Receiver<bool>,
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore").field("database", &self.database).finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens the store in a directory, and makes it where there is none.
    ///
    /// # Errors
    /// When another process has it, when a newer program has written it, or when the files cannot be used.
    pub async fn open(options: SqliteOptions) -> Result<Self, OpenError> {
        let (ready, opened) = oneshot::channel();
        let directory = options.path.clone();
        // On a thread of its own from the beginning: opening may migrate, and that may take its time.
        spawn("koor-writer", move || live(&options, ready)).map_err(|source| OpenError::Io {
            attempted: "start a thread for",
            path: directory,
            source,
        })?;
        opened.await.unwrap_or(Err(OpenError::Store(StoreError::Closed)))
    }

    fn doors<T>(&self, enter: impl FnOnce(&Doors) -> StoreResult<T>) -> StoreResult<T> {
        let doors = self.doors.read().unwrap_or_else(PoisonError::into_inner);
        enter(doors.as_ref().ok_or(StoreError::Closed)?)
    }

    async fn order(&self, work: Work) -> StoreResult<()> {
        let (answer, answered) = oneshot::channel();
        self.doors(|doors| doors.writer.try_send(Task { work, answer }).map_err(refusal))?;
        answered.await.unwrap_or(Err(StoreError::Closed))
    }

    async fn ask(&self, job: ReadJob, single: bool) -> StoreResult<()> {
        let (answer, answered) = oneshot::channel();
        self.doors(|doors| doors.readers.try_send(Question { job, single, answer }).map_err(refusal))?;
        answered.await.unwrap_or(Err(StoreError::Closed))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` calls")]
fn refusal<T>(error: TrySendError<T>) -> StoreError {
    match error {
        TrySendError::Full(_) => StoreError::Busy,
        TrySendError::Disconnected(_) => StoreError::Closed,
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.into()).spawn(body).map(drop)
}

/// The life of a store, on the writer's thread.
fn live(options: &SqliteOptions, ready: oneshot::Sender<Result<SqliteStore, OpenError>>) {
    let directory = match DataDirectory::claim(&options.path) {
        Ok(directory) => directory,
        Err(error) => return drop(ready.send(Err(error))),
    };
    let database = directory.database().to_owned();
    let (alive, readers) = sync_channel(0);
    let (finish, finished) = watch::channel(false);
    match start(options, database, alive, finished) {
        Ok((store, writer)) => {
            if ready.send(Ok(store)).is_ok() {
                writer.run(&readers);
            }
        }
        Err(error) => return drop(ready.send(Err(error))),
    }
    // Free for the next one before anybody is told.
    drop(directory);
    let _ = finish.send(true);
}

fn start(
    options: &SqliteOptions,
    database: PathBuf,
    alive: SyncSender<Infallible>,
    finished: watch::Receiver<bool>,
) -> Result<(SqliteStore, Writer), OpenError> {
    let mut conn = open::open_writer(options, &database)?;
    let tails = writer::tails(&mut conn)?;
    let shared = Arc::new(Shared {
        cache: Cache::new(options.cache_bytes),
        recent: Recent::new(tails.last_audit()),
        observer: RwLock::new(None),
        commits: AtomicU64::new(0),
        jobs: AtomicU64::new(0),
        trouble: Mutex::new(None),
        faults: AtomicU32::new(0),
    });
    let (writer, tasks) = Writer::new(conn, tails, options.index_after, shared.clone())?;
    let (questions, queue) = sync_channel(READ_QUEUE);
    let queue: Questions = Arc::new(Mutex::new(queue));
    for _ in 0..options.readers.max(1) {
        let conn = open::connect(&open::reading(&database))
            .map_err(|error| store_error("open the database to read", error))?;
        let (queue, shared, alive) = (queue.clone(), shared.clone(), alive.clone());
        spawn("koor-reader", move || reader::serve(conn, &queue, &shared.recent, alive)).map_err(
            |source| OpenError::Io { attempted: "start a thread for", path: database.clone(), source },
        )?;
    }
    let doors = Doors { writer: tasks, readers: questions, alive };
    let store = SqliteStore {
        database,
        shared,
        doors: RwLock::new(Some(doors)),
        closed: AtomicBool::new(false),
        at_leisure: Arc::default(),
        finished,
    };
    Ok((store, writer))
}

/// Gives a place at leisure back.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn submit(&self, job: WriteJob) -> StoreResult<()> {
        self.order(Work::Job(job)).await
    }

    async fn inspect(&self, job: ReadJob) -> StoreResult<()> {
        self.ask(job, false).await
    }

    async fn inspect_at_leisure(&self, job: ReadJob) -> StoreResult<()> {
        let before = self.at_leisure.fetch_add(1, Ordering::AcqRel);
        let place = Place(self.at_leisure.clone());
        if before >= MAX_AT_LEISURE {
            return Err(StoreError::Busy);
        }
        let (answer, answered) = oneshot::channel();
        let alive = self.doors(|doors| Ok(doors.alive.clone()))?;
        let database = self.database.clone();
        let body = move || {
            let result = reader::run_at_leisure(&database, job);
            drop((place, alive));
            let _ = answer.send(result);
        };
        spawn("koor-leisure", body)
            .map_err(|error| StoreError::Backend { attempted: "start a thread", source: error.into() })?;
        answered.await.unwrap_or(Err(StoreError::Closed))
    }

    async fn newest(&self, key: &DocumentKey) -> StoreResult<Option<Arc<Document>>> {
        if self.closed.load(Ordering::Acquire) {
            return Err(StoreError::Closed);
        }
        if let Some(document) = self.shared.cache.get(key) {
            return Ok(Some(document));
        }
        let (found, answer) = oneshot::channel();
        let shared = self.shared.clone();
        let key = key.clone();
        let job: ReadJob = Box::new(move |tx| {
            let ticket = shared.cache.ticket(&key);
            let document = tx.document(&key)?.map(Arc::new);
            if let Some(document) = &document {
                shared.cache.fill(document, ticket);
            }
            // Whoever has gone away doesn't need to know.
            let _ = found.send(document);
            Ok(())
        });
        self.ask(job, true).await?;
        answer.await.map_err(|_| StoreError::Closed)
    }

    fn observe(&self, observer: Arc<dyn CommitObserver>) {
        *self.shared.observer.write().unwrap_or_else(PoisonError::into_inner) = Some(observer);
    }

    async fn health(&self) -> StoreHealth {
        if self.doors(|_| Ok(())).is_err() {
            return StoreHealth::Degraded(StoreError::Closed.to_string());
        }
        if self.shared.fails() {
            return StoreHealth::Degraded("writes fail".into());
        }
        let Some(reason) = self.shared.trouble() else { return StoreHealth::Ok };
        match self.order(Work::Probe).await {
            Ok(()) => StoreHealth::Ok,
            Err(StoreError::Full { reason }) => StoreHealth::Degraded(reason.into()),
            Err(_) => StoreHealth::Degraded(reason.into()),
        }
    }

    fn commits(&self) -> Commits {
        let Shared { commits, jobs, .. } = &*self.shared;
        Commits { commits: commits.load(Ordering::Relaxed), jobs: jobs.load(Ordering::Relaxed) }
    }

    async fn size(&self) -> StoreResult<u64> {
        const ATTEMPTED: &str = "measure the database";
        let mut log = self.database.as_os_str().to_owned();
        log.push("-wal");
        let backend = |error: io::Error| StoreError::Backend { attempted: ATTEMPTED, source: error.into() };
        let database = fs::metadata(&self.database).map_err(backend)?.len();
        // There is no log before the first write.
        let log = fs::metadata(log).map_or(0, |log| log.len());
        Ok(database + log)
    }

    async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        drop(self.doors.write().unwrap_or_else(PoisonError::into_inner).take());
        // Fails only when the writer's thread is gone, and then there is nothing to wait for.
        let _ = self.finished.clone().wait_for(|finished| *finished).await;
    }
}
