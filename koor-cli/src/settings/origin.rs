//! Where settings come from.

use std::fmt;

use super::file;
use crate::exit::Failure;

/// The layer that a setting comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag,
    Environment,
    /// A `settings.json`, of this directory or of a parent.
    File,
    /// The user's own store of tokens.
    Store,
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::File => "settings.json",
            Self::Store => "user",
            Self::Default => "default",
        })
    }
}

/// A setting with its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given<T> {
    pub(crate) value: T,
    pub(crate) origin: Origin,
}

impl Origin {
    /// The failure of a setting from this layer.
    pub(super) fn invalid(self, key: &str, why: impl fmt::Display) -> Failure {
        let name = match self {
            Self::Flag => format!("--{key}"),
            Self::Environment => format!("KOOR_{}", key.to_ascii_uppercase()),
            Self::File | Self::Default => format!("{key} in {}", file::NAME),
            Self::Store => format!("{key} in the user's servers.json"),
        };
        Failure::usage(format!("invalid {name}: {why}"))
    }
}
