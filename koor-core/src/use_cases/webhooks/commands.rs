//! Webhooks are made, switched on again and deleted.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::{
    announcement::SystemTopic,
    caller::Access,
    command::{Applied, Command, CommandContext, Operation},
    domain::{
        audit::Action,
        webhooks::{Delivery, MAX_PATTERNS, Secret, Webhook, check_url, origin},
    },
    error::{Error, Invalid},
    ids::WebhookId,
    pattern::Pattern,
    ports::{Change, FactSet, WebhookChange},
    schema::{Needs, WebUrl},
};

/// A webhook as a client asks for it.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(transform = Needs(&["id", "url"]))]
pub struct WebhookDraft {
    /// Its id.
    #[schemars(with = "WebhookId")]
    pub id: String,
    /// Where it is called.
    #[schemars(with = "WebUrl")]
    pub url: String,
    /// What it wants; everything, unless told.
    #[schemars(with = "Vec<Pattern>", length(max = 100))]
    pub patterns: Vec<String>,
    /// What its calls are signed with.
    pub secret: String,
}

/// Makes a webhook, which is told of every event from now on.
#[derive(Debug)]
pub struct CreateWebhook {
    id: WebhookId,
    url: String,
    patterns: Vec<Pattern>,
    secret: Option<Secret>,
}

impl CreateWebhook {
    /// To make that webhook.
    ///
    /// # Errors
    /// When it could not be called so.
    pub fn new(draft: WebhookDraft) -> Result<Self, Invalid> {
        if draft.id.is_empty() || draft.url.is_empty() {
            return Err(Invalid::new("id and url are required"));
        }
        if draft.patterns.len() > MAX_PATTERNS {
            return Err(Invalid::new(format!(
                "{} patterns were given, at most {MAX_PATTERNS} are allowed",
                draft.patterns.len()
            )));
        }
        let patterns = if draft.patterns.is_empty() { vec!["*".to_owned()] } else { draft.patterns };
        Ok(Self {
            id: WebhookId::new(draft.id)?,
            url: check_url(&draft.url)?,
            patterns: patterns.iter().map(Pattern::new).collect::<Result<_, _>>()?,
            secret: (!draft.secret.is_empty()).then(|| Secret::new(draft.secret)).transpose()?,
        })
    }
}

impl Command for CreateWebhook {
    type Output = Webhook;

    fn operation(&self) -> Operation {
        Operation::to(Action::WebhookCreate, &self.id, Access::Admin("create webhooks"))
    }

    fn reads(&self, wanted: &mut FactSet) {
        wanted.webhooks.insert(self.id.clone());
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Webhook>, Error> {
        if cx.webhook(&self.id)?.is_some() {
            return Err(Error::Exists { what: "webhook", name: self.id.to_string() });
        }
        cx.announce(SystemTopic::WebhookCreated, &json!({"id": self.id}))?;
        let webhook = Webhook {
            id: self.id.clone(),
            url: self.url.clone(),
            patterns: self.patterns.clone(),
            secret: self.secret.clone(),
            active: true,
            created_at: cx.now,
            last_fired: None,
            fail_count: 0,
            cursor: cx.ends().log.last,
            retry_at: None,
            last_error: String::new(),
        };
        cx.put_webhook(webhook.clone());
        // Agents may read the audit log, and the rest of the URL may hold a secret.
        Ok(Applied::with(webhook, json!({"url": origin(&self.url)})))
    }
}

/// Deletes a webhook and what is remembered of its calls.
#[derive(Debug)]
pub struct DeleteWebhook(
    /// Which.
    pub WebhookId,
);

impl Command for DeleteWebhook {
    type Output = ();

    fn operation(&self) -> Operation {
        Operation::to(Action::WebhookDelete, &self.0, Access::Admin("delete webhooks"))
    }

    fn reads(&self, wanted: &mut FactSet) {
        wanted.webhooks.insert(self.0.clone());
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<()>, Error> {
        find(cx, &self.0)?;
        cx.remove_webhook(self.0.clone());
        cx.announce(SystemTopic::WebhookDeleted, &json!({"id": self.0}))?;
        Ok(Applied::new(()))
    }
}

/// Switches a webhook on again; it goes on from where it stopped.
#[derive(Debug)]
pub struct EnableWebhook(
    /// Which.
    pub WebhookId,
);

impl Command for EnableWebhook {
    type Output = Webhook;

    fn operation(&self) -> Operation {
        Operation::to(Action::WebhookEnable, &self.0, Access::Admin("enable webhooks"))
    }

    fn reads(&self, wanted: &mut FactSet) {
        wanted.webhooks.insert(self.0.clone());
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Webhook>, Error> {
        let webhook = Webhook { active: true, fail_count: 0, retry_at: None, ..find(cx, &self.0)? };
        cx.put_webhook(webhook.clone());
        cx.announce(SystemTopic::WebhookEnabled, &json!({"id": self.0}))?;
        Ok(Applied::new(webhook))
    }
}

/// Records that a webhook was tried out, and how that went.
#[derive(Debug)]
pub struct RecordTest {
    /// Which.
    pub id: WebhookId,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

impl RecordTest {
    /// What the caller must be allowed to do, to be asked before anything is called.
    pub(crate) fn operation_for(id: &WebhookId) -> Operation {
        Operation::to(Action::WebhookTest, id, Access::Admin("test webhooks"))
    }
}

impl Command for RecordTest {
    type Output = ();

    fn operation(&self) -> Operation {
        Self::operation_for(&self.id)
    }

    fn reads(&self, wanted: &mut FactSet) {
        wanted.webhooks.insert(self.id.clone());
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<()>, Error> {
        find(cx, &self.id)?;
        Ok(Applied::with((), json!({"ok": self.error.is_none(), "error": self.error})))
    }
}

fn find(cx: &mut CommandContext<'_>, id: &WebhookId) -> Result<Webhook, Error> {
    cx.webhook(id)?.ok_or_else(|| Error::not_found("webhook", id))
}

impl CommandContext<'_> {
    /// A webhook.
    ///
    /// # Errors
    /// When it has not been fetched yet: pass the error on.
    pub fn webhook(&mut self, id: &WebhookId) -> Result<Option<Webhook>, Error> {
        Ok(self.view().webhooks(id)?)
    }

    /// Keeps a webhook under its id, new or changed.
    pub fn put_webhook(&mut self, webhook: Webhook) {
        self.push(Change::Webhook(WebhookChange::Put(webhook)));
    }

    /// Forgets a webhook and the attempts to deliver to it.
    pub fn remove_webhook(&mut self, id: WebhookId) {
        self.push(Change::Webhook(WebhookChange::Remove(id)));
    }

    /// Remembers an attempt to deliver to a webhook.
    pub fn append_delivery(&mut self, id: WebhookId, delivery: Delivery) {
        self.push(Change::Webhook(WebhookChange::AppendDelivery { id, delivery }));
    }
}
