//! What clients asked, when, and what they were told; and whether one register, or one object of another kind, could have
//! answered so.
//!
//! A history is linearizable when every operation can be given one moment between its call and its answer, so that
//! an object which does them in that order answers each as it was answered. The search is that of Wing and Gong:
//! take any operation that may be next, apply it, go on; remember which places led nowhere. Keys do not touch each
//! other, so each is searched alone.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Debug,
    hash::Hash,
};

/// A question to an object of a kind, and what the object does with it.
pub trait Question: Debug + Copy + Eq {
    /// What can be told.
    type Told: Debug + Copy + Eq;
    /// What the object is.
    type State: Clone + Eq + Hash + Default;
    /// What a client is told whose connection broke off.
    const NOTHING: Self::Told;

    /// What an object in that state answers, and what it is then.
    fn apply(self, state: &Self::State) -> (Self::Told, Self::State);
}

/// What was asked of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ask {
    /// Its version and value.
    Get,
    /// To hold this value, under this condition: `Some(0)` is that it is absent.
    Put(u64, Option<u64>),
    /// To be gone.
    Delete,
}

/// What was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Told {
    /// It has this version, and this value.
    Has(u64, u64),
    /// It is not there.
    Absent,
    /// The write is done, as this version.
    Done(u64),
    /// The condition does not hold: it is at this version, 0 where it is absent.
    Conflict(u64),
    /// Nothing: the connection broke off. It may have been done, or may not.
    Nothing,
}

/// One operation, with moments of one clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation<Q: Question = Ask> {
    /// Which key.
    pub key: u64,
    /// When it was called.
    pub called: u64,
    /// When it was answered; where nothing was told, the last moment at which it may have been done.
    pub answered: u64,
    /// What was asked.
    pub ask: Q,
    /// What was told.
    pub told: Q::Told,
}

/// A document: its version, counted through deletions, and its value, if it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Register {
    version: u64,
    value: Option<u64>,
}

impl Question for Ask {
    type Told = Told;
    type State = Register;
    const NOTHING: Told = Told::Nothing;

    fn apply(self, register: &Register) -> (Told, Register) {
        let now = *register;
        let seen = if now.value.is_some() { now.version } else { 0 };
        let next = now.version + 1;
        match (self, now.value) {
            (Ask::Get, Some(value)) => (Told::Has(now.version, value), now),
            (Ask::Get | Ask::Delete, None) => (Told::Absent, now),
            (Ask::Put(_, Some(wanted)), _) if wanted != seen => (Told::Conflict(seen), now),
            (Ask::Put(value, _), _) => (Told::Done(next), Register { version: next, value: Some(value) }),
            (Ask::Delete, Some(_)) => (Told::Done(next), Register { version: next, value: None }),
        }
    }
}

/// Whether one object for each key could have answered so.
///
/// # Errors
/// The operations of the first key for which none could, in the order of their calls.
pub fn linearizable<Q: Question>(history: &[Operation<Q>]) -> Result<(), Vec<Operation<Q>>> {
    let mut keys: BTreeMap<u64, Vec<Operation<Q>>> = BTreeMap::new();
    for operation in history {
        keys.entry(operation.key).or_default().push(*operation);
    }
    for (_, mut operations) in keys {
        operations.sort_by_key(|operation| operation.called);
        if !has_order(&operations) {
            return Err(operations);
        }
    }
    Ok(())
}

/// A place in the search: which operations are done, and what the object is then.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Place<S> {
    /// All before this one are done, and this one is not.
    first: usize,
    /// Those after it that are done, in order: as few as there are clients.
    ahead: Vec<usize>,
    state: S,
}

impl<S: Clone> Place<S> {
    fn has(&self, at: usize) -> bool {
        at < self.first || self.ahead.binary_search(&at).is_ok()
    }

    fn with(&self, at: usize, state: S) -> Self {
        let mut next = Self { state, ..self.clone() };
        if let Err(place) = next.ahead.binary_search(&at) {
            next.ahead.insert(place, at);
        }
        let done = next.ahead.iter().enumerate().take_while(|(n, at)| next.first + n == **at).count();
        next.ahead.drain(..done);
        next.first += done;
        next
    }
}

