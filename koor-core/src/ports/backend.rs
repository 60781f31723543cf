//! What a storage technology does: two verbs.

use async_trait::async_trait;

use crate::{
    domain::events::Event,
    ids::{Cursor, EventId},
    ports::{Change, FactSet, Facts, Point, StoreResult},
};

/// What facts are based on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// The newest commit there is. Others may commit before the changes do: then the commit is [`Outcome::Stale`].
    Newest,
    /// The newest commit there is, and no other writer can commit until `commit` or `rollback`.
    Locked,
}

/// How a commit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Every change is durable.
    Committed,
    /// Another writer has committed since the facts' point, so nothing was done.
    Stale,
}

/// The write half of a storage technology: it looks up facts and commits changes. It decides nothing.
///
/// [`GroupCommit`](crate::ports::GroupCommit) does everything else, once for all technologies: the queue, batches, retries,
/// what a batch reads of its own writes, refusals and panics.
///
/// Guarantees:
/// - All facts of one `fetch` were true at one [`Point`]; two fetches that name the same point fit together.
/// - A `commit` is all or nothing, also when the process is killed at any moment. When it answers
///   [`Outcome::Committed`], every change is durable and every later read sees it. After an error, none of it is there; only
///   [`StoreError::Unresolved`](crate::ports::StoreError::Unresolved) says that this is not known.
/// - Changes take effect as if one after another, in their order.
///
/// Freedoms: it may answer from memory what it knows, and fetch more than was wanted.
#[async_trait]
pub trait Backend: Send + 'static {
    /// Looks up facts, and the ends of everything that only grows.
    async fn fetch(&mut self, wanted: &FactSet, basis: Basis) -> StoreResult<Facts>;

    /// Makes the changes durable, provided no other writer has committed since `at`. Without changes, only that is looked
    /// at.
    async fn commit(&mut self, at: Point, changes: &[Change]) -> StoreResult<Outcome>;

    /// Events that other writers have committed after that place and before that event, in order: a page of them, empty at the
    /// end. They are announced before those of a commit of this backend.
    async fn events_between(&mut self, _after: Cursor, _before: EventId) -> StoreResult<Vec<Event>> {
        Ok(Vec::new())
    }

    /// Lets others commit again after a fetch with [`Basis::Locked`] that no commit follows.
    async fn rollback(&mut self) {}

    /// Writes something durable that means nothing, to find out whether writing works.
    async fn probe(&mut self) -> StoreResult<()> {
        Ok(())
    }

    /// Takes one short step of the technology's own housekeeping; answers whether another is due. Called after each
    /// batch, and again and again while no work is queued.
    async fn tend(&mut self) -> bool {
        false
    }

    /// Whether other writers commit to the same data. Then what was decided without changes has to be checked, too: `commit`
    /// without changes looks whether the facts were the newest.
    fn has_other_writers(&self) -> bool {
        false
    }

    /// Whether a command that looks at a fact it did not name in [`reads`](crate::Command::reads) fails, instead of
    /// running again with that fact. For tests: it keeps the hints complete.
    fn insists_on_hints(&self) -> bool {
        false
    }
}
