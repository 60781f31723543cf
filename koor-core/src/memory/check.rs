//! Whether changes fit what is there: every number the next one, every hash right, nothing removed that is not there.

use std::{
    collections::{HashMap, HashSet},
    fmt::Display,
};

use super::Data;
use crate::{
    domain::{
        audit::{AuditHead, ChainedEntry},
        events::EventClass,
        messages::Delivered,
    },
    ids::{
        AuditId, Cursor, DocumentKey, EventId, Hash, InstanceId, LeaseId, ProjectName, RunId, UsageId,
        Version,
    },
    ports::{
        BudgetChange, Change, DocumentChange, EventChange, InstanceChange, LeaseChange, MessageChange,
        RuleChange, RunChange, StoreError, StoreResult, TaskChange, TemplateChange, WebhookChange,
    },
};

/// The ends as the changes before have moved them, and what these have put and removed.
struct Expected<'a> {
    data: &'a Data,
    event: EventId,
    audit: Option<AuditHead>,
    run: Option<RunId>,
    usage: Option<UsageId>,
    versions: HashMap<&'a DocumentKey, Version>,
    last_leases: HashMap<&'a ProjectName, LeaseId>,
    put: HashSet<String>,
    removed: HashSet<String>,
}

/// Checks a list of changes, in order.
pub(super) fn check(data: &Data, changes: &[Change]) -> StoreResult<()> {
    let audit = data.audit.values().next_back().map(ChainedEntry::head);
    let mut expected = Expected {
        data,
        event: data.bounds.last.next(),
        audit,
        run: data.runs.keys().next_back().copied(),
        usage: data.usage.keys().next_back().copied(),
        versions: HashMap::new(),
        last_leases: HashMap::new(),
        put: HashSet::new(),
        removed: HashSet::new(),
    };
    changes.iter().try_for_each(|change| expected.check(change))
}

