//! `audit_log`.

use koor_core::{
    domain::{
        Actor,
        audit::{AuditEntry, AuditFilter, AuditHead, AuditSummary, ChainedEntry, Outcome},
    },
    ids::{AuditId, Hash},
    page::TimeRange,
    ports::{AuditLog, AuditRead, StoreResult},
};

use crate::{
    batch::Batch,
    conn::{Conn, Row, Statement, int, limit},
    rows::Conditions,
    tx::{Mode, Part, Tx},
};

const TABLE: &str = "audit_log";

/// Up to so many entries in a span of time are found through the index on time, and put in order afterwards. More are
/// found by walking through the log until enough have been met.
const FEW: i64 = 4096;

const SELECT_HEAD: &str = "SELECT id, hash FROM audit_log ORDER BY id DESC LIMIT 1";
const COUNT_RANGE: &str = "SELECT count(*) AS n FROM (SELECT 1 FROM audit_log \
    WHERE timestamp BETWEEN ? AND ? LIMIT ?)";
const SELECT: &str = "SELECT id, timestamp, actor, action, resource, outcome, hash, detail FROM audit_log";
const SUM_UP: &str = "SELECT count(*) AS n, count(DISTINCT actor) AS actors, \
    count(DISTINCT resource) AS resources FROM audit_log WHERE timestamp BETWEEN ? AND ?";
const COUNT_ACTIONS: &str = "SELECT action AS name, count(*) AS n FROM audit_log \
    WHERE timestamp BETWEEN ? AND ? GROUP BY action";
const COUNT_OUTCOMES: &str = "SELECT outcome AS name, count(*) AS n FROM audit_log \
    WHERE timestamp BETWEEN ? AND ? GROUP BY outcome";

/// Binds the columns of `audit_log`.
pub(crate) fn bind(statement: &mut Statement, chained: &ChainedEntry) {
    let AuditEntry { id, timestamp, actor, action, resource, detail, outcome } = &chained.entry;
    statement.push(int(id.get()));
    statement.push(timestamp.millis());
    statement.push(actor.as_str());
    statement.push(action.as_str());
    statement.push(resource.as_str());
    statement.push(outcome.as_str());
    statement.push(chained.hash.as_bytes().as_slice());
    statement.push(detail.as_str());
}

fn read(row: Row<'_>) -> StoreResult<ChainedEntry> {
    let entry = AuditEntry {
        id: row.number("id", AuditId::new)?,
        timestamp: row.time("timestamp")?,
        actor: Actor::new(row.get::<&str>("actor")?),
        action: row.get("action")?,
        resource: row.get("resource")?,
        detail: row.get("detail")?,
        outcome: row.read("outcome", str::parse::<Outcome>)?,
    };
    Ok(ChainedEntry { entry, hash: Hash::from_bytes(row.bytes("hash")?) })
}

/// The end of the log, as the table knows it.
pub(crate) fn head(conn: &mut Conn) -> StoreResult<Option<AuditHead>> {
    conn.row(Statement::new("read the end of the audit log", SELECT_HEAD), TABLE, |row| {
        Ok(AuditHead { id: row.number("id", AuditId::new)?, hash: Hash::from_bytes(row.bytes("hash")?) })
    })
}

/// The ends of a range as milliseconds, both included.
fn ends(range: TimeRange) -> (i64, i64) {
    (range.from.map_or(0, |from| from.millis()), range.to.map_or(i64::MAX, |to| to.millis()))
}

fn in_range(attempted: &'static str, sql: &'static str, range: TimeRange) -> Statement {
    let (from, to) = ends(range);
    Statement::new(attempted, sql).bind(from).bind(to)
}

/// Whether the index on time is the short way to what the filter wants.
fn is_short(conn: &mut Conn, filter: &AuditFilter) -> StoreResult<bool> {
    let named = filter.actor.is_some() || filter.action.is_some() || filter.resource.is_some();
    if named || filter.range == TimeRange::default() {
        return Ok(false);
    }
    let statement = in_range("read the audit log", COUNT_RANGE, filter.range).bind(FEW);
    Ok(conn.row(statement, TABLE, |row| row.get::<i64>("n"))?.is_some_and(|count| count < FEW))
}

impl<M: Mode> AuditRead for Tx<'_, M> {
    fn audit(&mut self, filter: &AuditFilter, most: usize) -> StoreResult<Vec<ChainedEntry>> {
        let conn = self.settled(Part::Audit)?;
        let short = is_short(conn, filter)?;
        let AuditFilter { actor, action, resource, outcome, range, after } = filter;
        let mut conditions = Conditions::default();
        let texts = [("actor = ?", actor), ("action = ?", action), ("resource = ?", resource)];
        for (condition, _) in texts.iter().filter(|(_, text)| text.is_some()) {
            conditions.and(condition);
        }
        // Written out, so that the index on refusals is seen to fit.
        match outcome {
            Some(Outcome::Success) => conditions.and("outcome = 'success'"),
            Some(Outcome::Denied) => conditions.and("outcome = 'denied'"),
            Some(Outcome::Error) => conditions.and("outcome = 'error'"),
            None => {}
        }
        // The sign keeps an index on time from being taken where the order of ids ends the search sooner.
        conditions.and(if short { "timestamp BETWEEN ? AND ?" } else { "+timestamp BETWEEN ? AND ?" });
        conditions.and("id > ?");
        let order = if after.is_some() { "ORDER BY id LIMIT ?" } else { "ORDER BY id DESC LIMIT ?" };
        let sql = format!("{SELECT}{} {order}", conditions.as_str());
        let mut statement = Statement::assembled("read the audit log", sql.into());
        for text in texts.iter().filter_map(|(_, text)| text.as_ref()) {
            statement.push(text.as_str());
        }
        let (from, to) = ends(*range);
        let statement = statement.bind(from).bind(to).bind(int(after.unwrap_or(0))).bind(limit(most));
        conn.rows(statement, TABLE, read)
    }

    fn audit_head(&mut self) -> StoreResult<Option<AuditHead>> {
        match self.tails()? {
            Some(tails) => Ok(tails.audit),
            None => head(self.conn),
        }
    }

    fn audit_summary(&mut self, range: TimeRange) -> StoreResult<AuditSummary> {
        const ATTEMPTED: &str = "sum up the audit log";
        let conn = self.settled(Part::Audit)?;
        let read = |row: Row<'_>| Ok((row.get::<String>("name")?, row.count("n")?));
        let action_counts = conn.rows(in_range(ATTEMPTED, COUNT_ACTIONS, range), TABLE, read)?;
        let outcome_counts = conn.rows(in_range(ATTEMPTED, COUNT_OUTCOMES, range), TABLE, read)?;
        let sums = conn.row(in_range(ATTEMPTED, SUM_UP, range), TABLE, |row| {
            Ok((row.count("n")?, row.count("actors")?, row.count("resources")?))
        })?;
        let (total_entries, unique_actors, unique_resources) = sums.unwrap_or_default();
        Ok(AuditSummary {
            total_entries,
            action_counts: action_counts.into_iter().collect(),
            outcome_counts: outcome_counts.into_iter().collect(),
            unique_actors,
            unique_resources,
        })
    }
}

impl AuditLog for Tx<'_, Batch<'_>> {
    fn append_audit(&mut self, entry: &ChainedEntry) -> StoreResult<()> {
        self.mode.append_audit(self.conn, entry)
    }
}
