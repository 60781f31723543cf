//! Everything that is kept under an id and replaced as a whole, in memory.

use super::{Data, Tx, View};
use crate::{
    clock::Timestamp,
    domain::{
        compliance::{ComplianceRun, RunFilter},
        instances::{Instance, InstanceFilter},
        metrics::{MetricFilter, MetricRow},
        rules::{Rule, RuleFilter},
        templates::{Template, TemplateKind},
        usage::{GroupBy, UsageFilter, UsageGroups, UsageRecord, UsageTotal},
        webhooks::{DELIVERIES_KEPT, Delivery, Webhook},
    },
    ids::{Hash, InstanceId, ProjectName, RuleId, RunId, TemplateId, UsageId, WebhookId},
    page::TimeRange,
    ports::{
        ComplianceLog, ComplianceRead, InstanceRead, InstanceRegistry, MetricsRead, MetricsRepo, RuleBook,
        RuleRead, StoreResult, TemplateRead, TemplateRepo, UsageLog, UsageRead, WebhookRead, WebhookRepo,
    },
};

impl<T: View> InstanceRead for T {
    fn instance(&mut self, id: InstanceId) -> StoreResult<Option<Instance>> {
        Ok(self.data().instances.get(&id).cloned())
    }

    fn instance_by_token(&mut self, token: Hash) -> StoreResult<Option<Instance>> {
        let data = self.data();
        Ok(data.tokens.get(&token).and_then(|id| data.instances.get(id)).cloned())
    }

    fn instances(&mut self, filter: &InstanceFilter) -> StoreResult<Vec<Instance>> {
        let all = self.data().instances.values();
        let mut found: Vec<Instance> = all.filter(|instance| filter.matches(instance)).cloned().collect();
        found.sort_by(|a, b| b.last_seen.cmp(&a.last_seen).then(a.id.cmp(&b.id)));
        Ok(found)
    }

    fn instance_count(&mut self) -> StoreResult<u64> {
        Ok(self.data().instances.len() as u64)
    }
}

impl InstanceRegistry for Tx<'_> {
    fn put_instance(&mut self, instance: &Instance) -> StoreResult<()> {
        let id = instance.id;
        let old = self.data.instances.insert(id, instance.clone());
        self.undo(move |data| put_back(&mut data.instances, id, old));
        Ok(())
    }

    fn set_instance_token(&mut self, id: InstanceId, token: Hash) -> StoreResult<()> {
        if !self.data.instances.contains_key(&id) {
            return Ok(());
        }
        let old = self.data.tokens.clone();
        self.data.tokens.retain(|_, of| *of != id);
        self.data.tokens.insert(token, id);
        self.undo(move |data| data.tokens = old);
        Ok(())
    }

    fn touch_instance(&mut self, id: InstanceId, seen: Timestamp) -> StoreResult<()> {
        let Some(instance) = self.data.instances.get(&id).filter(|instance| instance.last_seen < seen) else {
            return Ok(());
        };
        let touched = Instance { last_seen: seen, ..instance.clone() };
        self.put_instance(&touched)
    }

    fn remove_instance(&mut self, id: InstanceId) -> StoreResult<()> {
        let (old, tokens) = (self.data.instances.remove(&id), self.data.tokens.clone());
        self.data.tokens.retain(|_, of| *of != id);
        self.undo(move |data| {
            put_back(&mut data.instances, id, old);
            data.tokens = tokens;
        });
        Ok(())
    }
}

impl<T: View> RuleRead for T {
    fn rule(&mut self, project: &ProjectName, id: &RuleId) -> StoreResult<Option<Rule>> {
        Ok(self.data().rules.get(&(project.clone(), id.clone())).cloned())
    }

    fn rules(&mut self, filter: &RuleFilter) -> StoreResult<Vec<Rule>> {
        Ok(self.data().rules.values().filter(|rule| filter.matches(rule)).cloned().collect())
    }
}

