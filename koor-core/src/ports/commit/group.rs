//! The loop.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use tokio::sync::{
    mpsc::{Receiver, Sender, channel, error::TryRecvError},
    oneshot,
};

use super::{
    job::{Job, Ran, Request},
    shared::Shared,
    view::View,
};
use crate::{
    ids::EventId,
    ports::{Backend, Basis, Change, EventChange, FactSet, Outcome, StoreError, StoreResult},
};

/// What one commit carries at most: with more, the first of them would wait too long for the last.
const MAX_BATCH: usize = 512;

/// A batch that carries more bytes than this takes on no more jobs.
const MAX_BATCH_BYTES: usize = 8 << 20;

/// Two full batches: enough to hide one fsync, small enough to refuse early.
const QUEUE: usize = 2 * MAX_BATCH;

type Jobs = Vec<Box<dyn Job>>;

/// Why a batch was not committed.
enum Failure {
    /// Another writer was faster: run it again on newer facts.
    Stale,
    /// The technology failed.
    Store(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The loop on a backend, as [`Committer::queued`](crate::ports::Committer::queued) makes it.
pub struct GroupCommit<B> {
    backend: B,
    shared: Arc<Shared>,
    queue: Receiver<Request>,
    /// Jobs that a full batch left for the next one.
    waiting: VecDeque<Box<dyn Job>>,
    /// Whether the backend has housekeeping to do.
    tending: bool,
}

impl<B: Backend> GroupCommit<B> {
    /// The loop on that backend, the end of its queue for requests, and what it shares with those who send them.
    pub(super) fn new(backend: B) -> (Self, Sender<Request>, Arc<Shared>) {
        let (sender, queue) = channel(QUEUE);
        let shared = Arc::new(Shared::default());
        let group =
            Self { backend, shared: Arc::clone(&shared), queue, waiting: VecDeque::new(), tending: true };
        (group, sender, shared)
    }

    /// Works until the [`Committer`](crate::ports::Committer) is closed and everything queued is done; answers the backend.
    pub async fn run(mut self) -> B {
        while let Some(request) = self.next().await {
            self.serve(request).await;
            self.tending = self.backend.tend().await;
        }
        self.backend
    }

    /// The next request; while there is none, the backend does its housekeeping. `None` when none can come.
    async fn next(&mut self) -> Option<Request> {
        loop {
            if let Some(job) = self.waiting.pop_front() {
                return Some(Request::Job(job));
            }
            if !self.tending {
                return self.queue.recv().await;
            }
            match self.queue.try_recv() {
                Ok(request) => return Some(request),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => self.tending = self.backend.tend().await,
            }
        }
    }

    /// Does what is asked, and whatever has queued up behind it.
    pub(super) async fn serve(&mut self, request: Request) {
        let mut jobs = Jobs::new();
        let mut probes = Vec::new();
        let mut next = Some(request);
        while let Some(request) = next {
            match request {
                Request::Job(job) => jobs.push(job),
                Request::Probe(answer) => probes.push(answer),
            }
            next = match self.waiting.pop_front() {
                _ if jobs.len() >= MAX_BATCH => None,
                Some(job) => Some(Request::Job(job)),
                None => self.queue.try_recv().ok(),
            };
        }
        self.commit_together(jobs).await;
        if !probes.is_empty() {
            self.probe(probes).await;
        }
    }

    /// Commits jobs in one batch; when that fails, each alone, so that only those fail that fail by themselves.
    async fn commit_together(&mut self, jobs: Jobs) {
        let Err((mut jobs, error)) = self.commit(jobs).await else { return };
        match error {
            // Another program has the database: each job alone would wait as long as all of them did.
            StoreError::Busy => settle(jobs, || Err(StoreError::Busy)),
            StoreError::Unreachable => settle(jobs, || Err(StoreError::Unreachable)),
            // Done again, what was done would be done twice.
            StoreError::Unresolved => settle(jobs, || Err(StoreError::Unresolved)),
            error if jobs.len() == 1 => {
                if let Some(job) = jobs.pop() {
                    job.settle(Err(error));
                }
            }
            _ => {
                for job in jobs {
                    if let Err((jobs, error)) = self.commit(vec![job]).await {
                        let mut error = Some(error);
                        settle(jobs, || Err(error.take().unwrap_or(StoreError::Closed)));
                    }
                }
            }
        }
    }

    /// Runs jobs and commits their changes; settles them, or answers those that were not committed.
    async fn commit(&mut self, mut jobs: Jobs) -> Result<(), (Jobs, StoreError)> {
        let mut basis = Basis::Newest;
        loop {
            let error = match self.attempt(&mut jobs, basis).await {
                Ok(()) => {
                    settle(jobs, || Ok(()));
                    return Ok(());
                }
                // Optimistic first, locked after one miss: retries that only compare would starve.
                Err(Failure::Stale) if basis == Basis::Newest => {
                    basis = Basis::Locked;
                    continue;
                }
                Err(Failure::Stale) => StoreError::Busy,
                Err(Failure::Store(error)) => error,
            };
            if basis == Basis::Locked {
                self.backend.rollback().await;
            }
            self.shared.note_failure(&error);
            return Err((jobs, error));
        }
    }

    /// Fetches, runs, commits. Jobs for which the batch has no room are left in `waiting`.
    async fn attempt(&mut self, jobs: &mut Jobs, basis: Basis) -> Result<(), Failure> {
        let mut wanted = FactSet::default();
        for job in &*jobs {
            job.reads(&mut wanted);
        }
        let mut view = View::new(self.backend.fetch(&wanted, basis).await?);
        let mut ran = 0;
        while let Some(job) = jobs.get_mut(ran).filter(|_| view.bytes() <= MAX_BATCH_BYTES) {
            self.run_job(job, &mut view, basis).await?;
            ran += 1;
        }
        for job in jobs.drain(ran..).rev() {
            self.waiting.push_front(job);
        }
        let point = view.point();
        let changes = view.into_changes();
        if changes.is_empty() && !(basis == Basis::Newest && self.backend.has_other_writers()) {
            if basis == Basis::Locked {
                self.backend.rollback().await;
            }
            return Ok(());
        }
        match self.backend.commit(point, &changes).await? {
            Outcome::Committed => {}
            Outcome::Stale => return Err(Failure::Stale),
        }
        if changes.is_empty() {
            return Ok(());
        }
        let audited = changes.iter().any(|change| matches!(change, Change::AppendAudit(_)));
        let events = changes.into_iter().filter_map(|change| match change {
            Change::Event(EventChange::Append(event) | EventChange::Restore(event)) => Some(event),
            _ => None,
        });
        let mut events: Vec<_> = events.collect();
        if let Some(first) = events.first()
            && let Err(error) = self.announce_others(first.id).await
        {
            // Whatever follows the log for this store will announce these with those before them.
            tracing::warn!(%error, "cannot read what other servers committed before");
            events.clear();
        }
        self.shared.note_commit(&events, audited, ran);
        Ok(())
    }

    /// Announces the events of other servers that come before the first of a commit.
    async fn announce_others(&mut self, first: EventId) -> StoreResult<()> {
        while let Some(after) = self.shared.announced().filter(|last| last.next() < first) {
            let others = self.backend.events_between(after, first).await?;
            if others.is_empty() {
                return Ok(());
            }
            self.shared.announce(&others);
        }
        Ok(())
    }

    /// Runs one job of a batch, as often as it takes to fetch what it looks at.
    async fn run_job(
        &mut self,
        job: &mut Box<dyn Job>,
        view: &mut View,
        basis: Basis,
    ) -> Result<(), Failure> {
        loop {
            match catch_unwind(AssertUnwindSafe(|| job.run(view))) {
                Ok(Ran::Done) => return Ok(()),
                Ok(Ran::Missed) => {}
                Err(_) => {
                    view.drop_job();
                    view.take_missing();
                    job.fail(StoreError::Backend { attempted: "run the job", source: "it panicked".into() });
                    return Ok(());
                }
            }
            let missing = view.take_missing();
            if self.backend.insists_on_hints() && !missing.has_only_what_facts_lead_to() {
                let source = format!("the command did not name in `reads` what it looked at: {missing:?}");
                job.fail(StoreError::Backend { attempted: "look up a fact", source: source.into() });
                return Ok(());
            }
            let more = self.backend.fetch(&missing, basis).await?;
            if more.point != view.point() {
                return Err(Failure::Stale);
            }
            view.add(more);
        }
    }

    async fn probe(&mut self, probes: Vec<oneshot::Sender<StoreResult<()>>>) {
        for answer in probes {
            let result = self.backend.probe().await;
            match &result {
                Ok(()) => self.shared.forget_failure(),
                Err(error) => self.shared.note_failure(error),
            }
            // A caller that has gone away does not need to know.
            let _ = answer.send(result);
        }
    }
}

fn settle(jobs: Jobs, mut committed: impl FnMut() -> StoreResult<()>) {
    for job in jobs {
        job.settle(committed());
    }
}
