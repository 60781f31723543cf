//! What a command sees: the facts, under the changes of its batch, under its own.

use std::{collections::BTreeMap, sync::Arc};

use crate::domain::events::{EventClass, PrunePlan};
use crate::{
    domain::{
        budgets::TaskCost,
        instances::{Instance, InstanceStatus},
        leases::{HeldLease, Lease},
        messages::{Delivered, GoneAgent, Mailbox, Receipt},
        rules::Rule,
        sessions::AgentSession,
        state::{Document, Revision},
        tasks::{Task, TaskId},
        templates::Template,
        usage::UsageRecord,
        webhooks::Webhook,
    },
    ids::{
        Cursor, DocumentKey, EventId, InstanceId, LeaseId, ProjectName, RuleId, SessionName, TaskNumber,
        TemplateId, UsageId, Version, WebhookId,
    },
    ports::{
        BudgetChange, Change, DocumentChange, Ends, EventChange, FactSet, Facts, InstanceChange, LeaseChange,
        MessageChange, Pages, Point, Records, Retention, RuleChange, RunChange, Scans, StoreError,
        StoreResult, TaskChange, TemplateChange, WebhookChange,
    },
};

/// Changes, and what they make of the records they touch.
#[derive(Default)]
struct Layer {
    ends: Ends,
    records: Records,
    changes: Vec<Change>,
    bytes: usize,
}

/// The facts of a batch, under the changes of the jobs that ran, under those of the job that is running.
pub(crate) struct View {
    facts: Facts,
    batch: Layer,
    job: Layer,
    missing: FactSet,
}

/// Looks a record up in the layers, newest first; what is in none of them is noted as missing.
macro_rules! records {
    ($($record:ident($($arg:ident: $of:ty),+) -> $value:ty = $key:expr;)+) => {
        impl View {
            $(pub(crate) fn $record(&mut self, $($arg: $of),+) -> StoreResult<Option<$value>> {
                let key = $key;
                for records in [&self.job.records, &self.batch.records, &self.facts.records] {
                    if let Some(found) = records.$record.get(key) {
                        return Ok(found.clone());
                    }
                }
                self.missing.$record.insert(key.clone());
                Err(StoreError::NotFetched)
            })+
        }
    };
}

records! {
    revisions(key: &DocumentKey) -> Revision = key;
    instances(id: &InstanceId) -> Instance = id;
    webhooks(id: &WebhookId) -> Webhook = id;
    templates(id: &TemplateId) -> Template = id;
    tasks(id: &TaskId) -> Arc<Task> = id;
    task_keys(key: &(ProjectName, String)) -> Arc<Task> = key;
    last_leases(project: &ProjectName) -> LeaseId = project;
    messages(id: &EventId) -> Delivered = id;
    briefed(agent: &Mailbox) -> Cursor = agent;
    sessions(session: &SessionName) -> AgentSession = session;
    usage_requests(request: &String) -> UsageId = request;
    task_costs(task: &TaskId) -> TaskCost = task;
}

/// Notes the request of a usage record, so that it is recorded once.
fn note_request(records: &mut Records, record: &UsageRecord) {
    if !record.request_id.is_empty() {
        records.usage_requests.insert(record.request_id.clone(), Some(record.id));
    }
}

impl View {
    pub(super) fn new(facts: Facts) -> Self {
        let layer = || Layer { ends: facts.ends, ..Layer::default() };
        let (batch, job) = (layer(), layer());
        Self { facts, batch, job, missing: FactSet::default() }
    }

    /// The ends of everything that only grows.
    pub(crate) fn ends(&self) -> &Ends {
        &self.job.ends
    }

    /// A certain version of a document.
    pub(crate) fn versions(&mut self, key: &DocumentKey, version: Version) -> StoreResult<Option<Document>> {
        // Whether this batch has appended or trimmed it; few commands ask, so the changes are simply searched.
        for change in self.job.changes.iter().rev().chain(self.batch.changes.iter().rev()) {
            match change {
                Change::Document(DocumentChange::Append(document))
                    if document.revision.version == version && document.key == *key =>
                {
                    return Ok(Some((**document).clone()));
                }
                Change::Document(DocumentChange::Trim { key: trimmed, first_kept })
                    if version < *first_kept && trimmed == key =>
                {
                    return Ok(None);
                }
                _ => {}
            }
        }
        let wanted = (key.clone(), version);
        if let Some(found) = self.facts.records.versions.get(&wanted) {
            return Ok(found.clone());
        }
        self.missing.versions.insert(wanted);
        Err(StoreError::NotFetched)
    }

