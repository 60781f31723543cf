//! What models cost.

use crate::{
    app::Koor,
    domain::usage::{GroupBy, UsageFilter, UsageGroups, UsageRecord},
    error::Error,
    page::{Limit, TimeRange},
};

impl Koor {
    /// Matching records, newest first.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn usage(&self, filter: UsageFilter, limit: Limit) -> Result<Vec<UsageRecord>, Error> {
        self.read(move |tx| tx.usage(&filter, limit.get())).await
    }

    /// Sums of all records in the range, by group.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn usage_summary(&self, by: GroupBy, range: TimeRange) -> Result<UsageGroups, Error> {
        self.read(move |tx| tx.usage_summary(by, range)).await
    }
}
