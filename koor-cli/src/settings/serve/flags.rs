//! The flags of `serve`, as they were typed.

use std::path::PathBuf;

/// The flags of `serve`, as they were typed.
#[derive(Debug, Default)]
pub(crate) struct ServeFlags {
    /// The config file.
    pub(crate) config: Option<PathBuf>,
    /// The settings that were given, by their keys.
    pub(crate) flags: Vec<(&'static str, Vec<String>)>,
}
