//! Events: what happened, in one order for everybody.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    domain::{RawJson, line},
    error::Invalid,
    ids::{Cursor, EventId, Topic},
    page::TimeRange,
    pattern::{Class, TopicFilter},
};

/// One event of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Its place in the log.
    pub id: EventId,
    /// What it is about.
    pub topic: Topic,
    /// What happened, as it was sent.
    pub data: RawJson,
    /// Who says so.
    pub source: String,
    /// When it was published.
    pub created_at: Timestamp,
}

impl Event {
    /// The same, if its texts are such as a new event can have.
    pub(crate) fn checked(self) -> Result<Self, Invalid> {
        Ok(Self { source: line("source", self.source)?, ..self })
    }
}

/// A filter of events; all given conditions must hold.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// By topic.
    pub topics: TopicFilter,
    /// By source, exactly.
    pub source: Option<String>,
    /// By time, both ends included.
    pub range: TimeRange,
}

impl EventFilter {
    /// Whether the event is one of those wanted.
    #[must_use]
    pub fn matches(&self, event: &Event) -> bool {
        self.source.as_ref().is_none_or(|source| *source == event.source)
            && self.range.contains(event.created_at)
            && self.topics.matches(&event.topic)
    }
}

/// The two kinds of events, which are kept for different lengths of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventClass {
    /// What clients publish.
    User,
    /// What the server publishes about changes: topics that begin with `$`.
    System,
}

impl From<EventClass> for Class {
    fn from(class: EventClass) -> Self {
        match class {
            EventClass::User => Self::User,
            EventClass::System => Self::System,
        }
    }
}

impl EventClass {
    /// The class of events with that topic.
    #[must_use]
    pub fn of(topic: &Topic) -> Self {
        if topic.is_system() { Self::System } else { Self::User }
    }
}

/// Which events of a class go next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrunePlan {
    /// The last event to go; older ones of its class go with it.
    pub through: EventId,
    /// How many that are.
    pub count: u64,
}

/// How far the log reaches, and what has left it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogBounds {
    /// The id of the last event there ever was.
    pub last: Cursor,
    /// The last user event that has been pruned; every older one has been as well.
    pub pruned_user: Cursor,
    /// The last system event that has been pruned; every older one has been as well.
    pub pruned_system: Cursor,
}

impl LogBounds {
    /// Notes that events have been pruned that far; the end of the log moves along, never back.
    pub fn set_pruned(&mut self, user: Cursor, system: Cursor) {
        (self.pruned_user, self.pruned_system) = (user, system);
        self.last = self.last.max(user).max(system);
    }

    /// How far events of that class have been pruned.
    #[must_use]
    pub fn pruned(&self, class: Class) -> Cursor {
        match class {
            Class::User => self.pruned_user,
            Class::System => self.pruned_system,
            Class::Both => self.pruned_user.max(self.pruned_system),
        }
    }
}

/// Some events in the order asked for, and how far the log was searched for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPage {
    /// The events that match.
    pub events: Vec<Event>,
    /// Where to read on. Everything up to here has been looked at; or everything behind it, where the newest come
    /// first.
    pub through: Cursor,
}
