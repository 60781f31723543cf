//! Changes, as they stand in the file.

use std::sync::Arc;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use koor_core::{
    clock::Timestamp,
    domain::{
        Actor, ContentType,
        agents::AgentAddress,
        audit::ChainedEntry,
        budgets::{Budget, TaskCost},
        compliance::ComplianceRun,
        events::{Event, EventClass},
        instances::Instance,
        leases::SavedLease,
        messages::{Mailbox, SavedBriefed, SavedGoneAgent, SavedMessage, SavedReceipt},
        metrics::{Metric, MetricRow},
        rules::Rule,
        sessions::AgentSession,
        state::{Document, Revision},
        tasks::{Task, TaskHold, TaskId, TaskMove, TaskNote},
        templates::Template,
        usage::UsageRecord,
        webhooks::{Delivery, Secret, Webhook},
    },
    ids::{
        AgentName, Cursor, DocumentKey, EventId, Hash, InstanceId, LeaseId, ProjectName, RuleId, RunId,
        SpecKey, SpecName, StateKey, TaskNumber, TemplateId, Version, WebhookId,
    },
    pattern::Pattern,
    ports::{
        BudgetChange, Change, DocumentChange, EventChange, InstanceChange, LeaseChange, MessageChange,
        RuleChange, RunChange, StoreError, StoreResult, TaskChange, TemplateChange, WebhookChange,
    },
};
use serde::{Deserialize, Serialize};

/// One change.
#[derive(Serialize, Deserialize)]
pub(crate) enum Write {
    AppendDocument(KeptDocument),
    TrimDocument { key: KeptKey, first_kept: Version },
    AppendEvent(Event),
    RestoreEvent(Event),
    SetPrunedEvents { user: Cursor, system: Cursor },
    PruneEvents { system: bool, through: EventId },
    PutInstance(Instance),
    SetInstanceToken { id: InstanceId, token: Hash },
    RemoveInstance(InstanceId),
    PutRule(Rule),
    RemoveRule { project: ProjectName, id: RuleId },
    PutWebhook(KeptWebhook),
    RemoveWebhook(WebhookId),
    AppendDelivery { id: WebhookId, delivery: Delivery },
    AppendRun(ComplianceRun),
    PruneRuns { through: RunId },
    PutTemplate(Template),
    RemoveTemplate(TemplateId),
    PutLease(SavedLease),
    RemoveLease { project: ProjectName, id: LeaseId },
    SetLastLease { project: ProjectName, last: LeaseId },
    AppendMessage(SavedMessage),
    SetReceipt { id: EventId, receipt: SavedReceipt, done_at: Option<Timestamp> },
    RemoveMessage(EventId),
    PutGoneAgent(SavedGoneAgent),
    RemoveGoneAgent { project: ProjectName, name: AgentName },
    SetBriefed(SavedBriefed),
    AppendAudit(ChainedEntry),
    AddMetric(KeptMetric),
    AppendUsage(UsageRecord),
    AttributeUsage(UsageRecord),
    PutSession(AgentSession),
    PutBudget(Budget),
    RemoveBudget(ProjectName),
    PutTaskCost(TaskCost),
    AppendTaskHold { id: TaskId, hold: TaskHold },
    PutTask(Box<Task>),
    LinkTask { id: TaskId, after: Vec<TaskNumber> },
    CountTask(TaskMove),
    AppendTaskNote { id: TaskId, note: TaskNote },
}

