//! Webhooks.

use koor_core::{
    clock::Timestamp,
    domain::webhooks::{Delivery, Webhook},
    ids::{Cursor, WebhookId},
    pattern::Pattern,
    use_cases::{CreateWebhook, DeleteWebhook, EnableWebhook, WebhookDraft},
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    error::Failure,
    json_body::Object,
    request::Call,
    response::{self, Json, Written},
    routes::deleted::Deleted,
};

/// A webhook as it is shown: all of it but its secret.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Webhook")]
pub(crate) struct Shown {
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

pub(crate) async fn list(call: Call) -> Result<Json<Vec<Shown>>, Failure> {
    let views = call.koor().webhooks(&call.caller).await?;
    let shown: Vec<_> = views.into_iter().map(|view| Shown::new(view.webhook, Some(view.pending))).collect();
    response::json(&shown)
}

pub(crate) async fn get(call: Call) -> Result<Json<Shown>, Failure> {
    let view = call.koor().webhook(&call.caller, &call.name(0)?).await?;
    response::json(&Shown::new(view.webhook, Some(view.pending)))
}

pub(crate) async fn create(
    call: Call,
    Object(draft): Object<WebhookDraft>,
) -> Result<Written<Shown>, Failure> {
    let done = call.koor().execute(&call.caller, CreateWebhook::new(draft)?).await?;
    response::committed(&done.map(|webhook| Shown::new(webhook, Some(0))))
}

pub(crate) async fn delete(call: Call) -> Result<Written<Deleted>, Failure> {
    let id: WebhookId = call.name(0)?;
    let done = call.koor().execute(&call.caller, DeleteWebhook(id.clone())).await?;
    response::committed(&done.map(|()| Deleted::of(&id)))
}

/// The webhook that was called.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Tested {
    tested: WebhookId,
    status: &'static str,
}

pub(crate) async fn test(call: Call) -> Result<Written<Tested>, Failure> {
    let id: WebhookId = call.name(0)?;
    let done = call.koor().test_webhook(&call.caller, &id).await?;
    response::committed(&done.map(|()| Tested { tested: id, status: "ok" }))
}

pub(crate) async fn enable(call: Call) -> Result<Written<Shown>, Failure> {
    let done = call.koor().execute(&call.caller, EnableWebhook(call.name(0)?)).await?;
    response::committed(&done.map(|webhook| Shown::new(webhook, None)))
}

pub(crate) async fn deliveries(call: Call) -> Result<Json<Vec<Delivery>>, Failure> {
    response::json(&call.koor().deliveries(&call.caller, &call.name(0)?).await?)
}
