//! The usage records, and the sessions by which they are attributed.

use crate::{
    clock::Timestamp,
    domain::{
        budgets::Spent,
        sessions::AgentSession,
        usage::{GroupBy, UsageFilter, UsageGroups, UsageRecord},
    },
    ids::{ProjectName, SessionName, UsageId},
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

    /// The records of these requests, by request; of several of the same, any. None is empty.
    fn usage_of_requests(&mut self, requests: &[&str]) -> StoreResult<Vec<(String, UsageId)>>;

    /// The records of a session that are [not attributed](crate::domain::usage::UNATTRIBUTED), received since that moment,
    /// oldest first, at most `limit`.
    fn unattributed_usage(
        &mut self,
        session: &SessionName,
        since: Timestamp,
        limit: usize,
    ) -> StoreResult<Vec<UsageRecord>>;

    /// What a project has spent since that moment.
    fn spent_since(&mut self, project: &ProjectName, since: Timestamp) -> StoreResult<Spent>;

    /// A session that was announced.
    fn session(&mut self, session: &SessionName) -> StoreResult<Option<AgentSession>>;

    /// All sessions that were announced, by name.
    fn sessions(&mut self) -> StoreResult<Vec<AgentSession>>;
}
