//! `audit_log`.

use std::collections::BTreeMap;

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
    audit_tail::{Candidates, Field},
    conn::{Conn, Row, Statement, int, limit},
    rows::{Conditions, FEW, ends},
    snapshot::Snapshot,
};

const TABLE: &str = "audit_log";

const SELECT_HEAD: &str = "SELECT id, hash FROM audit_log ORDER BY id DESC LIMIT 1";
const COUNT_RANGE: &str = "SELECT count(*) AS n FROM (SELECT 1 FROM audit_log \
    WHERE timestamp BETWEEN ? AND ? LIMIT 0 + ?)";
const COLUMNS: &str = "a.id, a.timestamp, a.actor, a.action, a.resource, a.outcome, a.hash, a.detail";
const BY_TIME: &str = " INDEXED BY audit_log_timestamp";
const BY_REFUSAL: &str = " INDEXED BY audit_log_refused";
const SUM_UP: &str = "SELECT count(*) AS n, count(DISTINCT actor) AS actors, \
    count(DISTINCT resource) AS resources FROM audit_log WHERE timestamp BETWEEN ? AND ?";
/// Up to where the index has the log.
macro_rules! indexed {
    () => {
        "(SELECT through FROM audit_indexed WHERE one = 1)"
    };
}
/// How many values a field has: those in the index, in its order, and those that are only among the newest entries.
macro_rules! different {
    ($column:literal, $field:literal) => {
        concat!(
            "(SELECT count(*) FROM (SELECT DISTINCT value FROM audit_by WHERE field = ",
            $field,
            ")) + (SELECT count(*) FROM (SELECT DISTINCT ",
            $column,
            " AS value FROM audit_log WHERE id > ",
            indexed!(),
            ") AS newer WHERE NOT EXISTS (SELECT 1 FROM audit_by AS old WHERE old.field = ",
            $field,
            " AND old.value = newer.value))"
        )
    };
}
const SUM_UP_ALL: &str = concat!(
    "SELECT (SELECT count(*) FROM audit_log) AS n, ",
    different!("actor", "1"),
    " AS actors, ",
    different!("resource", "0"),
    " AS resources"
);
const COUNT_ALL_ACTIONS: &str = concat!(
    "SELECT name, sum(n) AS n FROM (SELECT value AS name, count(*) AS n FROM audit_by WHERE field = 2 AND id <= ",
    indexed!(),
    " GROUP BY value UNION ALL SELECT action, count(*) FROM audit_log WHERE id > ",
    indexed!(),
    " GROUP BY action) GROUP BY name"
);
const SELECT_INDEXED: &str = concat!("SELECT ", indexed!(), " AS through");
/// What the writer sorts the newest entries into, before it takes them into the index.
pub(crate) const MAKE_SORTED: &str =
    "CREATE TEMP TABLE audit_sorted (value TEXT NOT NULL, id INTEGER NOT NULL) STRICT";
macro_rules! sort {
    ($column:literal) => {
        concat!(
            "DELETE FROM audit_sorted; INSERT INTO audit_sorted (value, id) SELECT ",
            $column,
            ", id FROM audit_log WHERE id > ? AND id <= ? ORDER BY ",
            $column,
            ", id"
        )
    };
}
/// What is there already is of a round that was broken off by the end of the process.
const INDEX_SORTED: &str = "INSERT OR IGNORE INTO audit_by SELECT ?, value, id FROM audit_sorted \
    WHERE rowid > ? AND rowid <= ? ORDER BY rowid";
const SET_INDEXED: &str = "UPDATE audit_indexed SET through = ? WHERE one = 1";
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

/// Up to where the index has the log.
pub(crate) fn indexed(conn: &mut Conn) -> StoreResult<i64> {
    let statement = Statement::new("read how far the audit log is indexed", SELECT_INDEXED);
    Ok(conn.row(statement, "audit_indexed", |row| row.get("through"))?.unwrap_or(0))
}

/// Prepares a connection to bring the index on.
pub(crate) fn prepare_to_index(conn: &mut Conn) -> StoreResult<()> {
    conn.execute(Statement::new("make room to sort the audit log", MAKE_SORTED)).map(drop)
}

/// Sorts the entries after one, up to another, by what they say.
pub(crate) fn sort(conn: &mut Conn, field: Field, after: i64, through: i64) -> StoreResult<()> {
    let sql = match field {
        Field::Resource => sort!("resource"),
        Field::Actor => sort!("actor"),
        Field::Action => sort!("action"),
    };
    conn.execute(Statement::new("sort the audit log", sql).bind(after).bind(through)).map(drop)
}

/// Takes some of the entries that are sorted into the index, by their places in that order.
pub(crate) fn index_sorted(conn: &mut Conn, field: Field, after: i64, through: i64) -> StoreResult<()> {
    let statement = Statement::new("index the audit log", INDEX_SORTED);
    conn.execute(statement.bind(i64::from(field as u8)).bind(after).bind(through)).map(drop)
}

/// From now on, the index has all entries up to this one.
pub(crate) fn set_indexed(conn: &mut Conn, through: i64) -> StoreResult<()> {
    conn.execute(Statement::new("say how far the audit log is indexed", SET_INDEXED).bind(through)).map(drop)
}

/// The index on the log's own table that is the short way to what a filter wants, where it isn't for the database to see.
fn short_way(conn: &mut Conn, filter: &AuditFilter) -> StoreResult<Option<&'static str>> {
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

