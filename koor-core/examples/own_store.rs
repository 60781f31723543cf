//! A backend around another one, which measures how long commits take. The store on it passes the suite that every store
//! must pass.
//!
//! Run it: `cargo run -p koor-core --example own_store`; hold it to its promises: `cargo test -p koor-core --example
//! own_store`

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use koor_core::{
    Caller, Koor, MemoryStore,
    domain::ContentType,
    ids::StateKey,
    ports::{Backend, Basis, Change, FactSet, Facts, Outcome, Point, StoreResult},
    use_cases::PutDocument,
};

/// Time that is added up.
#[derive(Debug, Default)]
struct Total(AtomicU64);

impl Total {
    fn add(&self, span: Duration) {
        self.0.fetch_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    fn get(&self) -> Duration {
        Duration::from_micros(self.0.load(Relaxed))
    }
}

/// A backend that measures how long the one behind it takes.
struct TimedBackend<B> {
    behind: B,
    commits: Arc<Total>,
}

#[async_trait]
impl<B: Backend> Backend for TimedBackend<B> {
    async fn fetch(&mut self, wanted: &FactSet, basis: Basis) -> StoreResult<Facts> {
        self.behind.fetch(wanted, basis).await
    }

    async fn commit(&mut self, at: Point, changes: &[Change]) -> StoreResult<Outcome> {
        let begun = Instant::now();
        let outcome = self.behind.commit(at, changes).await;
        self.commits.add(begun.elapsed());
        outcome
    }

    async fn rollback(&mut self) {
        self.behind.rollback().await;
    }

    async fn probe(&mut self) -> StoreResult<()> {
        self.behind.probe().await
    }

    async fn tend(&mut self) -> bool {
        self.behind.tend().await
    }

    fn insists_on_hints(&self) -> bool {
        self.behind.insists_on_hints()
    }
}

/// A store in memory that measures its commits.
fn timed_store(commits: &Arc<Total>) -> MemoryStore {
    MemoryStore::on(|behind| TimedBackend { behind, commits: Arc::clone(commits) })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (commits, begun) = (Arc::default(), Instant::now());
    let koor = Koor::on(timed_store(&commits)).open().await?;
    for step in 1..=1000 {
        let value = format!(r#"{{"step": {step}}}"#);
        let put = PutDocument::state(StateKey::new("plan")?, value, ContentType::json())?;
        koor.execute(&Caller::local(), put).await?;
    }
    println!("1000 changes took {:?}, their commits {:?} of it", begun.elapsed(), commits.get());
    Ok(())
}

#[cfg(test)]
mod tests {
    use koor_core::testkit::StoreFixture;

    use super::*;

    koor_core::contract_suite!(StoreFixture::of(timed_store(&Arc::default())));
}
