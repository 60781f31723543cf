//! The newest version of hot documents, as of a commit that is known.
//!
//! The follower forgets what commits have changed, before it confirms to anyone that it has seen them. A reader may add what it
//! has found, but only if no commit has changed the document since the one that was seen before the reader looked.

use std::{
    collections::HashMap,
    mem::size_of,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use koor_core::{domain::state::Document, ids::DocumentKey};

/// What an entry takes up beyond its value: key and document, the slots of two maps, the allocations.
const ENTRY_BYTES: usize = 2 * size_of::<DocumentKey>() + size_of::<Document>() + 512;

/// A value above this is read from the database each time: one of it would push out a thousand others.
const MAX_VALUE_BYTES: usize = 1 << 20;

/// For so many documents it is known when they were changed last. Beyond it, memory starts anew.
const MAX_CHANGED: usize = 100_000;

#[derive(Default)]
struct Entries {
    /// The commit up to which everything has been seen.
    seen: i64,
    /// What was read at an earlier commit than this may be older than what has been forgotten since.
    floor: i64,
    by_key: HashMap<DocumentKey, (i64, Arc<Document>)>,
    keys: HashMap<i64, DocumentKey>,
    /// When each document was changed last, since `floor`.
    changed: HashMap<i64, i64>,
    bytes: usize,
}

/// The cache.
pub(crate) struct Documents {
    entries: RwLock<Entries>,
    max_bytes: usize,
}

impl Documents {
    /// A cache that holds about so many bytes.
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self { entries: RwLock::default(), max_bytes }
    }

    fn read(&self) -> RwLockReadGuard<'_, Entries> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Entries> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest version of a document as of the commit that was seen last, if it is here.
    pub(crate) fn get(&self, key: &DocumentKey) -> Option<Arc<Document>> {
        self.read().by_key.get(key).map(|(_, document)| Arc::clone(document))
    }

    /// The commit up to which everything has been seen: taken before a reader looks.
    pub(crate) fn seen(&self) -> i64 {
        self.read().seen
    }

    /// Adds what a reader has found that took `seen` before it looked.
    pub(crate) fn fill(&self, id: i64, document: &Arc<Document>, seen: i64) {
        if document.value.len() > MAX_VALUE_BYTES {
            return;
        }
        let mut entries = self.write();
        if seen < entries.floor || entries.changed.get(&id).is_some_and(|changed| *changed > seen) {
            return;
        }
        if entries.bytes > self.max_bytes {
            entries.by_key.clear();
            entries.keys.clear();
            entries.bytes = 0;
        }
        entries.remove(id);
        entries.bytes += document.value.len() + ENTRY_BYTES;
        entries.keys.insert(id, document.key.clone());
        entries.by_key.insert(document.key.clone(), (id, Arc::clone(document)));
    }

    /// Forgets what commits have changed, up to `seen`.
    pub(crate) fn forget(&self, changed: impl Iterator<Item = (i64, Vec<i64>)>, seen: i64) {
        let mut entries = self.write();
        if entries.changed.len() > MAX_CHANGED {
            entries.changed.clear();
            entries.floor = entries.seen;
        }
        for (seq, ids) in changed {
            for id in ids {
                entries.remove(id);
                entries.changed.insert(id, seq);
            }
        }
        entries.seen = seen;
    }

    /// Forgets everything: what was changed up to `seen` is not known one by one.
    pub(crate) fn clear(&self, seen: i64) {
        *self.write() = Entries { seen, floor: seen, ..Entries::default() };
    }
}

impl Entries {
    fn remove(&mut self, id: i64) {
        let removed = self.keys.remove(&id).and_then(|key| self.by_key.remove(&key));
        if let Some((_, document)) = removed {
            self.bytes = self.bytes.saturating_sub(document.value.len() + ENTRY_BYTES);
        }
    }
}

#[cfg(test)]
mod tests {
    use koor_core::testkit::bare;

    use super::*;

    fn document(version: u64) -> Arc<Document> {
        Arc::new(bare::document("k", version, Some(b"1")))
    }

    fn version(documents: &Documents) -> Option<u64> {
        documents.get(&bare::key("k")).map(|document| document.revision.version.get())
    }

    #[test]
    fn what_a_commit_has_changed_is_forgotten() {
        let documents = Documents::new(1 << 20);
        documents.clear(5);
        documents.fill(7, &document(1), documents.seen());
        assert_eq!(version(&documents), Some(1));
        documents.forget([(6, vec![8])].into_iter(), 6);
        assert_eq!(version(&documents), Some(1), "another document was changed");
        documents.forget([(7, vec![7])].into_iter(), 7);
        assert_eq!(version(&documents), None);
    }

    #[test]
    fn what_was_read_before_a_change_is_not_added_after_it() {
        let documents = Documents::new(1 << 20);
        documents.clear(5);
        let seen = documents.seen();
        documents.forget([(6, vec![7])].into_iter(), 6);
        documents.fill(7, &document(1), seen);
        assert_eq!(version(&documents), None);
        documents.fill(7, &document(2), documents.seen());
        assert_eq!(version(&documents), Some(2));
        let seen = documents.seen();
        documents.clear(9);
        documents.fill(7, &document(2), seen);
        assert_eq!(version(&documents), None, "what was changed up to 9 is not known");
    }

    #[test]
    fn it_does_not_grow_beyond_its_bound() {
        let documents = Documents::new(10 * ENTRY_BYTES);
        documents.clear(1);
        for id in 0..100 {
            let document = Arc::new(bare::document(&format!("k{id}"), 1, Some(b"1")));
            documents.fill(id, &document, 1);
        }
        assert!(documents.read().by_key.len() <= 12);
    }
}
