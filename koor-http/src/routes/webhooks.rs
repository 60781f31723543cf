//! Webhooks.

use koor_core::{
    clock::Timestamp,
    domain::webhooks::Webhook,
    ids::{Cursor, WebhookId},
    pattern::Pattern,
    use_cases::{CreateWebhook, DeleteWebhook, EnableWebhook, WebhookDraft},
};
use serde::Serialize;
use serde_json::json;

use crate::{
    error::Failure,
    request::Call,
    response::{self, Answer},
};

/// A webhook as it is shown: all of it but its secret.
#[derive(Serialize)]
struct Shown {
    id: WebhookId,
    url: String,
    patterns: Vec<Pattern>,
    active: bool,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_fired: Option<Timestamp>,
    fail_count: u32,
    has_secret: bool,
    cursor: Cursor,
    #[serde(skip_serializing_if = "Option::is_none")]
    pending: Option<u64>,
    last_error: String,
}

impl Shown {
    fn new(webhook: Webhook, pending: Option<u64>) -> Self {
        Self {
            id: webhook.id,
            url: webhook.url,
            patterns: webhook.patterns,
            active: webhook.active,
            created_at: webhook.created_at,
            last_fired: webhook.last_fired,
            fail_count: webhook.fail_count,
            has_secret: webhook.secret.is_some(),
            cursor: webhook.cursor,
            pending,
            last_error: webhook.last_error,
        }
    }
}

pub(crate) async fn list(call: Call) -> Result<Answer, Failure> {
    let views = call.koor().webhooks(&call.caller).await?;
    let shown: Vec<_> = views.into_iter().map(|view| Shown::new(view.webhook, Some(view.pending))).collect();
    response::json(&shown)
}

pub(crate) async fn get(call: Call) -> Result<Answer, Failure> {
    let view = call.koor().webhook(&call.caller, &call.name(0)?).await?;
    response::json(&Shown::new(view.webhook, Some(view.pending)))
}

pub(crate) async fn create(mut call: Call) -> Result<Answer, Failure> {
    let draft: WebhookDraft = call.object().await?;
    let done = call.koor().execute(&call.caller, CreateWebhook::new(draft)?).await?;
    response::committed(&done.map(|webhook| Shown::new(webhook, Some(0))))
}

pub(crate) async fn delete(call: Call) -> Result<Answer, Failure> {
    let id: WebhookId = call.name(0)?;
    let done = call.koor().execute(&call.caller, DeleteWebhook(id.clone())).await?;
    response::committed(&done.map(|()| json!({"deleted": id})))
}

pub(crate) async fn test(call: Call) -> Result<Answer, Failure> {
    let id: WebhookId = call.name(0)?;
    let done = call.koor().test_webhook(&call.caller, &id).await?;
    response::committed(&done.map(|()| json!({"tested": id, "status": "ok"})))
}

pub(crate) async fn enable(call: Call) -> Result<Answer, Failure> {
    let done = call.koor().execute(&call.caller, EnableWebhook(call.name(0)?)).await?;
    response::committed(&done.map(|webhook| Shown::new(webhook, None)))
}

pub(crate) async fn deliveries(call: Call) -> Result<Answer, Failure> {
    response::json(&call.koor().deliveries(&call.caller, &call.name(0)?).await?)
}
