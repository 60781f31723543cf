//! Why hooks can't be put into a file.

use crate::mcp_files::MergeError;

/// Why a file can't be changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChangeError {
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// A file that should be Koor's is another's.
    #[error("it is not Koor's own")]
    Foreign,
    /// A hook of git that no shell runs.
    #[error("its first line is not that of a shell script, so nothing can be put into it")]
    NoShell,
}
