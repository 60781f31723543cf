//! `llm_usage` and `agent_session`.

use koor_core::{
    clock::Timestamp,
    domain::{
        budgets::Spent,
        sessions::AgentSession,
        usage::{GroupBy, UsageFilter, UsageGroups, UsageRecord, UsageTotal},
    },
    ids::{InstanceId, ProjectName, SessionName, UsageId},
    page::TimeRange,
    ports::{StoreResult, UsageLog},
};

use crate::{
    conn::{Conn, Row, int, limit},
    rows::ends,
    snapshot::Snapshot,
    statement::{Selection, Statement, escape, unescape},
};

const TABLE: &str = "llm_usage";

macro_rules! usage {
    () => {
        "SELECT id, provider, model, instance_id, project, tokens_in, tokens_out, cost_usd, request_type, \
         session_tag, created_at, request_id, session, task, cache_read_tokens, cache_write_tokens, priced, \
         coalesce(received_at, created_at) AS received_at FROM llm_usage"
    };
}

const SELECT: &str = usage!();
const SELECT_AFTER: &str = concat!(usage!(), " WHERE id > $1 ORDER BY id LIMIT $2");
const APPEND: &str = "INSERT INTO llm_usage (id, provider, model, instance_id, project, tokens_in, tokens_out, \
    cost_usd, request_type, session_tag, created_at, request_id, session, task, cache_read_tokens, \
    cache_write_tokens, priced, received_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)";
const SELECT_OF_REQUESTS: &str =
    "SELECT request_id, id FROM llm_usage WHERE request_id <> '' AND request_id = ANY($1)";
const SELECT_UNATTRIBUTED: &str = concat!(
    usage!(),
    " WHERE session = $1 AND instance_id = '(unattributed)' AND coalesce(received_at, created_at) >= $2 \
     ORDER BY id LIMIT $3"
);
const ATTRIBUTE: &str = "UPDATE llm_usage SET instance_id = $1, project = $2, task = $3 WHERE id = $4";
const SUM_SPENT: &str = concat!(
    "SELECT coalesce(sum(cost_usd), 0)::double precision AS cost, ",
    "coalesce(sum(((tokens_in >> 32) & 4294967295) + ((tokens_out >> 32) & 4294967295) \
     + ((cache_write_tokens >> 32) & 4294967295)), 0)::bigint AS high, ",
    "coalesce(sum((tokens_in & 4294967295) + (tokens_out & 4294967295) \
     + (cache_write_tokens & 4294967295)), 0)::bigint AS low \
     FROM llm_usage WHERE project = $1 AND created_at >= $2"
);

const SESSIONS: &str = "agent_session";
const SELECT_SESSION: &str = "SELECT session, instance, announced_at FROM agent_session WHERE session = $1";
const SELECT_SESSIONS: &str = "SELECT session, instance, announced_at FROM agent_session ORDER BY session";
const PUT_SESSION: &str = "INSERT INTO agent_session (session, instance, announced_at) VALUES ($1, $2, $3) \
    ON CONFLICT (session) DO UPDATE SET instance = excluded.instance, announced_at = excluded.announced_at";
const REMOVE_SESSIONS: &str = "DELETE FROM agent_session WHERE instance = $1";

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
const SUM_BY_TASK: &str = summary!("task");
const SUM_BY_DAY: &str =
    summary!("to_char(to_timestamp(created_at / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD')");

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
        request_id: row.text("request_id")?,
        session: row.text("session")?,
        task: row.text("task")?,
        cache_read_tokens: row.get::<i64>("cache_read_tokens")?.cast_unsigned(),
        cache_write_tokens: row.get::<i64>("cache_write_tokens")?.cast_unsigned(),
        priced: row.get("priced")?,
        received_at: row.time("received_at")?,
    })
}

