//! The pauses between attempts to connect again.

use std::{
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

/// The first one: a server that is restarted is back soon.
const FIRST: Duration = Duration::from_millis(200);

/// The longest: long enough to cost nothing, short enough to notice soon that the server is back.
const LONGEST: Duration = Duration::from_secs(30);

/// Pauses that double, each a little shorter by chance: a hundred subscribers of one server do not come back at once.
#[derive(Debug)]
pub(super) struct Pauses {
    next: Duration,
}

impl Pauses {
    pub(super) fn new() -> Self {
        Self { next: FIRST }
    }

    /// The next pause.
    pub(super) fn next(&mut self) -> Duration {
        // Where it falls is of no consequence to anybody: the keys of a hash map are random enough.
        self.with_chance(RandomState::new().hash_one(0))
    }

    fn with_chance(&mut self, chance: u64) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(LONGEST);
        let half = whole / 2;
        half + half.mul_f64(f64::from(u32::try_from(chance % 1_001).unwrap_or(0)) / 1_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut pauses = Pauses::new();
        let whole: Vec<_> = (0..10).map(|_| pauses.with_chance(1_000).as_millis()).collect();
        assert_eq!(whole, [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]);
    }

    #[test]
    fn chance_takes_half_of_a_pause_at_most() {
        assert_eq!(Pauses::new().with_chance(0), FIRST / 2);
        for _ in 0..100 {
            let pause = Pauses::new().next();
            assert!((FIRST / 2..=FIRST).contains(&pause), "{pause:?}");
        }
    }
}
