//! What a job can do to a store, as it stands in the file.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use koor_core::{
    clock::Timestamp,
    domain::{
        Actor, ContentType,
        audit::ChainedEntry,
        compliance::ComplianceRun,
        events::Event,
        instances::Instance,
        metrics::{Metric, MetricRow},
        rules::Rule,
        state::{Document, Revision},
        templates::Template,
        usage::UsageRecord,
        webhooks::{Delivery, Secret, Webhook},
    },
    ids::{
        Cursor, DocumentKey, Hash, InstanceId, ProjectName, RuleId, SpecKey, SpecName, StateKey, TemplateId,
        Version, WebhookId,
    },
    pattern::{Class, Pattern},
    ports::{StoreError, StoreResult, WriteTx},
};
use serde::{Deserialize, Serialize};

/// One call of a port's method that writes.
#[derive(Serialize, Deserialize)]
pub(crate) enum Write {
    AppendDocument(KeptDocument),
    TrimDocument { key: KeptKey, first_kept: Version },
    AppendEvent(Event),
    PruneEvents { class: KeptClass, keep: u64, most: u64 },
    PutInstance(Instance),
    SetInstanceToken { id: InstanceId, token: Hash },
    TouchInstance { id: InstanceId, seen: Timestamp },
    RemoveInstance(InstanceId),
    PutRule(Rule),
    RemoveRule { project: ProjectName, id: RuleId },
    PutWebhook(KeptWebhook),
    RemoveWebhook(WebhookId),
    AppendDelivery { id: WebhookId, delivery: Delivery },
    AppendRun(ComplianceRun),
    PruneRuns(u64),
    PutTemplate(Template),
    RemoveTemplate(TemplateId),
    AppendAudit(ChainedEntry),
    AddMetric(KeptMetric),
    AppendUsage(UsageRecord),
}

impl Write {
    /// Does it again.
    pub(crate) fn apply(&self, tx: &mut dyn WriteTx) -> StoreResult<()> {
        match self {
            Self::AppendDocument(document) => tx.append_document(&document.restored()?),
            Self::TrimDocument { key, first_kept } => tx.trim_document(&key.restored(), *first_kept),
            Self::AppendEvent(event) => tx.append_event(event),
            Self::PruneEvents { class, keep, most } => {
                tx.prune_events(class.restored(), *keep, *most).map(|_pruned| ())
            }
            Self::PutInstance(instance) => tx.put_instance(instance),
            Self::SetInstanceToken { id, token } => tx.set_instance_token(*id, *token),
            Self::TouchInstance { id, seen } => tx.touch_instance(*id, *seen),
            Self::RemoveInstance(id) => tx.remove_instance(*id),
            Self::PutRule(rule) => tx.put_rule(rule),
            Self::RemoveRule { project, id } => tx.remove_rule(project, id),
            Self::PutWebhook(webhook) => tx.put_webhook(&webhook.restored()?),
            Self::RemoveWebhook(id) => tx.remove_webhook(id),
            Self::AppendDelivery { id, delivery } => tx.append_delivery(id, delivery),
            Self::AppendRun(run) => tx.append_run(run),
            Self::PruneRuns(keep) => tx.prune_runs(*keep),
            Self::PutTemplate(template) => tx.put_template(template),
            Self::RemoveTemplate(id) => tx.remove_template(id),
            Self::AppendAudit(entry) => tx.append_audit(entry),
            Self::AddMetric(row) => tx.add_metric(&row.restored()),
            Self::AppendUsage(record) => tx.append_usage(record),
        }
    }
}

fn corrupt(place: &str) -> StoreError {
    StoreError::Corrupt { place: place.to_owned(), source: None }
}

/// A document's key. What the core does not write as JSON itself has a form of its own here.
#[derive(Serialize, Deserialize)]
pub(crate) enum KeptKey {
    State(StateKey),
    Spec(ProjectName, SpecName),
}

impl From<&DocumentKey> for KeptKey {
    fn from(key: &DocumentKey) -> Self {
        match key {
            DocumentKey::State(key) => Self::State(key.clone()),
            DocumentKey::Spec(key) => Self::Spec(key.project.clone(), key.name.clone()),
        }
    }
}

