//! `llm_usage`.

use koor_core::{
    domain::usage::{GroupBy, UsageFilter, UsageGroups, UsageRecord, UsageTotal},
    ids::UsageId,
    page::TimeRange,
    ports::{StoreResult, UsageLog},
};

use crate::{
    conn::{Conn, Row, Statement, int, limit},
    rows::{Conditions, FEW, ends},
    snapshot::Snapshot,
};

const TABLE: &str = "llm_usage";

macro_rules! usage {
    () => {
        "SELECT id, provider, model, instance_id, project, tokens_in, tokens_out, cost_usd, request_type, \
         session_tag, created_at FROM llm_usage"
    };
}

const SELECT: &str = usage!();
const BY_TIME: &str = " INDEXED BY llm_usage_created";
const COUNT_RANGE: &str = "SELECT count(*) AS n FROM (SELECT 1 FROM llm_usage \
    WHERE created_at BETWEEN ? AND ? LIMIT 0 + ?)";
const SELECT_AFTER: &str = concat!(usage!(), " WHERE id > ? ORDER BY id LIMIT 0 + ?");
const SELECT_LAST: &str = "SELECT id FROM llm_usage ORDER BY id DESC LIMIT 1";
const APPEND: &str = "INSERT INTO llm_usage (id, provider, model, instance_id, project, tokens_in, tokens_out, \
    cost_usd, request_type, session_tag, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// Tokens in two halves, whose sums cannot overflow.
macro_rules! summary {
    ($name:literal) => {
        concat!(
            "SELECT ",
            $name,
            " AS name, count(*) AS n, sum(cost_usd) AS cost, \
             sum((tokens_in >> 32) & 4294967295) AS in_high, sum(tokens_in & 4294967295) AS in_low, \
             sum((tokens_out >> 32) & 4294967295) AS out_high, sum(tokens_out & 4294967295) AS out_low \
             FROM llm_usage WHERE created_at BETWEEN ? AND ? GROUP BY ",
            $name
        )
    };
}

const SUM_BY_PROJECT: &str = summary!("project");
const SUM_BY_INSTANCE: &str = summary!("instance_id");
const SUM_BY_MODEL: &str = summary!("model");
const SUM_BY_SESSION: &str = summary!("session_tag");

fn read(row: Row<'_>) -> StoreResult<UsageRecord> {
    Ok(UsageRecord {
        id: row.number("id", UsageId::new)?,
        provider: row.get("provider")?,
        model: row.get("model")?,
        instance_id: row.get("instance_id")?,
        project: row.get("project")?,
        tokens_in: row.get::<i64>("tokens_in")?.cast_unsigned(),
        tokens_out: row.get::<i64>("tokens_out")?.cast_unsigned(),
        cost_usd: row.get("cost_usd")?,
        request_type: row.get("request_type")?,
        session_tag: row.get("session_tag")?,
        created_at: row.time("created_at")?,
    })
}

fn read_total(row: Row<'_>) -> StoreResult<(String, UsageTotal)> {
    let sum = |high, low| -> StoreResult<u64> {
        let sum = (u128::from(row.count(high)?) << 32) + u128::from(row.count(low)?);
        Ok(u64::try_from(sum).unwrap_or(u64::MAX))
    };
    let total = UsageTotal {
        total_tokens_in: sum("in_high", "in_low")?,
        total_tokens_out: sum("out_high", "out_low")?,
        total_cost_usd: row.get("cost")?,
        request_count: row.count("n")?,
    };
    Ok((row.get("name")?, total))
}

/// The id of the last record, as the table knows it.
pub(crate) fn last(conn: &mut Conn) -> StoreResult<Option<UsageId>> {
    let statement = Statement::new("read the last usage record", SELECT_LAST);
    conn.row(statement, TABLE, |row| row.number("id", UsageId::new))
}

/// Binds the ends of a range, both included.
fn in_range(statement: Statement, range: TimeRange) -> Statement {
    let (from, to) = ends(range);
    statement.bind(from).bind(to)
}

/// Whether a span of time has so few records that putting them in order is less than walking to them.
fn few_in_range(conn: &mut Conn, range: TimeRange) -> StoreResult<bool> {
    if range == TimeRange::default() {
        return Ok(false);
    }
    let statement = in_range(Statement::new("list usage records", COUNT_RANGE), range).bind(FEW);
    let count = conn.row(statement, TABLE, |row| row.get::<i64>("n"))?;
    Ok(count.is_some_and(|count| count < FEW))
}

impl UsageLog for Snapshot<'_> {
    fn usage(&mut self, filter: &UsageFilter, most: usize) -> StoreResult<Vec<UsageRecord>> {
        let UsageFilter { instance, project, session_tag, range } = filter;
        let texts =
            [("instance_id = ?", instance), ("project = ?", project), ("session_tag = ?", session_tag)];
        let mut conditions = Conditions::default();
        for (condition, _) in texts.iter().filter(|(_, text)| text.is_some()) {
            conditions.and(condition);
        }
        let alone = texts.iter().all(|(_, text)| text.is_none());
        let timely = alone && few_in_range(self.conn, *range)?;
        // The sign keeps the index on time from being taken, after which all would have to be put in order again.
        conditions.and(if timely { "created_at BETWEEN ? AND ?" } else { "+created_at BETWEEN ? AND ?" });
        let way = if timely { BY_TIME } else { "" };
        let sql = format!("{SELECT}{way}{} ORDER BY id DESC LIMIT 0 + ?", conditions.as_str());
        let mut statement = Statement::assembled("list usage records", sql.into());
        for text in texts.iter().filter_map(|(_, text)| text.as_ref()) {
            statement.push(text.as_str());
        }
        self.conn.rows(in_range(statement, *range).bind(limit(most)), TABLE, read)
    }

    fn usage_after(&mut self, after: Option<UsageId>, most: usize) -> StoreResult<Vec<UsageRecord>> {
        let after = after.map_or(0, |id| int(id.get()));
        let statement = Statement::new("list usage records", SELECT_AFTER).bind(after).bind(limit(most));
        self.conn.rows(statement, TABLE, read)
    }

    fn usage_summary(&mut self, by: GroupBy, range: TimeRange) -> StoreResult<UsageGroups> {
        let sql = match by {
            GroupBy::Project => SUM_BY_PROJECT,
            GroupBy::Instance => SUM_BY_INSTANCE,
            GroupBy::Model => SUM_BY_MODEL,
            GroupBy::SessionTag => SUM_BY_SESSION,
        };
        let statement = in_range(Statement::new("sum up usage", sql), range);
        Ok(self.conn.rows(statement, TABLE, read_total)?.into_iter().collect())
    }
}

/// Appends a record.
pub(crate) fn append(conn: &mut Conn, record: &UsageRecord) -> StoreResult<()> {
    let statement = Statement::new("keep a usage record", APPEND)
        .bind(int(record.id.get()))
        .bind(record.provider.as_str())
        .bind(record.model.as_str())
        .bind(record.instance_id.as_str())
        .bind(record.project.as_str())
        .bind(record.tokens_in.cast_signed())
        .bind(record.tokens_out.cast_signed())
        .bind(record.cost_usd)
        .bind(record.request_type.as_str())
        .bind(record.session_tag.as_str())
        .bind(record.created_at.millis());
    conn.execute(statement).map(drop)
}
