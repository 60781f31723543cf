//! `event` and `event_pruned`.

use std::{cmp::Reverse, collections::BTreeSet};

use koor_core::{
    domain::{
        RawJson,
        events::{Event, EventClass, EventFilter, EventPage, LogBounds, PrunePlan},
    },
    ids::{Cursor, EventId, Topic},
    pattern::{Class, TopicFilter},
    ports::{EVENT_PAGE_BYTES, EventLog, Retention, StoreResult},
};

use crate::{
    conn::{Conn, Row, int, limit},
    rows::ends,
    snapshot::Snapshot,
    statement::{Statement, escape},
};

const TABLE: &str = "event";

/// How many events one call of `events_after` looks at, at most, and how many are read at a time.
const MOST_SEARCHED: usize = 8192;
const CHUNK: usize = 1024;

/// What is asked of a source and a time, where it is.
macro_rules! narrowed {
    () => {
        "($2::text IS NULL OR source = $2) AND created_at BETWEEN $3 AND $4"
    };
}

/// A page of the events after `$5` and up to `$6`, from either end: as many as `$7`, or as are needed for `$8` bytes of
/// data. The length of a value is known without its bytes, so the values beyond the page are never read.
macro_rules! page {
    ($of:expr, $first:literal, $order:literal, $last:literal, $end:literal) => {
        concat!(
            "SELECT id, topic, source, created_at, data FROM event WHERE ",
            $of,
            " AND id > $5 AND id <= $6 AND id ",
            $last,
            " coalesce((SELECT ",
            $first,
            "(id) FROM (SELECT id, sum(size) OVER (ORDER BY id",
            $order,
            " ROWS UNBOUNDED PRECEDING) AS total FROM (SELECT id, octet_length(data) AS size FROM event WHERE ",
            $of,
            " AND id > $5 AND id <= $6 ORDER BY id",
            $order,
            " LIMIT $7) AS sizes) AS totals WHERE total >= $8), ",
            $end,
            ") ORDER BY id",
            $order,
            " LIMIT $7"
        )
    };
}
macro_rules! up {
    ($of:expr) => {
        page!($of, "min", "", "<=", "$6")
    };
}
macro_rules! down {
    ($of:expr) => {
        page!($of, "max", " DESC", ">=", "$5")
    };
}

/// Every page binds the same parameters; here those are named that a query does not use.
macro_rules! any_topic {
    ($rest:expr) => {
        concat!("$1::text IS NULL AND ", $rest)
    };
}
macro_rules! not_narrowed {
    ($rest:expr) => {
        concat!("$1::text IS NULL AND ($2::text IS NULL OR true) AND $3::bigint <= $4::bigint AND ", $rest)
    };
}

const SELECT_TOPIC_DOWN: &str = down!(concat!("topic = $1 AND ", narrowed!()));
const SELECT_USER_DOWN: &str = down!(any_topic!(concat!("NOT system AND ", narrowed!())));
const SELECT_SYSTEM_DOWN: &str = down!(any_topic!(concat!("system AND ", narrowed!())));
const SELECT_ALL_DOWN: &str = down!(any_topic!(narrowed!()));
const SELECT_TOPIC_UP: &str = up!(concat!("topic = $1 AND ", narrowed!()));
/// Not narrowed: how far the search has come is as important as what it finds.
const SELECT_USER_UP: &str = up!(not_narrowed!("NOT system"));
const SELECT_SYSTEM_UP: &str = up!(not_narrowed!("system"));
const SELECT_ALL_UP: &str = up!(not_narrowed!("true"));
const SELECT_BOUNDS: &str = "SELECT last_event, pruned_user, pruned_system FROM log_head";
const COUNT: &str = "SELECT count(*) AS n FROM event WHERE id > $1 AND id <= $2";
const SELECT_OLDEST: &str = "SELECT min(id) AS id FROM event WHERE id > $1";
const SELECT_LAST_USER_TO_GO: &str =
    "SELECT id FROM event WHERE NOT system ORDER BY id DESC LIMIT 1 OFFSET $1";
const SELECT_LAST_SYSTEM_TO_GO: &str = "SELECT id FROM event WHERE system ORDER BY id DESC LIMIT 1 OFFSET $1";
/// The oldest events of a class up to an id, at most so many: the last of them, and how many they are.
const SELECT_USER_TO_GO: &str = "SELECT max(id) AS id, count(*) AS n FROM \
    (SELECT id FROM event WHERE NOT system AND id <= $1 ORDER BY id LIMIT $2) AS oldest";
const SELECT_SYSTEM_TO_GO: &str = "SELECT max(id) AS id, count(*) AS n FROM \
    (SELECT id FROM event WHERE system AND id <= $1 ORDER BY id LIMIT $2) AS oldest";
const PRUNE_USER: &str = "DELETE FROM event WHERE NOT system AND id <= $1";
const PRUNE_SYSTEM: &str = "DELETE FROM event WHERE system AND id <= $1";

