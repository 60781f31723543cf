//! `llm_usage`.

use koor_core::{
    domain::usage::{GroupBy, UsageFilter, UsageGroups, UsageRecord, UsageTotal},
    ids::UsageId,
    page::TimeRange,
    ports::{StoreResult, UsageLog},
};

use crate::{
    conn::{Conn, Row, int, limit},
    rows::ends,
    snapshot::Snapshot,
    statement::{Selection, Statement, escape},
};

const TABLE: &str = "llm_usage";

macro_rules! usage {
    () => {
        "SELECT id, provider, model, instance_id, project, tokens_in, tokens_out, cost_usd, request_type, \
         session_tag, created_at FROM llm_usage"
    };
}

const SELECT: &str = usage!();
const SELECT_AFTER: &str = concat!(usage!(), " WHERE id > $1 ORDER BY id LIMIT $2");
const APPEND: &str = "INSERT INTO llm_usage (id, provider, model, instance_id, project, tokens_in, tokens_out, \
    cost_usd, request_type, session_tag, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";

/// Tokens in two halves, whose sums cannot overflow.
macro_rules! summary {
    ($name:literal) => {
        concat!(
            "SELECT ",
            $name,
            " AS name, count(*) AS n, sum(cost_usd) AS cost, \
             sum((tokens_in >> 32) & 4294967295)::bigint AS in_high, sum(tokens_in & 4294967295)::bigint AS in_low, \
             sum((tokens_out >> 32) & 4294967295)::bigint AS out_high, \
             sum(tokens_out & 4294967295)::bigint AS out_low \
             FROM llm_usage WHERE created_at BETWEEN $1 AND $2 GROUP BY ",
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
        provider: row.text("provider")?,
        model: row.text("model")?,
        instance_id: row.text("instance_id")?,
        project: row.text("project")?,
        tokens_in: row.get::<i64>("tokens_in")?.cast_unsigned(),
        tokens_out: row.get::<i64>("tokens_out")?.cast_unsigned(),
        cost_usd: row.get("cost_usd")?,
        request_type: row.text("request_type")?,
        session_tag: row.text("session_tag")?,
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
    Ok((row.text("name")?, total))
}

/// Binds the ends of a range, both included.
fn in_range(statement: Statement, range: TimeRange) -> Statement {
    let (from, to) = ends(range);
    statement.bind(from).bind(to)
}

impl UsageLog for Snapshot<'_> {
    fn usage(&mut self, filter: &UsageFilter, most: usize) -> StoreResult<Vec<UsageRecord>> {
        let UsageFilter { instance, project, session_tag, range } = filter;
        let mut query = Selection::of("list usage records", SELECT);
        for (condition, text) in
            [("instance_id = ?", instance), ("project = ?", project), ("session_tag = ?", session_tag)]
        {
            if let Some(text) = text {
                query.and(condition, escape(text));
            }
        }
        query.and_in_range("created_at", *range);
        query.then("ORDER BY id DESC LIMIT ?", limit(most));
        self.conn.rows(query.statement(), TABLE, read)
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
        .bind_text(&record.provider)
        .bind_text(&record.model)
        .bind_text(&record.instance_id)
        .bind_text(&record.project)
        .bind(record.tokens_in.cast_signed())
        .bind(record.tokens_out.cast_signed())
        .bind(record.cost_usd)
        .bind_text(&record.request_type)
        .bind_text(&record.session_tag)
        .bind(record.created_at.millis());
    conn.execute(statement).map(drop)
}
