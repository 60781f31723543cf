//! Numbers that count up and are never used twice.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::describe;

/// A number that counts up from 1 and is never used twice.
macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(u64);

        describe!($name: {"type": "integer", "minimum": 1, "maximum": i64::MAX});

        impl $name {
            /// The first there is.
            pub const FIRST: Self = Self(1);

            /// That number; `None` for zero, and for what no store could keep.
            #[must_use]
            pub fn new(number: u64) -> Option<Self> {
                (number > 0 && i64::try_from(number).is_ok()).then_some(Self(number))
            }

            /// As a plain number.
            #[must_use]
            pub fn get(self) -> u64 {
                self.0
            }

            /// The one after this.
            #[must_use]
            pub fn next(self) -> Self {
                Self(self.0 + 1)
            }

            /// The one after `last`, or the first.
            #[must_use]
            pub fn after(last: Option<Self>) -> Self {
                last.map_or(Self::FIRST, Self::next)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let number = u64::deserialize(deserializer)?;
                Self::new(number)
                    .ok_or_else(|| serde::de::Error::custom(format!("{number} counts from 1 to 2^63 - 1")))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counter! {
    /// The version of a document. A delete is a version too.
    Version
}
counter! {
    /// The id of an event: its place in the log, and the order in which everybody sees it.
    EventId
}
counter! {
    /// The id of an audit entry: its place in the chain.
    AuditId
}
counter! {
    /// The id of a usage record.
    UsageId
}
counter! {
    /// The number of a task within its project.
    TaskNumber
}
counter! {
    /// The id of a compliance run.
    RunId
}
counter! {
    /// The number of a lease in its project, and its fence.
    LeaseId
}

/// The highest number that may be restored: far beyond any that was counted up to, and far enough from the last number that
/// a store can keep for counting to go on. Every reader of JSON can tell it from the next one.
pub const MAX_RESTORED: u64 = (1 << 53) - 1;

/// A place in the event log: everything up to and including this id has been seen. Zero is before everything.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Cursor(u64);

impl Cursor {
    /// Before the first event.
    pub const START: Self = Self(0);

    /// The place after the event of that number; the end of all logs where no event can have it.
    #[must_use]
    pub fn new(number: u64) -> Self {
        Self(number.min(i64::MAX.unsigned_abs()))
    }

    /// As a plain number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }

    /// The id that the next event unseen from here can have at the earliest.
    #[must_use]
    pub fn next(self) -> EventId {
        EventId(self.0 + 1)
    }
}

impl From<EventId> for Cursor {
    fn from(id: EventId) -> Self {
        Self(id.0)
    }
}

impl From<Option<EventId>> for Cursor {
    fn from(id: Option<EventId>) -> Self {
        id.map_or(Self::START, Self::from)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_have_no_zero() {
        assert_eq!(Version::new(0), None);
        assert_eq!(Version::new(u64::MAX), None);
        assert_eq!(Version::after(None), Version::FIRST);
        assert_eq!(Version::after(Version::new(7)).get(), 8);
        assert!(serde_json::from_str::<Version>("0").is_err());
    }
}