impl From<&Change> for Write {
    fn from(change: &Change) -> Self {
        match change.clone() {
            Change::Document(DocumentChange::Append(document)) => Self::AppendDocument((&*document).into()),
            Change::Document(DocumentChange::Trim { key, first_kept }) => {
                Self::TrimDocument { key: (&key).into(), first_kept }
            }
            Change::Event(EventChange::Append(event)) => Self::AppendEvent(event),
            Change::Event(EventChange::Restore(event)) => Self::RestoreEvent(event),
            Change::Event(EventChange::SetPruned { user, system }) => Self::SetPrunedEvents { user, system },
            Change::Event(EventChange::Prune { class, through }) => {
                Self::PruneEvents { system: class == EventClass::System, through }
            }
            Change::Instance(InstanceChange::Put(instance)) => Self::PutInstance(instance),
            Change::Instance(InstanceChange::SetToken { id, token }) => Self::SetInstanceToken { id, token },
            Change::Instance(InstanceChange::Remove(id)) => Self::RemoveInstance(id),
            Change::Rule(RuleChange::Put(rule)) => Self::PutRule(rule),
            Change::Rule(RuleChange::Remove { project, id }) => Self::RemoveRule { project, id },
            Change::Webhook(WebhookChange::Put(webhook)) => Self::PutWebhook((&webhook).into()),
            Change::Webhook(WebhookChange::Remove(id)) => Self::RemoveWebhook(id),
            Change::Webhook(WebhookChange::AppendDelivery { id, delivery }) => {
                Self::AppendDelivery { id, delivery }
            }
            Change::Run(RunChange::Append(run)) => Self::AppendRun(run),
            Change::Run(RunChange::Prune { through }) => Self::PruneRuns { through },
            Change::Template(TemplateChange::Put(template)) => Self::PutTemplate(template),
            Change::Template(TemplateChange::Remove(id)) => Self::RemoveTemplate(id),
            Change::Lease(LeaseChange::Put(lease)) => Self::PutLease(lease.into()),
            Change::Lease(LeaseChange::Remove { project, id }) => Self::RemoveLease { project, id },
            Change::Lease(LeaseChange::SetLast { project, last }) => Self::SetLastLease { project, last },
            Change::Message(change) => change.into(),
            Change::AppendAudit(entry) => Self::AppendAudit(entry),
            Change::AddMetric(row) => Self::AddMetric((&row).into()),
            Change::AppendUsage(record) => Self::AppendUsage(record),
            Change::AttributeUsage(record) => Self::AttributeUsage(record),
            Change::PutSession(session) => Self::PutSession(session),
            Change::Budget(BudgetChange::Put(budget)) => Self::PutBudget(budget),
            Change::Budget(BudgetChange::Remove(project)) => Self::RemoveBudget(project),
            Change::Budget(BudgetChange::PutTaskCost(cost)) => Self::PutTaskCost(cost),
            Change::Task(TaskChange::AppendHold { id, hold }) => Self::AppendTaskHold { id, hold },
            Change::Task(TaskChange::Put(task)) => Self::PutTask(Box::new((*task).clone())),
            Change::Task(TaskChange::Link { id, after }) => Self::LinkTask { id, after },
            Change::Task(TaskChange::Count(moved)) => Self::CountTask(moved),
            Change::Task(TaskChange::AppendNote { id, note }) => Self::AppendTaskNote { id, note },
        }
    }
}

