//! The event log.

use crate::{
    domain::events::{Event, EventClass, EventFilter, EventPage, LogBounds, PrunePlan},
    ids::{Cursor, EventId},
    ports::StoreResult,
};

/// A page of events holds no more data than this, its last event aside: a log may be full of large events, and a caller that
/// catches up reads on anyway.
pub const EVENT_PAGE_BYTES: usize = 4 << 20;

/// What the event log keeps of a class of events, and how many may be forgotten at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Retention {
    /// Of which events.
    pub class: EventClass,
    /// How many of the newest are kept.
    pub keep: u64,
    /// The most that a plan covers: what goes in one commit holds up every other writer.
    pub limit: u64,
}

/// The event log.
pub trait EventLog {
    /// Matching events up to `through` (without it: up to the end of the log), newest first, at most `limit`; a page of
    /// them, which ends as one of [`events_after`](Self::events_after) does. Everything behind the page's `through` has
    /// been looked at, so an empty page is the end only if its `through` is [`Cursor::START`].
    fn events_newest(
        &mut self,
        through: Option<Cursor>,
        filter: &EventFilter,
        limit: usize,
    ) -> StoreResult<EventPage>;

    /// Matching events after the cursor, oldest first, at most `limit`; the page ends with the event by which its data
    /// reaches [`EVENT_PAGE_BYTES`], and no more than that is held in memory to make it, give or take a small factor.
    /// May also stop early to keep the search short, so an empty page is the end only if it was searched through
    /// [`LogBounds::last`]. Never answers a place before `after`.
    fn events_after(&mut self, after: Cursor, filter: &EventFilter, limit: usize) -> StoreResult<EventPage>;

    /// How far the log reaches. The last id stays known when its event has been pruned.
    fn log_bounds(&mut self) -> StoreResult<LogBounds>;

    /// How many events are kept with ids above `after` and up to `through`.
    fn events_kept(&mut self, after: Cursor, through: Cursor) -> StoreResult<u64>;

    /// Which events that retention no longer covers.
    fn prunable(&mut self, retention: Retention) -> StoreResult<Option<PrunePlan>>;

    /// The oldest event kept above `after`.
    fn oldest_event(&mut self, after: Cursor) -> StoreResult<Option<EventId>>;
}

/// A change of the event log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventChange {
    /// Append an event. Its id is the one after [`LogBounds::last`]. No reader sees it before it is durable.
    Append(Event),
    /// Bring back an event of a backup. Its id is above [`LogBounds::last`]; ids left out have been pruned.
    Restore(Event),
    /// Bring back how far the log of a backup had been pruned. The log's end moves along, never back.
    SetPruned {
        /// The last user event that was pruned.
        user: Cursor,
        /// The last system event that was pruned.
        system: Cursor,
    },
    /// Forget the events of a class up to an id, which is that of the last of them.
    Prune {
        /// Of which events.
        class: EventClass,
        /// The last one to go.
        through: EventId,
    },
}