fn contradiction(what: impl Display) -> StoreError {
    StoreError::Corrupt { place: format!("a commit: {what}"), source: None }
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> StoreResult<()> {
    if holds { Ok(()) } else { Err(contradiction(what())) }
}

impl<'a> Expected<'a> {
    fn check(&mut self, change: &'a Change) -> StoreResult<()> {
        match change {
            Change::Document(change) => self.document(change),
            Change::Event(EventChange::Append(event)) => {
                ensure(event.id == self.event, || format!("event {} instead of {}", event.id, self.event))?;
                self.event = event.id.next();
                Ok(())
            }
            Change::Event(EventChange::Restore(event)) => {
                ensure(event.id >= self.event, || format!("event {} is not above the log's end", event.id))?;
                self.event = event.id.next();
                Ok(())
            }
            Change::Event(EventChange::SetPruned { user, system }) => {
                let before = self.data.bounds;
                ensure(*user >= before.pruned_user && *system >= before.pruned_system, || {
                    "pruned events come back".to_owned()
                })?;
                self.event = self.event.max(Cursor::max(*user, *system).next());
                Ok(())
            }
            Change::Event(EventChange::Prune { class, through }) => {
                let last = self.data.events.get(through);
                let fits = last.is_some_and(|event| EventClass::of(&event.topic) == *class);
                ensure(fits, || format!("{through} is no event of the class to prune"))
            }
            Change::Instance(InstanceChange::Put(instance)) => self.put("instance", instance.id),
            Change::Instance(InstanceChange::SetToken { id, .. }) => {
                self.is_there("instance", id, |data| data.instances.contains_key(id))
            }
            Change::Instance(InstanceChange::Remove(id)) => self.remove_instance(*id),
            Change::Rule(RuleChange::Put(rule)) => {
                self.put("rule", format_args!("{}/{}", rule.project, rule.rule_id))
            }
            Change::Rule(RuleChange::Remove { project, id }) => {
                self.remove("rule", format_args!("{project}/{id}"), |data| {
                    data.rules.contains_key(&(project.clone(), id.clone()))
                })
            }
            Change::Webhook(WebhookChange::Put(webhook)) => self.put("webhook", &webhook.id),
            Change::Webhook(WebhookChange::Remove(id)) => {
                self.remove("webhook", id, |data| data.webhooks.contains_key(id))
            }
            Change::Webhook(WebhookChange::AppendDelivery { id, .. }) => {
                self.is_there("webhook", id, |data| data.webhooks.contains_key(id))
            }
            Change::Run(RunChange::Append(run)) => {
                let next = RunId::after(self.run.replace(run.id));
                ensure(run.id == next, || format!("compliance run {} instead of {next}", run.id))
            }
            Change::Run(RunChange::Prune { through }) => {
                ensure(self.run.is_some_and(|last| *through < last), || "the newest run is pruned".to_owned())
            }
            Change::Template(TemplateChange::Put(template)) => self.put("template", &template.id),
            Change::Template(TemplateChange::Remove(id)) => {
                self.remove("template", id, |data| data.templates.contains_key(id))
            }
            Change::Task(change) => self.task(change),
            Change::Lease(LeaseChange::Put(lease)) => {
                self.put("lease", format_args!("{}/{}", lease.project, lease.id))
            }
            Change::Lease(LeaseChange::Remove { project, id }) => {
                self.remove("lease", format_args!("{project}/{id}"), |data| {
                    data.leases.contains_key(&(project.clone(), *id))
                })
            }
            Change::Lease(LeaseChange::SetLast { project, last }) => {
                let before = self.last_leases.insert(project, *last);
                let before = before.or_else(|| self.data.last_leases.get(project).copied());
                ensure(before.is_none_or(|before| *last > before), || {
                    format!("lease {project}/{last} has a number that was given before")
                })
            }
            Change::Message(change) => self.message(change),
            Change::AppendAudit(chained) => {
                let before = self.audit.replace(chained.head());
                let next = AuditId::after(before.map(|head| head.id));
                ensure(chained.entry.id == next, || {
                    format!("audit entry {} instead of {next}", chained.entry.id)
                })?;
                let hash = chained.entry.clone().chain(before.map(|head| head.hash)).hash;
                ensure(chained.hash == hash, || format!("audit entry {next} breaks the chain"))
            }
            Change::AddMetric(_) => Ok(()),
            Change::AttributeUsage(record) => {
                let there = self.usage.is_some_and(|last| record.id <= last);
                ensure(there, || format!("usage record {} is not there", record.id))
            }
            Change::PutSession(session) => self.put("session", &session.session),
            Change::Budget(BudgetChange::Put(budget)) => self.put("budget", &budget.project),
            Change::Budget(BudgetChange::Remove(project)) => {
                self.remove("budget", project, |data| data.budgets.contains_key(project))
            }
            Change::Budget(BudgetChange::PutTaskCost(cost)) => self.put("cost of task", &cost.task),
            Change::AppendUsage(record) => {
                let next = UsageId::after(self.usage.replace(record.id));
                ensure(record.id == next, || format!("usage record {} instead of {next}", record.id))
            }
        }
    }

    fn message(&mut self, change: &MessageChange) -> StoreResult<()> {
        match change {
            MessageChange::Append(delivered) => {
                let id = delivered.message.id;
                ensure(id < self.event, || format!("message {id} has no event"))?;
                ensure(!delivered.receipts.is_empty(), || format!("message {id} goes to no agent"))?;
                self.put("message", id)
            }
            MessageChange::SetReceipt { id, receipt, .. } => {
                let has = |delivered: &Delivered| delivered.receipts.iter().any(|one| one.of == receipt.of);
                self.is_there("message", id, |data| data.messages.get(id).is_some_and(has))
            }
            MessageChange::Remove(id) => self.remove("message", id, |data| data.messages.contains_key(id)),
            MessageChange::PutGone(gone) => self.put("agent", &gone.address),
            MessageChange::RemoveGone(address) => {
                self.remove("agent", address, |data| data.gone_agents.contains_key(address))
            }
            MessageChange::SetBriefed { .. } => Ok(()),
        }
    }

    fn document(&mut self, change: &'a DocumentChange) -> StoreResult<()> {
        let newest = |expected: &Self, key| {
            let known = expected.versions.get(key).copied();
            known.or_else(|| expected.data.newest(key).map(|document| document.revision.version))
        };
        match change {
            DocumentChange::Append(document) => {
                let (key, version) = (&document.key, document.revision.version);
                let newest = newest(self, key);
                ensure(newest.is_none_or(|newest| version > newest), || {
                    format!("version {version} of {key} is not newer than what is there")
                })?;
                ensure(Hash::of(&document.value) == document.revision.hash, || {
                    format!("version {version} of {key} does not have its hash")
                })?;
                self.versions.insert(key, version);
                Ok(())
            }
            DocumentChange::Trim { key, first_kept } => {
                let stays = newest(self, key).is_some_and(|newest| *first_kept <= newest);
                ensure(stays, || format!("the newest version of {key} is trimmed"))
            }
        }
    }

    fn task(&mut self, change: &TaskChange) -> StoreResult<()> {
        match change {
            TaskChange::Put(task) => self.put("task", task.id()),
            TaskChange::Link { id, .. }
            | TaskChange::AppendNote { id, .. }
            | TaskChange::AppendHold { id, .. } => self.is_there("task", id, |data| data.tasks.contains(id)),
            TaskChange::Count(_) => Ok(()),
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "it stands where checks that can fail stand")]
    fn put(&mut self, what: &str, name: impl Display) -> StoreResult<()> {
        let name = format!("{what} {name}");
        self.removed.remove(&name);
        self.put.insert(name);
        Ok(())
    }

    fn is_there(
        &self,
        what: &str,
        name: impl Display,
        stored: impl FnOnce(&Data) -> bool,
    ) -> StoreResult<()> {
        let name = format!("{what} {name}");
        let there = self.put.contains(&name) || (!self.removed.contains(&name) && stored(self.data));
        ensure(there, || format!("{name} is not there"))
    }

    fn remove(
        &mut self,
        what: &str,
        name: impl Display,
        stored: impl FnOnce(&Data) -> bool,
    ) -> StoreResult<()> {
        self.is_there(what, &name, stored)?;
        let name = format!("{what} {name}");
        self.put.remove(&name);
        self.removed.insert(name);
        Ok(())
    }

    fn remove_instance(&mut self, id: InstanceId) -> StoreResult<()> {
        self.remove("instance", id, |data| data.instances.contains_key(&id))
    }
}
