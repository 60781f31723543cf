//! The compliance runs.

use crate::{
    domain::compliance::{ComplianceRun, RunFilter},
    ids::RunId,
    ports::StoreResult,
};

/// The runs.
pub trait ComplianceLog {
    /// Matching runs, newest first, at most `limit`.
    fn runs(&mut self, filter: &RunFilter, limit: usize) -> StoreResult<Vec<ComplianceRun>>;
}

/// A change of the runs.
#[derive(Debug, Clone, PartialEq)]
pub enum RunChange {
    /// Append a run. Its id is the one after the last.
    Append(ComplianceRun),
    /// Forget all runs up to an id. The newest one always stays.
    Prune {
        /// The last one to go.
        through: RunId,
    },
}