fn has_order<Q: Question>(operations: &[Operation<Q>]) -> bool {
    let start = Place { first: 0, ahead: Vec::new(), state: Q::State::default() };
    let mut seen = HashSet::new();
    let mut left = vec![start];
    while let Some(place) = left.pop() {
        let open = || (place.first..operations.len()).filter(|at| !place.has(*at));
        // One that was told nothing need not have been done.
        if open().all(|at| operations[at].told == Q::NOTHING) {
            return true;
        }
        // Next may be what was called before the first end of those that are left.
        let mut go = |next: Place<Q::State>| {
            if seen.insert(next.clone()) {
                left.push(next);
            }
        };
        let mut first_end = (u64::MAX, None);
        for at in open() {
            let operation = &operations[at];
            if operation.called > first_end.0 {
                break;
            }
            if operation.answered < first_end.0 {
                first_end = (operation.answered, Some(at));
            }
            let (told, state) = operation.ask.apply(&place.state);
            if told == operation.told || (operation.told == Q::NOTHING && state != place.state) {
                go(place.with(at, state));
            }
        }
        // The time of one that was told nothing is over: it has not been done.
        if let (_, Some(at)) = first_end
            && operations[at].told == Q::NOTHING
        {
            go(place.with(at, place.state.clone()));
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{Ask::*, Told::*, *};

    /// A history of one key: from when, until when, what, and the answer.
    fn holds(operations: &[(u64, u64, Ask, Told)]) -> bool {
        let history: Vec<_> = operations
            .iter()
            .map(|&(called, answered, ask, told)| Operation { key: 0, called, answered, ask, told })
            .collect();
        linearizable(&history).is_ok()
    }

    #[test]
    fn what_happens_one_after_another_is_seen_so() {
        assert!(holds(&[]));
        assert!(holds(&[(0, 1, Get, Absent), (2, 3, Put(7, None), Done(1)), (4, 5, Get, Has(1, 7))]));
        assert!(holds(&[
            (0, 1, Put(7, Some(0)), Done(1)),
            (2, 3, Put(8, Some(0)), Conflict(1)),
            (4, 5, Delete, Done(2)),
            (6, 7, Delete, Absent),
            (8, 9, Put(9, Some(2)), Conflict(0)),
            (10, 11, Put(9, Some(0)), Done(3)),
        ]));
    }

    #[test]
    fn a_stale_read_is_found_unless_the_write_was_still_under_way() {
        let read = |called| [(0, 9, Put(7, None), Done(1)), (called, called + 5, Get, Absent)];
        assert!(holds(&read(8)));
        assert!(!holds(&read(10)));
        assert!(!holds(&[
            (0, 9, Put(7, None), Done(1)),
            (1, 3, Get, Has(1, 7)),
            // A read after one that has seen it sees it, too.
            (4, 5, Get, Absent),
        ]));
    }

    #[test]
    fn a_lost_condition_and_a_lost_write_are_found() {
        assert!(!holds(&[
            (0, 1, Put(1, None), Done(1)),
            (2, 5, Put(2, Some(1)), Done(2)),
            (3, 6, Put(3, Some(1)), Done(3)),
        ]));
        assert!(!holds(&[(0, 1, Put(1, None), Done(1)), (2, 3, Put(2, None), Done(1))]));
        assert!(!holds(&[(0, 1, Put(1, None), Done(1)), (2, 3, Get, Absent)]));
        assert!(!holds(&[(0, 1, Put(1, None), Done(2))]), "a version is left out");
    }

    #[test]
    fn what_was_told_nothing_may_have_been_done_at_any_time_or_never() {
        let lost = (0, u64::MAX, Put(7, None), Nothing);
        assert!(holds(&[lost, (2, 3, Get, Absent)]));
        assert!(holds(&[lost, (2, 3, Get, Has(1, 7))]));
        assert!(holds(&[lost, (2, 3, Get, Absent), (4, 5, Get, Has(1, 7))]));
        assert!(!holds(&[lost, (2, 3, Get, Has(1, 7)), (4, 5, Get, Absent)]));
        assert!(!holds(&[lost, (2, 3, Get, Has(1, 8))]));
        assert!(!holds(&[(2, 3, Put(7, None), Nothing), (0, 1, Get, Has(1, 7))]), "before it was asked");
        let over = (0, 3, Put(7, None), Nothing);
        assert!(holds(&[over, (2, 5, Get, Absent), (6, 7, Get, Absent)]));
        assert!(holds(&[over, (1, 2, Get, Absent), (4, 5, Get, Has(1, 7))]));
        assert!(!holds(&[over, (4, 5, Get, Absent), (6, 7, Get, Has(1, 7))]), "after its time");
    }

    #[test]
    fn keys_do_not_touch_each_other() {
        let put = |key| Operation { key, called: 0, answered: 1, ask: Put(1, Some(0)), told: Done(1) };
        assert_eq!(linearizable(&[put(1), put(2), put(3)]), Ok(()));
        assert_eq!(linearizable(&[put(1), put(2), put(2)]), Err(vec![put(2), put(2)]));
    }

    #[test]
    fn many_at_once_are_searched_in_time() {
        // Each overlaps with the eight around it, in an order that must be found.
        let all = 2000_u64;
        let history: Vec<_> = (0..all)
            .map(|n| Operation {
                key: 0,
                called: n * 10,
                answered: n * 10 + 45,
                ask: Put(n, None),
                told: Done((n ^ 1) + 1),
            })
            .collect();
        assert_eq!(linearizable(&history), Ok(()));
    }
}
