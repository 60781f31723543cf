//! The audit log.

use crate::{
    domain::audit::{AuditFilter, AuditHead, AuditSummary, ChainedEntry},
    page::TimeRange,
    ports::StoreResult,
};

/// The read half of the audit log.
pub trait AuditRead {
    /// Matching entries, at most `limit`: newest first, or oldest first where the filter has an `after`.
    fn audit(&mut self, filter: &AuditFilter, limit: usize) -> StoreResult<Vec<ChainedEntry>>;

    /// The end of the chain; `None` when there is no entry.
    fn audit_head(&mut self) -> StoreResult<Option<AuditHead>>;

    /// The log in numbers.
    fn audit_summary(&mut self, range: TimeRange) -> StoreResult<AuditSummary>;
}

/// The whole of it: entries are appended, and there is no other door.
pub trait AuditLog: AuditRead {
    /// Keeps an entry. Its id is the one after that of [`audit_head`](AuditRead::audit_head).
    fn append_audit(&mut self, entry: &ChainedEntry) -> StoreResult<()>;
}
