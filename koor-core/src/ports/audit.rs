//! The audit log.

use crate::{
    domain::audit::{AuditFilter, AuditHead, AuditSummary, ChainedEntry},
    page::TimeRange,
    ports::StoreResult,
};

/// The audit log.
pub trait AuditLog {
    /// Matching entries, at most `limit`: newest first, or oldest first where the filter has an `after`.
    fn audit(&mut self, filter: &AuditFilter, limit: usize) -> StoreResult<Vec<ChainedEntry>>;

    /// The end of the chain; `None` when there is no entry.
    fn audit_head(&mut self) -> StoreResult<Option<AuditHead>>;

    /// The log in numbers.
    fn audit_summary(&mut self, range: TimeRange) -> StoreResult<AuditSummary>;
}
