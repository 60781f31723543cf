//! Who is registered, remembered so that a request that names its instance need not ask the store.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use crate::{
    caller::InstanceRef,
    domain::{events::Event, instances::InstanceStatus},
    ids::{Hash, InstanceId},
};

/// How many instances are remembered at most: all that one server sees in practice. Beyond it, memory starts anew.
const MOST: usize = 10_000;

/// What is remembered of an instance.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) instance: InstanceRef,
    pub(crate) stale: bool,
}

impl Known {
    pub(crate) fn new(instance: InstanceRef, status: InstanceStatus) -> Self {
        Self { instance, stale: status == InstanceStatus::Stale }
    }
}

#[derive(Debug, Default)]
pub(crate) struct InstanceCache(RwLock<Entries>);

#[derive(Debug, Default)]
struct Entries {
    by_id: HashMap<InstanceId, Known>,
    by_token: HashMap<Hash, Known>,
    changes: u64,
}

/// Shows that nothing has changed between a look into the store and what is remembered of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Epoch(u64);

impl InstanceCache {
    pub(crate) fn by_id(&self, id: InstanceId) -> Option<Known> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).by_id.get(&id).cloned()
    }

    pub(crate) fn by_token(&self, token: Hash) -> Option<Known> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).by_token.get(&token).cloned()
    }

    /// Taken before the store is asked.
    pub(crate) fn epoch(&self) -> Epoch {
        Epoch(self.0.read().unwrap_or_else(PoisonError::into_inner).changes)
    }

    /// Remembers what the store said, unless it may have changed since the epoch was taken.
    pub(crate) fn remember(&self, epoch: Epoch, token: Option<Hash>, known: Known) {
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if entries.changes != epoch.0 {
            return;
        }
        if entries.by_id.len() + entries.by_token.len() >= MOST {
            entries.by_id.clear();
            entries.by_token.clear();
        }
        if let Some(token) = token {
            entries.by_token.insert(token, known.clone());
        }
        entries.by_id.insert(known.instance.id, known);
    }

    /// Forgets what these events may have changed: any change of any instance. They are rare beside requests.
    pub(crate) fn forget(&self, events: &[Event]) {
        let touched = |event: &Event| {
            event.topic.as_str().starts_with("$instance.") || event.topic.as_str() == "$backup.restored"
        };
        if events.iter().any(touched) {
            self.clear();
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        entries.by_id.clear();
        entries.by_token.clear();
        entries.changes += 1;
    }
}
