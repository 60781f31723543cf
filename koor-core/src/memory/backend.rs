//! The two verbs of a backend, on maps.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Data, SharedData, Snapshot, apply::apply, check::check, lock};
use crate::ports::{
    AuditLog as _, Backend, Basis, Change, Ends, FactSet, Facts, Outcome, Point, StateRepo as _, StoreResult,
};

/// The write half of a [`MemoryStore`](crate::MemoryStore).
#[derive(Debug)]
pub struct MemoryBackend {
    data: SharedData,
    strict: bool,
}

impl MemoryBackend {
    pub(super) fn new(data: SharedData) -> Self {
        Self { data, strict: true }
    }

    pub(super) fn data(&self) -> SharedData {
        Arc::clone(&self.data)
    }

    /// The same, but it takes whatever it is told and insists on nothing: for tests of stores that break promises.
    #[must_use]
    pub fn lenient(self) -> Self {
        Self { strict: false, ..self }
    }

    /// Whether these changes fit what is there and can be committed.
    ///
    /// # Errors
    /// When they contradict it.
    pub fn check(&self, changes: &[Change]) -> StoreResult<()> {
        check(&lock(&self.data), changes)
    }
}

#[async_trait]
impl Backend for MemoryBackend {
    async fn fetch(&mut self, wanted: &FactSet, _: Basis) -> StoreResult<Facts> {
        let data = lock(&self.data);
        let mut snapshot = Snapshot(&data);
        let ends = data.ends(&mut snapshot)?;
        let mut facts = wanted.look_up(&mut snapshot, Snapshot::revision)?;
        (facts.point, facts.ends) = (Point(data.commits), ends);
        Ok(facts)
    }

    async fn commit(&mut self, _: Point, changes: &[Change]) -> StoreResult<Outcome> {
        let mut data = lock(&self.data);
        if self.strict {
            check(&data, changes)?;
        }
        for change in changes {
            apply(&mut data, change);
        }
        data.commits += 1;
        Ok(Outcome::Committed)
    }

    fn insists_on_hints(&self) -> bool {
        self.strict
    }
}

impl Data {
    fn ends(&self, snapshot: &mut Snapshot<'_>) -> StoreResult<Ends> {
        Ok(Ends {
            log: self.bounds,
            audit: snapshot.audit_head()?,
            run: self.runs.keys().next_back().copied(),
            usage: self.usage.keys().next_back().copied(),
        })
    }
}
