//! How thoroughly the benchmark measures.

use std::time::Duration;

/// How much time there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    Full,
    Short,
}

impl Depth {
    /// How often what is compared takes turns.
    pub(crate) fn rounds(self) -> usize {
        match self {
            Self::Full => 5,
            Self::Short => 3,
        }
    }

    /// How long a turn lasts.
    pub(crate) fn span(self) -> Duration {
        match self {
            Self::Full => Duration::from_secs(2),
            Self::Short => Duration::from_secs(1),
        }
    }
}
