//! What a job sees: the repositories, on a snapshot or inside a batch. `rows/<noun>.rs` has the methods.

use koor_core::{
    ids::DocumentKey,
    ports::{StoreResult, WriteTx},
};

use crate::{
    batch::Batch,
    conn::{Conn, Statement},
    heads::{Head, Tails},
    recent::{Field, Recent, Sighting},
    rows::state,
};

/// Needs more room than a small change does. What it writes stays: pages that are freed in the transaction that filled
/// them are never written, and so would show nothing.
const PROBE: &str = "DELETE FROM write_probe; INSERT INTO write_probe (filler) VALUES (zeroblob(65536))";

/// The tables whose rows a batch holds back until they are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Documents,
    Events,
    Audit,
}

/// Where a transaction reads: from a snapshot, or from a batch that is being written.
pub(crate) trait Mode {
    /// Makes sure that what has been written to those tables can be read.
    fn settle(&mut self, conn: &mut Conn, part: Part) -> StoreResult<()>;

    /// What is known of a key.
    fn head(&mut self, conn: &mut Conn, key: &DocumentKey) -> StoreResult<Head>;

    /// The ends of what only grows, if they are known without asking.
    fn tails(&self) -> Option<&Tails>;

    /// Where the newest audit entries are that say this, as far as that is known without asking.
    fn sight(&self, field: Field, value: &str) -> Sighting;
}

/// A snapshot, which nothing writes to.
pub(crate) struct Snapshot<'s> {
    /// What the writer knows of the newest audit entries, where somebody writes beside it.
    pub(crate) recent: Option<&'s Recent>,
}

impl Mode for Snapshot<'_> {
    fn settle(&mut self, _: &mut Conn, _: Part) -> StoreResult<()> {
        Ok(())
    }

    fn head(&mut self, conn: &mut Conn, key: &DocumentKey) -> StoreResult<Head> {
        state::head(conn, key)
    }

    fn tails(&self) -> Option<&Tails> {
        None
    }

    fn sight(&self, field: Field, value: &str) -> Sighting {
        self.recent.map_or_else(Sighting::none, |recent| recent.sight(field, value))
    }
}

impl Mode for Batch<'_> {
    fn settle(&mut self, conn: &mut Conn, part: Part) -> StoreResult<()> {
        self.flush(conn, part)
    }

    fn head(&mut self, conn: &mut Conn, key: &DocumentKey) -> StoreResult<Head> {
        Batch::head(self, conn, key)
    }

    fn tails(&self) -> Option<&Tails> {
        Some(&self.tails)
    }

    fn sight(&self, _: Field, _: &str) -> Sighting {
        // Changes do not look for entries: they may take the long way.
        Sighting::none()
    }
}

/// A transaction.
pub(crate) struct Tx<'c, M> {
    pub(crate) conn: &'c mut Conn,
    pub(crate) mode: M,
}

impl<M: Mode> Tx<'_, M> {
    /// The ends of what only grows, unless a query is needed for them.
    pub(crate) fn tails(&self) -> StoreResult<Option<&Tails>> {
        self.conn.check()?;
        Ok(self.mode.tails())
    }

    /// The connection, with everything of that part on it.
    pub(crate) fn settled(&mut self, part: Part) -> StoreResult<&mut Conn> {
        self.mode.settle(self.conn, part)?;
        Ok(self.conn)
    }
}

impl Tx<'_, Batch<'_>> {
    /// The connection, to write to a table that is not held back.
    pub(crate) fn writing(&mut self) -> StoreResult<&mut Conn> {
        self.mode.begin(self.conn)?;
        Ok(self.conn)
    }

    /// Writes what needs room and is worth nothing.
    pub(crate) fn probe(&mut self) -> StoreResult<()> {
        self.writing()?.execute(Statement::new("try to write", PROBE)).map(drop)
    }
}

impl WriteTx for Tx<'_, Batch<'_>> {
    fn dirty(&self) -> bool {
        self.mode.dirty
    }
}