/// What a filter asks of an entry. The parameters are those that [`ask`] binds.
fn conditions(filter: &AuditFilter, timely: bool) -> Conditions {
    let mut conditions = Conditions::default();
    let texts = [
        ("a.actor = ?1", &filter.actor),
        ("a.action = ?2", &filter.action),
        ("a.resource = ?3", &filter.resource),
    ];
    for (condition, _) in texts.iter().filter(|(_, text)| text.is_some()) {
        conditions.and(condition);
    }
    // Written out, and twice, because an index on some rows is taken only where it is seen to have all of them.
    match filter.outcome {
        Some(Outcome::Success) => conditions.and("a.outcome = 'success'"),
        Some(Outcome::Denied) => conditions.and("a.outcome = 'denied' AND a.outcome <> 'success'"),
        Some(Outcome::Error) => conditions.and("a.outcome = 'error' AND a.outcome <> 'success'"),
        None => {}
    }
    // The sign keeps an index on time from being taken where the order of ids ends the search sooner.
    conditions.and(if timely { "a.timestamp BETWEEN ?4 AND ?5" } else { "+a.timestamp BETWEEN ?4 AND ?5" });
    conditions
}

/// A query with everything bound to it that any of them needs: what the filter asks, how many entries at most, and what
/// is known of the newest entries.
fn ask(sql: String, filter: &AuditFilter, most: usize, known: &Candidates) -> Statement {
    let AuditFilter { actor, action, resource, range, after, .. } = filter;
    let (from, to) = ends(*range);
    let ids: Vec<String> = known.ids.iter().map(ToString::to_string).collect();
    Statement::assembled("read the audit log", sql.into())
        .bind(actor.as_deref())
        .bind(action.as_deref())
        .bind(resource.as_deref())
        .bind(from)
        .bind(to)
        .bind(int(after.unwrap_or(0)))
        .bind(limit(most))
        .bind(known.after)
        .bind(known.through)
        .bind(format!("[{}]", ids.join(",")))
}

/// Entries by what they say in a field: those in the index, and those that are newer. Of these, what is not known is read
/// one after another, and of what is known, only what may be meant. Each in order, but not all together: for that the
/// database would make four tables, and take ten times as long.
fn by_field(field: Field, filter: &AuditFilter, order: &str) -> String {
    let value = match field {
        Field::Actor => "?1",
        Field::Action => "?2",
        Field::Resource => "?3",
    };
    let conditions = conditions(filter, false);
    // One bound, and not two beside each other, of which the database would begin with the first.
    let newer = concat!("a.id > max(?6, ", indexed!(), ")");
    let newest = concat!("a.id > max(?6, ", indexed!(), ", ?9)");
    let (conditions, ordered) = (conditions.as_str(), format!("{order} LIMIT 0 + ?7"));
    format!(
        "SELECT * FROM (SELECT {COLUMNS} FROM audit_by AS b CROSS JOIN audit_log AS a ON a.id = b.id{conditions} \
         AND b.field = {} AND b.value = {value} AND b.id > ?6 AND b.id <= {} ORDER BY b.id {ordered}) \
         UNION ALL SELECT * FROM (SELECT {COLUMNS} FROM audit_log AS a{conditions} AND {newer} AND a.id <= ?8 \
         ORDER BY a.id {ordered}) \
         UNION ALL SELECT {COLUMNS} FROM json_each(?10) AS known CROSS JOIN audit_log AS a ON a.id = known.value\
         {conditions} AND {newer} \
         UNION ALL SELECT * FROM (SELECT {COLUMNS} FROM audit_log AS a{conditions} AND {newest} \
         ORDER BY a.id {ordered})",
        field as u8,
        indexed!(),
    )
}

impl AuditLog for Snapshot<'_> {
    fn audit(&mut self, filter: &AuditFilter, most: usize) -> StoreResult<Vec<ChainedEntry>> {
        let order = if filter.after.is_some() { "" } else { "DESC" };
        // What fewest entries have in common first.
        let fields = [
            (Field::Resource, &filter.resource),
            (Field::Actor, &filter.actor),
            (Field::Action, &filter.action),
        ];
        let field = fields.into_iter().find_map(|(field, value)| Some((field, value.as_deref()?)));
        let known = field.map_or_else(Candidates::none, |(field, value)| self.candidates(field, value));
        let conn = &mut *self.conn;
        let sql = if let Some((field, _)) = field {
            by_field(field, filter, order)
        } else {
            let way = short_way(conn, filter)?;
            let conditions = conditions(filter, way == Some(BY_TIME));
            let (way, conditions) = (way.unwrap_or_default(), conditions.as_str());
            format!(
                "SELECT {COLUMNS} FROM audit_log AS a{way}{conditions} AND a.id > ?6 ORDER BY a.id {order} LIMIT 0 + ?7"
            )
        };
        let mut entries = conn.rows(ask(sql, filter, most, &known), TABLE, read)?;
        if field.is_some() {
            entries.sort_unstable_by_key(|entry| entry.entry.id);
            if filter.after.is_none() {
                entries.reverse();
            }
            entries.truncate(most);
        }
        Ok(entries)
    }

    fn audit_head(&mut self) -> StoreResult<Option<AuditHead>> {
        head(self.conn)
    }

    fn audit_summary(&mut self, range: TimeRange) -> StoreResult<AuditSummary> {
        const ATTEMPTED: &str = "sum up the audit log";
        let conn = &mut *self.conn;
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
