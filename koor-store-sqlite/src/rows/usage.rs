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
    conn::{Conn, Row, Statement, int, limit},
    rows::{Conditions, FEW, as_json, ends},
    snapshot::Snapshot,
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
const BY_TIME: &str = " INDEXED BY llm_usage_created";
const COUNT_RANGE: &str = "SELECT count(*) AS n FROM (SELECT 1 FROM llm_usage \
    WHERE created_at BETWEEN ? AND ? LIMIT 0 + ?)";
const SELECT_AFTER: &str = concat!(usage!(), " WHERE id > ? ORDER BY id LIMIT 0 + ?");
const SELECT_LAST: &str = "SELECT id FROM llm_usage ORDER BY id DESC LIMIT 1";
const SELECT_OF_REQUESTS: &str = "SELECT request_id, id FROM llm_usage \
    WHERE request_id <> '' AND request_id IN (SELECT value FROM json_each(?))";
const SELECT_UNATTRIBUTED: &str = concat!(
    usage!(),
    " WHERE session = ? AND instance_id = '(unattributed)' AND coalesce(received_at, created_at) >= ? \
     ORDER BY id LIMIT 0 + ?"
);
const ATTRIBUTE: &str = "UPDATE llm_usage SET instance_id = ?, project = ?, task = ? WHERE id = ?";
const SUM_SPENT: &str = concat!(
    "SELECT total(cost_usd) AS cost, ",
    "coalesce(sum(((tokens_in >> 32) & 4294967295) + ((tokens_out >> 32) & 4294967295) \
     + ((cache_write_tokens >> 32) & 4294967295)), 0) AS high, ",
    "coalesce(sum((tokens_in & 4294967295) + (tokens_out & 4294967295) \
     + (cache_write_tokens & 4294967295)), 0) AS low \
     FROM llm_usage WHERE project = ? AND created_at >= ?"
);

const SESSIONS: &str = "agent_session";
const SELECT_SESSION: &str = "SELECT session, instance, announced_at FROM agent_session WHERE session = ?";
const SELECT_SESSIONS: &str = "SELECT session, instance, announced_at FROM agent_session ORDER BY session";
const PUT_SESSION: &str = "INSERT INTO agent_session (session, instance, announced_at) VALUES (?, ?, ?) \
    ON CONFLICT (session) DO UPDATE SET instance = excluded.instance, announced_at = excluded.announced_at";
const REMOVE_SESSIONS: &str = "DELETE FROM agent_session WHERE instance = ?";

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
const SUM_BY_TASK: &str = summary!("task");
const SUM_BY_DAY: &str = summary!("strftime('%Y-%m-%d', created_at / 1000, 'unixepoch')");

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
        request_id: row.get("request_id")?,
        session: row.get("session")?,
        task: row.get("task")?,
        cache_read_tokens: row.get::<i64>("cache_read_tokens")?.cast_unsigned(),
        cache_write_tokens: row.get::<i64>("cache_write_tokens")?.cast_unsigned(),
        priced: row.flag("priced")?,
        received_at: row.time("received_at")?,
    })
}

fn read_session(row: Row<'_>) -> StoreResult<AgentSession> {
    Ok(AgentSession {
        session: row.read("session", str::parse::<SessionName>)?,
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
            GroupBy::Task => SUM_BY_TASK,
            GroupBy::Day => SUM_BY_DAY,
        };
        let statement = in_range(Statement::new("sum up usage", sql), range);
        Ok(self.conn.rows(statement, TABLE, read_total)?.into_iter().collect())
    }

    fn usage_of_requests(&mut self, requests: &[&str]) -> StoreResult<Vec<(String, UsageId)>> {
        const ATTEMPTED: &str = "find the records of requests";
        let statement = Statement::new(ATTEMPTED, SELECT_OF_REQUESTS).bind(as_json(ATTEMPTED, &requests)?);
        self.conn.rows(statement, TABLE, |row| Ok((row.get("request_id")?, row.number("id", UsageId::new)?)))
    }

    fn unattributed_usage(
        &mut self,
        session: &SessionName,
        since: Timestamp,
        most: usize,
    ) -> StoreResult<Vec<UsageRecord>> {
        let statement = Statement::new("list the usage of a session", SELECT_UNATTRIBUTED)
            .bind(session.as_str())
            .bind(since.millis())
            .bind(limit(most));
        self.conn.rows(statement, TABLE, read)
    }

    fn spent_since(&mut self, project: &ProjectName, since: Timestamp) -> StoreResult<Spent> {
        let statement = Statement::new("sum up what a project has spent", SUM_SPENT)
            .bind(project.as_str())
            .bind(since.millis());
        let spent = self.conn.row(statement, TABLE, |row| {
            let tokens = (u128::from(row.count("high")?) << 32) + u128::from(row.count("low")?);
            Ok(Spent { usd: row.get("cost")?, tokens: u64::try_from(tokens).unwrap_or(u64::MAX) })
        })?;
        Ok(spent.unwrap_or_default())
    }

    fn session(&mut self, session: &SessionName) -> StoreResult<Option<AgentSession>> {
        let statement = Statement::new("read a session", SELECT_SESSION).bind(session.as_str());
        self.conn.row(statement, SESSIONS, read_session)
    }

    fn sessions(&mut self) -> StoreResult<Vec<AgentSession>> {
        self.conn.rows(Statement::new("list sessions", SELECT_SESSIONS), SESSIONS, read_session)
    }
}

/// Binds a record, in the order of the columns of its insert.
pub(crate) fn bind(statement: &mut Statement, record: &UsageRecord) {
    statement.push(int(record.id.get()));
    statement.push_text(&record.provider);
    statement.push_text(&record.model);
    statement.push_text(&record.instance_id);
    statement.push_text(&record.project);
    statement.push(record.tokens_in.cast_signed());
    statement.push(record.tokens_out.cast_signed());
    statement.push(record.cost_usd);
    statement.push_text(&record.request_type);
    statement.push_text(&record.session_tag);
    statement.push(record.created_at.millis());
    statement.push_text(&record.request_id);
    statement.push_text(&record.session);
    statement.push_text(&record.task);
    statement.push(record.cache_read_tokens.cast_signed());
    statement.push(record.cache_write_tokens.cast_signed());
    statement.push(i64::from(record.priced));
    statement.push(record.received_at.millis());
}

/// Says anew whose a record is.
pub(crate) fn attribute(conn: &mut Conn, record: &UsageRecord) -> StoreResult<()> {
    let statement = Statement::new("attribute a usage record", ATTRIBUTE)
        .bind(record.instance_id.as_str())
        .bind(record.project.as_str())
        .bind(record.task.as_str())
        .bind(int(record.id.get()));
    conn.execute(statement).map(drop)
}

/// Keeps a session.
pub(crate) fn put_session(conn: &mut Conn, session: &AgentSession) -> StoreResult<()> {
    let statement = Statement::new("keep a session", PUT_SESSION)
        .bind(session.session.as_str())
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