fn read(row: Row<'_>) -> StoreResult<Event> {
    Ok(Event {
        id: row.number("id", EventId::new)?,
        topic: row.read("topic", |topic: &str| Topic::new(topic))?,
        data: row.read("data", RawJson::parse)?,
        source: row.text("source")?,
        created_at: row.time("created_at")?,
    })
}

/// How far the log reaches, from a row of `log_head`.
pub(crate) fn read_bounds(row: Row<'_>) -> StoreResult<LogBounds> {
    Ok(LogBounds {
        last: Cursor::new(row.count("last_event")?),
        pruned_user: Cursor::new(row.count("pruned_user")?),
        pruned_system: Cursor::new(row.count("pruned_system")?),
    })
}

/// Where events that a filter wants can be found.
enum Place<'f> {
    /// Under these topics, and nowhere else.
    Topics(BTreeSet<&'f str>),
    /// In this class.
    Class(Class),
}

impl<'f> Place<'f> {
    fn of(topics: &'f TopicFilter) -> Self {
        let literals: Option<BTreeSet<&str>> =
            topics.patterns().iter().map(koor_core::pattern::Pattern::literal).collect();
        match literals {
            Some(literals) if !literals.is_empty() => Self::Topics(literals),
            _ => Self::Class(topics.class()),
        }
    }
}

fn narrowed(statement: Statement, filter: &EventFilter) -> Statement {
    let (from, to) = ends(filter.range);
    statement.bind(filter.source.as_deref().map(escape)).bind(from).bind(to)
}

