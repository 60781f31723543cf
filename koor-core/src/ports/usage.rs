//! The usage records.

use crate::{
    domain::usage::{GroupBy, UsageFilter, UsageGroups, UsageRecord},
    ids::UsageId,
    page::TimeRange,
    ports::StoreResult,
};

/// The usage records.
pub trait UsageLog {
    /// Matching records, newest first, at most `limit`.
    fn usage(&mut self, filter: &UsageFilter, limit: usize) -> StoreResult<Vec<UsageRecord>>;

    /// Records after that id, oldest first, at most `limit`.
    fn usage_after(&mut self, after: Option<UsageId>, limit: usize) -> StoreResult<Vec<UsageRecord>>;

    /// Sums of all records in the range, by group.
    fn usage_summary(&mut self, by: GroupBy, range: TimeRange) -> StoreResult<UsageGroups>;
}
