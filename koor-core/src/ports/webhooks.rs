//! The webhooks, and how far each has been told.

use crate::{
    domain::webhooks::{Delivery, Webhook},
    ids::WebhookId,
    ports::StoreResult,
};

/// The read half of the webhooks.
pub trait WebhookRead {
    /// The webhook of that id.
    fn webhook(&mut self, id: &WebhookId) -> StoreResult<Option<Webhook>>;

    /// All of them, by id.
    fn webhooks(&mut self) -> StoreResult<Vec<Webhook>>;

    /// The attempts of a webhook that are remembered, newest first.
    fn deliveries(&mut self, id: &WebhookId) -> StoreResult<Vec<Delivery>>;
}

/// The whole of it.
pub trait WebhookRepo: WebhookRead {
    /// Keeps a webhook under its id, new or changed.
    fn put_webhook(&mut self, webhook: &Webhook) -> StoreResult<()>;

    /// Forgets a webhook and its attempts.
    fn remove_webhook(&mut self, id: &WebhookId) -> StoreResult<()>;

    /// Remembers an attempt, and forgets all but the newest
    /// [`DELIVERIES_KEPT`](crate::domain::webhooks::DELIVERIES_KEPT) of that webhook.
    fn append_delivery(&mut self, id: &WebhookId, delivery: &Delivery) -> StoreResult<()>;
}
