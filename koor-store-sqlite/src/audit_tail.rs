//! The newest audit entries, which the index does not have yet: just enough of them to know which to look at.

use std::{
    collections::VecDeque,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{PoisonError, RwLock},
};

use koor_core::domain::audit::AuditEntry;

/// What the newest entries may take up here: a few MB. Those before them are read where they are.
const MOST: usize = 1 << 17;

/// With more of them, reading the entries one after another is the shorter way.
const MANY: usize = 256;

/// What entries are looked up by. The number is the one in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Resource = 0,
    Actor = 1,
    Action = 2,
}

/// Of one entry, a hash of each field.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FieldHashes([u64; 3]);

impl FieldHashes {
    pub(crate) fn of(entry: &AuditEntry) -> Self {
        Self([&entry.resource, entry.actor.as_str(), &entry.action].map(hash))
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// What is known of a page of the log without reading it: the entries after one id, and up to another.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Candidates {
    pub(crate) after: i64,
    pub(crate) through: i64,
    /// Only these of them may be what is looked for.
    pub(crate) ids: Vec<i64>,
}

impl Candidates {
    /// Nothing is known of any entry.
    pub(crate) fn none() -> Self {
        Self { after: i64::MAX, through: i64::MAX, ids: Vec::new() }
    }
}

/// The marks of all entries after one of them.
#[derive(Debug)]
struct Marks {
    after: i64,
    marks: VecDeque<FieldHashes>,
}

impl Marks {
    /// The last entry there is a mark of.
    fn through(&self) -> i64 {
        self.after.saturating_add_unsigned(self.marks.len() as u64)
    }

    fn forget(&mut self, through: i64) {
        while self.after < through && self.marks.pop_front().is_some() {
            self.after += 1;
        }
    }
}

/// What the writer remembers for the readers. It may be behind what a reader sees, or ahead of it.
#[derive(Debug)]
pub(crate) struct AuditTail(RwLock<Marks>);

impl AuditTail {
    /// Nothing yet, of a log that ends with that entry.
    pub(crate) fn new(last: i64) -> Self {
        Self(RwLock::new(Marks { after: last, marks: VecDeque::new() }))
    }

    /// Remembers entries that are durable, of which the last has this id.
    pub(crate) fn push(&self, new: &[FieldHashes], last: i64) {
        let mut marks = self.0.write().unwrap_or_else(PoisonError::into_inner);
        marks.marks.extend(new);
        if marks.through() != last {
            // Never so, unless some were left out: then nothing is known, which is always right.
            *marks = Marks { after: last, marks: VecDeque::new() };
        }
        let excess = marks.marks.len().saturating_sub(MOST);
        let through = marks.after.saturating_add_unsigned(excess as u64);
        marks.forget(through);
    }

    /// Forgets what the index has.
    pub(crate) fn forget(&self, through: i64) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).forget(through);
    }

    /// Which of the entries that it knows may say this.
    pub(crate) fn candidates(&self, field: Field, value: &str) -> Candidates {
        let wanted = hash(value);
        let marks = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let through = marks.through();
        let ids = (marks.after + 1..).zip(&marks.marks);
        let found = ids.filter(|(_, mark)| mark.0[field as usize] == wanted).map(|(id, _)| id);
        let ids: Vec<i64> = found.take(MANY + 1).collect();
        if ids.len() > MANY {
            return Candidates { after: through, through, ids: Vec::new() };
        }
        Candidates { after: marks.after, through, ids }
    }
}

#[cfg(test)]
mod tests {
    use koor_core::{
        clock::Timestamp,
        domain::{Actor, audit::Outcome},
        ids::AuditId,
    };

    use super::*;

    fn mark(resource: &str) -> FieldHashes {
        FieldHashes::of(&AuditEntry {
            id: AuditId::after(None),
            timestamp: Timestamp::from_millis(0),
            actor: Actor::new("frontend"),
            action: "state.put".into(),
            resource: resource.into(),
            detail: "{}".into(),
            outcome: Outcome::Success,
        })
    }

    #[test]
    fn what_may_be_meant_is_found_among_those_that_are_known() {
        let recent = AuditTail::new(10);
        assert_eq!(
            recent.candidates(Field::Resource, "a"),
            Candidates { after: 10, through: 10, ids: vec![] }
        );
        recent.push(&[mark("a"), mark("b"), mark("a")], 13);
        assert_eq!(
            recent.candidates(Field::Resource, "a"),
            Candidates { after: 10, through: 13, ids: vec![11, 13] }
        );
        assert_eq!(recent.candidates(Field::Actor, "a").ids, [0; 0]);
        assert_eq!(recent.candidates(Field::Actor, "frontend").ids, [11, 12, 13]);
        recent.forget(12);
        assert_eq!(
            recent.candidates(Field::Resource, "a"),
            Candidates { after: 12, through: 13, ids: vec![13] }
        );
        recent.forget(5);
        recent.push(&[mark("b")], 14);
        assert_eq!(
            recent.candidates(Field::Action, "state.put"),
            Candidates { after: 12, through: 14, ids: vec![13, 14] }
        );
    }

    #[test]
    fn nothing_is_said_to_be_known_that_is_not() {
        let recent = AuditTail::new(0);
        recent.push(&vec![mark("a"); MANY + 1], 257);
        assert_eq!(
            recent.candidates(Field::Resource, "b"),
            Candidates { after: 0, through: 257, ids: vec![] }
        );
        // Too many to name.
        assert_eq!(
            recent.candidates(Field::Resource, "a"),
            Candidates { after: 257, through: 257, ids: vec![] }
        );
        // Some were left out.
        recent.push(&[mark("b")], 300);
        assert_eq!(
            recent.candidates(Field::Resource, "b"),
            Candidates { after: 300, through: 300, ids: vec![] }
        );
        recent.push(&vec![mark("a"); MOST + 1], 300 + 131_073);
        assert_eq!(
            recent.candidates(Field::Resource, "b"),
            Candidates { after: 301, through: 131_373, ids: vec![] }
        );
    }
}
