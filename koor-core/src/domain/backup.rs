//! A backup: one JSON document with everything in it but secrets.

use std::{collections::BTreeMap, fmt};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, SeqAccess, Visitor},
};

use crate::{
    clock::Timestamp,
    domain::{
        Actor, ContentType, RawJson,
        audit::ChainedEntry,
        budgets::{Budget, TaskCost},
        events::Event,
        instances::Instance,
        json::syntax,
        leases::{SavedLastLease, SavedLease},
        line,
        messages::{SavedBriefed, SavedGoneAgent, SavedMessage},
        rules::{Rule, RuleDraft},
        sessions::AgentSession,
        state::{Document, Revision},
        tasks::SavedTask,
        templates::Template,
        usage::UsageRecord,
        webhooks::{MAX_PATTERNS, Webhook},
    },
    error::Invalid,
    ids::{
        Cursor, DocumentKey, Hash, MAX_RESTORED, ProjectName, SpecKey, SpecName, StateKey, Version, WebhookId,
    },
    pattern::Pattern,
};

/// How the document calls itself.
pub const FORMAT: &str = "koor-backup";

/// A backup as it was read: ours, or the original's.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Backup {
    /// State documents.
    pub state: SavedState,
    /// Specs.
    pub specs: Vec<SavedSpec>,
    /// Rules.
    pub rules: Vec<SavedRule>,
    /// Templates.
    pub templates: Vec<Template>,
    /// Webhooks, without their secrets.
    pub webhooks: Vec<SavedWebhook>,
    /// Instances, without their tokens.
    pub instances: Vec<Instance>,
    /// The events that were kept, with their ids, oldest first.
    pub events: Vec<Event>,
    /// How far the event log had been pruned.
    pub log: SavedLog,
    /// Tasks, by project and number.
    pub tasks: Vec<SavedTask>,
    /// The leases on paths.
    pub leases: Vec<SavedLease>,
    /// The last number of a lease in each project.
    pub last_leases: Vec<SavedLastLease>,
    /// Messages with their receipts.
    pub messages: Vec<SavedMessage>,
    /// The names of agents that are gone.
    pub gone_agents: Vec<SavedGoneAgent>,
    /// How far each agent has been briefed.
    pub briefed: Vec<SavedBriefed>,
    /// The audit log.
    pub audit: Vec<ChainedEntry>,
    /// Usage records.
    pub usage: Vec<UsageRecord>,
    /// The sessions of agents' clients.
    pub sessions: Vec<AgentSession>,
    /// Budgets, with what is spent of them.
    pub budgets: Vec<Budget>,
    /// What was spent for tasks.
    pub task_costs: Vec<TaskCost>,
}

/// How far the event log of a backup had been pruned: cursors before that lack events.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SavedLog {
    /// The last user event that was pruned.
    pub pruned_user: Cursor,
    /// The last system event that was pruned.
    pub pruned_system: Cursor,
}

/// The state of a backup.
#[derive(Debug)]
pub enum SavedState {
    /// Versions, oldest first for each key.
    Versions(Vec<SavedVersion>),
    /// Values without history: the original's file.
    Values(BTreeMap<StateKey, RawJson>),
}

impl Default for SavedState {
    fn default() -> Self {
        Self::Versions(Vec::new())
    }
}

impl<'de> Deserialize<'de> for SavedState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = SavedState;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of versions, or an object of values")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<SavedState, A::Error> {
                let mut versions = Vec::new();
                while let Some(version) = seq.next_element()? {
                    versions.push(version);
                }
                Ok(SavedState::Versions(versions))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SavedState, A::Error> {
                let mut values = BTreeMap::new();
                while let Some((key, value)) = map.next_entry()? {
                    values.insert(key, value);
                }
                Ok(SavedState::Values(values))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// One version of a state document.
#[derive(Debug, Serialize, Deserialize)]
pub struct SavedVersion {
    key: StateKey,
    #[serde(flatten)]
    saved: Saved,
}

/// One version of a spec.
#[derive(Debug, Serialize, Deserialize)]
pub struct SavedSpec {
    project: ProjectName,
    name: SpecName,
    #[serde(flatten)]
    saved: Saved,
}

#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    version: Version,
    hash: Hash,
    content_type: ContentType,
    updated_at: Timestamp,
    #[serde(default)]
    updated_by: Actor,
    #[serde(default)]
    deleted: bool,
    /// The bytes, where they are text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// The bytes, where they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

impl Saved {
    fn from(document: Document) -> (DocumentKey, Self) {
        let Document { key, revision, value } = document;
        // Megabytes that are not shared are not copied.
        let (text, base64) = match String::from_utf8(value.into()) {
            Ok(text) => (Some(text), None),
            Err(binary) => (None, Some(STANDARD.encode(binary.as_bytes()))),
        };
        let saved = Self {
            version: revision.version,
            hash: revision.hash,
            content_type: revision.content_type,
            updated_at: revision.updated_at,
            updated_by: revision.updated_by,
            deleted: revision.deleted,
            text: text.filter(|_| !revision.deleted),
            base64: base64.filter(|_| !revision.deleted),
        };
        (key, saved)
    }

    fn into_document(self, key: DocumentKey) -> Result<Document, Invalid> {
        let wrong =
            |what: &str| Invalid::new(format!("{} {key} version {}: {what}", key.what(), self.version));
        let value: Bytes = match (self.deleted, self.text, self.base64) {
            (true, None, None) => Bytes::new(),
            (false, Some(text), None) => text.into(),
            (false, None, Some(base64)) => {
                STANDARD.decode(base64).map_err(|_| wrong("its base64 is broken"))?.into()
            }
            _ => return Err(wrong("it needs either text or base64, and a deleted one neither")),
        };
        if Hash::of(&value) != self.hash {
            return Err(wrong("its bytes do not have its hash"));
        }
        if self.version.get() > MAX_RESTORED {
            return Err(wrong("no version counts that far"));
        }
        line("updated_by", self.updated_by.as_str())?;
        if matches!(key, DocumentKey::Spec(_)) && !self.deleted {
            syntax(&value).map_err(|error| wrong(&format!("it is not JSON: {error}")))?;
        }
        let revision = Revision {
            version: self.version,
            hash: self.hash,
            content_type: self.content_type,
            size: value.len() as u64,
            updated_at: self.updated_at,
            updated_by: self.updated_by,
            deleted: self.deleted,
        };
        Ok(Document { key, revision, value })
    }
}

/// A document as a backup writes it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum SavedDocument {
    /// One of state.
    State(SavedVersion),
    /// One of specs.
    Spec(SavedSpec),
}