fn read_session(row: Row<'_>) -> StoreResult<AgentSession> {
    Ok(AgentSession {
        session: row.read("session", |text: &str| SessionName::new(unescape(text.to_owned())))?,
        instance_id: InstanceId::from_bytes(row.bytes("instance")?),
        announced_at: row.time("announced_at")?,
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
            GroupBy::Task => SUM_BY_TASK,
            GroupBy::Day => SUM_BY_DAY,
        };
        let statement = in_range(Statement::new("sum up usage", sql), range);
        Ok(self.conn.rows(statement, TABLE, read_total)?.into_iter().collect())
    }

    fn usage_of_requests(&mut self, requests: &[&str]) -> StoreResult<Vec<(String, UsageId)>> {
        let wanted: Vec<_> = requests.iter().map(|request| escape(request)).collect();
        let statement = Statement::new("find the records of requests", SELECT_OF_REQUESTS).bind(wanted);
        self.conn.rows(statement, TABLE, |row| Ok((row.text("request_id")?, row.number("id", UsageId::new)?)))
    }

    fn unattributed_usage(
        &mut self,
        session: &SessionName,
        since: Timestamp,
        most: usize,
    ) -> StoreResult<Vec<UsageRecord>> {
        let statement = Statement::new("list the usage of a session", SELECT_UNATTRIBUTED)
            .bind_text(session.as_str())
            .bind(since.millis())
            .bind(limit(most));
        self.conn.rows(statement, TABLE, read)
    }

    fn spent_since(&mut self, project: &ProjectName, since: Timestamp) -> StoreResult<Spent> {
        let statement = Statement::new("sum up what a project has spent", SUM_SPENT)
            .bind_text(project.as_str())
            .bind(since.millis());
        let spent = self.conn.row(statement, TABLE, |row| {
            let tokens = (u128::from(row.count("high")?) << 32) + u128::from(row.count("low")?);
            Ok(Spent { usd: row.get("cost")?, tokens: u64::try_from(tokens).unwrap_or(u64::MAX) })
        })?;
        Ok(spent.unwrap_or_default())
    }

    fn session(&mut self, session: &SessionName) -> StoreResult<Option<AgentSession>> {
        let statement = Statement::new("read a session", SELECT_SESSION).bind_text(session.as_str());
        self.conn.row(statement, SESSIONS, read_session)
    }

    fn sessions(&mut self) -> StoreResult<Vec<AgentSession>> {
        self.conn.rows(Statement::new("list sessions", SELECT_SESSIONS), SESSIONS, read_session)
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
        .bind(record.created_at.millis())
        .bind_text(&record.request_id)
        .bind_text(&record.session)
        .bind_text(&record.task)
        .bind(record.cache_read_tokens.cast_signed())
        .bind(record.cache_write_tokens.cast_signed())
        .bind(record.priced)
        .bind(record.received_at.millis());
    conn.execute(statement).map(drop)
}

/// Says anew whose a record is.
pub(crate) fn attribute(conn: &mut Conn, record: &UsageRecord) -> StoreResult<()> {
    let statement = Statement::new("attribute a usage record", ATTRIBUTE)
        .bind_text(&record.instance_id)
        .bind_text(&record.project)
        .bind_text(&record.task)
        .bind(int(record.id.get()));
    conn.execute(statement).map(drop)
}

/// Keeps a session.
pub(crate) fn put_session(conn: &mut Conn, session: &AgentSession) -> StoreResult<()> {
    let statement = Statement::new("keep a session", PUT_SESSION)
        .bind_text(session.session.as_str())
        .bind(session.instance_id.as_bytes().as_slice())
        .bind(session.announced_at.millis());
    conn.execute(statement).map(drop)
}

/// Forgets the sessions of an instance.
pub(crate) fn remove_sessions(conn: &mut Conn, instance: InstanceId) -> StoreResult<()> {
    let statement = Statement::new("forget the sessions of an instance", REMOVE_SESSIONS)
        .bind(instance.as_bytes().as_slice());
    conn.execute(statement).map(drop)
}
