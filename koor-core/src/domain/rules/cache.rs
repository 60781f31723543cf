//! Compiled patterns, kept because a validation uses the same ones again and again.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Far more than the rules of one project; each takes some tens of kilobytes once it has been used.
const MAX_ENTRIES: usize = 4096;

/// What was compiled from which text; when full, what was not used for longest goes.
#[derive(Debug)]
pub(super) struct Cache<T> {
    entries: Mutex<Entries<T>>,
}

#[derive(Debug)]
struct Entries<T> {
    uses: u64,
    by_text: HashMap<Box<str>, (u64, Arc<T>)>,
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self { entries: Mutex::new(Entries { uses: 0, by_text: HashMap::new() }) }
    }
}

impl<T> Cache<T> {
    /// What this text compiles to. The lock is not held meanwhile: two callers may compile the same text at once.
    pub(super) fn get<E>(&self, text: &str, compile: impl FnOnce(&str) -> Result<T, E>) -> Result<Arc<T>, E> {
        if let Some(found) = self.lock().touch(text) {
            return Ok(found);
        }
        let compiled = Arc::new(compile(text)?);
        self.lock().insert(text, Arc::clone(&compiled));
        Ok(compiled)
    }

    fn lock(&self) -> MutexGuard<'_, Entries<T>> {
        // Every change under the lock is whole before anything can panic.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Entries<T> {
    fn touch(&mut self, text: &str) -> Option<Arc<T>> {
        self.uses += 1;
        let (used, found) = self.by_text.get_mut(text)?;
        *used = self.uses;
        Some(Arc::clone(found))
    }

    fn insert(&mut self, text: &str, compiled: Arc<T>) {
        if self.by_text.len() >= MAX_ENTRIES {
            // A walk over all of them is still quicker than the compilation that led here.
            let oldest = self.by_text.iter().min_by_key(|(_, (used, _))| *used).map(|(text, _)| text.clone());
            if let Some(oldest) = oldest {
                self.by_text.remove(&oldest);
            }
        }
        self.uses += 1;
        self.by_text.insert(text.into(), (self.uses, compiled));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_compiled_once_while_it_is_kept() {
        let cache = Cache::default();
        assert_eq!(*cache.get("a", |_| Ok::<_, ()>(1)).unwrap(), 1);
        assert_eq!(*cache.get("a", |_| Ok::<_, ()>(2)).unwrap(), 1);
        assert_eq!(cache.get("b", |_| Err::<i32, _>("no")), Err("no"));
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let cache = Cache::default();
        for number in 0..MAX_ENTRIES {
            cache.get(&number.to_string(), |_| Ok::<_, ()>(number)).unwrap();
        }
        cache.get("0", |_| Err("it was kept")).unwrap();
        cache.get("one more", |_| Ok::<_, ()>(0)).unwrap();
        assert_eq!(cache.lock().by_text.len(), MAX_ENTRIES);
        cache.get("0", |_| Err("it was kept")).unwrap();
        assert_eq!(cache.get("1", |_| Err("it is gone")), Err("it is gone"));
    }
}
