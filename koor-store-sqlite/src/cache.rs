//! The newest version of hot documents, ready to be handed out.
//!
//! Only the writer changes an entry, after COMMIT and before it answers. A reader may add what it has found missing,
//! but only if nothing was written to that part of the cache since before the reader's snapshot began: else what it
//! found may be older than what the writer has put there, or thrown out of there, meanwhile.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    mem::size_of,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use koor_core::{domain::state::Document, ids::DocumentKey};

use crate::revision_cache::text_bytes;

/// Enough that two threads seldom meet in one.
const SHARDS: usize = 16;

/// What an entry takes up beyond its text: key and document, the map's slot, the allocations.
const ENTRY_BYTES: usize = size_of::<DocumentKey>() + size_of::<Document>() + 128;

/// A value above this is read from the database each time: one of it would push out a thousand others.
const MAX_VALUE_BYTES: usize = 1 << 20;

type Entries = HashMap<DocumentKey, Arc<Document>>;

/// Two generations: when the young one is full it becomes the old one, and what is not used until the next
/// change is forgotten.
#[derive(Default)]
struct Shard {
    /// Counts the writes.
    epoch: u64,
    young: Entries,
    young_bytes: usize,
    old: Entries,
}

/// The cache.
pub(crate) struct Cache {
    shards: [RwLock<Shard>; SHARDS],
    hasher: RandomState,
    /// How much a generation of one shard may hold.
    generation_bytes: usize,
}

/// The right to fill in what a snapshot shows, taken before the snapshot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Epoch {
    epoch: u64,
}

fn weight(document: &Document) -> usize {
    // The key is kept twice: as the entry's, and inside the document.
    document.value.len() + 2 * text_bytes(&document.key) + ENTRY_BYTES
}

impl Cache {
    /// A cache that holds about so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self {
            shards: std::array::from_fn(|_| RwLock::default()),
            hasher: RandomState::new(),
            generation_bytes: bytes / SHARDS / 2,
        }
    }

    fn shard(&self, key: &DocumentKey) -> &RwLock<Shard> {
        let hash = self.hasher.hash_one(key);
        // The remainder is below SHARDS, whatever the width of a usize.
        &self.shards[usize::try_from(hash % SHARDS as u64).unwrap_or(0)]
    }

    fn read(&self, key: &DocumentKey) -> RwLockReadGuard<'_, Shard> {
        self.shard(key).read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, key: &DocumentKey) -> RwLockWriteGuard<'_, Shard> {
        self.shard(key).write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest version of a document, if it is here.
    pub(crate) fn get(&self, key: &DocumentKey) -> Option<Arc<Document>> {
        {
            let shard = self.read(key);
            if let Some(document) = shard.young.get(key) {
                return Some(document.clone());
            }
            if !shard.old.contains_key(key) {
                return None;
            }
        }
        let mut shard = self.write(key);
        // Meanwhile it may have gone, or been changed.
        let document = shard.old.get(key).or_else(|| shard.young.get(key)).cloned()?;
        if shard.old.contains_key(key) {
            shard.put(document.clone(), self.generation_bytes);
        }
        Some(document)
    }

    /// To be taken before a snapshot is, by who wants to [`fill`](Self::fill) in what it shows.
    pub(crate) fn epoch(&self, key: &DocumentKey) -> Epoch {
        Epoch { epoch: self.read(key).epoch }
    }

    /// Adds what a snapshot shows, unless something was written since the epoch was taken.
    pub(crate) fn fill(&self, document: &Arc<Document>, epoch: Epoch) {
        if document.value.len() > MAX_VALUE_BYTES {
            return;
        }
        let mut shard = self.write(&document.key);
        if shard.epoch == epoch.epoch {
            shard.put(document.clone(), self.generation_bytes);
        }
    }

    /// Takes in a version that has just become durable.
    pub(crate) fn store(&self, document: &Arc<Document>) {
        let mut shard = self.write(&document.key);
        shard.epoch += 1;
        if document.value.len() > MAX_VALUE_BYTES {
            shard.remove(&document.key);
        } else {
            shard.put(document.clone(), self.generation_bytes);
        }
    }
}

impl Shard {
    fn remove(&mut self, key: &DocumentKey) {
        if let Some(gone) = self.young.remove(key) {
            self.young_bytes -= weight(&gone);
        }
        self.old.remove(key);
    }

    fn put(&mut self, document: Arc<Document>, generation_bytes: usize) {
        self.remove(&document.key);
        let bytes = weight(&document);
        if bytes > generation_bytes {
            return;
        }
        if self.young_bytes + bytes > generation_bytes {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += bytes;
        self.young.insert(document.key.clone(), document);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use koor_core::{
        clock::Timestamp,
        domain::{Actor, ContentType, state::Revision},
        ids::{Hash, StateKey, Version},
    };

    use super::*;

    fn key(name: &str) -> DocumentKey {
        StateKey::new(name).unwrap().into()
    }

    fn document(name: &str, version: u64, size: usize) -> Arc<Document> {
        let value = Bytes::from(vec![b'x'; size]);
        let revision = Revision {
            version: Version::new(version).unwrap(),
            hash: Hash::of(&value),
            content_type: ContentType::json(),
            size: size as u64,
            updated_at: Timestamp::from_millis(0),
            updated_by: Actor::default(),
            deleted: false,
        };
        Arc::new(Document { key: key(name), revision, value })
    }

    #[test]
    fn what_a_snapshot_showed_before_a_write_is_not_filled_in_after_it() {
        let cache = Cache::new(1 << 20);
        let epoch = cache.epoch(&key("a"));
        let found_by_a_reader = document("a", 1, 10);
        cache.store(&document("a", 2, 10));
        cache.fill(&found_by_a_reader, epoch);
        assert_eq!(cache.get(&key("a")), Some(document("a", 2, 10)));
    }

    #[test]
    fn what_a_snapshot_showed_before_a_large_write_is_not_filled_in_after_it() {
        let cache = Cache::new(64 << 20);
        let epoch = cache.epoch(&key("a"));
        cache.store(&document("a", 2, MAX_VALUE_BYTES + 1));
        cache.fill(&document("a", 1, 10), epoch);
        assert_eq!(cache.get(&key("a")), None);
    }

    #[test]
    fn a_write_after_the_fill_wins() {
        let cache = Cache::new(1 << 20);
        let epoch = cache.epoch(&key("a"));
        cache.fill(&document("a", 1, 10), epoch);
        assert_eq!(cache.get(&key("a")), Some(document("a", 1, 10)));
        cache.store(&document("a", 2, 10));
        assert_eq!(cache.get(&key("a")), Some(document("a", 2, 10)));
    }

    #[test]
    fn what_is_asked_for_outlives_what_is_not_and_the_bound_holds() {
        let bytes = 4 << 20;
        let cache = Cache::new(bytes);
        cache.store(&document("hot", 1, 100));
        for n in 0..20_000 {
            cache.store(&document(&format!("cold/{n}"), 1, 1000));
            cache.get(&key("hot"));
        }
        assert_eq!(cache.get(&key("hot")), Some(document("hot", 1, 100)));
        assert_eq!(cache.get(&key("cold/0")), None);
        let held: usize = cache
            .shards
            .iter()
            .map(|shard| {
                let shard = shard.read().unwrap();
                shard.young.values().chain(shard.old.values()).map(|document| weight(document)).sum::<usize>()
            })
            .sum();
        assert!(held <= bytes && held > bytes / 4, "{held}");
    }
}
