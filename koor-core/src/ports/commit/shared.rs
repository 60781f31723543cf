//! What the loop and its callers share.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
};

use crate::{domain::events::Event, ids::Cursor, ports::StoreError};

/// Learns of events the moment they are durable.
pub trait CommitObserver: Send + Sync + 'static {
    /// Called after each commit that holds events, before any of its jobs is answered, with all its events; and with those that
    /// other servers have committed to the same store. Calls follow each other in the order of ids, and each event comes once.
    /// Must be quick: writing waits for it.
    fn committed(&self, events: &[Event]);

    /// Called when the log is no longer the one that was announced, and ends there now: it has gone back, as when a database came
    /// back from a replica that lacked its last commits. What is held of it counts no more.
    fn reset(&self, last: Cursor);
}

/// Tells the observer of a store what other servers have committed. Of the events that it is given, it passes on those that are
/// new, whoever brings them first.
#[derive(Clone)]
pub struct CommitFeed(pub(super) Arc<Shared>);

impl CommitFeed {
    /// Up to where events have been passed on; `None` while there is no observer.
    #[must_use]
    pub fn announced(&self) -> Option<Cursor> {
        self.0.announced()
    }

    /// Passes on events that are durable. There must be none between those that were passed on and these.
    pub fn announce(&self, events: &[Event]) {
        self.0.announce(events);
    }

    /// Says that the log is another one now, and where it ends.
    pub fn reset(&self, last: Cursor) {
        self.0.reset(last);
    }
}

/// The observer, and up to where it has been told.
struct Announced {
    observer: Arc<dyn CommitObserver>,
    last: Cursor,
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
    /// Locked while the observer is told, so that calls from several threads stay in order.
    announced: Mutex<Option<Announced>>,
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
    pub(super) fn set_observer(&self, observer: Arc<dyn CommitObserver>, last: Cursor) {
        *self.lock() = Some(Announced { observer, last });
    }

    fn lock(&self) -> MutexGuard<'_, Option<Announced>> {
        self.announced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn announced(&self) -> Option<Cursor> {
        self.lock().as_ref().map(|announced| announced.last)
    }

    /// Tells the observer of those of the events that it has not been told of.
    pub(super) fn announce(&self, events: &[Event]) {
        let mut announced = self.lock();
        let Some(Announced { observer, last }) = announced.as_mut() else { return };
        let new = &events[events.partition_point(|event| Cursor::from(event.id) <= *last)..];
        let Some(newest) = new.last() else { return };
        *last = newest.id.into();
        if catch_unwind(AssertUnwindSafe(|| observer.committed(new))).is_err() {
            // The events are in the log. Stopping to write would help no client.
            tracing::error!("the commit observer panicked");
        }
    }

    fn reset(&self, to: Cursor) {
        let mut announced = self.lock();
        let Some(Announced { observer, last }) = announced.as_mut() else { return };
        *last = to;
        if catch_unwind(AssertUnwindSafe(|| observer.reset(to))).is_err() {
            tracing::error!("the commit observer panicked");
        }
    }

    pub(super) fn commits(&self) -> Commits {
        Commits { commits: self.commits.load(Relaxed), jobs: self.jobs.load(Relaxed) }
    }

    /// Whether commits fail, one after another, for other reasons than room or permission.
    pub(super) fn has_failed_often(&self) -> bool {
        self.faults.load(Relaxed) >= FAULTS
    }

    pub(super) fn write_failure(&self) -> Option<&'static str> {
        *self.write_failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note_failure(&self, error: &StoreError) {
        let reason = match error {
            StoreError::Full { reason } => reason,
            StoreError::Busy => "locked by another program",
            StoreError::Unreachable | StoreError::Unresolved => "the database cannot be reached",
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
        self.announce(events);
    }
}
