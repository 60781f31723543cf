//! The way to the loop, and what it shares with the rest of the core.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
};

use tokio::sync::{
    mpsc::{Sender, error::TrySendError},
    oneshot,
};

use super::group::{GroupCommit, Job, Request};
use crate::{
    domain::events::Event,
    ports::{Backend, StoreError, StoreResult},
};

/// Learns of events the moment they are durable.
pub trait CommitObserver: Send + Sync + 'static {
    /// Called after each commit that holds events, before any of its jobs is answered, with all its events. Calls
    /// follow each other in the order of ids. Must be quick: writing waits for it.
    fn committed(&self, events: &[Event]);
}

/// Whether a store can do its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreHealth {
    /// It can.
    Ok,
    /// It can read, but not write, for this reason.
    Degraded(String),
}

/// What has been committed since the store was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Commits {
    /// How often something was committed.
    pub commits: u64,
    /// How many jobs these commits carried.
    pub jobs: u64,
}

/// What the loop and its callers share.
#[derive(Default)]
pub(super) struct Shared {
    observer: RwLock<Option<Arc<dyn CommitObserver>>>,
    commits: AtomicU64,
    jobs: AtomicU64,
    /// Why the last attempt to write failed, if that was for want of room or permission.
    write_failure: Mutex<Option<&'static str>>,
    /// How many commits in a row have failed for another reason, since one with an audit entry succeeded.
    faults: AtomicU32,
}

/// So many faults in a row are no longer the fault of one job: the store fails. Every command writes an audit entry, so one
/// that succeeds is enough to know better.
const FAULTS: u32 = 3;

impl Shared {
    fn write_failure(&self) -> Option<&'static str> {
        *self.write_failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note_failure(&self, error: &StoreError) {
        let reason = match error {
            StoreError::Full { reason } => reason,
            StoreError::Busy => "locked by another program",
            StoreError::Backend { .. }
            | StoreError::Corrupt { .. }
            | StoreError::Closed
            | StoreError::NotFetched => {
                self.faults.fetch_add(1, Relaxed);
                return;
            }
        };
        tracing::warn!(reason, "cannot write");
        *self.write_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    }

    pub(super) fn forget_failure(&self) {
        *self.write_failure.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Makes a commit known. Jobs that are answered after this see all of it.
    pub(super) fn note_commit(&self, events: &[Event], audited: bool, jobs: usize) {
        self.forget_failure();
        if audited {
            self.faults.store(0, Relaxed);
        }
        self.commits.fetch_add(1, Relaxed);
        self.jobs.fetch_add(jobs as u64, Relaxed);
        if events.is_empty() {
            return;
        }
        let observer = self.observer.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(observer) = observer
            && catch_unwind(AssertUnwindSafe(|| observer.committed(events))).is_err()
        {
            // The events are in the log. Stopping to write would help no client.
            tracing::error!("the commit observer panicked");
        }
    }
}

/// How requests reach the loop.
enum Way {
    /// Through a queue, to a loop that runs by itself. `None` once it is closed.
    Queue(RwLock<Option<Sender<Request>>>),
    /// On the caller's thread. `None` once it is closed.
    Inline(Mutex<Option<Box<dyn Inline>>>),
}

/// A loop that is driven by its callers.
trait Inline: Send {
    fn serve(&mut self, request: Request);
}

impl<B: Backend> Inline for GroupCommit<B> {
    fn serve(&mut self, request: Request) {
        let mut served = pin!(GroupCommit::serve(self, request));
        if served.as_mut().poll(&mut Context::from_waker(Waker::noop())) == Poll::Pending {
            // Its job is dropped here, and so answered as closed.
            tracing::error!("a backend that waits cannot be driven inline");
        }
    }
}

/// The way to write: commands go in here, and are answered when they are durable. Every store has one.
pub struct Committer {
    shared: Arc<Shared>,
    way: Way,
}

impl fmt::Debug for Committer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Committer")
    }
}

impl Committer {
    pub(super) fn queued(shared: Arc<Shared>, queue: Sender<Request>) -> Self {
        Self { shared, way: Way::Queue(RwLock::new(Some(queue))) }
    }

    /// A committer that commits on the thread of whoever calls, one job at a time, without a loop of its own: for
    /// backends that never wait, such as one in memory.
    pub fn inline(backend: impl Backend) -> Self {
        let (group, Self { shared, .. }) = GroupCommit::new(backend);
        Self { shared, way: Way::Inline(Mutex::new(Some(Box::new(group)))) }
    }

    /// Puts a job into the queue; it is answered through the job itself.
    ///
    /// # Errors
    /// When too many are waiting, or the committer is closed. The job has not run then.
    pub(crate) fn submit(&self, job: Box<dyn Job>) -> StoreResult<()> {
        self.send(Request::Job(job))
    }

    fn send(&self, request: Request) -> StoreResult<()> {
        match &self.way {
            Way::Queue(queue) => {
                let queue = queue.read().unwrap_or_else(PoisonError::into_inner);
                queue.as_ref().ok_or(StoreError::Closed)?.try_send(request).map_err(|error| match error {
                    TrySendError::Full(_) => StoreError::Busy,
                    TrySendError::Closed(_) => StoreError::Closed,
                })
            }
            Way::Inline(group) => {
                let mut group = group.lock().unwrap_or_else(PoisonError::into_inner);
                group.as_mut().ok_or(StoreError::Closed)?.serve(request);
                Ok(())
            }
        }
    }

    /// Names the one that learns of commits from now on. Events of earlier commits are in the log.
    pub fn set_commit_observer(&self, observer: Arc<dyn CommitObserver>) {
        *self.shared.observer.write().unwrap_or_else(PoisonError::into_inner) = Some(observer);
    }

    /// Whether changes can be committed now; tries to, where the last attempt failed.
    pub async fn health(&self) -> StoreHealth {
        if self.is_closed() {
            return StoreHealth::Degraded(StoreError::Closed.to_string());
        }
        if self.shared.faults.load(Relaxed) >= FAULTS {
            return StoreHealth::Degraded("writes fail".to_owned());
        }
        let Some(reason) = self.shared.write_failure() else { return StoreHealth::Ok };
        let (answer, answered) = oneshot::channel();
        if self.send(Request::Probe(answer)).is_err() {
            return StoreHealth::Degraded(reason.to_owned());
        }
        match answered.await {
            Ok(Ok(())) => StoreHealth::Ok,
            Ok(Err(StoreError::Full { reason })) => StoreHealth::Degraded(reason.to_owned()),
            Ok(Err(_)) | Err(_) => StoreHealth::Degraded(reason.to_owned()),
        }
    }

    /// What has been committed since the store was opened.
    #[must_use]
    pub fn commits(&self) -> Commits {
        let Shared { commits, jobs, .. } = &*self.shared;
        Commits { commits: commits.load(Relaxed), jobs: jobs.load(Relaxed) }
    }

    /// Whether it takes on nothing more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        match &self.way {
            Way::Queue(queue) => queue.read().unwrap_or_else(PoisonError::into_inner).is_none(),
            Way::Inline(group) => group.lock().unwrap_or_else(PoisonError::into_inner).is_none(),
        }
    }

    /// Takes on nothing more. What is queued is still done.
    pub fn close(&self) {
        match &self.way {
            Way::Queue(queue) => drop(queue.write().unwrap_or_else(PoisonError::into_inner).take()),
            Way::Inline(group) => drop(group.lock().unwrap_or_else(PoisonError::into_inner).take()),
        }
    }
}
