//! The audit log: read, summed up, verified.

use crate::{
    app::Koor,
    domain::audit::{AuditEntry, AuditFilter, AuditSummary, ChainReport, ChainWalk},
    error::Error,
    page::{Limit, TimeRange},
};

/// How many entries are looked at in one snapshot: a few milliseconds' worth.
const PAGE: usize = 5_000;

impl Koor {
    /// Matching entries: newest first, or oldest first where the filter has an `after`.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn audit(&self, filter: AuditFilter, limit: Limit) -> Result<Vec<AuditEntry>, Error> {
        let found = self.read(move |tx| tx.audit(&filter, limit.get())).await?;
        Ok(found.into_iter().map(|chained| chained.entry).collect())
    }

    /// The log in numbers.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn audit_summary(&self, range: TimeRange) -> Result<AuditSummary, Error> {
        self.read(move |tx| tx.audit_summary(range)).await
    }

    /// Walks over the whole chain, as it was when the walk began.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn verify_audit(&self) -> Result<ChainReport, Error> {
        let end = self.read(|tx| tx.audit_head()).await?.map_or(0, |head| head.id.get());
        let mut walk = ChainWalk::default();
        let mut after = 0;
        while after < end {
            let filter = AuditFilter { after: Some(after), ..AuditFilter::default() };
            let page = self.read(move |tx| tx.audit(&filter, PAGE)).await?;
            let Some(last) = page.last() else { break };
            after = last.entry.id.get();
            page.iter().filter(|chained| chained.entry.id.get() <= end).for_each(|entry| walk.step(entry));
        }
        Ok(walk.report())
    }
}
