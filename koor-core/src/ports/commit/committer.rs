//! The way to the loop.

use std::{
    fmt,
    pin::pin,
    sync::{Arc, Mutex, PoisonError, RwLock},
    task::{Context, Poll, Waker},
};

use tokio::sync::{
    mpsc::{Sender, error::TrySendError},
    oneshot,
};

use super::{
    group::GroupCommit,
    job::{Job, Request},
    shared::{CommitFeed, CommitObserver, Commits, Shared, StoreHealth},
};
use crate::{
    ids::Cursor,
    ports::{Backend, StoreError, StoreResult},
};

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
    /// A committer with a queue, and the loop that works on it: [`GroupCommit::run`] drives it, on whatever thread or
    /// runtime the technology likes.
    pub fn queued<B: Backend>(backend: B) -> (Self, GroupCommit<B>) {
        let (group, queue, shared) = GroupCommit::new(backend);
        (Self { shared, way: Way::Queue(RwLock::new(Some(queue))) }, group)
    }

    /// A committer that commits on the caller's thread, one job at a time, without a loop of its own: for
    /// backends that never wait, such as one in memory.
    pub fn inline(backend: impl Backend) -> Self {
        let (group, _queue, shared) = GroupCommit::new(backend);
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

    /// Names the one that learns of commits from now on: of events after `last`. Earlier ones are in the log.
    pub fn set_commit_observer(&self, observer: Arc<dyn CommitObserver>, last: Cursor) {
        self.shared.set_observer(observer, last);
    }

    /// The way to tell the observer what other servers have committed to the same store.
    #[must_use]
    pub fn feed(&self) -> CommitFeed {
        CommitFeed(Arc::clone(&self.shared))
    }

    /// Whether changes can be committed now; tries to, where the last attempt failed.
    pub async fn health(&self) -> StoreHealth {
        if self.is_closed() {
            return StoreHealth::Degraded(StoreError::Closed.to_string());
        }
        if self.shared.has_failed_often() {
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
        self.shared.commits()
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
