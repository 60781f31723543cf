//! `message`, `message_receipt`, `gone_agent` and `agent_briefed`.

use koor_core::{
    clock::Timestamp,
    domain::{
        agents::AgentAddress,
        messages::{Delivered, GoneAgent, Listed, Mailbox, Message, MessageFilter, Receipt, Thread},
    },
    ids::{AgentName, Cursor, EventId, ProjectName},
    ports::{MessageBook, MessageChange, StoreResult},
};

use crate::{
    conn::{Conn, Row, int, limit},
    rows::as_json,
    snapshot::Snapshot,
    statement::{Selection, Statement, escape},
};

const MESSAGE: &str = "message";
const RECEIPT: &str = "message_receipt";
const GONE: &str = "gone_agent";
const BRIEFED: &str = "agent_briefed";

macro_rules! columns {
    () => {
        "id, sender, thread, sent_to, subject, ack, urgent, reply_to, message.created_at, body"
    };
}

const SELECT: &str = concat!("SELECT ", columns!(), " FROM message WHERE id = $1");
const SELECT_AFTER: &str = concat!("SELECT ", columns!(), " FROM message WHERE id > $1 ORDER BY id LIMIT $2");
const SELECT_RECEIPTS: &str = "SELECT name, project, stored_at, surfaced_at, read_at, acked_at FROM message_receipt \
    WHERE message = $1 ORDER BY project, name";
const SELECT_INBOX: &str = concat!(
    "SELECT ",
    columns!(),
    ", surfaced_at, read_at, acked_at FROM message_receipt JOIN message ON message.id = message_receipt.message"
);
const SELECT_SENT: &str = concat!(
    "SELECT ",
    columns!(),
    ", done_at AS read_at, \
     (SELECT CASE WHEN count(*) = count(surfaced_at) THEN max(surfaced_at) END FROM message_receipt \
     WHERE message = message.id) AS surfaced_at, \
     (SELECT CASE WHEN count(*) = count(acked_at) THEN max(acked_at) END FROM message_receipt \
     WHERE message = message.id) AS acked_at FROM message"
);
const SELECT_DONE: &str =
    "SELECT id FROM message WHERE done_at <= $1 AND done_at IS NOT NULL ORDER BY done_at, id LIMIT $2";
const COUNT_UNREAD: &str = "SELECT count(*) AS n FROM message_receipt WHERE read_at IS NULL";
const SELECT_GONE: &str = "SELECT project, name, gone_at FROM gone_agent WHERE project = $1 ORDER BY name";
const SELECT_GONE_BY: &str =
    "SELECT project, name, gone_at FROM gone_agent WHERE gone_at <= $1 ORDER BY project, name";
const SELECT_BRIEFED: &str = "SELECT cursor FROM agent_briefed WHERE project = $1 AND name = $2";
const SELECT_ALL_BRIEFED: &str = "SELECT project, name, cursor FROM agent_briefed ORDER BY project, name";
const PUT: &str = "INSERT INTO message (id, sender, thread, sent_to, subject, ack, urgent, reply_to, created_at, done_at, \
    body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
const PUT_RECEIPT: &str = "INSERT INTO message_receipt (name, project, message, stored_at, surfaced_at, \
    read_at, acked_at) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (name, project, message) DO UPDATE SET \
    stored_at = excluded.stored_at, surfaced_at = excluded.surfaced_at, read_at = excluded.read_at, \
    acked_at = excluded.acked_at";
const SET_DONE: &str = "UPDATE message SET done_at = $1 WHERE id = $2";
const REMOVE: &str = "DELETE FROM message WHERE id = $1";
const REMOVE_RECEIPTS: &str = "DELETE FROM message_receipt WHERE message = $1";
const PUT_GONE: &str = "INSERT INTO gone_agent (project, name, gone_at) VALUES ($1, $2, $3) \
    ON CONFLICT (project, name) DO UPDATE SET gone_at = excluded.gone_at";
const REMOVE_GONE: &str = "DELETE FROM gone_agent WHERE project = $1 AND name = $2";
const PUT_BRIEFED: &str = "INSERT INTO agent_briefed (project, name, cursor) VALUES ($1, $2, $3) \
    ON CONFLICT (project, name) DO UPDATE SET cursor = excluded.cursor";
const REMOVE_BRIEFED: &str = "DELETE FROM agent_briefed WHERE project = $1 AND name = $2";

fn read(row: Row<'_>) -> StoreResult<Message> {
    let reply_to: Option<i64> = row.get("reply_to")?;
    Ok(Message {
        id: row.number("id", EventId::new)?,
        thread: row.read("thread", Thread::parse)?,
        from: row.text("sender")?,
        to: row.json("sent_to")?,
        subject: row.text("subject")?,
        body: row.text("body")?,
        ack: row.get("ack")?,
        urgent: row.get("urgent")?,
        reply_to: reply_to.map(|_| row.number("reply_to", EventId::new)).transpose()?,
        created_at: row.time("created_at")?,
    })
}

