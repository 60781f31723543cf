//! Chance that can be had again.

/// A plain generator; `TRUST_SEED` sets where it begins.
pub(crate) struct Random(u64);

impl Random {
    /// One of its own for each number.
    pub(crate) fn new(number: u64) -> Self {
        Self(seed() ^ (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below that one.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }
}

/// Where chance begins: as told, or anywhere.
pub(crate) fn seed() -> u64 {
    number("TRUST_SEED", u64::from(std::process::id()) << 20)
}

/// A number from the environment.
pub(crate) fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a whole number"))
}
