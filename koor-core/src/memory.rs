//! A store in memory: for tests, and for programs that need nothing kept.

mod apply;
mod backend;
mod budgets;
mod check;
mod documents;
mod leases;
mod messages;
mod records;
mod tasks;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

pub use self::backend::MemoryBackend;
use crate::{
    clock::Timestamp,
    domain::{
        agents::AgentAddress,
        audit::ChainedEntry,
        budgets::{Budget, TaskCost},
        compliance::ComplianceRun,
        events::{Event, LogBounds},
        instances::Instance,
        leases::Lease,
        messages::Delivered,
        metrics::Metric,
        rules::Rule,
        sessions::AgentSession,
        state::Document,
        tasks::TaskId,
        templates::Template,
        usage::UsageRecord,
        webhooks::{Delivery, Webhook},
    },
    ids::{
        AgentName, AuditId, Cursor, DocumentKey, EventId, Hash, InstanceId, LeaseId, ProjectName, RuleId,
        RunId, SessionName, TemplateId, UsageId, Version, WebhookId,
    },
    ports::{Backend, Change, Committer, ReadJob, Store, StoreError, StoreResult},
};

/// A store in memory. It keeps every promise of a store but one: it ends with the process.
///
/// It is strict: a commit that contradicts what it holds is refused whole, such as an event with the wrong id. That finds
/// mistakes of the core in tests.
#[derive(Debug)]
pub struct MemoryStore {
    data: SharedData,
    committer: Committer,
}

type SharedData = Arc<Mutex<Data>>;

/// Everything there is.
#[derive(Debug, Default, Clone)]
struct Data {
    documents: BTreeMap<DocumentKey, BTreeMap<Version, Arc<Document>>>,
    events: BTreeMap<EventId, Event>,
    bounds: LogBounds,
    instances: BTreeMap<InstanceId, Instance>,
    tokens: HashMap<Hash, InstanceId>,
    rules: BTreeMap<(ProjectName, RuleId), Rule>,
    webhooks: BTreeMap<WebhookId, Webhook>,
    deliveries: BTreeMap<WebhookId, VecDeque<Delivery>>,
    runs: BTreeMap<RunId, ComplianceRun>,
    templates: BTreeMap<TemplateId, Template>,
    audit: BTreeMap<AuditId, ChainedEntry>,
    metrics: BTreeMap<(String, Metric, InstanceId), u64>,
    usage: BTreeMap<UsageId, UsageRecord>,
    usage_requests: HashMap<String, UsageId>,
    sessions: BTreeMap<SessionName, AgentSession>,
    budgets: BTreeMap<ProjectName, Budget>,
    task_costs: BTreeMap<TaskId, TaskCost>,
    tasks: tasks::Tasks,
    leases: BTreeMap<(ProjectName, LeaseId), Lease>,
    last_leases: BTreeMap<ProjectName, LeaseId>,
    messages: BTreeMap<EventId, Delivered>,
    gone_agents: BTreeMap<AgentAddress, Timestamp>,
    briefed: BTreeMap<(Option<ProjectName>, AgentName), Cursor>,
    commits: u64,
}

/// A snapshot: the data, held still.
struct Snapshot<'a>(&'a Data);

fn lock(data: &Mutex<Data>) -> MutexGuard<'_, Data> {
    data.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::on(|backend| backend)
    }
}

impl MemoryStore {
    /// A store whose backend is wrapped in another one, which sees each fetch and each commit.
    pub fn on<B: Backend>(wrap: impl FnOnce(MemoryBackend) -> B) -> Self {
        Self::wrapped(MemoryBackend::new(SharedData::default()), wrap)
    }

    /// A store in which these changes have been committed, with a backend that is wrapped in another one: for a store
    /// that keeps its changes elsewhere and is opened again.
    ///
    /// # Errors
    /// When the changes contradict each other.
    pub fn holding<B: Backend>(
        changes: &[Change],
        wrap: impl FnOnce(MemoryBackend) -> B,
    ) -> StoreResult<Self> {
        let backend = MemoryBackend::new(SharedData::default());
        let data = backend.data();
        for change in changes {
            backend.check(std::slice::from_ref(change))?;
            apply::apply(&mut lock(&data), change);
        }
        Ok(Self::wrapped(backend, wrap))
    }

    fn wrapped<B: Backend>(backend: MemoryBackend, wrap: impl FnOnce(MemoryBackend) -> B) -> Self {
        Self { data: backend.data(), committer: Committer::inline(wrap(backend)) }
    }

    fn open_data(&self) -> StoreResult<MutexGuard<'_, Data>> {
        if self.committer.is_closed() { Err(StoreError::Closed) } else { Ok(lock(&self.data)) }
    }
}

fn ask(data: &Data, job: ReadJob) -> StoreResult<()> {
    catch_unwind(AssertUnwindSafe(|| job(&mut Snapshot(data)))).unwrap_or_else(|_| {
        Err(StoreError::Backend { attempted: "run the job", source: "it panicked".into() })
    })
}

#[async_trait]
impl Store for MemoryStore {
    fn committer(&self) -> &Committer {
        &self.committer
    }

    async fn inspect(&self, job: ReadJob) -> StoreResult<()> {
        ask(&*self.open_data()?, job)
    }

    async fn read_detached(&self, job: ReadJob) -> StoreResult<()> {
        let data = self.open_data()?.clone();
        tokio::task::spawn_blocking(move || ask(&data, job)).await.unwrap_or(Err(StoreError::Closed))
    }

    async fn latest_document(&self, key: &DocumentKey) -> StoreResult<Option<Arc<Document>>> {
        Ok(self.open_data()?.newest(key).cloned())
    }

    async fn size(&self) -> StoreResult<u64> {
        let data = self.open_data()?;
        let values = data.documents.values().flat_map(BTreeMap::values);
        Ok(values.map(|document| document.revision.size).sum())
    }

    async fn close(&self) {
        self.committer.close();
    }
}

impl Data {
    fn newest(&self, key: &DocumentKey) -> Option<&Arc<Document>> {
        self.documents.get(key)?.values().next_back()
    }
}
