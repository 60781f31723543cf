//! Stores that do not do as they should: to see whether anybody notices.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use async_trait::async_trait;

use crate::{
    clock::Timestamp,
    domain::{
        audit::{AuditFilter, AuditHead, AuditSummary, ChainedEntry},
        compliance::{ComplianceRun, RunFilter},
        events::{Event, EventFilter, EventPage, LogBounds},
        instances::{Instance, InstanceFilter},
        metrics::{MetricFilter, MetricRow},
        rules::{Rule, RuleFilter},
        state::{Document, Revision},
        templates::{Template, TemplateKind},
        usage::{GroupBy, UsageFilter, UsageGroups, UsageRecord},
        webhooks::{Delivery, Webhook},
    },
    ids::{
        Cursor, DocumentKey, EventId, Hash, InstanceId, ProjectName, RuleId, RunId, SpecName, StateKey,
        TemplateId, UsageId, Version, WebhookId,
    },
    page::TimeRange,
    pattern::Class,
    ports::{
        AuditLog, AuditRead, CommitObserver, Commits, ComplianceLog, ComplianceRead, EventLog, EventRead,
        InstanceRead, InstanceRegistry, MetricsRead, MetricsRepo, ReadJob, RuleBook, RuleRead, SpecProject,
        SpecRegistry, StateRead, StateRepo, Store, StoreError, StoreHealth, StoreResult, TemplateRead,
        TemplateRepo, UsageLog, UsageRead, WebhookRead, WebhookRepo, WriteJob, WriteTx,
    },
};

/// What becomes of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It happens.
    Do,
    /// It is said to have happened.
    Skip,
}

/// Meddles with the transactions of a store.
pub trait Meddle: Send + Sync + 'static {
    /// Called when a job begins, or begins anew.
    fn begin(&self) {}

    /// Called before each write, with the name of the port's method.
    ///
    /// # Errors
    /// What the write shall fail with.
    fn before(&self, _method: &'static str) -> StoreResult<Effect> {
        Ok(Effect::Do)
    }

    /// Called with each newest revision that is read.
    fn newest(&self, found: Option<Revision>) -> Option<Revision> {
        found
    }
}

/// A store with somebody meddling in it.
pub struct MeddledStore<M> {
    inner: Arc<dyn Store>,
    meddle: Arc<M>,
}

impl<M: Meddle> MeddledStore<M> {
    /// That store, meddled with.
    pub fn new(inner: Arc<dyn Store>, meddle: M) -> Self {
        Self { inner, meddle: Arc::new(meddle) }
    }
}

#[async_trait]
impl<M: Meddle> Store for MeddledStore<M> {
    async fn submit(&self, mut job: WriteJob) -> StoreResult<()> {
        let meddle = Arc::clone(&self.meddle);
        let meddled: WriteJob = Box::new(move |tx| {
            meddle.begin();
            job(&mut MeddledTx { inner: tx, meddle: &*meddle })
        });
        self.inner.submit(meddled).await
    }

    async fn inspect(&self, job: ReadJob) -> StoreResult<()> {
        self.inner.inspect(job).await
    }

    async fn inspect_at_leisure(&self, job: ReadJob) -> StoreResult<()> {
        self.inner.inspect_at_leisure(job).await
    }

    async fn newest(&self, key: &DocumentKey) -> StoreResult<Option<Arc<Document>>> {
        self.inner.newest(key).await
    }

    fn observe(&self, observer: Arc<dyn CommitObserver>) {
        self.inner.observe(observer);
    }

    async fn health(&self) -> StoreHealth {
        self.inner.health().await
    }

    fn commits(&self) -> Commits {
        self.inner.commits()
    }

    async fn size(&self) -> StoreResult<u64> {
        self.inner.size().await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

struct MeddledTx<'a> {
    inner: &'a mut dyn WriteTx,
    meddle: &'a dyn Meddle,
}

impl WriteTx for MeddledTx<'_> {
    fn dirty(&self) -> bool {
        self.inner.dirty()
    }
}

/// Hands questions on as they are.
macro_rules! reads {
    ($($port:ident { $($method:ident($($arg:ident: $of:ty),*) -> $answer:ty;)+ })+) => {
        $(impl $port for MeddledTx<'_> {
            $(fn $method(&mut self, $($arg: $of),*) -> StoreResult<$answer> {
                self.inner.$method($($arg),*)
            })+
        })+
    };
}

/// Hands writes on if they shall happen.
macro_rules! writes {
    ($($port:ident { $($method:ident($($arg:ident: $of:ty),*) -> $answer:ty;)+ })+) => {
        $(impl $port for MeddledTx<'_> {
            $(fn $method(&mut self, $($arg: $of),*) -> StoreResult<$answer> {
                match self.meddle.before(stringify!($method))? {
                    Effect::Do => self.inner.$method($($arg),*),
                    Effect::Skip => Ok(<$answer>::default()),
                }
            })+
        })+
    };
}

