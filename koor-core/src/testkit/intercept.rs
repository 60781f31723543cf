//! Stores that do not do as they should: to see whether a test notices.

use async_trait::async_trait;

use crate::{
    memory::{MemoryBackend, MemoryStore},
    ports::{Backend, Basis, Change, FactSet, Facts, Outcome, Point, StoreResult},
};

/// Intercepts what goes into a backend and what comes out of it.
pub trait Intercept: Send + Sync + 'static {
    /// Called with facts that were fetched.
    fn fetched(&self, _facts: &mut Facts) {}

    /// Called with the changes of each commit; what it leaves of them is committed.
    ///
    /// # Errors
    /// What the commit shall fail with.
    fn committing(&self, _changes: &mut Vec<Change>) -> StoreResult<Outcome> {
        Ok(Outcome::Committed)
    }
}

struct InterceptedBackend<I> {
    inner: MemoryBackend,
    intercept: I,
}

/// A store in memory whose backend is intercepted.
pub fn intercepted_store(intercept: impl Intercept) -> MemoryStore {
    MemoryStore::on(|inner| InterceptedBackend { inner: inner.lenient(), intercept })
}

#[async_trait]
impl<I: Intercept> Backend for InterceptedBackend<I> {
    async fn fetch(&mut self, wanted: &FactSet, basis: Basis) -> StoreResult<Facts> {
        let mut facts = self.inner.fetch(wanted, basis).await?;
        self.intercept.fetched(&mut facts);
        Ok(facts)
    }

    async fn commit(&mut self, at: Point, changes: &[Change]) -> StoreResult<Outcome> {
        let mut changes = changes.to_vec();
        match self.intercept.committing(&mut changes)? {
            Outcome::Committed => self.inner.commit(at, &changes).await,
            Outcome::Stale => Ok(Outcome::Stale),
        }
    }
}