    /// A rule.
    pub(crate) fn rules(&mut self, project: &ProjectName, id: &RuleId) -> StoreResult<Option<Rule>> {
        let wanted = (project.clone(), id.clone());
        for records in [&self.job.records, &self.batch.records, &self.facts.records] {
            if let Some(found) = records.rules.get(&wanted) {
                return Ok(found.clone());
            }
        }
        // Who has all rules of the project has this one, too.
        if let Some(all) = self.facts.scans.project_rules.get(project) {
            return Ok(all.iter().find(|rule| rule.rule_id == *id).cloned());
        }
        self.missing.rules.insert(wanted);
        Err(StoreError::NotFetched)
    }

    /// All rules of a project, by id.
    pub(crate) fn project_rules(&mut self, project: &ProjectName) -> StoreResult<Vec<Rule>> {
        let Some(all) = self.facts.scans.project_rules.get(project) else {
            self.missing.project_rules.insert(project.clone());
            return Err(StoreError::NotFetched);
        };
        let mut rules: std::collections::BTreeMap<&RuleId, &Rule> =
            all.iter().map(|rule| (&rule.rule_id, rule)).collect();
        for records in [&self.batch.records, &self.job.records] {
            for ((_, id), rule) in records.rules.iter().filter(|((of, _), _)| of == project) {
                match rule {
                    Some(rule) => rules.insert(id, rule),
                    None => rules.remove(id),
                };
            }
        }
        Ok(rules.into_values().cloned().collect())
    }

    /// All active instances, by id.
    pub(crate) fn active_instances(&mut self) -> StoreResult<Vec<Instance>> {
        let Some(all) = self.facts.scans.active_instances.get(&()) else {
            self.missing.active_instances.insert(());
            return Err(StoreError::NotFetched);
        };
        let mut active: std::collections::BTreeMap<InstanceId, &Instance> =
            all.iter().map(|instance| (instance.id, instance)).collect();
        for records in [&self.batch.records, &self.job.records] {
            for (id, instance) in &records.instances {
                match instance.as_ref().filter(|instance| instance.status == InstanceStatus::Active) {
                    Some(instance) => active.insert(*id, instance),
                    None => active.remove(id),
                };
            }
        }
        Ok(active.into_values().cloned().collect())
    }

    /// All instances, by id.
    pub(crate) fn instances_all(&mut self) -> StoreResult<Vec<Instance>> {
        let Some(all) = self.facts.scans.all_instances.get(&()) else {
            self.missing.all_instances.insert(());
            return Err(StoreError::NotFetched);
        };
        let mut instances: BTreeMap<InstanceId, &Instance> =
            all.iter().map(|instance| (instance.id, instance)).collect();
        for records in [&self.batch.records, &self.job.records] {
            for (id, instance) in &records.instances {
                match instance {
                    Some(instance) => instances.insert(*id, instance),
                    None => instances.remove(id),
                };
            }
        }
        Ok(instances.into_values().cloned().collect())
    }

    /// The agents of a project whose instances are gone, also those that went in this batch.
    pub(crate) fn gone_agents(&mut self, project: &ProjectName) -> StoreResult<Vec<GoneAgent>> {
        let Some(stored) = self.facts.scans.gone_agents.get(project) else {
            self.missing.gone_agents.insert(project.clone());
            return Err(StoreError::NotFetched);
        };
        let mut gone: BTreeMap<_, GoneAgent> =
            stored.iter().map(|gone| (gone.address.clone(), gone.clone())).collect();
        for change in self.batch.changes.iter().chain(&self.job.changes) {
            match change {
                Change::Message(MessageChange::PutGone(new)) if new.address.project == *project => {
                    gone.insert(new.address.clone(), new.clone());
                }
                Change::Message(MessageChange::RemoveGone(address)) => {
                    gone.remove(address);
                }
                _ => {}
            }
        }
        Ok(gone.into_values().collect())
    }

