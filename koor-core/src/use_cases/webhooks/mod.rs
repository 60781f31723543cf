//! Managing webhooks and delivering events to them.

mod commands;
mod queries;

pub use commands::{CreateWebhook, DeleteWebhook, EnableWebhook, RecordTest, WebhookDraft};
pub use queries::{Step, WebhookView};
