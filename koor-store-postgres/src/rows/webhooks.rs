//! `webhook` and `webhook_delivery`.

use koor_core::{
    clock::Timestamp,
    domain::webhooks::{DELIVERIES_KEPT, Delivery, Secret, Webhook},
    ids::{Cursor, EventId, WebhookId},
    pattern::Pattern,
    ports::{StoreResult, WebhookChange, WebhookRepo},
};

use crate::{
    conn::{Conn, Row, int, limit},
    rows::as_json,
    snapshot::Snapshot,
    statement::{Statement, escape, unescape},
};

const TABLE: &str = "webhook";
const DELIVERIES: &str = "webhook_delivery";

macro_rules! webhook {
    () => {
        "SELECT id, url, patterns, secret, active, created_at, last_fired, fail_count, cursor, retry_at, last_error \
         FROM webhook "
    };
}

const SELECT: &str = concat!(webhook!(), "WHERE id = $1");
const SELECT_ALL: &str = concat!(webhook!(), "ORDER BY id");
const SELECT_DELIVERIES: &str = "SELECT id, event_id, attempt, status, error, duration_ms, at \
    FROM webhook_delivery WHERE webhook_id = $1 ORDER BY id DESC LIMIT $2";
const PUT: &str = "INSERT INTO webhook (id, url, patterns, secret, active, created_at, last_fired, \
    fail_count, cursor, retry_at, last_error) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
    ON CONFLICT (id) DO UPDATE SET url = excluded.url, patterns = excluded.patterns, secret = excluded.secret, \
    active = excluded.active, created_at = excluded.created_at, last_fired = excluded.last_fired, \
    fail_count = excluded.fail_count, cursor = excluded.cursor, retry_at = excluded.retry_at, \
    last_error = excluded.last_error";
const REMOVE: &str = "DELETE FROM webhook WHERE id = $1";
const REMOVE_DELIVERIES: &str = "DELETE FROM webhook_delivery WHERE webhook_id = $1";
const APPEND_DELIVERY: &str = "INSERT INTO webhook_delivery (webhook_id, event_id, attempt, status, error, \
    duration_ms, at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
const TRIM_DELIVERIES: &str = "DELETE FROM webhook_delivery WHERE webhook_id = $1 AND id <= \
    (SELECT id FROM webhook_delivery WHERE webhook_id = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)";

fn read(row: Row<'_>) -> StoreResult<Webhook> {
    let patterns: Vec<String> = row.json("patterns")?;
    let patterns: Result<Vec<Pattern>, _> = patterns.iter().map(Pattern::new).collect();
    Ok(Webhook {
        id: row.read("id", |name: &str| WebhookId::new(name))?,
        url: row.text("url")?,
        patterns: patterns.map_err(|error| row.corrupt("patterns", error))?,
        secret: row
            .read("secret", |secret: Option<String>| secret.map(unescape).map(Secret::new).transpose())?,
        active: row.get("active")?,
        created_at: row.time("created_at")?,
        last_fired: row.maybe_time("last_fired")?,
        fail_count: row.read("fail_count", |count: i64| u32::try_from(count))?,
        cursor: Cursor::new(row.count("cursor")?),
        retry_at: row.maybe_time("retry_at")?,
        last_error: row.text("last_error")?,
    })
}

fn read_delivery(row: Row<'_>) -> StoreResult<Delivery> {
    Ok(Delivery {
        event_id: row.number("event_id", EventId::new)?,
        attempt: row.read("attempt", |attempt: i64| u32::try_from(attempt))?,
        status: row.read("status", |status: i32| u16::try_from(status))?,
        error: row.maybe_text("error")?,
        duration_ms: row.count("duration_ms")?,
        at: row.time("at")?,
    })
}

impl WebhookRepo for Snapshot<'_> {
    fn webhook(&mut self, id: &WebhookId) -> StoreResult<Option<Webhook>> {
        self.conn.row(Statement::new("read a webhook", SELECT).bind(id.as_str()), TABLE, read)
    }

    fn webhooks(&mut self) -> StoreResult<Vec<Webhook>> {
        self.conn.rows(Statement::new("list webhooks", SELECT_ALL), TABLE, read)
    }

    fn deliveries(&mut self, id: &WebhookId) -> StoreResult<Vec<Delivery>> {
        let statement = Statement::new("list deliveries", SELECT_DELIVERIES)
            .bind(id.as_str())
            .bind(limit(DELIVERIES_KEPT));
        self.conn.rows(statement, DELIVERIES, read_delivery)
    }
}

/// Makes a change.
pub(crate) fn write(conn: &mut Conn, change: &WebhookChange) -> StoreResult<()> {
    match change {
        WebhookChange::Put(webhook) => put_webhook(conn, webhook),
        WebhookChange::Remove(id) => remove_webhook(conn, id),
        WebhookChange::AppendDelivery { id, delivery } => append_delivery(conn, id, delivery),
    }
}

fn put_webhook(conn: &mut Conn, webhook: &Webhook) -> StoreResult<()> {
    const ATTEMPTED: &str = "keep a webhook";
    let patterns: Vec<&str> = webhook.patterns.iter().map(Pattern::as_str).collect();
    let statement = Statement::new(ATTEMPTED, PUT)
        .bind(webhook.id.as_str())
        .bind_text(&webhook.url)
        .bind(as_json(ATTEMPTED, &patterns)?)
        .bind(webhook.secret.as_ref().map(|secret| escape(secret.reveal())))
        .bind(webhook.active)
        .bind(webhook.created_at.millis())
        .bind(webhook.last_fired.map(Timestamp::millis))
        .bind(i64::from(webhook.fail_count))
        .bind(int(webhook.cursor.get()))
        .bind(webhook.retry_at.map(Timestamp::millis))
        .bind_text(&webhook.last_error);
    conn.execute(statement).map(drop)
}

fn remove_webhook(conn: &mut Conn, id: &WebhookId) -> StoreResult<()> {
    const ATTEMPTED: &str = "forget a webhook";
    conn.execute(Statement::new(ATTEMPTED, REMOVE).bind(id.as_str()))?;
    conn.execute(Statement::new(ATTEMPTED, REMOVE_DELIVERIES).bind(id.as_str())).map(drop)
}

fn append_delivery(conn: &mut Conn, id: &WebhookId, delivery: &Delivery) -> StoreResult<()> {
    const ATTEMPTED: &str = "keep a delivery";
    let statement = Statement::new(ATTEMPTED, APPEND_DELIVERY)
        .bind(id.as_str())
        .bind(int(delivery.event_id.get()))
        .bind(i64::from(delivery.attempt))
        .bind(i32::from(delivery.status))
        .bind(delivery.error.as_deref().map(escape))
        .bind(int(delivery.duration_ms))
        .bind(delivery.at.millis());
    conn.execute(statement)?;
    let trim = Statement::new(ATTEMPTED, TRIM_DELIVERIES).bind(id.as_str()).bind(limit(DELIVERIES_KEPT));
    conn.execute(trim).map(drop)
}
