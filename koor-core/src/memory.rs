//! A store in memory: for tests, and for programs that need nothing kept.

mod documents;
mod records;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use async_trait::async_trait;

use crate::{
    domain::{
        audit::ChainedEntry,
        compliance::ComplianceRun,
        events::{Event, LogBounds},
        instances::Instance,
        metrics::Metric,
        rules::Rule,
        state::Document,
        templates::Template,
        usage::UsageRecord,
        webhooks::{Delivery, Webhook},
    },
    ids::{
        AuditId, DocumentKey, EventId, Hash, InstanceId, ProjectName, RuleId, RunId, TemplateId, UsageId,
        Version, WebhookId,
    },
    ports::{
        CommitObserver, Commits, ReadJob, Store, StoreError, StoreHealth, StoreResult, Verdict, WriteJob,
        WriteTx,
    },
};

/// A store in memory. It keeps every promise of a store but one: it ends with the process.
#[derive(Default)]
pub struct MemoryStore {
    data: Arc<Mutex<Data>>,
    observer: RwLock<Option<Arc<dyn CommitObserver>>>,
}

/// Everything there is.
#[derive(Default, Clone)]
struct Data {
    documents: BTreeMap<DocumentKey, BTreeMap<Version, Document>>,
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
    commits: u64,
    closed: bool,
}

type Step = Box<dyn FnOnce(&mut Data) + Send>;

/// A transaction: it works on the data itself, and knows how to take back each step.
struct Tx<'a> {
    data: &'a mut Data,
    back: Vec<Step>,
    announced: Vec<Event>,
}

impl Tx<'_> {
    /// Notes how to take back the step that is made now.
    fn undo(&mut self, step: impl FnOnce(&mut Data) + Send + 'static) {
        self.back.push(Box::new(step));
    }

    fn roll_back(self) {
        for step in self.back.into_iter().rev() {
            step(self.data);
        }
    }
}

impl WriteTx for Tx<'_> {
    fn dirty(&self) -> bool {
        !self.back.is_empty()
    }
}

/// A snapshot: the data, held still.
struct Snapshot<'a>(&'a Data);

/// What a transaction and a snapshot both read from.
trait View {
    fn data(&self) -> &Data;
}

impl View for Tx<'_> {
    fn data(&self) -> &Data {
        self.data
    }
}

impl View for Snapshot<'_> {
    fn data(&self) -> &Data {
        self.0
    }
}

impl MemoryStore {
    fn lock(&self) -> MutexGuard<'_, Data> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn job_panicked() -> StoreError {
    StoreError::Backend { attempted: "run the job", source: "it panicked".into() }
}

#[async_trait]
impl Store for MemoryStore {
    async fn submit(&self, mut job: WriteJob) -> StoreResult<()> {
        let mut data = self.lock();
        if data.closed {
            return Err(StoreError::Closed);
        }
        let mut tx = Tx { data: &mut data, back: Vec::new(), announced: Vec::new() };
        // Whatever a panicking job left is taken back, so nobody meets it half-done.
        let verdict = catch_unwind(AssertUnwindSafe(|| job(&mut tx))).unwrap_or_else(|_| Err(job_panicked()));
        match verdict {
            Ok(Verdict::Keep) => {
                tx.data.commits += u64::from(tx.dirty());
                let announced = std::mem::take(&mut tx.announced);
                let observer = self.observer.read().unwrap_or_else(PoisonError::into_inner);
                // Under the lock: the next commit must not overtake this one.
                if let Some(observer) = observer.as_ref().filter(|_| !announced.is_empty()) {
                    observer.committed(&announced);
                }
                Ok(())
            }
            Ok(Verdict::Undo) => {
                tx.roll_back();
                Ok(())
            }
            Err(error) => {
                tx.roll_back();
                Err(error)
            }
        }
    }

    async fn inspect(&self, job: ReadJob) -> StoreResult<()> {
        let data = self.lock();
        if data.closed {
            return Err(StoreError::Closed);
        }
        catch_unwind(AssertUnwindSafe(|| job(&mut Snapshot(&data)))).unwrap_or_else(|_| Err(job_panicked()))
    }

    async fn inspect_at_leisure(&self, job: ReadJob) -> StoreResult<()> {
        let data = self.lock().clone();
        tokio::task::spawn_blocking(move || job(&mut Snapshot(&data)))
            .await
            .unwrap_or_else(|_| Err(job_panicked()))
    }

    async fn newest(&self, key: &DocumentKey) -> StoreResult<Option<Arc<Document>>> {
        let data = self.lock();
        if data.closed {
            return Err(StoreError::Closed);
        }
        Ok(data.newest(key).cloned().map(Arc::new))
    }

    fn observe(&self, observer: Arc<dyn CommitObserver>) {
        *self.observer.write().unwrap_or_else(PoisonError::into_inner) = Some(observer);
    }

    async fn health(&self) -> StoreHealth {
        if self.lock().closed { StoreHealth::Degraded("closed".to_owned()) } else { StoreHealth::Ok }
    }

    fn commits(&self) -> Commits {
        let commits = self.lock().commits;
        Commits { commits, jobs: commits }
    }

    async fn size(&self) -> StoreResult<u64> {
        let data = self.lock();
        let values = data.documents.values().flat_map(BTreeMap::values);
        Ok(values.map(|document| document.revision.size).sum())
    }

    async fn close(&self) {
        self.lock().closed = true;
    }
}

impl Data {
    fn newest(&self, key: &DocumentKey) -> Option<&Document> {
        self.documents.get(key)?.values().next_back()
    }
}
