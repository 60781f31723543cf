//! What the writer knows without asking: the newest revision of each key it has met, and the end of each log.

use std::collections::HashMap;

use koor_core::{
    ids::DocumentKey,
    ports::{Ends, StoreResult},
};

use crate::{
    conn::{Conn, int},
    rows::state::{self, Head},
};

/// How many bytes of heads are kept, roughly: some 100,000 keys. What is not among them costs one SELECT.
const HEADS_BYTES: usize = 32 << 20;

/// What a head takes up beyond the text of its key.
const HEAD_BYTES: usize = 256;

/// The heads of keys met lately. Two generations: when the young one is full it becomes the old one, and what is
/// not asked for again until the next change is forgotten.
#[derive(Debug, Default)]
pub(crate) struct RevisionCache {
    young: HashMap<DocumentKey, Head>,
    old: HashMap<DocumentKey, Head>,
    young_bytes: usize,
}

impl RevisionCache {
    /// What is known of a key, asking the database at most once.
    pub(crate) fn head(&mut self, conn: &mut Conn, key: &DocumentKey) -> StoreResult<Head> {
        if let Some(head) = self.get(key) {
            return Ok(head);
        }
        let head = state::head(conn, key)?;
        self.put(key.clone(), head.clone());
        Ok(head)
    }

    fn get(&mut self, key: &DocumentKey) -> Option<Head> {
        if let Some(head) = self.young.get(key) {
            return Some(head.clone());
        }
        let (key, head) = self.old.remove_entry(key)?;
        self.put(key, head.clone());
        Some(head)
    }

    pub(crate) fn put(&mut self, key: DocumentKey, head: Head) {
        let bytes = text_bytes(&key) + HEAD_BYTES;
        if self.young_bytes + bytes > HEADS_BYTES / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        if self.young.insert(key, head).is_none() {
            self.young_bytes += bytes;
        }
    }
}

/// How many bytes the names of a key have.
pub(crate) fn text_bytes(key: &DocumentKey) -> usize {
    match key {
        DocumentKey::State(key) => key.as_str().len(),
        DocumentKey::Spec(key) => key.project.as_str().len() + key.name.as_str().len(),
    }
}

/// The ends of everything that only grows.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LogTails {
    /// The last row of a key.
    pub(crate) key_id: i64,
    /// What the core knows of, too.
    pub(crate) ends: Ends,
}

impl LogTails {
    /// The last audit entry; zero where there is none.
    pub(crate) fn last_audit(&self) -> i64 {
        self.ends.audit.map_or(0, |head| int(head.id.get()))
    }
}