fn read_listed(row: Row<'_>) -> StoreResult<Listed> {
    Ok(Listed {
        message: read(row)?,
        surfaced_at: row.maybe_time("surfaced_at")?,
        read_at: row.maybe_time("read_at")?,
        acked_at: row.maybe_time("acked_at")?,
    })
}

fn read_address(row: Row<'_>) -> StoreResult<AgentAddress> {
    Ok(AgentAddress {
        project: row.read("project", |name: &str| ProjectName::new(name))?,
        name: row.read("name", |name: &str| AgentName::new(name))?,
    })
}

fn read_receipt(row: Row<'_>) -> StoreResult<Receipt> {
    Ok(Receipt {
        of: read_address(row)?,
        stored_at: row.time("stored_at")?,
        surfaced_at: row.maybe_time("surfaced_at")?,
        read_at: row.maybe_time("read_at")?,
        acked_at: row.maybe_time("acked_at")?,
    })
}

fn read_gone(row: Row<'_>) -> StoreResult<GoneAgent> {
    Ok(GoneAgent { address: read_address(row)?, gone_at: row.time("gone_at")? })
}

fn cursor(row: Row<'_>) -> StoreResult<Cursor> {
    row.read("cursor", |number: i64| u64::try_from(number).map(Cursor::new))
}

impl Snapshot<'_> {
    fn with_receipts(&mut self, message: Message) -> StoreResult<Delivered> {
        let statement =
            Statement::new("read the receipts of a message", SELECT_RECEIPTS).bind(int(message.id.get()));
        let receipts = self.conn.rows(statement, RECEIPT, read_receipt)?;
        Ok(Delivered { message, receipts })
    }
}

/// Asks for the receipts of an inbox.
fn in_box(attempted: &'static str, select: &'static str, of: &Mailbox) -> Selection {
    let mut query = Selection::of(attempted, select);
    query.and("name = ?", of.name.as_str());
    if let Some(project) = &of.project {
        query.and("project = ?", project.as_str());
    }
    query
}

impl MessageBook for Snapshot<'_> {
    fn message(&mut self, id: EventId) -> StoreResult<Option<Delivered>> {
        let statement = Statement::new("read a message", SELECT).bind(int(id.get()));
        let found = self.conn.row(statement, MESSAGE, read)?;
        found.map(|message| self.with_receipts(message)).transpose()
    }

    fn inbox(&mut self, of: &Mailbox, filter: &MessageFilter, most: usize) -> StoreResult<Vec<Listed>> {
        let mut query = in_box("list an inbox", SELECT_INBOX, of);
        query.and("message > ?", int(filter.after));
        if filter.unread {
            query.and_plainly("read_at IS NULL");
        }
        if let Some(thread) = &filter.thread {
            query.and("thread = ?", thread.to_string());
        }
        query.then("ORDER BY message, project LIMIT ?", limit(most));
        self.conn.rows(query.statement(), MESSAGE, read_listed)
    }

    fn unread(&mut self, of: &Mailbox) -> StoreResult<u64> {
        let mut query = in_box("count unread messages", "SELECT count(*) AS n FROM message_receipt", of);
        query.and_plainly("read_at IS NULL");
        Ok(self.conn.row(query.statement(), RECEIPT, |row| row.count("n"))?.unwrap_or(0))
    }

    fn all_unread(&mut self) -> StoreResult<u64> {
        let statement = Statement::new("count all unread messages", COUNT_UNREAD);
        Ok(self.conn.row(statement, RECEIPT, |row| row.count("n"))?.unwrap_or(0))
    }

    fn sent(&mut self, from: &str, filter: &MessageFilter, most: usize) -> StoreResult<Vec<Listed>> {
        let mut query = Selection::of("list what was sent", SELECT_SENT);
        query.and("sender = ?", escape(from));
        query.and("id > ?", int(filter.after));
        if filter.unread {
            query.and_plainly("done_at IS NULL");
        }
        if let Some(thread) = &filter.thread {
            query.and("thread = ?", thread.to_string());
        }
        query.then("ORDER BY id LIMIT ?", limit(most));
        self.conn.rows(query.statement(), MESSAGE, read_listed)
    }

    fn messages_after(&mut self, after: u64, most: usize) -> StoreResult<Vec<Delivered>> {
        let statement =
            Statement::new("read messages in order", SELECT_AFTER).bind(int(after)).bind(limit(most));
        let found = self.conn.rows(statement, MESSAGE, read)?;
        found.into_iter().map(|message| self.with_receipts(message)).collect()
    }

    fn messages_done(&mut self, until: Timestamp, most: usize) -> StoreResult<Vec<EventId>> {
        let statement =
            Statement::new("find messages to forget", SELECT_DONE).bind(until.millis()).bind(limit(most));
        self.conn.rows(statement, MESSAGE, |row| row.number("id", EventId::new))
    }

    fn gone_agents(&mut self, project: &ProjectName) -> StoreResult<Vec<GoneAgent>> {
        let statement = Statement::new("list agents that are gone", SELECT_GONE).bind(project.as_str());
        self.conn.rows(statement, GONE, read_gone)
    }

    fn agents_gone_by(&mut self, until: Timestamp) -> StoreResult<Vec<GoneAgent>> {
        let statement = Statement::new("find agents to forget", SELECT_GONE_BY).bind(until.millis());
        self.conn.rows(statement, GONE, read_gone)
    }

    fn all_briefed(&mut self) -> StoreResult<Vec<(Mailbox, Cursor)>> {
        self.conn.rows(Statement::new("list who was briefed", SELECT_ALL_BRIEFED), BRIEFED, |row| {
            let project = row.read("project", |name: &str| {
                if name.is_empty() { Ok(None) } else { ProjectName::new(name).map(Some) }
            })?;
            let name = row.read("name", |name: &str| AgentName::new(name))?;
            Ok((Mailbox { project, name }, cursor(row)?))
        })
    }

    fn briefed(&mut self, agent: &Mailbox) -> StoreResult<Option<Cursor>> {
        let statement = Statement::new("read how far an agent was briefed", SELECT_BRIEFED)
            .bind(project_of(agent))
            .bind(agent.name.as_str());
        self.conn.row(statement, BRIEFED, cursor)
    }
}