impl From<Document> for SavedDocument {
    fn from(document: Document) -> Self {
        match Saved::from(document) {
            (DocumentKey::State(key), saved) => Self::State(SavedVersion { key, saved }),
            (DocumentKey::Spec(SpecKey { project, name }), saved) => {
                Self::Spec(SavedSpec { project, name, saved })
            }
        }
    }
}

impl SavedVersion {
    /// The document it was.
    ///
    /// # Errors
    /// When it contradicts itself.
    pub fn into_document(self) -> Result<Document, Invalid> {
        self.saved.into_document(self.key.into())
    }
}

impl SavedSpec {
    /// The document it was.
    ///
    /// # Errors
    /// When it contradicts itself.
    pub fn into_document(self) -> Result<Document, Invalid> {
        self.saved.into_document(SpecKey { project: self.project, name: self.name }.into())
    }
}

/// A rule of a backup: checked again when it comes back.
#[derive(Debug, Deserialize)]
pub struct SavedRule {
    /// When it was made, if the backup says so.
    #[serde(default)]
    created_at: Option<Timestamp>,
    #[serde(flatten)]
    draft: RuleDraft,
}

impl SavedRule {
    /// The rule it was.
    ///
    /// # Errors
    /// When it can't be a rule.
    pub fn into_rule(self, now: Timestamp) -> Result<Rule, Invalid> {
        let project = ProjectName::new(self.draft.project.clone().unwrap_or_default())?;
        // As a project's own rules come in: status and source are what the backup says.
        let rule = self.draft.check(crate::domain::rules::Intake::Put(&project), now)?;
        Ok(Rule { created_at: self.created_at.unwrap_or(now), ..rule })
    }
}

/// A webhook of a backup: it comes back disabled if it had a secret, because its receiver could not verify its calls.
#[derive(Debug, Serialize, Deserialize)]
pub struct SavedWebhook {
    id: WebhookId,
    url: String,
    patterns: Vec<Pattern>,
    active: bool,
    has_secret: bool,
    created_at: Timestamp,
}

impl From<&Webhook> for SavedWebhook {
    fn from(webhook: &Webhook) -> Self {
        Self {
            id: webhook.id.clone(),
            url: webhook.url.clone(),
            patterns: webhook.patterns.clone(),
            active: webhook.active,
            has_secret: webhook.secret.is_some(),
            created_at: webhook.created_at,
        }
    }
}

impl SavedWebhook {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &WebhookId {
        &self.id
    }

    /// The webhook it was, without its secret, told of everything after the cursor.
    ///
    /// # Errors
    /// When it has no decent URL.
    pub fn webhook(&self, cursor: Cursor) -> Result<Webhook, Invalid> {
        if self.patterns.len() > MAX_PATTERNS {
            return Err(Invalid::new(format!(
                "webhook {} has {} patterns, at most {MAX_PATTERNS} are allowed",
                self.id,
                self.patterns.len()
            )));
        }
        Ok(Webhook {
            id: self.id.clone(),
            url: crate::domain::webhooks::check_url(&self.url)?,
            patterns: self.patterns.clone(),
            secret: None,
            active: self.active && !self.has_secret,
            created_at: self.created_at,
            last_fired: None,
            fail_count: 0,
            cursor,
            retry_at: None,
            last_error: if self.has_secret {
                "restored without its secret".to_owned()
            } else {
                String::new()
            },
        })
    }
}
