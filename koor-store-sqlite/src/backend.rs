//! The two verbs of a backend on the one connection that writes.
//!
//! Koor is the only writer of its database, so facts are never stale and nothing needs to be locked: looking up and
//! committing are separate steps without a transaction around both.

use std::sync::Arc;

use async_trait::async_trait;
use koor_core::ports::{Backend, Basis, Change, Ends, FactSet, Facts, Outcome, Point, StoreResult};

use crate::{
    audit_tail::AuditTail,
    batch::{Batch, Written, roll_back},
    batch_sql::BatchTexts,
    cache::Cache,
    conn::{Conn, Statement},
    indexing::Indexing,
    revision_cache::{LogTails, RevisionCache},
    rows,
    snapshot::Snapshot,
};

const CHECKPOINT: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

/// Needs more room than a small change does. What it writes stays: pages that are freed in the transaction that filled
/// them are never written, and so would show nothing.
const PROBE: &str = "DELETE FROM write_probe; INSERT INTO write_probe (filler) VALUES (zeroblob(65536))";

/// What the backend shares with readers.
pub(crate) struct Shared {
    pub(crate) cache: Cache,
    pub(crate) audit_tail: AuditTail,
}

/// The write half of the store.
pub(crate) struct SqliteBackend {
    conn: Conn,
    revisions: RevisionCache,
    texts: BatchTexts,
    tails: LogTails,
    indexing: Indexing,
    shared: Arc<Shared>,
}

/// The ends of everything, as the tables know them.
pub(crate) fn tails(conn: &mut Conn) -> StoreResult<LogTails> {
    Ok(LogTails {
        key_id: rows::state::last_key_id(conn)?,
        ends: Ends {
            audit: rows::audit::head(conn)?,
            log: rows::events::bounds(conn)?,
            run: rows::compliance::last(conn)?,
            usage: rows::usage::last(conn)?,
        },
    })
}

impl SqliteBackend {
    /// A backend on that connection.
    pub(crate) fn new(
        mut conn: Conn,
        tails: LogTails,
        index_after: u32,
        shared: Arc<Shared>,
    ) -> StoreResult<Self> {
        let indexing = Indexing::on(&mut conn, index_after)?;
        let (revisions, texts) = (RevisionCache::default(), BatchTexts::default());
        Ok(Self { conn, revisions, texts, tails, indexing, shared })
    }

    /// Leaves the database in order.
    pub(crate) fn close(mut self) {
        if let Err(error) = self.conn.execute(Statement::new("checkpoint", CHECKPOINT)) {
            tracing::warn!(%error, "cannot checkpoint; the next start will");
        }
        if let Err(error) = self.conn.close() {
            tracing::warn!(%error, "cannot close the database; the next start will put it in order");
        }
    }

    fn look_up(&mut self, wanted: &FactSet) -> StoreResult<Facts> {
        let Self { conn, revisions, tails, .. } = self;
        let mut snapshot = Snapshot { conn, audit_tail: None };
        let newest = |snapshot: &mut Snapshot<'_>, key: &_| Ok(revisions.head(snapshot.conn, key)?.newest);
        let mut facts = wanted.look_up(&mut snapshot, newest)?;
        facts.ends = tails.ends;
        Ok(facts)
    }

    fn write(&mut self, changes: &[Change]) -> StoreResult<()> {
        let Self { conn, revisions, texts, tails, shared, .. } = self;
        let mut batch = Batch::new(revisions, texts, *tails);
        for change in changes {
            batch.add(conn, change)?;
        }
        let written = batch.commit(conn)?;
        let Written { tails: ends, documents, audited } = written;
        *tails = ends;
        if !audited.is_empty() {
            shared.audit_tail.push(&audited, tails.last_audit());
        }
        for document in documents {
            shared.cache.store(document);
        }
        Ok(())
    }
}

#[async_trait]
impl Backend for SqliteBackend {
    async fn fetch(&mut self, wanted: &FactSet, _: Basis) -> StoreResult<Facts> {
        let facts = self.look_up(wanted);
        // A query that failed has no transaction to spoil.
        self.conn.begin_anew();
        facts
    }

    async fn commit(&mut self, _: Point, changes: &[Change]) -> StoreResult<Outcome> {
        let written = self.write(changes);
        if written.is_err() {
            roll_back(&mut self.conn);
        }
        written.map(|()| Outcome::Committed)
    }

    async fn probe(&mut self) -> StoreResult<()> {
        let probed = self.conn.execute(Statement::new("try to write", PROBE));
        if probed.is_err() {
            roll_back(&mut self.conn);
        }
        probed.map(drop)
    }

    async fn tend(&mut self) -> bool {
        if !self.indexing.is_due(&self.tails) {
            return false;
        }
        match self.indexing.step(&mut self.conn, &self.tails) {
            Ok(Some(through)) => self.shared.audit_tail.forget(through),
            Ok(None) => {}
            Err(error) => {
                // Entries are found without it, if more slowly.
                tracing::warn!(%error, "cannot index the audit log; trying again later");
                roll_back(&mut self.conn);
                self.indexing.put_off(&self.tails);
            }
        }
        self.indexing.is_due(&self.tails)
    }
}