    /// A message with a receipt replaced, if it has been looked up.
    fn with_receipt(&self, id: EventId, receipt: &Receipt) -> Option<Delivered> {
        let layers = [&self.job.records, &self.batch.records, &self.facts.records];
        let mut delivered = layers.into_iter().find_map(|records| records.messages.get(&id))?.clone()?;
        let own = delivered.receipts.iter_mut().find(|one| one.of == receipt.of)?;
        *own = receipt.clone();
        Some(delivered)
    }

    /// A lease.
    pub(crate) fn leases(&mut self, project: &ProjectName, id: LeaseId) -> StoreResult<Option<Lease>> {
        let wanted = (project.clone(), id);
        for records in [&self.job.records, &self.batch.records, &self.facts.records] {
            if let Some(found) = records.leases.get(&wanted) {
                return Ok(found.clone());
            }
        }
        self.missing.leases.insert(wanted);
        Err(StoreError::NotFetched)
    }

    /// The leases that can overlap paths with that literal beginning, and all of the project that this batch has changed.
    pub(crate) fn leases_near(
        &mut self,
        project: &ProjectName,
        beginning: &str,
    ) -> StoreResult<Vec<HeldLease>> {
        let wanted = (project.clone(), beginning.to_owned());
        let Some(all) = self.facts.scans.leases_near.get(&wanted) else {
            self.missing.leases_near.insert(wanted);
            return Err(StoreError::NotFetched);
        };
        let near = all.iter().map(|held| ((project.clone(), held.lease.id), held.clone()));
        let changed = |lease: &Lease| HeldLease { lease: lease.clone(), last_seen: None };
        Ok(self.with_changed_leases(near.collect(), changed, |lease| lease.project == *project))
    }

    /// The leases of an instance.
    pub(crate) fn leases_of_instance(&mut self, instance: InstanceId) -> StoreResult<Vec<Lease>> {
        let Some(all) = self.facts.scans.leases_of_instance.get(&instance) else {
            self.missing.leases_of_instance.insert(instance);
            return Err(StoreError::NotFetched);
        };
        let own = all.iter().map(|lease| ((lease.project.clone(), lease.id), lease.clone()));
        Ok(self.with_changed_leases(own.collect(), Lease::clone, |lease| lease.instance_id == instance))
    }

    /// How many leases an instance holds, those that the batch has added among them. That it has ended some is not looked for.
    pub(crate) fn lease_count(&mut self, holder: InstanceId) -> StoreResult<u64> {
        let Some(found) = self.facts.records.lease_counts.get(&holder) else {
            self.missing.lease_counts.insert(holder);
            return Err(StoreError::NotFetched);
        };
        let is_new = |lease: &Lease| {
            self.changes().any(|change| {
                matches!(change, Change::Lease(LeaseChange::SetLast { project, last })
                    if *last == lease.id && *project == lease.project)
            })
        };
        let added = self.changes().filter(|change| {
            matches!(change, Change::Lease(LeaseChange::Put(lease)) if lease.instance_id == holder && is_new(lease))
        });
        Ok(found.unwrap_or(0) + added.count() as u64)
    }

    /// The leases that are bound to a task.
    pub(crate) fn leases_of_task(
        &mut self,
        project: &ProjectName,
        task: TaskNumber,
    ) -> StoreResult<Vec<Lease>> {
        let wanted = (project.clone(), task);
        let Some(all) = self.facts.scans.leases_of_task.get(&wanted) else {
            self.missing.leases_of_task.insert(wanted);
            return Err(StoreError::NotFetched);
        };
        let bound = all.iter().map(|lease| ((lease.project.clone(), lease.id), lease.clone()));
        Ok(self.with_changed_leases(bound.collect(), Lease::clone, |lease| {
            lease.project == *project && lease.task == Some(task)
        }))
    }

