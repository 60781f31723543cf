//! A place where everything is kept.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::{
    domain::state::Document,
    ids::DocumentKey,
    ports::{Committer, ReadTx, StoreResult},
};

/// A question, as a store runs it. It is run once at most.
pub type ReadJob = Box<dyn FnOnce(&mut dyn ReadTx) -> StoreResult<()> + Send>;

/// A place where everything is kept: snapshots to read from, and a [`Committer`] to write through.
///
/// Guarantees:
/// - A change is whole: all of it is there, or nothing. So it is when the process is killed at any moment.
/// - What a caller was answered is durable, and every later read sees it.
/// - Changes are made one after another, as if each were alone.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The way to write. It is the same one for as long as the store lives.
    fn committer(&self) -> &Committer;

    /// Runs a question on a snapshot. It should be short: a snapshot that stays open holds up housekeeping.
    async fn inspect(&self, job: ReadJob) -> StoreResult<()>;

    /// As [`inspect`](Self::inspect), for a question that may take long: it holds nothing up.
    async fn read_detached(&self, job: ReadJob) -> StoreResult<()>;

    /// The newest version of a document, tombstone included, as of now: what many ask for, so a store may keep it in
    /// memory.
    async fn latest_document(&self, key: &DocumentKey) -> StoreResult<Option<Arc<Document>>>;

    /// How many bytes it takes up.
    async fn size(&self) -> StoreResult<u64>;

    /// Whether this server is the one that does background work, where several servers share the store; `None` where none
    /// can, so that this one does it all.
    fn leadership(&self) -> Option<watch::Receiver<bool>> {
        None
    }

    /// How many servers share the store now, this one included.
    fn servers(&self) -> u64 {
        1
    }

    /// Finishes what is queued, takes on nothing more, and leaves everything in order. Everything that was answered is
    /// kept without this call, too.
    async fn close(&self);
}

impl fmt::Debug for dyn Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dyn Store")
    }
}