fn project_of(agent: &Mailbox) -> &str {
    agent.project.as_ref().map_or("", ProjectName::as_str)
}

/// Makes a change.
pub(crate) fn write(conn: &mut Conn, change: &MessageChange) -> StoreResult<()> {
    match change {
        MessageChange::Append(delivered) => append(conn, delivered),
        MessageChange::SetReceipt { id, receipt, done_at } => {
            put_receipt(conn, *id, receipt)?;
            let Some(done_at) = done_at else { return Ok(()) };
            let statement = Statement::new("note that a message was read by all", SET_DONE)
                .bind(done_at.millis())
                .bind(int(id.get()));
            conn.execute(statement).map(drop)
        }
        MessageChange::Remove(id) => {
            conn.execute(Statement::new("forget a message", REMOVE).bind(int(id.get())))?;
            let statement = Statement::new("forget receipts", REMOVE_RECEIPTS).bind(int(id.get()));
            conn.execute(statement).map(drop)
        }
        MessageChange::PutGone(GoneAgent { address, gone_at }) => {
            let statement = Statement::new("keep the name of an agent", PUT_GONE)
                .bind(address.project.as_str())
                .bind(address.name.as_str())
                .bind(gone_at.millis());
            conn.execute(statement).map(drop)
        }
        MessageChange::RemoveGone(AgentAddress { project, name }) => {
            let of_agent = |statement: Statement| statement.bind(project.as_str()).bind(name.as_str());
            conn.execute(of_agent(Statement::new("forget the name of an agent", REMOVE_GONE)))?;
            conn.execute(of_agent(Statement::new("forget how far an agent was briefed", REMOVE_BRIEFED)))
                .map(drop)
        }
        MessageChange::SetBriefed { agent, cursor } => {
            let statement = Statement::new("keep how far an agent was briefed", PUT_BRIEFED)
                .bind(project_of(agent))
                .bind(agent.name.as_str())
                .bind(int(cursor.get()));
            conn.execute(statement).map(drop)
        }
    }
}

fn append(conn: &mut Conn, delivered: &Delivered) -> StoreResult<()> {
    const ATTEMPTED: &str = "keep a message";
    let Message { id, thread, from, to, subject, body, ack, urgent, reply_to, created_at } =
        &delivered.message;
    let statement = Statement::new(ATTEMPTED, PUT)
        .bind(int(id.get()))
        .bind_text(from)
        .bind(thread.to_string())
        .bind(as_json(ATTEMPTED, to)?)
        .bind_text(subject)
        .bind(*ack)
        .bind(*urgent)
        .bind(reply_to.map(|id| int(id.get())))
        .bind(created_at.millis())
        .bind(delivered.done_at().map(Timestamp::millis))
        .bind_text(body);
    conn.execute(statement)?;
    for receipt in &delivered.receipts {
        put_receipt(conn, *id, receipt)?;
    }
    Ok(())
}

fn put_receipt(conn: &mut Conn, id: EventId, receipt: &Receipt) -> StoreResult<()> {
    let statement = Statement::new("keep a receipt", PUT_RECEIPT)
        .bind(receipt.of.name.as_str())
        .bind(receipt.of.project.as_str())
        .bind(int(id.get()))
        .bind(receipt.stored_at.millis())
        .bind(receipt.surfaced_at.map(Timestamp::millis))
        .bind(receipt.read_at.map(Timestamp::millis))
        .bind(receipt.acked_at.map(Timestamp::millis));
    conn.execute(statement).map(drop)
}
