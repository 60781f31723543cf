//! The store itself: it hands jobs to the threads that do them.

use std::{
    convert::Infallible,
    io,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

use async_trait::async_trait;
use koor_core::{
    clock::{IdSource as _, SystemIds},
    domain::state::Document,
    ids::DocumentKey,
    ports::{Committer, GroupCommit, ReadJob, Store, StoreError, StoreResult},
};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    backend::PostgresBackend,
    conn::Conn,
    connect::Connector,
    documents::Documents,
    follower::{Follower, Own},
    known::LastCommit,
    leader::Leader,
    migrate::migrate,
    open_error::OpenError,
    reader::{self, Question, Questions, READ_QUEUE},
    statement::Statement,
    suitable::check_suitable,
    url::DatabaseUrl,
    wakeups::{Confirmation, MAX_WAITING, Wakeups},
};

/// Detached reads that run at a time: each has a connection of its own.
const MAX_DETACHED: usize = 2;

const SELECT_CHANNEL: &str = "SELECT 'koor_' || current_schema() AS channel";

/// How long one look at the log may take: those that wait for it are told soon, and the leadership is not held too long.
const FOLLOWER_DEADLINE: Duration = Duration::from_secs(3);

/// Where the database is, and what the store may use.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// The database. Its tables are made if they are not there.
    pub url: DatabaseUrl,
    /// How many questions are answered at a time: a connection for each.
    pub readers: usize,
    /// How much memory the newest versions of hot documents may take up.
    pub cache_bytes: usize,
    /// How long one statement may take. Longer than a failover, so that a commit that waits for a standby is not given up
    /// too early.
    pub deadline: Duration,
    /// How long a statement of a detached read may take.
    pub detached_deadline: Duration,
}

impl PostgresOptions {
    /// The defaults, for that database.
    #[must_use]
    pub fn new(url: DatabaseUrl) -> Self {
        Self {
            url,
            readers: 6,
            cache_bytes: 64 << 20,
            deadline: Duration::from_secs(10),
            detached_deadline: Duration::from_mins(5),
        }
    }
}

/// The channels to the readers. When they are gone, the readers finish.
struct Channels {
    readers: SyncSender<Question>,
    confirmations: mpsc::Sender<Confirmation>,
    /// Held by every reader: the writer leaves last.
    shutdown_guard: SyncSender<Infallible>,
}

/// All of Koor's data in a `PostgreSQL` database, which other servers may use at the same time.
///
/// A store that is dropped finishes what is queued in the background; [`close`](Store::close) waits for it.
pub struct PostgresStore {
    connector: Arc<Connector>,
    options: PostgresOptions,
    committer: Committer,
    documents: Arc<Documents>,
    leads: watch::Receiver<bool>,
    servers: Arc<AtomicU64>,
    channels: RwLock<Option<Channels>>,
    detached: Arc<AtomicUsize>,
    /// Turns true when the last thread is done.
    finished: watch::Receiver<bool>,
}

