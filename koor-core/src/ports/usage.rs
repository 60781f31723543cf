//! The usage records.

use crate::{
    domain::usage::{GroupBy, UsageFilter, UsageGroups, UsageRecord},
    ids::UsageId,
    page::TimeRange,
    ports::StoreResult,
};

/// The read half of the usage records.
pub trait UsageRead {
    /// Matching records, newest first, at most `limit`.
    fn usage(&mut self, filter: &UsageFilter, limit: usize) -> StoreResult<Vec<UsageRecord>>;

    /// Records after that id, oldest first, at most `limit`.
    fn usage_after(&mut self, after: Option<UsageId>, limit: usize) -> StoreResult<Vec<UsageRecord>>;

    /// Sums of all records in the range, by group.
    fn usage_summary(&mut self, by: GroupBy, range: TimeRange) -> StoreResult<UsageGroups>;

    /// The id of the last record.
    fn last_usage(&mut self) -> StoreResult<Option<UsageId>>;
}

/// The whole of it.
pub trait UsageLog: UsageRead {
    /// Keeps a record. Its id is the one after [`last_usage`](UsageRead::last_usage).
    fn append_usage(&mut self, record: &UsageRecord) -> StoreResult<()>;
}