impl Write {
    /// The change that was written.
    pub(crate) fn restored(self) -> StoreResult<Change> {
        Ok(match self {
            Self::AppendDocument(document) => {
                Change::Document(DocumentChange::Append(Arc::new(document.restored()?)))
            }
            Self::TrimDocument { key, first_kept } => {
                Change::Document(DocumentChange::Trim { key: key.restored(), first_kept })
            }
            Self::AppendEvent(event) => Change::Event(EventChange::Append(event)),
            Self::RestoreEvent(event) => Change::Event(EventChange::Restore(event)),
            Self::SetPrunedEvents { user, system } => Change::Event(EventChange::SetPruned { user, system }),
            Self::PruneEvents { system, through } => {
                let class = if system { EventClass::System } else { EventClass::User };
                Change::Event(EventChange::Prune { class, through })
            }
            Self::PutInstance(instance) => Change::Instance(InstanceChange::Put(instance)),
            Self::SetInstanceToken { id, token } => Change::Instance(InstanceChange::SetToken { id, token }),
            Self::RemoveInstance(id) => Change::Instance(InstanceChange::Remove(id)),
            Self::PutRule(rule) => Change::Rule(RuleChange::Put(rule)),
            Self::RemoveRule { project, id } => Change::Rule(RuleChange::Remove { project, id }),
            Self::PutWebhook(webhook) => Change::Webhook(WebhookChange::Put(webhook.restored()?)),
            Self::RemoveWebhook(id) => Change::Webhook(WebhookChange::Remove(id)),
            Self::AppendDelivery { id, delivery } => {
                Change::Webhook(WebhookChange::AppendDelivery { id, delivery })
            }
            Self::AppendRun(run) => Change::Run(RunChange::Append(run)),
            Self::PruneRuns { through } => Change::Run(RunChange::Prune { through }),
            Self::PutTemplate(template) => Change::Template(TemplateChange::Put(template)),
            Self::RemoveTemplate(id) => Change::Template(TemplateChange::Remove(id)),
            Self::PutLease(lease) => {
                Change::Lease(LeaseChange::Put(lease.into_lease().map_err(|_| corrupt("a lease"))?))
            }
            Self::RemoveLease { project, id } => Change::Lease(LeaseChange::Remove { project, id }),
            Self::SetLastLease { project, last } => Change::Lease(LeaseChange::SetLast { project, last }),
            Self::AppendMessage(message) => Change::Message(MessageChange::Append(
                message.into_delivered().map_err(|_| corrupt("a message"))?,
            )),
            Self::SetReceipt { id, receipt, done_at } => {
                Change::Message(MessageChange::SetReceipt { id, receipt: receipt.into(), done_at })
            }
            Self::RemoveMessage(id) => Change::Message(MessageChange::Remove(id)),
            Self::PutGoneAgent(gone) => Change::Message(MessageChange::PutGone(gone.into())),
            Self::RemoveGoneAgent { project, name } => {
                Change::Message(MessageChange::RemoveGone(AgentAddress { project, name }))
            }
            Self::SetBriefed(SavedBriefed { project, name, cursor }) => {
                Change::Message(MessageChange::SetBriefed { agent: Mailbox { project, name }, cursor })
            }
            Self::AppendAudit(entry) => Change::AppendAudit(entry),
            Self::AddMetric(row) => Change::AddMetric(row.restored()),
            Self::AppendUsage(record) => Change::AppendUsage(record),
            Self::AttributeUsage(record) => Change::AttributeUsage(record),
            Self::PutSession(session) => Change::PutSession(session),
            Self::PutBudget(budget) => Change::Budget(BudgetChange::Put(budget)),
            Self::RemoveBudget(project) => Change::Budget(BudgetChange::Remove(project)),
            Self::PutTaskCost(cost) => Change::Budget(BudgetChange::PutTaskCost(cost)),
            Self::AppendTaskHold { id, hold } => Change::Task(TaskChange::AppendHold { id, hold }),
            Self::PutTask(task) => Change::Task(TaskChange::Put(Arc::new(*task))),
            Self::LinkTask { id, after } => Change::Task(TaskChange::Link { id, after }),
            Self::CountTask(moved) => Change::Task(TaskChange::Count(moved)),
            Self::AppendTaskNote { id, note } => Change::Task(TaskChange::AppendNote { id, note }),
        })
    }
}

impl From<MessageChange> for Write {
    fn from(change: MessageChange) -> Self {
        match change {
            MessageChange::Append(delivered) => Self::AppendMessage(delivered.into()),
            MessageChange::SetReceipt { id, receipt, done_at } => {
                Self::SetReceipt { id, receipt: receipt.into(), done_at }
            }
            MessageChange::Remove(id) => Self::RemoveMessage(id),
            MessageChange::PutGone(gone) => Self::PutGoneAgent(gone.into()),
            MessageChange::RemoveGone(AgentAddress { project, name }) => {
                Self::RemoveGoneAgent { project, name }
            }
            MessageChange::SetBriefed { agent: Mailbox { project, name }, cursor } => {
                Self::SetBriefed(SavedBriefed { project, name, cursor })
            }
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