impl std::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresStore").field("url", self.connector.url()).finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// Opens the store, and makes its tables where there are none.
    ///
    /// # Errors
    /// When no host can be used, when the database does not keep what Koor promises, or when a newer program has
    /// changed it.
    pub async fn open(options: PostgresOptions) -> Result<Self, OpenError> {
        let (ready, opened) = oneshot::channel();
        // On a thread of its own from the beginning: connections are used by threads that wait for them.
        spawn("koor-writer", move || live(options, ready)).map_err(OpenError::Thread)?;
        opened.await.unwrap_or(Err(OpenError::Store(StoreError::Closed)))
    }

    fn channels<T>(&self, enter: impl FnOnce(&Channels) -> StoreResult<T>) -> StoreResult<T> {
        let channels = self.channels.read().unwrap_or_else(PoisonError::into_inner);
        enter(channels.as_ref().ok_or(StoreError::Closed)?)
    }

    async fn ask<T>(
        &self,
        question: impl FnOnce(oneshot::Sender<StoreResult<T>>) -> Question,
    ) -> StoreResult<T> {
        let (answer, answered) = oneshot::channel();
        self.channels(|channels| channels.readers.try_send(question(answer)).map_err(refusal))?;
        answered.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Waits until every commit that was there before now has been seen.
    async fn confirm(&self) -> StoreResult<()> {
        let (answer, answered) = oneshot::channel();
        self.channels(|channels| channels.confirmations.try_send(answer).map_err(|_| StoreError::Busy))?;
        answered.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Runs something on a thread and a connection of its own.
    async fn run_detached<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Conn) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let before = self.detached.fetch_add(1, Ordering::AcqRel);
        let place = DetachedPlace(Arc::clone(&self.detached));
        if before >= MAX_DETACHED {
            return Err(StoreError::Busy);
        }
        let (answer, answered) = oneshot::channel();
        let alive = self.channels(|channels| Ok(channels.shutdown_guard.clone()))?;
        let (connector, deadline) = (Arc::clone(&self.connector), self.options.detached_deadline);
        let body = move || {
            let result = Conn::new(connector, deadline).and_then(|mut conn| {
                let result = work(&mut conn);
                conn.close();
                result
            });
            drop((place, alive));
            // A caller that has gone away does not need to know.
            let _ = answer.send(result);
        };
        spawn("koor-detached", body)
            .map_err(|error| StoreError::Backend { attempted: "start a thread", source: error.into() })?;
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

/// Wakes the thread that waits in [`wait`].
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs the group commit on this thread. It waits for its queue alone: the backend waits inside of its connection.
fn wait<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// The life of a store, on the writer's thread.
fn live(options: PostgresOptions, ready: oneshot::Sender<Result<PostgresStore, OpenError>>) {
    let (alive, readers) = sync_channel(0);
    let (finish, finished) = watch::channel(false);
    match start(options, alive, finished) {
        Ok((store, group)) => {
            // A caller that has gone away drops the store, which ends the loop below.
            drop(ready.send(Ok(store)));
            let backend = wait(group.run());
            // Nothing is ever sent: it ends when the last reader has gone.
            let _ = readers.recv();
            backend.close();
        }
        Err(error) => drop(ready.send(Err(error))),
    }
    finish.send_replace(true);
}

fn start(
    options: PostgresOptions,
    alive: SyncSender<Infallible>,
    finished: watch::Receiver<bool>,
) -> Result<(PostgresStore, GroupCommit<PostgresBackend>), OpenError> {
    let connector = Arc::new(Connector::new(options.url.clone()));
    let mut conn = Conn::new(Arc::clone(&connector), options.deadline)?;
    conn.connect_first()?;
    check_suitable(&mut conn)?;
    migrate(&mut conn)?;
    let server = *SystemIds.instance_id().as_bytes();
    let channel = channel(&mut conn)?;
    let last_commit = Arc::new(LastCommit::default());
    let (committer, group) = Committer::queued(PostgresBackend::new(conn, server, Arc::clone(&last_commit)));
    let documents = Arc::new(Documents::new(options.cache_bytes));
    let (confirmations, waiting) = mpsc::channel(MAX_WAITING);
    let (lead, leads) = watch::channel(false);
    let servers = Arc::new(AtomicU64::new(1));
    let follower = Follower::new(
        Conn::new(Arc::clone(&connector), FOLLOWER_DEADLINE)?,
        Wakeups::new(Arc::clone(&connector), waiting, channel, hex(&server))?,
        Arc::clone(&documents),
        committer.feed(),
        Own { server, last_commit },
        Leader::new(server, lead, Arc::clone(&servers)),
    );
    let follows = alive.clone();
    let follow = move || {
        follower.run();
        drop(follows);
    };
    spawn("koor-follower", follow).map_err(OpenError::Thread)?;
    let (questions, queue) = sync_channel(READ_QUEUE);
    let queue: Questions = Arc::new(Mutex::new(queue));
    for _ in 0..options.readers.max(1) {
        let conn = Conn::new(Arc::clone(&connector), options.deadline)?;
        let (queue, alive) = (Arc::clone(&queue), alive.clone());
        spawn("koor-reader", move || reader::serve(conn, &queue, alive)).map_err(OpenError::Thread)?;
    }
    let channels = Channels { readers: questions, confirmations, shutdown_guard: alive };
    let store = PostgresStore {
        connector,
        options,
        committer,
        documents,
        leads,
        servers,
        channels: RwLock::new(Some(channels)),
        detached: Arc::default(),
        finished,
    };
    Ok((store, group))
}

/// The channel that commits are notified in: one for each schema.
fn channel(conn: &mut Conn) -> StoreResult<String> {
    let statement = Statement::new("ask for the schema", SELECT_CHANNEL);
    Ok(conn.row(statement, "", |row| row.get("channel"))?.unwrap_or_default())
}

/// An id as its notifications say.
fn hex(id: &[u8]) -> String {
    id.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// Gives the place of a detached read back.
struct DetachedPlace(Arc<AtomicUsize>);

impl Drop for DetachedPlace {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[async_trait]
impl Store for PostgresStore {
    fn committer(&self) -> &Committer {
        &self.committer
    }

    async fn inspect(&self, job: ReadJob) -> StoreResult<()> {
        self.ask(|answer| Question::Job { job, answer }).await
    }

    async fn read_detached(&self, job: ReadJob) -> StoreResult<()> {
        self.run_detached(move |conn| {
            reader::begin(conn)?;
            reader::run(conn, job)
        })
        .await
    }

    async fn latest_document(&self, key: &DocumentKey) -> StoreResult<Option<Arc<Document>>> {
        if self.documents.get(key).is_some() {
            self.confirm().await?;
            if let Some(document) = self.documents.get(key) {
                return Ok(Some(document));
            }
        }
        let seen = self.documents.seen();
        let found = self.ask(|answer| Question::Document { key: key.clone(), answer }).await?;
        Ok(found.map(|(id, document)| {
            let document = Arc::new(document);
            self.documents.fill(id, &document, seen);
            document
        }))
    }

    async fn size(&self) -> StoreResult<u64> {
        self.ask(|answer| Question::Size { answer }).await
    }

    fn leadership(&self) -> Option<watch::Receiver<bool>> {
        Some(self.leads.clone())
    }

    fn servers(&self) -> u64 {
        self.servers.load(Ordering::Relaxed)
    }

    async fn close(&self) {
        self.committer.close();
        drop(self.channels.write().unwrap_or_else(PoisonError::into_inner).take());
        // Fails only when the writer's thread is gone, and then there is nothing to wait for.
        drop(self.finished.clone().wait_for(|finished| *finished).await);
    }
}
