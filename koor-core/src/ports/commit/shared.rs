//! What the loop and its callers share.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
};

use crate::{domain::events::Event, ports::StoreError};

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
    pub(super) fn set_observer(&self, observer: Arc<dyn CommitObserver>) {
        *self.observer.write().unwrap_or_else(PoisonError::into_inner) = Some(observer);
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
