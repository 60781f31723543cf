//! Work that takes a processor, or memory, for itself: callers wait for their turn.

use tokio::{select, sync::OwnedSemaphorePermit};

use crate::{
    app::Koor,
    cpu_limiter::{PATIENCE, Permit},
    error::Error,
    ports::StoreError,
};

impl Koor {
    /// Does work that takes long, or about so many bytes of memory, on a blocking thread, in its turn.
    ///
    /// # Errors
    /// What the work says; [`StoreError::Busy`] when its turn does not come within ten seconds.
    pub async fn run_limited<T: Send + 'static>(
        &self,
        room: usize,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.permit(room).await?.work(work).await
    }

    /// Waits for the right to do such work: for work that needs something large to begin with.
    pub(crate) async fn permit(&self, room: usize) -> Result<Permit, Error> {
        let turn = select! {
            turn = self.inner.cpu.permit(room) => turn,
            () = self.inner.clock.sleep(PATIENCE) => None,
        };
        Ok(turn.ok_or(StoreError::Busy)?)
    }
}

impl Koor {
    /// Waits until a page that may be large can be read from the store.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when that takes longer than ten seconds.
    pub(crate) async fn reading_permit(&self) -> Result<OwnedSemaphorePermit, Error> {
        let turn = select! {
            turn = self.inner.cpu.reading_permit() => turn,
            () = self.inner.clock.sleep(PATIENCE) => None,
        };
        Ok(turn.ok_or(StoreError::Busy)?)
    }

    /// Waits for room for a part of a large answer.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when that takes longer than ten seconds.
    pub(crate) async fn answer_room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Error> {
        select! {
            room = self.wait_for_answer_room(bytes) => Ok(room?),
            () = self.inner.clock.sleep(PATIENCE) => Err(StoreError::Busy.into()),
        }
    }

    /// The same for an answer that has begun, which must not be broken off: however long it takes.
    pub(crate) async fn wait_for_answer_room(
        &self,
        bytes: usize,
    ) -> Result<OwnedSemaphorePermit, StoreError> {
        self.inner.cpu.answer_room(bytes).await
    }
}
