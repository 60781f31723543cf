//! The one writer: a thread that takes what is queued, runs it, and commits it together.
//!
//! There is no timer: what queues up during a commit is the next batch.

use std::{
    collections::VecDeque,
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
    },
};

use koor_core::ports::{CommitObserver, StoreError, StoreResult, Verdict, WriteJob};
use tokio::sync::oneshot;

use crate::{
    batch::{Batch, Committed, roll_back},
    cache::Cache,
    conn::{Conn, Statement},
    error::broken,
    heads::{Heads, Tails},
    indexing::Indexing,
    recent::Recent,
    rows,
    script::Scripts,
    tx::Tx,
};

/// What one commit carries at most: with more, the first of them would wait too long for the last.
const MAX_BATCH: usize = 512;

/// Two full batches: enough to hide one fsync, small enough to refuse early.
const WRITE_QUEUE: usize = 2 * MAX_BATCH;

const CHECKPOINT: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

/// What the writer can be asked to do.
pub(crate) enum Work {
    /// Run a job.
    Job(WriteJob),
    /// Write something durable, to find out whether that works.
    Probe,
}

/// Work, and who waits for it.
pub(crate) struct Task {
    pub(crate) work: Work,
    pub(crate) answer: oneshot::Sender<StoreResult<()>>,
}

impl Task {
    fn answer(self, result: StoreResult<()>) {
        // Whoever has gone away doesn't need to know.
        let _ = self.answer.send(result);
    }
}

fn answer(ran: Vec<(Task, StoreResult<()>)>) {
    for (task, result) in ran {
        task.answer(result);
    }
}

/// What the writer shares with the rest of the store.
pub(crate) struct Shared {
    pub(crate) cache: Cache,
    pub(crate) recent: Recent,
    pub(crate) observer: RwLock<Option<Arc<dyn CommitObserver>>>,
    pub(crate) commits: AtomicU64,
    pub(crate) jobs: AtomicU64,
    /// Why the last attempt to write failed, if it did for want of room or permission.
    pub(crate) trouble: Mutex<Option<&'static str>>,
    /// How many transactions in a row have failed for another reason, since one with an audit entry was committed.
    pub(crate) faults: AtomicU32,
}

/// So many faults in a row are no longer the fault of one job: the store fails. Every command writes an audit entry, so
/// one that succeeds is enough to know better.
const FAULTS: u32 = 3;

impl Shared {
    pub(crate) fn trouble(&self) -> Option<&'static str> {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether commands fail, one after another, for other reasons than room or permission.
    pub(crate) fn fails(&self) -> bool {
        self.faults.load(Relaxed) >= FAULTS
    }

