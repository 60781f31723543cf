//! What the tests of the adapter share.

use std::path::Path;

pub(crate) use koor_core::testkit::bare::{ask, put as put_one};
use koor_core::{
    domain::audit::{AuditFilter, ChainReport, ChainWalk},
    ports::{ReadTx, StoreResult},
};
use koor_store_sqlite::{SqliteOptions, SqliteStore};

pub(crate) async fn open(directory: &Path) -> SqliteStore {
    SqliteStore::open(SqliteOptions::new(directory)).await.unwrap()
}

/// Walks over the whole audit log.
pub(crate) fn walk(tx: &mut dyn ReadTx) -> StoreResult<ChainReport> {
    let mut walk = ChainWalk::default();
    let mut filter = AuditFilter { after: Some(0), ..AuditFilter::default() };
    loop {
        let entries = tx.audit(&filter, 1000)?;
        let Some(last) = entries.last() else { return Ok(walk.report()) };
        filter.after = Some(last.entry.id.get());
        for entry in &entries {
            walk.step(entry);
        }
    }
}