    /// Leases as the changes of the batch leave them, by project and number.
    fn with_changed_leases<T>(
        &self,
        mut leases: BTreeMap<(ProjectName, LeaseId), T>,
        changed: impl Fn(&Lease) -> T,
        belongs: impl Fn(&Lease) -> bool,
    ) -> Vec<T> {
        for records in [&self.batch.records, &self.job.records] {
            for (key, lease) in &records.leases {
                match lease.as_ref().filter(|lease| belongs(lease)) {
                    Some(lease) => leases.insert(key.clone(), changed(lease)),
                    None => leases.remove(key),
                };
            }
        }
        leases.into_values().collect()
    }

    /// Which events retention no longer covers; `None` when it covers all.
    pub(crate) fn prunable(&mut self, retention: Retention) -> StoreResult<Option<PrunePlan>> {
        let Some(plan) = self.facts.scans.prunable.get(&retention) else {
            self.missing.prunable.insert(retention);
            return Err(StoreError::NotFetched);
        };
        // Another job of this batch may have pruned as far already.
        let pruned = self.job.ends.log.pruned(retention.class.into());
        Ok(plan.filter(|plan| pruned < plan.through.into()))
    }

    /// Takes in a change: what is looked up after it sees it.
    pub(crate) fn push(&mut self, change: Change) {
        let marked = match &change {
            Change::Message(MessageChange::SetReceipt { id, receipt, .. }) => self.with_receipt(*id, receipt),
            _ => None,
        };
        let Layer { ends, records, changes, bytes } = &mut self.job;
        match &change {
            Change::Document(DocumentChange::Append(document)) => {
                records.revisions.insert(document.key.clone(), Some(document.revision.clone()));
            }
            Change::Event(EventChange::Append(event) | EventChange::Restore(event)) => {
                ends.log.last = event.id.into();
            }
            Change::Event(EventChange::SetPruned { user, system }) => ends.log.set_pruned(*user, *system),
            Change::Event(EventChange::Prune { class, through }) => match class {
                EventClass::User => ends.log.pruned_user = (*through).into(),
                EventClass::System => ends.log.pruned_system = (*through).into(),
            },
            Change::Instance(InstanceChange::Put(instance)) => {
                records.instances.insert(instance.id, Some(instance.clone()));
            }
            Change::Instance(InstanceChange::Remove(id)) => {
                records.instances.insert(*id, None);
            }
            Change::Rule(RuleChange::Put(rule)) => {
                records.rules.insert((rule.project.clone(), rule.rule_id.clone()), Some(rule.clone()));
            }
            Change::Rule(RuleChange::Remove { project, id }) => {
                records.rules.insert((project.clone(), id.clone()), None);
            }
            Change::Webhook(WebhookChange::Put(webhook)) => {
                records.webhooks.insert(webhook.id.clone(), Some(webhook.clone()));
            }
            Change::Webhook(WebhookChange::Remove(id)) => {
                records.webhooks.insert(id.clone(), None);
            }
            Change::Run(RunChange::Append(run)) => ends.run = Some(run.id),
            Change::Template(TemplateChange::Put(template)) => {
                records.templates.insert(template.id.clone(), Some(template.clone()));
            }
            Change::Template(TemplateChange::Remove(id)) => {
                records.templates.insert(id.clone(), None);
            }
            Change::Task(TaskChange::Put(task)) => {
                if let Some(key) = &task.key {
                    records.task_keys.insert((task.project.clone(), key.clone()), Some(Arc::clone(task)));
                }
                records.tasks.insert(task.id(), Some(Arc::clone(task)));
            }
            Change::Lease(LeaseChange::Put(lease)) => {
                records.leases.insert((lease.project.clone(), lease.id), Some(lease.clone()));
            }
            Change::Lease(LeaseChange::Remove { project, id }) => {
                records.leases.insert((project.clone(), *id), None);
            }
            Change::Lease(LeaseChange::SetLast { project, last }) => {
                records.last_leases.insert(project.clone(), Some(*last));
            }
            Change::Message(MessageChange::Append(delivered)) => {
                records.messages.insert(delivered.message.id, Some(delivered.clone()));
            }
            Change::Message(MessageChange::SetReceipt { id, .. }) => {
                if marked.is_some() {
                    records.messages.insert(*id, marked);
                }
            }
            Change::Message(MessageChange::Remove(id)) => {
                records.messages.insert(*id, None);
            }
            Change::Message(MessageChange::SetBriefed { agent, cursor }) => {
                records.briefed.insert(agent.clone(), Some(*cursor));
            }
            Change::AppendAudit(chained) => ends.audit = Some(chained.head()),
            Change::AppendUsage(record) => {
                ends.usage = Some(record.id);
                note_request(records, record);
            }
            Change::PutSession(session) => {
                records.sessions.insert(session.session.clone(), Some(session.clone()));
            }
            Change::Budget(BudgetChange::PutTaskCost(cost)) => {
                records.task_costs.insert(cost.task.clone(), Some(cost.clone()));
            }
            // No command looks these up, or they are searched for among the changes.
            Change::Document(DocumentChange::Trim { .. })
            | Change::Instance(InstanceChange::SetToken { .. })
            | Change::Message(MessageChange::PutGone(_) | MessageChange::RemoveGone(_))
            | Change::Webhook(WebhookChange::AppendDelivery { .. })
            | Change::Run(RunChange::Prune { .. })
            | Change::Task(
                TaskChange::Link { .. }
                | TaskChange::Count(_)
                | TaskChange::AppendNote { .. }
                | TaskChange::AppendHold { .. },
            )
            | Change::AttributeUsage(_)
            | Change::Budget(BudgetChange::Put(_) | BudgetChange::Remove(_))
            | Change::AddMetric(_) => {}
        }
        *bytes += change.weight();
        changes.push(change);
    }