impl RuleBook for Tx<'_> {
    fn put_rule(&mut self, rule: &Rule) -> StoreResult<()> {
        let key = (rule.project.clone(), rule.rule_id.clone());
        let old = self.data.rules.insert(key.clone(), rule.clone());
        self.undo(move |data| put_back(&mut data.rules, key, old));
        Ok(())
    }

    fn remove_rule(&mut self, project: &ProjectName, id: &RuleId) -> StoreResult<()> {
        let key = (project.clone(), id.clone());
        let old = self.data.rules.remove(&key);
        self.undo(move |data| put_back(&mut data.rules, key, old));
        Ok(())
    }
}

impl<T: View> WebhookRead for T {
    fn webhook(&mut self, id: &WebhookId) -> StoreResult<Option<Webhook>> {
        Ok(self.data().webhooks.get(id).cloned())
    }

    fn webhooks(&mut self) -> StoreResult<Vec<Webhook>> {
        Ok(self.data().webhooks.values().cloned().collect())
    }

    fn deliveries(&mut self, id: &WebhookId) -> StoreResult<Vec<Delivery>> {
        Ok(self.data().deliveries.get(id).into_iter().flatten().rev().cloned().collect())
    }
}

impl WebhookRepo for Tx<'_> {
    fn put_webhook(&mut self, webhook: &Webhook) -> StoreResult<()> {
        let id = webhook.id.clone();
        let old = self.data.webhooks.insert(id.clone(), webhook.clone());
        self.undo(move |data| put_back(&mut data.webhooks, id, old));
        Ok(())
    }

    fn remove_webhook(&mut self, id: &WebhookId) -> StoreResult<()> {
        let id = id.clone();
        let (old, deliveries) = (self.data.webhooks.remove(&id), self.data.deliveries.remove(&id));
        self.undo(move |data| {
            put_back(&mut data.webhooks, id.clone(), old);
            put_back(&mut data.deliveries, id, deliveries);
        });
        Ok(())
    }

    fn append_delivery(&mut self, id: &WebhookId, delivery: &Delivery) -> StoreResult<()> {
        let id = id.clone();
        let deliveries = self.data.deliveries.entry(id.clone()).or_default();
        let old = deliveries.clone();
        deliveries.push_back(delivery.clone());
        while deliveries.len() > DELIVERIES_KEPT {
            deliveries.pop_front();
        }
        self.undo(move |data| {
            data.deliveries.insert(id, old);
        });
        Ok(())
    }
}

impl<T: View> ComplianceRead for T {
    fn runs(&mut self, filter: &RunFilter, limit: usize) -> StoreResult<Vec<ComplianceRun>> {
        let newest = self.data().runs.values().rev();
        Ok(newest.filter(|run| filter.matches(run)).take(limit).cloned().collect())
    }

    fn last_run(&mut self) -> StoreResult<Option<RunId>> {
        Ok(self.data().runs.keys().next_back().copied())
    }
}

impl ComplianceLog for Tx<'_> {
    fn append_run(&mut self, run: &ComplianceRun) -> StoreResult<()> {
        let id = run.id;
        self.data.runs.insert(id, run.clone());
        self.undo(move |data| {
            data.runs.remove(&id);
        });
        Ok(())
    }

    fn prune_runs(&mut self, keep: u64) -> StoreResult<()> {
        let keep = usize::try_from(keep).unwrap_or(usize::MAX).max(1);
        let Some(first_doomed) = self.data.runs.keys().rev().nth(keep).copied() else { return Ok(()) };
        let mut doomed = self.data.runs.split_off(&RunId::next(first_doomed));
        std::mem::swap(&mut self.data.runs, &mut doomed);
        self.undo(move |data| data.runs.extend(doomed));
        Ok(())
    }
}

impl<T: View> TemplateRead for T {
    fn template(&mut self, id: &TemplateId) -> StoreResult<Option<Template>> {
        Ok(self.data().templates.get(id).cloned())
    }

