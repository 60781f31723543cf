//! Reading request bodies within limits of size, time and memory.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::{
    HeaderMap,
    body::{Body as _, Incoming},
    header::EXPECT,
};
use koor_core::ports::StoreError;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout, timeout_at},
};

use crate::error::Failure;

/// Bodies up to this size need no share of the budget: they fit into the read buffer that each connection has anyway.
const SMALL: u64 = 8 << 10;

/// Bodies up to this size have a budget of their own, so that they do not wait for large ones.
const MEDIUM: u64 = 64 << 10;

/// Memory for all bodies between [`SMALL`] and [`MEDIUM`] until their requests are answered; further ones wait.
const MEDIUM_BUDGET: u64 = 16 << 20;

/// Memory for all bodies above [`MEDIUM`].
const LARGE_BUDGET: u64 = 64 << 20;

/// The unit in which the budget is counted.
const UNIT: u64 = 8 << 10;

/// The memory that request bodies of all connections share.
#[derive(Debug)]
pub(crate) struct BodyBudget {
    medium: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

/// The share of the budget that a body holds until it is dropped; `None` for a small body.
pub(crate) type BodyPermit = Option<OwnedSemaphorePermit>;

impl Default for BodyBudget {
    fn default() -> Self {
        let budget = |bytes: u64| {
            let units = usize::try_from(bytes / UNIT).unwrap_or(Semaphore::MAX_PERMITS);
            Arc::new(Semaphore::new(units))
        };
        Self { medium: budget(MEDIUM_BUDGET), large: budget(LARGE_BUDGET) }
    }
}

impl BodyBudget {
    /// A share for so many bytes, held by a caller that holds none; `None` for few.
    pub(crate) async fn share(&self, bytes: u64, within: Duration) -> Result<BodyPermit, Failure> {
        if bytes <= SMALL { Ok(None) } else { self.acquire(bytes, within).await }
    }

    /// Acquires the whole share at once: bodies that acquired piece by piece could deadlock, each waiting for what the
    /// others hold. A body that turns out to be large may wait for the large budget while it holds a medium share,
    /// because no holder of a large share waits for a medium one.
    async fn acquire(&self, bytes: u64, within: Duration) -> Result<BodyPermit, Failure> {
        let (budget, limit) = match bytes {
            0..=MEDIUM => (&self.medium, MEDIUM_BUDGET),
            _ => (&self.large, LARGE_BUDGET),
        };
        let units = u32::try_from(bytes.min(limit).div_ceil(UNIT)).unwrap_or(u32::MAX);
        match timeout(within, Arc::clone(budget).acquire_many_owned(units)).await {
            Ok(permit) => Ok(permit.ok()),
            Err(_) => Err(Failure::Core(StoreError::Busy.into())),
        }
    }
}

/// Reads a whole body of at most `limit` bytes within the time.
pub(crate) async fn read_all(
    headers: &HeaderMap,
    body: &mut Incoming,
    limit: u64,
    within: Duration,
    budget: &BodyBudget,
) -> Result<(Bytes, BodyPermit), Failure> {
    let announced = body.size_hint().lower();
    if announced > limit {
        drop_body(headers, body).await;
        return Err(Failure::TooLarge(limit));
    }
    let (mut permit, mut permitted) = (None, announced.max(SMALL));
    if announced > SMALL {
        permit = match budget.acquire(announced, within).await {
            Ok(permit) => permit,
            Err(busy) => {
                drop_body(headers, body).await;
                return Err(busy);
            }
        };
    }
    let reading = async {
        // The announced length is small, or covered by the permit.
        let mut bytes = Vec::with_capacity(usize::try_from(announced).unwrap_or_default());
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Failure::BrokenOff)?.into_data() else { continue };
            if bytes.len() as u64 + data.len() as u64 > limit {
                return Ok::<_, Failure>(None);
            }
            // A body without a length may still become as large as its class allows.
            let length = bytes.len() as u64 + data.len() as u64;
            if length > permitted {
                permitted = if length > MEDIUM { limit } else { MEDIUM.min(limit) };
                permit = budget.acquire(permitted, within).await?;
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Some(Bytes::from(bytes)))
    };
    let read = timeout(within, reading).await.map_err(|_| Failure::TooSlow(within))??;
    if read.is_none() {
        drop_body(headers, body).await;
    }
    Ok((read.ok_or(Failure::TooLarge(limit))?, permit))
}

/// The limit of bytes that are read and dropped of an unwanted body.
pub(crate) const LINGER_BYTES: u64 = 64 << 20;

/// The time limit for that.
pub(crate) const LINGER: Duration = Duration::from_secs(2);

/// A client that pauses this long is waiting for the answer.
const LINGER_PAUSE: Duration = Duration::from_millis(200);

/// Reads and drops the rest of an unwanted body.
///
/// Closing a connection with unread bytes resets it, and the client loses the answer that it has not read yet because it
/// is still sending. A client that sent `Expect: 100-continue` sends no body unless it is asked to.
pub(crate) async fn drop_body(headers: &HeaderMap, body: &mut Incoming) {
    if headers.contains_key(EXPECT) {
        return;
    }
    let until = Instant::now() + LINGER;
    let mut dropped = 0;
    while dropped < LINGER_BYTES && !body.is_end_stream() {
        let next = timeout_at(until.min(Instant::now() + LINGER_PAUSE), body.frame());
        let Ok(Some(Ok(frame))) = next.await else { return };
        dropped += frame.data_ref().map_or(0, |data| data.len() as u64);
    }
}
