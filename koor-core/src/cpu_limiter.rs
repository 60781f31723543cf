//! Work that takes a processor, or memory, for itself: only so much of it at a time.

use std::{num::NonZero, sync::Arc, thread::available_parallelism, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{JoinError, spawn_blocking},
};

use crate::{error::Error, ports::StoreError};

/// What all pieces of work may take up in memory together, in bytes.
const ROOM: usize = 96 << 20;

/// Room is counted in these.
const UNIT: usize = 1 << 20;

/// How long a piece of work waits for its turn.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// What all large answers on their way to clients may take up in memory together, in bytes.
const ANSWERS: usize = 64 << 20;

/// How many pages that may be large are read from the store at a time: while one is, it is in memory several times.
const READING: usize = 2;

/// Where such work is done.
#[derive(Debug, Clone)]
pub(crate) struct CpuLimiter {
    turns: Arc<Semaphore>,
    room: Arc<Semaphore>,
    answers: Arc<Semaphore>,
    reading: Arc<Semaphore>,
    matching: Arc<Semaphore>,
    checking: Arc<Semaphore>,
}

impl Default for CpuLimiter {
    fn default() -> Self {
        // Requests that need no such work share the processors with it: more threads than that would only take turns,
        // and everybody else would wait for all of theirs.
        let processors = available_parallelism().map_or(1, NonZero::get);
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Self {
            turns: semaphore(processors.max(2)),
            room: semaphore(ROOM / UNIT),
            answers: semaphore(ANSWERS / UNIT),
            reading: semaphore(READING),
            // Events come all the time: matching them must leave processors to everything else.
            matching: semaphore((processors / 2).max(1)),
            checking: semaphore(1),
        }
    }
}

/// The right to do a piece of such work.
#[derive(Debug)]
pub(crate) struct Permit {
    _room: OwnedSemaphorePermit,
    _turn: OwnedSemaphorePermit,
}

impl CpuLimiter {
    /// Waits until a page that may be large can be read from the store.
    pub(crate) async fn reading_permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.reading).acquire_owned().await.ok()
    }

    /// Waits until no other check of all contracts runs.
    pub(crate) async fn checking_permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.checking).acquire_owned().await.ok()
    }

    /// Holds events against patterns that take long, on a blocking thread, in its turn. There is always a
    /// next event, so no event is refused.
    pub(crate) async fn run_matching<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let turn = Arc::clone(&self.matching).acquire_owned().await.ok();
        let worked = spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        worked.await.map_err(broken)
    }

    /// Waits for a turn; `None` when there will be none any more.
    pub(crate) async fn permit(&self, room: usize) -> Option<Permit> {
        let units = units(room, ROOM).max(1);
        // Room first: work that waits for much of it must not hold a turn meanwhile.
        let room = Arc::clone(&self.room).acquire_many_owned(units).await.ok()?;
        Some(Permit { _room: room, _turn: Arc::clone(&self.turns).acquire_owned().await.ok()? })
    }
}

impl Permit {
    /// Does the work on a blocking thread.
    pub(crate) async fn work<T: Send + 'static>(
        self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        // The work goes on when its caller is gone, and keeps its turn until it is done.
        let worked = spawn_blocking(move || {
            let done = work();
            drop(self);
            done
        });
        worked.await.map_err(broken)?
    }
}

fn broken(source: JoinError) -> Error {
    StoreError::Backend { attempted: "finish a piece of work", source: source.into() }.into()
}

/// So many bytes, as room is counted.
fn units(bytes: usize, most: usize) -> u32 {
    u32::try_from(bytes.min(most).div_ceil(UNIT)).unwrap_or(u32::MAX)
}

impl CpuLimiter {
    /// Waits for room for a part of a large answer.
    pub(crate) async fn answer_room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, StoreError> {
        let answers = Arc::clone(&self.answers);
        answers.acquire_many_owned(units(bytes, ANSWERS)).await.map_err(|_| StoreError::Closed)
    }
}

/// Gives back the room that is more than that.
pub(crate) fn shrink(room: &mut OwnedSemaphorePermit, bytes: usize) {
    let needed = bytes.div_ceil(UNIT);
    drop(room.split(room.num_permits().saturating_sub(needed)));
}

/// A part of the room, for a piece that goes its own way.
pub(crate) fn part(room: &mut OwnedSemaphorePermit, bytes: usize) -> Option<OwnedSemaphorePermit> {
    room.split((bytes / UNIT).min(room.num_permits()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Koor, MemoryStore};

    #[tokio::test]
    async fn work_that_needs_much_room_waits_for_it_and_not_for_ever() {
        let koor = Koor::on(MemoryStore::default()).open().await.unwrap();
        let all = koor.inner.cpu.permit(ROOM).await;
        let mut waits = std::pin::pin!(koor.run_limited(UNIT, || Ok(7)));
        assert!(futures_poll(waits.as_mut()).await.is_none());
        drop(all);
        assert_eq!(waits.await.unwrap(), 7);
    }

    /// Whether a future is done by now.
    async fn futures_poll<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        std::future::poll_fn(|cx| {
            std::task::Poll::Ready(match future.as_mut().poll(cx) {
                std::task::Poll::Ready(output) => Some(output),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }

    #[tokio::test(start_paused = true)]
    async fn work_whose_turn_does_not_come_is_refused() {
        let koor = Koor::on(MemoryStore::default()).open().await.unwrap();
        let all = koor.inner.cpu.permit(ROOM).await;
        let refused = koor.run_limited(UNIT, || Ok(())).await.unwrap_err();
        assert!(matches!(refused, Error::Store(StoreError::Busy)), "{refused:?}");
        drop(all);
    }

    #[tokio::test]
    async fn work_that_panics_gives_its_turn_back() {
        let koor = Koor::on(MemoryStore::default()).open().await.unwrap();
        for _ in 0..50 {
            assert!(koor.run_limited(ROOM, || -> Result<(), Error> { panic!("on purpose") }).await.is_err());
        }
        assert_eq!(koor.run_limited(ROOM, || Ok(1)).await.unwrap(), 1);
    }
}