impl KeptKey {
    fn restored(&self) -> DocumentKey {
        match self {
            Self::State(key) => DocumentKey::State(key.clone()),
            Self::Spec(project, name) => {
                DocumentKey::Spec(SpecKey { project: project.clone(), name: name.clone() })
            }
        }
    }
}

/// A document, its bytes in base64.
#[derive(Serialize, Deserialize)]
pub(crate) struct KeptDocument {
    key: KeptKey,
    version: Version,
    hash: Hash,
    content_type: ContentType,
    updated_at: Timestamp,
    updated_by: Actor,
    deleted: bool,
    value: String,
}

impl From<&Document> for KeptDocument {
    fn from(document: &Document) -> Self {
        let Revision { version, hash, content_type, size: _, updated_at, updated_by, deleted } =
            document.revision.clone();
        let value = BASE64_STANDARD.encode(&document.value);
        Self {
            key: (&document.key).into(),
            version,
            hash,
            content_type,
            updated_at,
            updated_by,
            deleted,
            value,
        }
    }
}

impl KeptDocument {
    fn restored(&self) -> StoreResult<Document> {
        let value = BASE64_STANDARD.decode(&self.value).map_err(|_| corrupt("a value"))?;
        let revision = Revision {
            version: self.version,
            hash: self.hash,
            content_type: self.content_type.clone(),
            size: value.len() as u64,
            updated_at: self.updated_at,
            updated_by: self.updated_by.clone(),
            deleted: self.deleted,
        };
        Ok(Document { key: self.key.restored(), revision, value: value.into() })
    }
}

/// Which events are pruned.
#[derive(Serialize, Deserialize)]
pub(crate) enum KeptClass {
    User,
    System,
    Both,
}

impl From<Class> for KeptClass {
    fn from(class: Class) -> Self {
        match class {
            Class::User => Self::User,
            Class::System => Self::System,
            Class::Both => Self::Both,
        }
    }
}

impl KeptClass {
    fn restored(&self) -> Class {
        match self {
            Self::User => Class::User,
            Self::System => Class::System,
            Self::Both => Class::Both,
        }
    }
}

/// A webhook with its secret, which the core writes nowhere.
#[derive(Serialize, Deserialize)]
pub(crate) struct KeptWebhook {
    id: WebhookId,
    url: String,
    patterns: Vec<Pattern>,
    secret: Option<String>,
    active: bool,
    created_at: Timestamp,
    last_fired: Option<Timestamp>,
    fail_count: u32,
    cursor: Cursor,
    retry_at: Option<Timestamp>,
    last_error: String,
}

impl From<&Webhook> for KeptWebhook {
    fn from(webhook: &Webhook) -> Self {
        let Webhook {
            id,
            url,
            patterns,
            secret,
            active,
            created_at,
            last_fired,
            fail_count,
            cursor,
            retry_at,
            last_error,
        } = webhook.clone();
        let secret = secret.map(|secret| secret.reveal().to_owned());
        Self {
            id,
            url,
            patterns,
            secret,
            active,
            created_at,
            last_fired,
            fail_count,
            cursor,
            retry_at,
            last_error,
        }
    }
}

impl KeptWebhook {
    fn restored(&self) -> StoreResult<Webhook> {
        let secret = self.secret.clone().map(Secret::new).transpose().map_err(|_| corrupt("a secret"))?;
        Ok(Webhook {
            id: self.id.clone(),
            url: self.url.clone(),
            patterns: self.patterns.clone(),
            secret,
            active: self.active,
            created_at: self.created_at,
            last_fired: self.last_fired,
            fail_count: self.fail_count,
            cursor: self.cursor,
            retry_at: self.retry_at,
            last_error: self.last_error.clone(),
        })
    }
}

/// A counter.
#[derive(Serialize, Deserialize)]
pub(crate) struct KeptMetric {
    instance_id: InstanceId,
    metric_name: Metric,
    metric_value: u64,
    period: String,
}

impl From<&MetricRow> for KeptMetric {
    fn from(row: &MetricRow) -> Self {
        let MetricRow { instance_id, metric_name, metric_value, period } = row.clone();
        Self { instance_id, metric_name, metric_value, period }
    }
}

impl KeptMetric {
    fn restored(&self) -> MetricRow {
        MetricRow {
            instance_id: self.instance_id,
            metric_name: self.metric_name,
            metric_value: self.metric_value,
            period: self.period.clone(),
        }
    }
}
