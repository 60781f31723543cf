//! Time and randomness that a test owns.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::{
    clock::{Clock, IdSource, NoRandomness, Timestamp},
    ids::InstanceId,
};

/// A clock that stands still until a test moves it. Clones show the same time.
#[derive(Debug, Clone)]
pub struct FakeClock(Arc<watch::Sender<Timestamp>>);

impl FakeClock {
    /// A clock that shows this time.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(watch::Sender::new(now)))
    }

    /// Advances the time, and wakes all sleepers that are due.
    pub fn advance(&self, span: Duration) {
        self.0.send_modify(|now| *now = now.plus(span));
    }

    /// Sets the time, forward or back.
    pub fn set(&self, now: Timestamp) {
        self.0.send_replace(now);
    }

    /// How many are asleep.
    #[must_use]
    pub fn sleepers(&self) -> usize {
        self.0.receiver_count()
    }
}

impl Default for FakeClock {
    /// 2026-02-16, two in the afternoon.
    fn default() -> Self {
        Self::at(Timestamp::from_millis(1_771_250_400_000))
    }
}

#[async_trait]
impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    async fn sleep(&self, span: Duration) {
        let mut time = self.0.subscribe();
        let until = time.borrow().plus(span);
        // The sender is ours: it cannot be gone.
        drop(time.wait_for(|now| *now >= until).await);
    }
}

/// Ids and secrets that count up, the same in every run. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct FakeIds(Arc<AtomicU64>);

impl FakeIds {
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Relaxed) + 1
    }
}

impl IdSource for FakeIds {
    fn instance_id(&self) -> InstanceId {
        let mut bytes = [0; 16];
        bytes[8..].copy_from_slice(&self.next().to_be_bytes());
        InstanceId::from_bytes(bytes)
    }

    fn secret(&self) -> Result<String, NoRandomness> {
        Ok(format!("secret-{}", self.next()))
    }

    fn jitter(&self) -> u8 {
        255
    }
}