    fn templates(&mut self, kind: Option<TemplateKind>, tag: Option<&str>) -> StoreResult<Vec<Template>> {
        let all = self.data().templates.values();
        let of_kind = all.filter(|template| kind.is_none_or(|kind| kind == template.kind));
        let tagged = |template: &&Template| tag.is_none_or(|tag| template.tags.iter().any(|own| own == tag));
        let mut found: Vec<Template> = of_kind.filter(tagged).cloned().collect();
        found.sort_by(|a, b| b.updated_at.cmp(&a.updated_at).then_with(|| a.id.cmp(&b.id)));
        Ok(found)
    }
}

impl TemplateRepo for Tx<'_> {
    fn put_template(&mut self, template: &Template) -> StoreResult<()> {
        let id = template.id.clone();
        let old = self.data.templates.insert(id.clone(), template.clone());
        self.undo(move |data| put_back(&mut data.templates, id, old));
        Ok(())
    }

    fn remove_template(&mut self, id: &TemplateId) -> StoreResult<()> {
        let id = id.clone();
        let old = self.data.templates.remove(&id);
        self.undo(move |data| put_back(&mut data.templates, id, old));
        Ok(())
    }
}

impl<T: View> MetricsRead for T {
    fn metrics(&mut self, filter: &MetricFilter) -> StoreResult<Vec<MetricRow>> {
        let rows = self.data().metrics.iter().map(|((period, name, id), value)| MetricRow {
            instance_id: *id,
            metric_name: *name,
            metric_value: *value,
            period: period.clone(),
        });
        let mut found: Vec<MetricRow> = rows.filter(|row| filter.matches(row)).collect();
        // Names and instances are in order within a period; a stable sort keeps them so.
        found.sort_by(|a, b| b.period.cmp(&a.period));
        Ok(found)
    }
}

impl MetricsRepo for Tx<'_> {
    fn add_metric(&mut self, row: &MetricRow) -> StoreResult<()> {
        let key = (row.period.clone(), row.metric_name, row.instance_id);
        let counter = self.data.metrics.entry(key.clone()).or_default();
        let old = *counter;
        *counter += row.metric_value;
        self.undo(move |data| {
            data.metrics.insert(key, old);
        });
        Ok(())
    }
}

impl<T: View> UsageRead for T {
    fn usage(&mut self, filter: &UsageFilter, limit: usize) -> StoreResult<Vec<UsageRecord>> {
        let newest = self.data().usage.values().rev();
        Ok(newest.filter(|record| filter.matches(record)).take(limit).cloned().collect())
    }

    fn usage_after(&mut self, after: Option<UsageId>, limit: usize) -> StoreResult<Vec<UsageRecord>> {
        let later = self.data().usage.range(UsageId::after(after)..);
        Ok(later.take(limit).map(|(_, record)| record.clone()).collect())
    }

    fn usage_summary(&mut self, by: GroupBy, range: TimeRange) -> StoreResult<UsageGroups> {
        let mut groups = UsageGroups::new();
        for record in self.data().usage.values().filter(|record| range.contains(record.created_at)) {
            groups.entry(by.name_of(record).to_owned()).or_default().add(&UsageTotal::from(record));
        }
        Ok(groups)
    }

    fn last_usage(&mut self) -> StoreResult<Option<UsageId>> {
        Ok(self.data().usage.keys().next_back().copied())
    }
}

impl UsageLog for Tx<'_> {
    fn append_usage(&mut self, record: &UsageRecord) -> StoreResult<()> {
        let id = record.id;
        self.data.usage.insert(id, record.clone());
        self.undo(move |data: &mut Data| {
            data.usage.remove(&id);
        });
        Ok(())
    }
}

/// Puts a map back to what it held under a key.
fn put_back<K: Ord, V>(map: &mut std::collections::BTreeMap<K, V>, key: K, old: Option<V>) {
    match old {
        Some(old) => map.insert(key, old),
        None => map.remove(&key),
    };
}
