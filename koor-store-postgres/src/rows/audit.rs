//! `audit_log`.

use koor_core::{
    domain::{
        Actor,
        audit::{AuditEntry, AuditFilter, AuditHead, AuditSummary, ChainedEntry, Outcome},
    },
    ids::{AuditId, Hash},
    page::TimeRange,
    ports::{AuditLog, StoreResult},
};

use crate::{
    conn::{Row, int, limit},
    rows::ends,
    snapshot::Snapshot,
    statement::{Selection, Statement, escape, unescape},
};

const TABLE: &str = "audit_log";

/// From the row that the newest commit has left, which is there when the log is empty.
const SELECT_HEAD: &str = "SELECT last_audit, audit_hash FROM log_head";
const SELECT: &str = "SELECT id, timestamp, actor, action, resource, outcome, hash, detail FROM audit_log";
const SUM_UP: &str = "SELECT count(*) AS n, count(DISTINCT actor) AS actors, \
    count(DISTINCT resource) AS resources FROM audit_log WHERE timestamp BETWEEN $1 AND $2";
const COUNT_ACTIONS: &str = "SELECT action AS name, count(*) AS n FROM audit_log \
    WHERE timestamp BETWEEN $1 AND $2 GROUP BY action";
const COUNT_OUTCOMES: &str = "SELECT outcome AS name, count(*) AS n FROM audit_log \
    WHERE timestamp BETWEEN $1 AND $2 GROUP BY outcome";

fn read(row: Row<'_>) -> StoreResult<ChainedEntry> {
    let entry = AuditEntry {
        id: row.number("id", AuditId::new)?,
        timestamp: row.time("timestamp")?,
        actor: Actor::new(row.text("actor")?),
        action: row.text("action")?,
        resource: row.text("resource")?,
        detail: row.text("detail")?,
        outcome: row.read("outcome", str::parse::<Outcome>)?,
    };
    Ok(ChainedEntry { entry, hash: Hash::from_bytes(row.bytes("hash")?) })
}

/// The end of the chain, from a row of `log_head`.
pub(crate) fn read_head(row: Row<'_>) -> StoreResult<Option<AuditHead>> {
    let Some(id) = row.number_or_none("last_audit", AuditId::new)? else { return Ok(None) };
    let hash =
        row.read("audit_hash", |bytes: Vec<u8>| <[u8; 32]>::try_from(bytes).map_err(|_| "not 32 bytes"))?;
    Ok(Some(AuditHead { id, hash: Hash::from_bytes(hash) }))
}

fn in_range(attempted: &'static str, sql: &'static str, range: TimeRange) -> Statement {
    let (from, to) = ends(range);
    Statement::new(attempted, sql).bind(from).bind(to)
}

impl AuditLog for Snapshot<'_> {
    fn audit(&mut self, filter: &AuditFilter, most: usize) -> StoreResult<Vec<ChainedEntry>> {
        let AuditFilter { actor, action, resource, outcome, range, after } = filter;
        let mut query = Selection::of("read the audit log", SELECT);
        for (condition, text) in [("resource = ?", resource), ("actor = ?", actor), ("action = ?", action)] {
            if let Some(text) = text {
                query.and(condition, escape(text));
            }
        }
        // Written out, because an index on some rows is used only where it is seen to have all of them.
        match outcome {
            Some(Outcome::Success) => query.and_plainly("outcome = 'success'"),
            Some(Outcome::Denied) => query.and_plainly("outcome <> 'success' AND outcome = 'denied'"),
            Some(Outcome::Error) => query.and_plainly("outcome <> 'success' AND outcome = 'error'"),
            None => {}
        }
        query.and_in_range("timestamp", *range);
        match after {
            Some(after) => {
                query.and("id > ?", int(*after));
                query.then("ORDER BY id LIMIT ?", limit(most));
            }
            None => query.then("ORDER BY id DESC LIMIT ?", limit(most)),
        }
        self.conn.rows(query.statement(), TABLE, read)
    }

    fn audit_head(&mut self) -> StoreResult<Option<AuditHead>> {
        let statement = Statement::new("read the end of the audit log", SELECT_HEAD);
        Ok(self.conn.row(statement, "log_head", read_head)?.flatten())
    }

    fn audit_summary(&mut self, range: TimeRange) -> StoreResult<AuditSummary> {
        const ATTEMPTED: &str = "sum up the audit log";
        let conn = &mut *self.conn;
        let read =
            |row: Row<'_>| Ok((row.read("name", |name| Ok::<_, String>(unescape(name)))?, row.count("n")?));
        let actions = conn.rows(in_range(ATTEMPTED, COUNT_ACTIONS, range), TABLE, read)?;
        let outcomes = conn.rows(in_range(ATTEMPTED, COUNT_OUTCOMES, range), TABLE, read)?;
        let sums = conn.row(in_range(ATTEMPTED, SUM_UP, range), TABLE, |row| {
            Ok((row.count("n")?, row.count("actors")?, row.count("resources")?))
        })?;
        let (total_entries, unique_actors, unique_resources) = sums.unwrap_or_default();
        Ok(AuditSummary {
            total_entries,
            action_counts: actions.into_iter().collect(),
            outcome_counts: outcomes.into_iter().collect(),
            unique_actors,
            unique_resources,
        })
    }
}
