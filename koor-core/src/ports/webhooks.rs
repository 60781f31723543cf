//! The webhooks, and how far each has been told.

use crate::{
    domain::webhooks::{Delivery, Webhook},
    ids::WebhookId,
    ports::StoreResult,
};

/// The webhooks.
pub trait WebhookRepo {
    /// The webhook of that id.
    fn webhook(&mut self, id: &WebhookId) -> StoreResult<Option<Webhook>>;

    /// All of them, by id.
    fn webhooks(&mut self) -> StoreResult<Vec<Webhook>>;

    /// The attempts of a webhook that are remembered, newest first.
    fn deliveries(&mut self, id: &WebhookId) -> StoreResult<Vec<Delivery>>;
}

/// A change of the webhooks.
#[derive(Debug, Clone, PartialEq)]
pub enum WebhookChange {
    /// Keep a webhook under its id, new or changed.
    Put(Webhook),
    /// Forget a webhook and its attempts.
    Remove(WebhookId),
    /// Remember an attempt, and forget all but the newest
    /// [`DELIVERIES_KEPT`](crate::domain::webhooks::DELIVERIES_KEPT) of that webhook.
    AppendDelivery {
        /// Of which webhook.
        id: WebhookId,
        /// The attempt.
        delivery: Delivery,
    },
}
