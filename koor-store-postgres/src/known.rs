//! What the backend knows without asking, all of it true at one commit.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use koor_core::{ids::DocumentKey, ports::Ends};

use crate::rows::state::Head;

/// How many heads are kept. What is not among them costs one more look-up for each batch.
const MAX_HEADS: usize = 100_000;

/// Where the one order of commits stands: what `log_head` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogHead {
    /// How many commits there have been.
    pub(crate) seq: i64,
    /// The ends of everything that only grows.
    pub(crate) ends: Ends,
    /// The last row of a key.
    pub(crate) last_key: i64,
}

/// The last commit of this server: its number in the order, and the batch that it was.
#[derive(Debug, Default)]
pub(crate) struct LastCommit(Mutex<Option<(i64, i64)>>);

impl LastCommit {
    pub(crate) fn set(&self, seq: i64, batch: i64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((seq, batch));
    }

    /// Forgets it: the log is another one.
    pub(crate) fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(crate) fn get(&self) -> Option<(i64, i64)> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The heads of keys met lately.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    by_key: HashMap<DocumentKey, Head>,
    keys: HashMap<i64, DocumentKey>,
}

impl Heads {
    pub(crate) fn get(&self, key: &DocumentKey) -> Option<&Head> {
        self.by_key.get(key)
    }

    /// Keeps what is known of a key that is there.
    pub(crate) fn put(&mut self, key: DocumentKey, head: Head) {
        let Some(id) = head.key_id else { return };
        if self.by_key.len() >= MAX_HEADS {
            self.clear();
        }
        self.keys.insert(id, key.clone());
        self.by_key.insert(key, head);
    }

    /// Forgets a key that another server has written.
    pub(crate) fn forget(&mut self, id: i64) {
        if let Some(key) = self.keys.remove(&id) {
            self.by_key.remove(&key);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.by_key.clear();
        self.keys.clear();
    }
}
