//! Compiled patterns, kept because a validation uses the same ones again and again.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::matcher::Compiled;

/// What all entries may take up together: that of some hundred rules, of which most take some tens of kilobytes.
const MAX_WEIGHT: usize = 40 << 20;

/// An entry above this would push out too many others, and is compiled anew each time.
const MAX_ENTRY: usize = 4 << 20;

/// What was compiled from which text; when full, what was not used for longest goes.
#[derive(Debug)]
pub(super) struct Cache<T> {
    entries: Mutex<Entries<T>>,
}

#[derive(Debug)]
struct Entries<T> {
    uses: u64,
    weight: usize,
    by_text: HashMap<Box<str>, (u64, Arc<T>)>,
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self { entries: Mutex::new(Entries { uses: 0, weight: 0, by_text: HashMap::new() }) }
    }
}

impl<T: Compiled> Cache<T> {
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

impl<T: Compiled> Entries<T> {
    fn touch(&mut self, text: &str) -> Option<Arc<T>> {
        self.uses += 1;
        let (used, found) = self.by_text.get_mut(text)?;
        *used = self.uses;
        Some(Arc::clone(found))
    }

    fn insert(&mut self, text: &str, compiled: Arc<T>) {
        let weight = compiled.weight();
        if weight > MAX_ENTRY {
            return;
        }
        while self.weight + weight > MAX_WEIGHT {
            // A walk over all of them is still quicker than the compilation that led here.
            let oldest = self.by_text.iter().min_by_key(|(_, (used, _))| *used).map(|(text, _)| text.clone());
            let Some((_, oldest)) = oldest.and_then(|oldest| self.by_text.remove(&oldest)) else { break };
            self.weight -= oldest.weight();
        }
        self.uses += 1;
        self.weight += weight;
        if let Some((_, twice)) = self.by_text.insert(text.into(), (self.uses, compiled)) {
            self.weight -= twice.weight();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Compiled for i32 {
        fn weight(&self) -> usize {
            1
        }
    }

    /// One of those that just fit.
    #[derive(Debug, PartialEq)]
    struct Large;

    impl Compiled for Large {
        fn weight(&self) -> usize {
            MAX_ENTRY
        }
    }

    #[derive(Debug)]
    struct TooLarge;

    impl Compiled for TooLarge {
        fn weight(&self) -> usize {
            MAX_ENTRY + 1
        }
    }

    fn filling<T>(cache: &Cache<T>) -> (usize, usize) {
        let entries = cache.entries.lock().unwrap();
        (entries.by_text.len(), entries.weight)
    }

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
        let most = MAX_WEIGHT / MAX_ENTRY;
        for number in 0..most {
            cache.get(&number.to_string(), |_| Ok::<_, ()>(Large)).unwrap();
        }
        cache.get("0", |_| Err("it was kept")).unwrap();
        cache.get("one more", |_| Ok::<_, ()>(Large)).unwrap();
        assert_eq!(filling(&cache), (most, most * MAX_ENTRY));
        cache.get("0", |_| Err("it was kept")).unwrap();
        assert_eq!(cache.get("1", |_| Err("it is gone")), Err("it is gone"));
    }

    #[test]
    fn what_would_push_out_many_others_is_not_kept() {
        let cache = Cache::default();
        cache.get("a", |_| Ok::<_, ()>(TooLarge)).unwrap();
        assert_eq!(filling(&cache), (0, 0));
    }
}
