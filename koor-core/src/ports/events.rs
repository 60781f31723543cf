//! The event log.

use crate::{
    domain::events::{Event, EventFilter, EventPage, LogBounds},
    ids::{Cursor, EventId},
    pattern::Class,
    ports::StoreResult,
};

/// A page of events holds no more data than this, its last event aside: a log may be full of large events, and whoever
/// catches up reads on anyway.
pub const EVENT_PAGE_BYTES: usize = 4 << 20;

/// The read half of the event log.
pub trait EventRead {
    /// Matching events, newest first, at most `limit`.
    fn events_newest(&mut self, filter: &EventFilter, limit: usize) -> StoreResult<Vec<Event>>;

    /// Matching events after the cursor, oldest first, at most `limit`; the page ends with the event by which its data
    /// reaches [`EVENT_PAGE_BYTES`], and no more than that is held in memory to make it, give or take a small factor.
    /// May also stop early to keep the search short, so an empty page is the end only if it was searched through
    /// [`LogBounds::last`]. Never answers a place before `after`.
    fn events_after(&mut self, after: Cursor, filter: &EventFilter, limit: usize) -> StoreResult<EventPage>;

    /// How far the log reaches. The last id stays known when its event has been pruned.
    fn log_bounds(&mut self) -> StoreResult<LogBounds>;

    /// How many events are kept with ids above `after` and up to `through`.
    fn events_kept(&mut self, after: Cursor, through: Cursor) -> StoreResult<u64>;

    /// The oldest event kept above `after`.
    fn oldest_event(&mut self, after: Cursor) -> StoreResult<Option<EventId>>;
}

/// The whole of it. Nobody sees an event before its transaction is durable.
pub trait EventLog: EventRead {
    /// Keeps an event. Its id is the one after [`LogBounds::last`].
    fn append_event(&mut self, event: &Event) -> StoreResult<()>;

    /// Forgets all but the newest `keep` events of a class, oldest first and at most so many; answers how many went.
    fn prune_events(&mut self, class: Class, keep: u64, most: u64) -> StoreResult<u64>;
}
