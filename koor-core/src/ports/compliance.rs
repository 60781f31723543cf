//! The compliance runs.

use crate::{
    domain::compliance::{ComplianceRun, RunFilter},
    ids::RunId,
    ports::StoreResult,
};

/// The read half of the runs.
pub trait ComplianceRead {
    /// Matching runs, newest first, at most `limit`.
    fn runs(&mut self, filter: &RunFilter, limit: usize) -> StoreResult<Vec<ComplianceRun>>;

    /// The id of the last run there ever was.
    fn last_run(&mut self) -> StoreResult<Option<RunId>>;
}

/// The whole of it.
pub trait ComplianceLog: ComplianceRead {
    /// Keeps a run. Its id is the one after [`last_run`](ComplianceRead::last_run).
    fn append_run(&mut self, run: &ComplianceRun) -> StoreResult<()>;

    /// Forgets all but the newest `keep` runs; the newest one always stays.
    fn prune_runs(&mut self, keep: u64) -> StoreResult<()>;
}
