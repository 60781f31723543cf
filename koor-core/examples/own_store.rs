//! A store of one's own: one that stands before another, and knows how long its jobs waited and ran. It has every method
//! of `Store`, and passes the suite that every store must pass.
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
    commands::PutDocument,
    domain::{ContentType, state::Document},
    ids::{DocumentKey, StateKey},
    ports::{CommitObserver, Commits, ReadJob, Store, StoreHealth, StoreResult, WriteJob},
};

/// Time that is added up by many at once.
#[derive(Default)]
struct Total(AtomicU64);

impl Total {
    fn add(&self, span: Duration) {
        self.0.fetch_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    fn get(&self) -> Duration {
        Duration::from_micros(self.0.load(Relaxed))
    }
}

/// How long changes took.
#[derive(Default)]
struct Times {
    ran: Total,
    whole: Total,
}

/// A store that times the changes of the one behind it.
struct TimedStore<S> {
    behind: S,
    times: Arc<Times>,
}

#[async_trait]
impl<S: Store> Store for TimedStore<S> {
    async fn submit(&self, mut job: WriteJob) -> StoreResult<()> {
        let ran = Arc::clone(&self.times);
        let begun = Instant::now();
        // The store behind may run a job again: each time counts, because each took time.
        let timed: WriteJob = Box::new(move |tx| {
            let begun = Instant::now();
            let verdict = job(tx);
            ran.ran.add(begun.elapsed());
            verdict
        });
        let result = self.behind.submit(timed).await;
        self.times.whole.add(begun.elapsed());
        result
    }

    async fn inspect(&self, job: ReadJob) -> StoreResult<()> {
        self.behind.inspect(job).await
    }

    async fn inspect_at_leisure(&self, job: ReadJob) -> StoreResult<()> {
        self.behind.inspect_at_leisure(job).await
    }

    async fn newest(&self, key: &DocumentKey) -> StoreResult<Option<Arc<Document>>> {
        self.behind.newest(key).await
    }

    fn observe(&self, observer: Arc<dyn CommitObserver>) {
        self.behind.observe(observer);
    }

    async fn health(&self) -> StoreHealth {
        self.behind.health().await
    }

    fn commits(&self) -> Commits {
        self.behind.commits()
    }

    async fn size(&self) -> StoreResult<u64> {
        self.behind.size().await
    }

    async fn close(&self) {
        self.behind.close().await;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let times = Arc::new(Times::default());
    let store = TimedStore { behind: MemoryStore::default(), times: Arc::clone(&times) };
    let koor = Koor::on(store).open().await?;
    for step in 1..=1000 {
        let value = format!(r#"{{"step": {step}}}"#);
        let put = PutDocument::state(StateKey::new("plan")?, value, ContentType::json())?;
        koor.execute(&Caller::local(), put).await?;
    }
    println!("1000 changes ran for {:?}, and took {:?} as a whole", times.ran.get(), times.whole.get());
    Ok(())
}

#[cfg(test)]
mod tests {
    use koor_core::testkit::Ground;

    use super::*;

    koor_core::contract_suite!(Ground::of(TimedStore {
        behind: MemoryStore::default(),
        times: Arc::default()
    }));
}
