//! For how long something is held.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{error::Invalid, schema::describe};

/// The time after which a claim or a lease ends unless its holder shows that it is alive: 10 seconds to 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct LeaseTime(u64);

describe!(LeaseTime: {
    "description": "Whole seconds, or a span such as 30m: 10s to 24h.",
    "anyOf": [
        {"type": "integer", "minimum": 10, "maximum": 86_400},
        {"type": "string", "pattern": "^[1-9][0-9]{0,2}m$"},
    ],
});

impl LeaseTime {
    /// The shortest: an agent must be able to make a call within it.
    const SHORTEST: u64 = 10_000;
    /// The longest: what a dead agent holds is free again on the next day.
    const LONGEST: u64 = 24 * 3_600_000;

    /// Takes a time within the bounds, in whole milliseconds.
    ///
    /// # Errors
    /// When it is out of bounds.
    pub fn new(time: Duration) -> Result<Self, Invalid> {
        u64::try_from(time.as_millis()).unwrap_or(u64::MAX).try_into()
    }

    /// That many minutes, which are within the bounds.
    pub(crate) const fn minutes(minutes: u64) -> Self {
        Self(minutes * 60_000)
    }

    /// As a span of time.
    #[must_use]
    pub fn get(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl TryFrom<u64> for LeaseTime {
    type Error = Invalid;

    fn try_from(millis: u64) -> Result<Self, Invalid> {
        if (Self::SHORTEST..=Self::LONGEST).contains(&millis) {
            return Ok(Self(millis));
        }
        Err(Invalid::new("lease must be between 10s and 24h"))
    }
}

impl From<LeaseTime> for u64 {
    fn from(lease: LeaseTime) -> Self {
        lease.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_out_of_bounds_is_refused() {
        for (millis, fits) in
            [(9_999, false), (10_000, true), (86_400_000, true), (86_400_001, false), (u64::MAX, false)]
        {
            assert_eq!(LeaseTime::new(Duration::from_millis(millis)).is_ok(), fits, "{millis}");
        }
    }
}