impl StateRead for MeddledTx<'_> {
    fn revision(&mut self, key: &DocumentKey) -> StoreResult<Option<Revision>> {
        Ok(self.meddle.newest(self.inner.revision(key)?))
    }

    fn document(&mut self, key: &DocumentKey) -> StoreResult<Option<Document>> {
        self.inner.document(key)
    }

    fn document_at(&mut self, key: &DocumentKey, version: Version) -> StoreResult<Option<Document>> {
        self.inner.document_at(key, version)
    }

    fn revisions(&mut self, key: &DocumentKey, limit: usize) -> StoreResult<Vec<Revision>> {
        self.inner.revisions(key, limit)
    }

    fn state_keys(
        &mut self,
        prefix: &str,
        after: Option<&StateKey>,
        limit: Option<usize>,
    ) -> StoreResult<Vec<(StateKey, Revision)>> {
        self.inner.state_keys(prefix, after, limit)
    }

    fn state_count(&mut self) -> StoreResult<u64> {
        self.inner.state_count()
    }

    fn documents_after(
        &mut self,
        after: Option<(&DocumentKey, Version)>,
        limit: usize,
    ) -> StoreResult<Vec<Document>> {
        self.inner.documents_after(after, limit)
    }
}

reads! {
    SpecRegistry {
        specs(project: &ProjectName) -> Vec<(SpecName, Revision)>;
        projects() -> Vec<SpecProject>;
    }
    EventRead {
        events_newest(filter: &EventFilter, limit: usize) -> Vec<Event>;
        events_after(after: Cursor, filter: &EventFilter, limit: usize) -> EventPage;
        log_bounds() -> LogBounds;
        events_kept(after: Cursor, through: Cursor) -> u64;
        oldest_event(after: Cursor) -> Option<EventId>;
    }
    InstanceRead {
        instance(id: InstanceId) -> Option<Instance>;
        instance_by_token(token: Hash) -> Option<Instance>;
        instances(filter: &InstanceFilter) -> Vec<Instance>;
        instance_count() -> u64;
    }
    RuleRead {
        rule(project: &ProjectName, id: &RuleId) -> Option<Rule>;
        rules(filter: &RuleFilter) -> Vec<Rule>;
    }
    WebhookRead {
        webhook(id: &WebhookId) -> Option<Webhook>;
        webhooks() -> Vec<Webhook>;
        deliveries(id: &WebhookId) -> Vec<Delivery>;
    }
    ComplianceRead {
        runs(filter: &RunFilter, limit: usize) -> Vec<ComplianceRun>;
        last_run() -> Option<RunId>;
    }
    TemplateRead {
        template(id: &TemplateId) -> Option<Template>;
        templates(kind: Option<TemplateKind>, tag: Option<&str>) -> Vec<Template>;
    }
    AuditRead {
        audit(filter: &AuditFilter, limit: usize) -> Vec<ChainedEntry>;
        audit_head() -> Option<AuditHead>;
        audit_summary(range: TimeRange) -> AuditSummary;
    }
    MetricsRead {
        metrics(filter: &MetricFilter) -> Vec<MetricRow>;
    }
    UsageRead {
        usage(filter: &UsageFilter, limit: usize) -> Vec<UsageRecord>;
        usage_after(after: Option<UsageId>, limit: usize) -> Vec<UsageRecord>;
        usage_summary(by: GroupBy, range: TimeRange) -> UsageGroups;
        last_usage() -> Option<UsageId>;
    }
}

writes! {
    StateRepo {
        append_document(document: &Document) -> ();
        trim_document(key: &DocumentKey, first_kept: Version) -> ();
    }
    EventLog {
        append_event(event: &Event) -> ();
        prune_events(class: Class, keep: u64, most: u64) -> u64;
    }
    InstanceRegistry {
        put_instance(instance: &Instance) -> ();
        set_instance_token(id: InstanceId, token: Hash) -> ();
        touch_instance(id: InstanceId, seen: Timestamp) -> ();
        remove_instance(id: InstanceId) -> ();
    }
    RuleBook {
        put_rule(rule: &Rule) -> ();
        remove_rule(project: &ProjectName, id: &RuleId) -> ();
    }
    WebhookRepo {
        put_webhook(webhook: &Webhook) -> ();
        remove_webhook(id: &WebhookId) -> ();
        append_delivery(id: &WebhookId, delivery: &Delivery) -> ();
    }
    ComplianceLog {
        append_run(run: &ComplianceRun) -> ();
        prune_runs(keep: u64) -> ();
    }
    TemplateRepo {
        put_template(template: &Template) -> ();
        remove_template(id: &TemplateId) -> ();
    }
    AuditLog {
        append_audit(entry: &ChainedEntry) -> ();
    }
    MetricsRepo {
        add_metric(row: &MetricRow) -> ();
    }
    UsageLog {
        append_usage(record: &UsageRecord) -> ();
    }
}

/// A store whose jobs fail at a certain write, counted from each job's start.
pub type FaultStore = MeddledStore<Faults>;

/// Says at which write jobs fail.
#[derive(Debug, Default)]
pub struct Faults {
    fail_at: Mutex<Option<usize>>,
    written: AtomicUsize,
}

impl FaultStore {
    /// That store; no job fails yet.
    #[must_use]
    pub fn faultless(inner: Arc<dyn Store>) -> Self {
        Self::new(inner, Faults::default())
    }

    /// From now on, each job fails when it has written that often; without a number, none does.
    pub fn fail_after(&self, writes: Option<usize>) {
        *self.meddle.fail_at.lock().unwrap_or_else(PoisonError::into_inner) = writes;
    }
}

impl Meddle for Faults {
    fn begin(&self) {
        self.written.store(0, Relaxed);
    }

    fn before(&self, _method: &'static str) -> StoreResult<Effect> {
        let written = self.written.fetch_add(1, Relaxed);
        if *self.fail_at.lock().unwrap_or_else(PoisonError::into_inner) == Some(written) {
            return Err(StoreError::Backend {
                attempted: "write",
                source: "a fault that was asked for".into(),
            });
        }
        Ok(Effect::Do)
    }
}