/// Asks for a page of the events behind `after` and up to `through`, of at most so many events and, the last one aside,
/// bytes.
fn page(
    conn: &mut Conn,
    (sql, topic): (&'static str, Option<&str>),
    filter: &EventFilter,
    (after, through): (Cursor, Cursor),
    (most, bytes): (usize, usize),
) -> StoreResult<Vec<Event>> {
    let statement = narrowed(Statement::new("read events", sql).bind(topic), filter);
    let statement = statement.bind(int(after.get())).bind(int(through.get()));
    conn.rows(statement.bind(limit(most)).bind(limit(bytes)), TABLE, read)
}

/// Everything before an event.
fn before(event: &Event) -> Cursor {
    Cursor::new(event.id.get() - 1)
}

/// How much one call may still look at.
struct Search {
    events: usize,
    bytes: usize,
}

impl Search {
    fn of(filter: &EventFilter) -> Self {
        Self { events: MOST_SEARCHED.min(filter.topics.most_at_once()), bytes: EVENT_PAGE_BYTES }
    }

    fn goes_on(&self) -> bool {
        self.events > 0 && self.bytes > 0
    }

    /// Counts a chunk that was looked at; answers whether it was the last there is.
    fn took(&mut self, events: &[Event], chunk: usize) -> bool {
        let bytes = events.iter().map(|event| event.data.as_str().len()).sum();
        self.events = self.events.saturating_sub(events.len());
        let room = bytes < self.bytes;
        self.bytes = self.bytes.saturating_sub(bytes);
        events.len() < chunk && room
    }
}

/// Behind which of the events a page is full, if it is.
fn end_of_page(events: &[Event], most: usize) -> Option<usize> {
    let mut bytes = 0;
    let full = events.iter().position(|event| {
        bytes += event.data.as_str().len();
        bytes >= EVENT_PAGE_BYTES
    });
    let end = full.map_or(most, |last| most.min(last + 1));
    (events.len() >= end).then_some(end)
}

impl EventLog for Snapshot<'_> {
    fn events_newest(
        &mut self,
        through: Option<Cursor>,
        filter: &EventFilter,
        most: usize,
    ) -> StoreResult<EventPage> {
        let mut through = through.unwrap_or(Cursor::new(u64::MAX));
        if most == 0 {
            return Ok(EventPage { events: Vec::new(), through });
        }
        let conn = &mut *self.conn;
        let sql = match Place::of(&filter.topics) {
            Place::Topics(topics) => {
                let (mut events, mut after) = (Vec::new(), Cursor::START);
                for topic in topics {
                    let query = (SELECT_TOPIC_DOWN, Some(topic));
                    events.extend(page(conn, query, filter, (after, through), (most, EVENT_PAGE_BYTES))?);
                    events.sort_unstable_by_key(|event| Reverse(event.id));
                    if let Some(end) = end_of_page(&events, most) {
                        events.truncate(end);
                        after = events.last().map_or(after, before);
                    }
                }
                events.retain(|event| filter.matches(event));
                return Ok(EventPage { events, through: after });
            }
            Place::Class(Class::User) => SELECT_USER_DOWN,
            Place::Class(Class::System) => SELECT_SYSTEM_DOWN,
            Place::Class(Class::Both) => SELECT_ALL_DOWN,
        };
        let mut found: Vec<Event> = Vec::new();
        let mut search = Search::of(filter);
        while search.goes_on() {
            let chunk = (most - found.len()).saturating_mul(2).clamp(64, CHUNK);
            let span = (Cursor::START, through);
            let events = page(conn, (sql, None), filter, span, (chunk, search.bytes))?;
            let at_end = search.took(&events, chunk);
            for event in events {
                through = before(&event);
                if filter.matches(&event) {
                    found.push(event);
                    if found.len() == most {
                        return Ok(EventPage { events: found, through });
                    }
                }
            }
            if at_end {
                through = Cursor::START;
                break;
            }
        }
        Ok(EventPage { events: found, through })
    }

    fn events_after(&mut self, after: Cursor, filter: &EventFilter, most: usize) -> StoreResult<EventPage> {
        if most == 0 {
            return Ok(EventPage { events: Vec::new(), through: after });
        }
        let last = self.log_bounds()?.last.max(after);
        let conn = &mut *self.conn;
        let sql = match Place::of(&filter.topics) {
            Place::Topics(topics) => {
                let (mut events, mut through) = (Vec::new(), last);
                for topic in topics {
                    let query = (SELECT_TOPIC_UP, Some(topic));
                    events.extend(page(conn, query, filter, (after, through), (most, EVENT_PAGE_BYTES))?);
                    events.sort_unstable_by_key(|event| event.id);
                    // What does not fit is read again with the next page, and what lies beyond it not at all.
                    if let Some(end) = end_of_page(&events, most) {
                        events.truncate(end);
                        through = events.last().map_or(through, |event| event.id.into());
                    }
                }
                events.retain(|event| filter.matches(event));
                return Ok(EventPage { events, through });
            }
            Place::Class(Class::User) => SELECT_USER_UP,
            Place::Class(Class::System) => SELECT_SYSTEM_UP,
            Place::Class(Class::Both) => SELECT_ALL_UP,
        };
        let mut found: Vec<Event> = Vec::new();
        let mut through = after;
        let mut search = Search::of(filter);
        while search.goes_on() {
            let chunk = most.clamp(64, CHUNK);
            let events = page(conn, (sql, None), filter, (through, last), (chunk, search.bytes))?;
            let at_end = search.took(&events, chunk);
            for event in events {
                through = event.id.into();
                if filter.matches(&event) {
                    found.push(event);
                    if found.len() == most {
                        return Ok(EventPage { events: found, through });
                    }
                }
            }
            if at_end {
                through = last;
                break;
            }
        }
        Ok(EventPage { events: found, through })
    }

    fn log_bounds(&mut self) -> StoreResult<LogBounds> {
        let statement = Statement::new("read the bounds of the event log", SELECT_BOUNDS);
        Ok(self.conn.row(statement, "log_head", read_bounds)?.unwrap_or_default())
    }

    fn events_kept(&mut self, after: Cursor, through: Cursor) -> StoreResult<u64> {
        let conn = &mut *self.conn;
        let statement = Statement::new("count events", COUNT).bind(int(after.get())).bind(int(through.get()));
        Ok(conn.row(statement, TABLE, |row| row.count("n"))?.unwrap_or(0))
    }

    fn prunable(&mut self, retention: Retention) -> StoreResult<Option<PrunePlan>> {
        const ATTEMPTED: &str = "find events to prune";
        let Retention { class, keep, limit: most } = retention;
        let (last, range) = match class {
            EventClass::User => (SELECT_LAST_USER_TO_GO, SELECT_USER_TO_GO),
            EventClass::System => (SELECT_LAST_SYSTEM_TO_GO, SELECT_SYSTEM_TO_GO),
        };
        let statement = Statement::new(ATTEMPTED, last).bind(int(keep));
        let Some(last) = self.conn.row(statement, TABLE, |row| row.get::<i64>("id"))? else {
            return Ok(None);
        };
        let statement = Statement::new(ATTEMPTED, range).bind(last).bind(int(most));
        let plan = self.conn.row(statement, TABLE, |row| {
            let through = maybe_id(row)?;
            through.map(|through| Ok(PrunePlan { through, count: row.count("n")? })).transpose()
        })?;
        Ok(plan.flatten())
    }

    fn oldest_event(&mut self, after: Cursor) -> StoreResult<Option<EventId>> {
        let conn = &mut *self.conn;
        let statement = Statement::new("find the oldest event", SELECT_OLDEST).bind(int(after.get()));
        Ok(conn.row(statement, TABLE, maybe_id)?.flatten())
    }
}

/// The id of an event, if there is one.
fn maybe_id(row: Row<'_>) -> StoreResult<Option<EventId>> {
    if row.get::<Option<i64>>("id")?.is_none() {
        return Ok(None);
    }
    row.number("id", EventId::new).map(Some)
}

/// Deletes the events of a class up to an id.
pub(crate) fn prune(conn: &mut Conn, class: EventClass, through: EventId) -> StoreResult<()> {
    let sql = match class {
        EventClass::User => PRUNE_USER,
        EventClass::System => PRUNE_SYSTEM,
    };
    conn.execute(Statement::new("prune events", sql).bind(int(through.get()))).map(drop)
}
