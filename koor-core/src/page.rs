//! How much of a list, and from when to when.

use crate::{clock::Timestamp, invalid::Invalid};

/// How many entries of a list: 1 to 10000, 50 unless told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Limit(u16);

impl Limit {
    /// The most that can be asked for.
    pub const MAX: Self = Self(10_000);

    /// Takes a number that a client gave as the parameter `name`.
    ///
    /// # Errors
    /// When it is out of range.
    pub fn new(name: &str, number: u64) -> Result<Self, Invalid> {
        match u16::try_from(number) {
            Ok(limit @ 1..=10_000) => Ok(Self(limit)),
            _ => Err(Invalid::new(format!("{name} must be between 1 and 10000, got {number}"))),
        }
    }

    /// As a plain number.
    #[must_use]
    pub fn get(self) -> usize {
        usize::from(self.0)
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

/// From when to when, both ends included; an end that is not given is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimeRange {
    /// The first moment of it.
    pub from: Option<Timestamp>,
    /// The last moment of it.
    pub to: Option<Timestamp>,
}

impl TimeRange {
    /// Whether the moment lies inside.
    #[must_use]
    pub fn contains(&self, moment: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= moment) && self.to.is_none_or(|to| moment <= to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_out_of_range_names_the_parameter() {
        assert_eq!(Limit::new("last", 10_000).unwrap(), Limit::MAX);
        for wrong in [0, 10_001, u64::MAX] {
            let error = Limit::new("last", wrong).unwrap_err().to_string();
            assert_eq!(error, format!("last must be between 1 and 10000, got {wrong}"));
        }
    }
}