    /// The facts that were fetched by key.
    pub(super) fn fetched_records(&self) -> &Records {
        &self.facts.records
    }

    /// What the batch and the job have made of records, older changes first.
    pub(super) fn changed_records(&self) -> [&Records; 2] {
        [&self.batch.records, &self.job.records]
    }

    /// The changes of the batch and of the job, in order.
    pub(super) fn changes(&self) -> impl Iterator<Item = &Change> {
        self.batch.changes.iter().chain(&self.job.changes)
    }

    pub(super) fn scans(&self) -> &Scans {
        &self.facts.scans
    }

    pub(super) fn pages(&self) -> &Pages {
        &self.facts.pages
    }

    /// Where to note what has not been fetched.
    pub(super) fn missing(&mut self) -> &mut FactSet {
        &mut self.missing
    }

    /// Puts a change before that many of the job's own, unseen by it; where there are fewer, nothing is put.
    #[cfg(feature = "testkit")]
    pub(crate) fn insert(&mut self, at: usize, change: Change) {
        if at < self.job.changes.len() {
            self.job.changes.insert(at, change);
        }
    }

    /// Adds the changes of the job that ran to those of the batch.
    pub(crate) fn keep_job(&mut self) {
        self.batch.ends = self.job.ends;
        self.batch.records.absorb(&mut self.job.records);
        self.batch.changes.append(&mut self.job.changes);
        self.batch.bytes += std::mem::take(&mut self.job.bytes);
    }

    /// Drops the changes of the job that ran.
    pub(crate) fn drop_job(&mut self) {
        self.job.ends = self.batch.ends;
        self.job.records.clear();
        self.job.changes.clear();
        self.job.bytes = 0;
    }

    /// Whether the job that ran looked at something that has not been fetched.
    pub(crate) fn has_missed(&self) -> bool {
        !self.missing.is_empty()
    }

    pub(super) fn take_missing(&mut self) -> FactSet {
        std::mem::take(&mut self.missing)
    }

    pub(super) fn point(&self) -> Point {
        self.facts.point
    }

    /// Adds facts of the same point.
    pub(super) fn add(&mut self, mut more: Facts) {
        self.facts.records.absorb(&mut more.records);
        self.facts.scans.absorb(more.scans);
        self.facts.pages.absorb(more.pages);
    }

    /// How many bytes the changes of the batch carry.
    pub(super) fn bytes(&self) -> usize {
        self.batch.bytes
    }

    pub(super) fn into_changes(self) -> Vec<Change> {
        self.batch.changes
    }
}
