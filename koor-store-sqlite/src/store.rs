//! The store itself: it hands jobs to the threads that do them.

use std::{
    convert::Infallible,
    fs, io,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread,
};

use async_trait::async_trait;
use koor_core::{
    domain::state::Document,
    ids::DocumentKey,
    ports::{Committer, GroupCommit, ReadJob, Store, StoreError, StoreResult},
};
use tokio::sync::{oneshot, watch};

use crate::{
    audit_tail::AuditTail,
    backend::{self, Shared, SqliteBackend},
    cache::Cache,
    conn::wait,
    error::store_error,
    lock::DataDirectory,
    open::{self, SqliteOptions},
    open_error::OpenError,
    reader::{self, Question, Questions, READ_QUEUE},
};

/// Detached reads that run at a time: each has a copy of the whole database on disk.
const MAX_DETACHED: usize = 2;

/// The channels to the readers. When they are gone, the readers finish.
struct Channels {
    readers: SyncSender<Question>,
    /// Held by every reader: the writer leaves last.
    shutdown_guard: SyncSender<Infallible>,
}

/// All of Koor's data in one `SQLite` database.
///
/// A store that is dropped finishes what is queued in the background; [`close`](Store::close) waits for it.
pub struct SqliteStore {
    database: PathBuf,
    shared: Arc<Shared>,
    committer: Committer,
    channels: RwLock<Option<Channels>>,
    /// The same as no channels, for calls that only look into the cache: a lock would be touched by every reader.
    closed: AtomicBool,
    detached: Arc<AtomicUsize>,
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

    fn channels<T>(&self, enter: impl FnOnce(&Channels) -> StoreResult<T>) -> StoreResult<T> {
        let channels = self.channels.read().unwrap_or_else(PoisonError::into_inner);
        enter(channels.as_ref().ok_or(StoreError::Closed)?)
    }

    async fn ask(&self, job: ReadJob, single: bool) -> StoreResult<()> {
        let (answer, answered) = oneshot::channel();
        self.channels(|channels| {
            channels.readers.try_send(Question { job, single, answer }).map_err(refusal)
        })?;
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
        Ok((store, group)) => {
            if ready.send(Ok(store)).is_ok() {
                let backend = wait(group.run());
                // Nothing is ever sent: it ends when the last reader has gone, and with it the last snapshot.
                let _ = readers.recv();
                backend.close();
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
) -> Result<(SqliteStore, GroupCommit<SqliteBackend>), OpenError> {
    let mut conn = open::open_writer(options, &database)?;
    let tails = backend::tails(&mut conn)?;
    let shared = Arc::new(Shared {
        cache: Cache::new(options.cache_bytes),
        audit_tail: AuditTail::new(tails.last_audit()),
    });
    let backend = SqliteBackend::new(conn, tails, options.index_after, shared.clone())?;
    let (committer, group) = Committer::queued(backend);
    let (questions, queue) = sync_channel(READ_QUEUE);
    let queue: Questions = Arc::new(Mutex::new(queue));
    for _ in 0..options.readers.max(1) {
        let conn = open::connect(&open::reading(&database))
            .map_err(|error| store_error("open the database to read", error))?;
        let (queue, shared, alive) = (queue.clone(), shared.clone(), alive.clone());
        spawn("koor-reader", move || reader::serve(conn, &queue, &shared.audit_tail, alive)).map_err(
            |source| OpenError::Io { attempted: "start a thread for", path: database.clone(), source },
        )?;
    }
    let channels = Channels { readers: questions, shutdown_guard: alive };
    let store = SqliteStore {
        database,
        shared,
        committer,
        channels: RwLock::new(Some(channels)),
        closed: AtomicBool::new(false),
        detached: Arc::default(),
        finished,
    };
    Ok((store, group))
}

/// Gives the place of a detached read back.
struct DetachedPlace(Arc<AtomicUsize>);

impl Drop for DetachedPlace {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn committer(&self) -> &Committer {
        &self.committer
    }

    async fn inspect(&self, job: ReadJob) -> StoreResult<()> {
        self.ask(job, false).await
    }

    async fn read_detached(&self, job: ReadJob) -> StoreResult<()> {
        let before = self.detached.fetch_add(1, Ordering::AcqRel);
        let place = DetachedPlace(self.detached.clone());
        if before >= MAX_DETACHED {
            return Err(StoreError::Busy);
        }
        let (answer, answered) = oneshot::channel();
        let alive = self.channels(|channels| Ok(channels.shutdown_guard.clone()))?;
        let database = self.database.clone();
        let body = move || {
            let result = reader::run_detached(&database, job);
            drop((place, alive));
            let _ = answer.send(result);
        };
        spawn("koor-detached", body)
            .map_err(|error| StoreError::Backend { attempted: "start a thread", source: error.into() })?;
        answered.await.unwrap_or(Err(StoreError::Closed))
    }

    async fn latest_document(&self, key: &DocumentKey) -> StoreResult<Option<Arc<Document>>> {
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
            let epoch = shared.cache.epoch(&key);
            let document = tx.document(&key)?.map(Arc::new);
            if let Some(document) = &document {
                shared.cache.fill(document, epoch);
            }
            // A caller that has gone away does not need to know.
            let _ = found.send(document);
            Ok(())
        });
        self.ask(job, true).await?;
        answer.await.map_err(|_| StoreError::Closed)
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
        self.committer.close();
        drop(self.channels.write().unwrap_or_else(PoisonError::into_inner).take());
        // Fails only when the writer's thread is gone, and then there is nothing to wait for.
        let _ = self.finished.clone().wait_for(|finished| *finished).await;
    }
}
