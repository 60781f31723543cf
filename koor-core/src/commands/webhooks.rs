//! Webhooks are made, switched on again and deleted.

use serde::Deserialize;
use serde_json::json;

use crate::{
    announcement::Announcement,
    caller::Access,
    command::{Command, Done, Intent, Work},
    domain::{
        audit::Action,
        webhooks::{Secret, Webhook, check_url, origin},
    },
    error::{Error, Invalid},
    ids::WebhookId,
    pattern::Pattern,
};

/// The most patterns a webhook can have.
const PATTERNS: usize = 100;

/// A webhook as a client asks for it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct WebhookDraft {
    /// Its id.
    pub id: String,
    /// Where it is called.
    pub url: String,
    /// What it wants; everything, unless told.
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
        if draft.patterns.len() > PATTERNS {
            return Err(Invalid::new(format!(
                "{} patterns were given, at most {PATTERNS} are allowed",
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

    fn intent(&self) -> Intent {
        Intent::to(Action::WebhookCreate, &self.id, Access::Admin("create webhooks"))
    }

    fn apply(&self, work: &mut Work<'_>) -> Result<Done<Webhook>, Error> {
        if work.tx.webhook(&self.id)?.is_some() {
            return Err(Error::Exists { what: "webhook", name: self.id.to_string() });
        }
        work.announce(Announcement::WebhookCreated, &json!({"id": self.id}))?;
        let webhook = Webhook {
            id: self.id.clone(),
            url: self.url.clone(),
            patterns: self.patterns.clone(),
            secret: self.secret.clone(),
            active: true,
            created_at: work.now,
            last_fired: None,
            fail_count: 0,
            cursor: work.tx.log_bounds()?.last,
            retry_at: None,
            last_error: String::new(),
        };
        work.tx.put_webhook(&webhook)?;
        // Agents may read the audit log, and the rest of the URL may hold a secret.
        Ok(Done::with(webhook, json!({"url": origin(&self.url)})))
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

    fn intent(&self) -> Intent {
        Intent::to(Action::WebhookDelete, &self.0, Access::Admin("delete webhooks"))
    }

    fn apply(&self, work: &mut Work<'_>) -> Result<Done<()>, Error> {
        find(work, &self.0)?;
        work.tx.remove_webhook(&self.0)?;
        work.announce(Announcement::WebhookDeleted, &json!({"id": self.0}))?;
        Ok(Done::new(()))
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

    fn intent(&self) -> Intent {
        Intent::to(Action::WebhookEnable, &self.0, Access::Admin("enable webhooks"))
    }

    fn apply(&self, work: &mut Work<'_>) -> Result<Done<Webhook>, Error> {
        let webhook = Webhook { active: true, fail_count: 0, retry_at: None, ..find(work, &self.0)? };
        work.tx.put_webhook(&webhook)?;
        work.announce(Announcement::WebhookEnabled, &json!({"id": self.0}))?;
        Ok(Done::new(webhook))
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
    pub(crate) fn intent_for(id: &WebhookId) -> Intent {
        Intent::to(Action::WebhookTest, id, Access::Admin("test webhooks"))
    }
}

impl Command for RecordTest {
    type Output = ();

    fn intent(&self) -> Intent {
        Self::intent_for(&self.id)
    }

    fn apply(&self, work: &mut Work<'_>) -> Result<Done<()>, Error> {
        find(work, &self.id)?;
        Ok(Done::with((), json!({"ok": self.error.is_none(), "error": self.error})))
    }
}

fn find(work: &mut Work<'_>, id: &WebhookId) -> Result<Webhook, Error> {
    work.tx.webhook(id)?.ok_or_else(|| Error::not_found("webhook", id))
}
