//! `audit_log`.

use std::collections::BTreeMap;

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
    rows::{Conditions, FEW, ends},
    tx::{Mode, Part, Tx},
};

const TABLE: &str = "audit_log";

const SELECT_HEAD: &str = "SELECT id, hash FROM audit_log ORDER BY id DESC LIMIT 1";
const COUNT_RANGE: &str = "SELECT count(*) AS n FROM (SELECT 1 FROM audit_log \
    WHERE timestamp BETWEEN ? AND ? LIMIT 0 + ?)";
const SELECT: &str = "SELECT id, timestamp, actor, action, resource, outcome, hash, detail FROM audit_log";
const BY_TIME: &str = " INDEXED BY audit_log_timestamp";
const BY_REFUSAL: &str = " INDEXED BY audit_log_refused";
const SUM_UP: &str = "SELECT count(*) AS n, count(DISTINCT actor) AS actors, \
    count(DISTINCT resource) AS resources FROM audit_log WHERE timestamp BETWEEN ? AND ?";
/// Each of these reads one index, in its order.
const SUM_UP_ALL: &str = "SELECT (SELECT count(*) FROM audit_log) AS n, \
    (SELECT count(*) FROM (SELECT DISTINCT actor FROM audit_log)) AS actors, \
    (SELECT count(*) FROM (SELECT DISTINCT resource FROM audit_log)) AS resources";
const COUNT_ALL_ACTIONS: &str = "SELECT action AS name, count(*) AS n FROM audit_log GROUP BY action";
const COUNT_REFUSALS: &str = "SELECT outcome AS name, count(*) AS n FROM audit_log \
    INDEXED BY audit_log_refused WHERE outcome <> 'success' GROUP BY outcome";
const COUNT_ACTIONS: &str = "SELECT action AS name, count(*) AS n FROM audit_log \
    WHERE timestamp BETWEEN ? AND ? GROUP BY action";
const COUNT_OUTCOMES: &str = "SELECT outcome AS name, count(*) AS n FROM audit_log \
    WHERE timestamp BETWEEN ? AND ? GROUP BY outcome";

/// Binds the columns of `audit_log`.
pub(crate) fn bind(statement: &mut Statement, chained: &ChainedEntry) {
    let AuditEntry { id, timestamp, actor, action, resource, detail, outcome } = &chained.entry;
    statement.push(int(id.get()));
    statement.push(timestamp.millis());
    statement.push_text(actor.as_str());
    statement.push_text(action.as_str());
    statement.push_text(resource.as_str());
    statement.push_text(outcome.as_str());
    statement.push(chained.hash.as_bytes().as_slice());
    statement.push_text(detail.as_str());
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

fn in_range(attempted: &'static str, sql: &'static str, range: TimeRange) -> Statement {
    let (from, to) = ends(range);
    Statement::new(attempted, sql).bind(from).bind(to)
}

/// The index that is the short way to what a filter wants, where it isn't for the database to see.
fn short_way(conn: &mut Conn, filter: &AuditFilter) -> StoreResult<Option<&'static str>> {
    if filter.actor.is_some() || filter.action.is_some() || filter.resource.is_some() {
        return Ok(None);
    }
    match filter.outcome {
        Some(Outcome::Denied | Outcome::Error) => return Ok(Some(BY_REFUSAL)),
        Some(Outcome::Success) | None => {}
    }
    if filter.range == TimeRange::default() {
        return Ok(None);
    }
    let statement = in_range("read the audit log", COUNT_RANGE, filter.range).bind(FEW);
    let count = conn.row(statement, TABLE, |row| row.get::<i64>("n"))?;
    Ok(count.is_some_and(|count| count < FEW).then_some(BY_TIME))
}

impl<M: Mode> AuditRead for Tx<'_, M> {
    fn audit(&mut self, filter: &AuditFilter, most: usize) -> StoreResult<Vec<ChainedEntry>> {
        let conn = self.settled(Part::Audit)?;
        let way = short_way(conn, filter)?;
        let AuditFilter { actor, action, resource, outcome, range, after } = filter;
        let mut conditions = Conditions::default();
        let texts = [("actor = ?", actor), ("action = ?", action), ("resource = ?", resource)];
        for (condition, _) in texts.iter().filter(|(_, text)| text.is_some()) {
            conditions.and(condition);
        }
        // Written out, and twice, because an index on some rows is taken only where it is seen to have all of them.
        match outcome {
            Some(Outcome::Success) => conditions.and("outcome = 'success'"),
            Some(Outcome::Denied) => conditions.and("outcome = 'denied' AND outcome <> 'success'"),
            Some(Outcome::Error) => conditions.and("outcome = 'error' AND outcome <> 'success'"),
            None => {}
        }
        // The sign keeps an index on time from being taken where the order of ids ends the search sooner.
        let timely = way == Some(BY_TIME);
        conditions.and(if timely { "timestamp BETWEEN ? AND ?" } else { "+timestamp BETWEEN ? AND ?" });
        conditions.and("id > ?");
        let order = if after.is_some() { "ORDER BY id LIMIT 0 + ?" } else { "ORDER BY id DESC LIMIT 0 + ?" };
        let sql = format!("{SELECT}{}{} {order}", way.unwrap_or_default(), conditions.as_str());
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
        let whole = range == TimeRange::default();
        let statement = |of_all, of_range| {
            if whole { Statement::new(ATTEMPTED, of_all) } else { in_range(ATTEMPTED, of_range, range) }
        };
        let read = |row: Row<'_>| Ok((row.get::<String>("name")?, row.count("n")?));
        let actions = conn.rows(statement(COUNT_ALL_ACTIONS, COUNT_ACTIONS), TABLE, read)?;
        let outcomes = conn.rows(statement(COUNT_REFUSALS, COUNT_OUTCOMES), TABLE, read)?;
        let sums = conn.row(statement(SUM_UP_ALL, SUM_UP), TABLE, |row| {
            Ok((row.count("n")?, row.count("actors")?, row.count("resources")?))
        })?;
        let (total_entries, unique_actors, unique_resources) = sums.unwrap_or_default();
        let mut outcome_counts: BTreeMap<String, u64> = outcomes.into_iter().collect();
        if whole {
            let successes = total_entries - outcome_counts.values().sum::<u64>();
            if successes > 0 {
                outcome_counts.insert(Outcome::Success.to_string(), successes);
            }
        }
        Ok(AuditSummary {
            total_entries,
            action_counts: actions.into_iter().collect(),
            outcome_counts,
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
