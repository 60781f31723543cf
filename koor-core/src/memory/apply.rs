//! What each change does to the data.

use std::sync::Arc;

use super::Data;
use crate::{
    domain::{
        events::EventClass,
        webhooks::{DELIVERIES_KEPT, Delivery},
    },
    ids::{EventId, WebhookId},
    ports::{
        BudgetChange, Change, DocumentChange, EventChange, InstanceChange, LeaseChange, MessageChange,
        RuleChange, RunChange, TemplateChange, WebhookChange,
    },
};

/// Makes a change. It cannot fail: what could be wrong with it has been checked.
pub(super) fn apply(data: &mut Data, change: &Change) {
    match change {
        Change::Document(DocumentChange::Append(document)) => {
            let versions = data.documents.entry(document.key.clone()).or_default();
            versions.insert(document.revision.version, Arc::clone(document));
        }
        Change::Document(DocumentChange::Trim { key, first_kept }) => {
            if let Some(versions) = data.documents.get_mut(key) {
                let newest = versions.keys().next_back().copied().unwrap_or(*first_kept);
                *versions = versions.split_off(&newest.min(*first_kept));
            }
        }
        Change::Event(EventChange::Append(event) | EventChange::Restore(event)) => {
            data.events.insert(event.id, event.clone());
            data.bounds.last = event.id.into();
        }
        Change::Event(EventChange::SetPruned { user, system }) => data.bounds.set_pruned(*user, *system),
        Change::Event(EventChange::Prune { class, through }) => prune_events(data, *class, *through),
        Change::Instance(InstanceChange::Put(instance)) => {
            data.instances.insert(instance.id, instance.clone());
        }
        Change::Instance(InstanceChange::SetToken { id, token }) => {
            data.tokens.retain(|_, of| of != id);
            data.tokens.insert(*token, *id);
        }
        Change::Instance(InstanceChange::Remove(id)) => {
            data.instances.remove(id);
            data.tokens.retain(|_, of| of != id);
            data.sessions.retain(|_, session| session.instance_id != *id);
        }
        Change::Rule(RuleChange::Put(rule)) => {
            data.rules.insert((rule.project.clone(), rule.rule_id.clone()), rule.clone());
        }
        Change::Rule(RuleChange::Remove { project, id }) => {
            data.rules.remove(&(project.clone(), id.clone()));
        }
        Change::Webhook(WebhookChange::Put(webhook)) => {
            data.webhooks.insert(webhook.id.clone(), webhook.clone());
        }
        Change::Webhook(WebhookChange::Remove(id)) => {
            data.webhooks.remove(id);
            data.deliveries.remove(id);
        }
        Change::Webhook(WebhookChange::AppendDelivery { id, delivery }) => {
            append_delivery(data, id, delivery);
        }
        Change::Run(RunChange::Append(run)) => {
            data.runs.insert(run.id, run.clone());
        }
        Change::Run(RunChange::Prune { through }) => {
            let newest = data.runs.keys().next_back().copied();
            data.runs.retain(|id, _| id > through || Some(*id) == newest);
        }
        Change::Template(TemplateChange::Put(template)) => {
            data.templates.insert(template.id.clone(), template.clone());
        }
        Change::Template(TemplateChange::Remove(id)) => {
            data.templates.remove(id);
        }
        Change::Task(change) => data.tasks.apply(change),
        Change::Lease(LeaseChange::Put(lease)) => {
            data.leases.insert((lease.project.clone(), lease.id), lease.clone());
        }
        Change::Lease(LeaseChange::Remove { project, id }) => {
            data.leases.remove(&(project.clone(), *id));
        }
        Change::Lease(LeaseChange::SetLast { project, last }) => {
            data.last_leases.insert(project.clone(), *last);
        }
        Change::Message(change) => apply_message(data, change),
        Change::AppendAudit(chained) => {
            data.audit.insert(chained.entry.id, chained.clone());
        }
        Change::AddMetric(row) => {
            let key = (row.period.clone(), row.metric_name, row.instance_id);
            *data.metrics.entry(key).or_default() += row.metric_value;
        }
        Change::AppendUsage(record) => {
            if !record.request_id.is_empty() {
                data.usage_requests.insert(record.request_id.clone(), record.id);
            }
            data.usage.insert(record.id, record.clone());
        }
        Change::AttributeUsage(record) => {
            data.usage.insert(record.id, record.clone());
        }
        Change::PutSession(session) => {
            data.sessions.insert(session.session.clone(), session.clone());
        }
        Change::Budget(BudgetChange::Put(budget)) => {
            data.budgets.insert(budget.project.clone(), budget.clone());
        }
        Change::Budget(BudgetChange::Remove(project)) => {
            data.budgets.remove(project);
        }
        Change::Budget(BudgetChange::PutTaskCost(cost)) => {
            data.task_costs.insert(cost.task.clone(), cost.clone());
        }
    }
}

fn apply_message(data: &mut Data, change: &MessageChange) {
    match change {
        MessageChange::Append(delivered) => {
            data.messages.insert(delivered.message.id, delivered.clone());
        }
        MessageChange::SetReceipt { id, receipt, .. } => {
            let receipts = data.messages.get_mut(id).map(|delivered| &mut delivered.receipts);
            let own = receipts.into_iter().flatten().find(|one| one.of == receipt.of);
            if let Some(own) = own {
                *own = receipt.clone();
            }
        }
        MessageChange::Remove(id) => {
            data.messages.remove(id);
        }
        MessageChange::PutGone(gone) => {
            data.gone_agents.insert(gone.address.clone(), gone.gone_at);
        }
        MessageChange::RemoveGone(address) => {
            data.gone_agents.remove(address);
            data.briefed.remove(&(Some(address.project.clone()), address.name.clone()));
        }
        MessageChange::SetBriefed { agent, cursor } => {
            data.briefed.insert((agent.project.clone(), agent.name.clone()), *cursor);
        }
    }
}

fn prune_events(data: &mut Data, class: EventClass, through: EventId) {
    data.events.retain(|id, event| *id > through || EventClass::of(&event.topic) != class);
    match class {
        EventClass::User => data.bounds.pruned_user = through.into(),
        EventClass::System => data.bounds.pruned_system = through.into(),
    }
}

fn append_delivery(data: &mut Data, id: &WebhookId, delivery: &Delivery) {
    let deliveries = data.deliveries.entry(id.clone()).or_default();
    deliveries.push_back(delivery.clone());
    while deliveries.len() > DELIVERIES_KEPT {
        deliveries.pop_front();
    }
}