    fn set_trouble(&self, trouble: Option<&'static str>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

/// What became of a job inside a batch.
enum Ran {
    /// It ran, and has this result once the batch is durable.
    Done(StoreResult<()>),
    /// What it wrote must be undone, or is lost already. Alone, this is its result.
    Spoiled(StoreResult<()>),
}

/// The ends of everything, as the tables know them.
pub(crate) fn tails(conn: &mut Conn) -> StoreResult<Tails> {
    Ok(Tails {
        key_id: rows::state::last_key_id(conn)?,
        audit: rows::audit::head(conn)?,
        bounds: rows::events::bounds(conn)?,
        run: rows::compliance::last(conn)?,
        usage: rows::usage::last(conn)?,
    })
}

/// The writer.
pub(crate) struct Writer {
    conn: Conn,
    heads: Heads,
    scripts: Scripts,
    tails: Tails,
    indexing: Indexing,
    shared: Arc<Shared>,
    queue: Receiver<Task>,
    /// Jobs of a batch that was given up before their turn.
    waiting: VecDeque<Task>,
}

impl Writer {
    /// A writer on that connection, and the way to its queue.
    pub(crate) fn new(
        mut conn: Conn,
        tails: Tails,
        index_after: u32,
        shared: Arc<Shared>,
    ) -> StoreResult<(Self, SyncSender<Task>)> {
        let indexing = Indexing::on(&mut conn, index_after)?;
        let (sender, queue) = sync_channel(WRITE_QUEUE);
        let writer = Self {
            conn,
            heads: Heads::default(),
            scripts: Scripts::default(),
            tails,
            indexing,
            shared,
            queue,
            waiting: VecDeque::new(),
        };
        Ok((writer, sender))
    }

    /// Works until nobody can send any more jobs; then waits for the readers to be gone and leaves everything in order.
    pub(crate) fn run(mut self, readers: &Receiver<Infallible>) {
        while let Some(task) = self.next() {
            self.run_together(task);
            self.index();
        }
        // Nothing is ever sent: it ends when the last reader has gone, and with it the last snapshot.
        let _ = readers.recv();
        if let Err(error) = self.conn.execute(Statement::new("checkpoint", CHECKPOINT)) {
            tracing::warn!(%error, "cannot checkpoint; the next start will");
        }
        if let Err(error) = self.conn.close() {
            tracing::warn!(%error, "cannot close the database; the next start will put it in order");
        }
    }

    /// Runs a job and all that are queued behind it in one transaction.
    fn run_together(&mut self, first: Task) {
        let Self { conn, heads, scripts, tails, queue, waiting, .. } = self;
        let mut tx = Tx { conn, mode: Batch::new(heads, scripts, *tails) };
        let mut ran = Vec::new();
        let mut next = Some(first);
        let mut spoiled = false;
        while let Some(mut task) = next {
            let result = match run(&mut tx, &mut task.work) {
                Ran::Done(result) => result,
                Ran::Spoiled(result) => {
                    spoiled = true;
                    result
                }
            };
            ran.push((task, result));
            let room = !spoiled && ran.len() < MAX_BATCH && !tx.mode.is_full();
            next = if room { waiting.pop_front().or_else(|| queue.try_recv().ok()) } else { None };
        }
        if spoiled {
            drop(tx);
            self.roll_back();
            self.run_apart(ran);
            return;
        }
        match tx.mode.commit(tx.conn) {
            Ok(committed) => {
                self.publish(committed, ran.len());
                answer(ran);
            }
            Err(error) => {
                self.roll_back();
                match error {
                    // Somebody else has the database. Each job would wait for as long as all of them did.
                    StoreError::Busy => {
                        answer(ran.into_iter().map(|(task, _)| (task, Err(StoreError::Busy))).collect());
                    }
                    error => match <[_; 1]>::try_from(ran) {
                        // It was alone already: nothing is learned by trying the same again.
                        Ok([(task, _)]) => task.answer(Err(error)),
                        Err(ran) => self.run_apart(ran),
                    },
                }
            }
        }
    }

    /// Runs each job again, alone, so that only those fail that fail by themselves.
    fn run_apart(&mut self, ran: Vec<(Task, StoreResult<()>)>) {
        if ran.len() == 1 {
            // It was alone already: what it got is what it gets.
            return answer(ran);
        }
        for (mut task, _) in ran {
            let Self { conn, heads, scripts, tails, .. } = self;
            let mut tx = Tx { conn, mode: Batch::new(heads, scripts, *tails) };
            let result = match run(&mut tx, &mut task.work) {
                Ran::Spoiled(result) => Err(result),
                Ran::Done(result) => match tx.mode.commit(tx.conn) {
                    Ok(committed) => {
                        self.publish(committed, 1);
                        Ok(result)
                    }
                    Err(error) => Err(Err(error)),
                },
            };
            let result = result.unwrap_or_else(|failure| {
                self.roll_back();
                failure
            });
            task.answer(result);
        }
    }

    /// Makes known what has become durable: whoever is answered after this sees all of it.
    fn publish(&mut self, committed: Committed, jobs: usize) {
        let Committed { tails, events, written, outgrown, audited, wrote } = committed;
        self.tails = tails;
        if !audited.is_empty() {
            self.shared.faults.store(0, Relaxed);
            self.shared.recent.push(&audited, tails.last_audit());
        }
        for key in &outgrown {
            self.shared.cache.forget(key);
        }
        for document in &written {
            self.shared.cache.store(document);
        }
        if wrote {
            self.shared.set_trouble(None);
            self.shared.commits.fetch_add(1, Relaxed);
            self.shared.jobs.fetch_add(jobs as u64, Relaxed);
        }
        if events.is_empty() {
            return;
        }
        let observer = self.shared.observer.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(observer) = observer
            && catch_unwind(AssertUnwindSafe(|| observer.committed(&events))).is_err()
        {
            // The events are in the log. Stopping to write would not help anybody.
            tracing::error!("the observer of commits panicked");
        }
    }

    /// The next task; while there is none, the index of the audit log is brought on. `None` when nobody can send any more.
    fn next(&mut self) -> Option<Task> {
        loop {
            if let Some(task) = self.waiting.pop_front() {
                return Some(task);
            }
            if !self.indexing.is_due(&self.tails) {
                return self.queue.recv().ok();
            }
            match self.queue.try_recv() {
                Ok(task) => return Some(task),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => self.index(),
            }
        }
    }

    /// Takes a step towards an index that has all of the audit log, if it is time to.
    fn index(&mut self) {
        if !self.indexing.is_due(&self.tails) {
            return;
        }
        match self.indexing.step(&mut self.conn, &self.tails) {
            Ok(Some(through)) => self.shared.recent.forget(through),
            Ok(None) => {}
            Err(error) => {
                // They are found without it, if more slowly.
                tracing::warn!(%error, "cannot index the audit log; trying again later");
                self.roll_back();
                self.indexing.put_off(&self.tails);
            }
        }
    }

    /// Undoes everything, and remembers why.
    fn roll_back(&mut self) {
        if self.conn.has_fault() {
            self.shared.faults.fetch_add(1, Relaxed);
        }
        let trouble = roll_back(&mut self.conn);
        if let Some(reason) = trouble {
            tracing::warn!(reason, "cannot write");
            self.shared.set_trouble(trouble);
        }
    }
}

/// Runs one job of a batch.
fn run(tx: &mut Tx<'_, Batch<'_>>, work: &mut Work) -> Ran {
    tx.mode.dirty = false;
    let result = catch_unwind(AssertUnwindSafe(|| match work {
        Work::Job(job) => job(tx),
        Work::Probe => tx.probe().map(|()| Verdict::Keep),
    }));
    let Ok(result) = result else {
        // Where it stopped nobody knows, so nothing of the batch can be trusted.
        return Ran::Spoiled(Err(broken("run the job", "it panicked")));
    };
    let failure = tx.conn.check();
    match (result, failure) {
        (Err(error), Err(_)) => Ran::Spoiled(Err(error)),
        // A job that goes on as if nothing had been has lost what it wrote all the same.
        (Ok(_), Err(failure)) => Ran::Spoiled(Err(failure)),
        (Ok(Verdict::Undo), Ok(())) if tx.mode.dirty => Ran::Spoiled(Ok(())),
        (Err(error), Ok(())) if tx.mode.dirty => Ran::Spoiled(Err(error)),
        (Ok(Verdict::Keep | Verdict::Undo), Ok(())) => Ran::Done(Ok(())),
        (Err(error), Ok(())) => Ran::Done(Err(error)),
    }
}
