//! Everything that is kept under an id and replaced as a whole, in memory.

use super::Snapshot;
use crate::{
    clock::Timestamp,
    domain::{
        budgets::Spent,
        compliance::{ComplianceRun, RunFilter},
        instances::{Instance, InstanceFilter},
        metrics::{MetricFilter, MetricRow},
        rules::{Rule, RuleFilter},
        sessions::AgentSession,
        templates::{Template, TemplateKind, TemplateSummary},
        usage::{GroupBy, UNATTRIBUTED, UsageFilter, UsageGroups, UsageRecord, UsageTotal},
        webhooks::{Delivery, Webhook},
    },
    ids::{Hash, InstanceId, ProjectName, RuleId, SessionName, TemplateId, UsageId, WebhookId},
    page::TimeRange,
    ports::{
        ComplianceLog, InstanceRegistry, MetricsRepo, RuleBook, StoreResult, TemplateRepo, UsageLog,
        WebhookRepo,
    },
};

impl InstanceRegistry for Snapshot<'_> {
    fn instance(&mut self, id: InstanceId) -> StoreResult<Option<Instance>> {
        Ok(self.0.instances.get(&id).cloned())
    }

    fn instance_by_token(&mut self, token: Hash) -> StoreResult<Option<Instance>> {
        let data = self.0;
        Ok(data.tokens.get(&token).and_then(|id| data.instances.get(id)).cloned())
    }

    fn instances(&mut self, filter: &InstanceFilter) -> StoreResult<Vec<Instance>> {
        let all = self.0.instances.values();
        let mut found: Vec<Instance> = all.filter(|instance| filter.matches(instance)).cloned().collect();
        found.sort_by(|a, b| b.last_seen.cmp(&a.last_seen).then(a.id.cmp(&b.id)));
        Ok(found)
    }

    fn instance_tokens(&mut self) -> StoreResult<Vec<(InstanceId, Hash)>> {
        let mut tokens: Vec<_> = self.0.tokens.iter().map(|(token, id)| (*id, *token)).collect();
        tokens.sort_unstable_by_key(|(id, _)| *id);
        Ok(tokens)
    }

    fn instance_count(&mut self) -> StoreResult<u64> {
        Ok(self.0.instances.len() as u64)
    }
}

impl RuleBook for Snapshot<'_> {
    fn rule(&mut self, project: &ProjectName, id: &RuleId) -> StoreResult<Option<Rule>> {
        Ok(self.0.rules.get(&(project.clone(), id.clone())).cloned())
    }

    fn rules(&mut self, filter: &RuleFilter) -> StoreResult<Vec<Rule>> {
        Ok(self.0.rules.values().filter(|rule| filter.matches(rule)).cloned().collect())
    }
}

impl WebhookRepo for Snapshot<'_> {
    fn webhook(&mut self, id: &WebhookId) -> StoreResult<Option<Webhook>> {
        Ok(self.0.webhooks.get(id).cloned())
    }

    fn webhooks(&mut self) -> StoreResult<Vec<Webhook>> {
        Ok(self.0.webhooks.values().cloned().collect())
    }

    fn deliveries(&mut self, id: &WebhookId) -> StoreResult<Vec<Delivery>> {
        Ok(self.0.deliveries.get(id).into_iter().flatten().rev().cloned().collect())
    }
}

impl ComplianceLog for Snapshot<'_> {
    fn runs(&mut self, filter: &RunFilter, limit: usize) -> StoreResult<Vec<ComplianceRun>> {
        let newest = self.0.runs.values().rev();
        Ok(newest.filter(|run| filter.matches(run)).take(limit).cloned().collect())
    }
}

impl TemplateRepo for Snapshot<'_> {
    fn template(&mut self, id: &TemplateId) -> StoreResult<Option<Template>> {
        Ok(self.0.templates.get(id).cloned())
    }

    fn templates(
        &mut self,
        kind: Option<TemplateKind>,
        tag: Option<&str>,
    ) -> StoreResult<Vec<TemplateSummary>> {
        let all = self.0.templates.values();
        let of_kind = all.filter(|template| kind.is_none_or(|kind| kind == template.kind));
        let tagged = |template: &&Template| tag.is_none_or(|tag| template.tags.iter().any(|own| own == tag));
        let mut found: Vec<TemplateSummary> = of_kind.filter(tagged).map(TemplateSummary::from).collect();
        found.sort_by(|a, b| b.updated_at.cmp(&a.updated_at).then_with(|| a.id.cmp(&b.id)));
        Ok(found)
    }
}

impl MetricsRepo for Snapshot<'_> {
    fn metrics(&mut self, filter: &MetricFilter) -> StoreResult<Vec<MetricRow>> {
        let rows = self.0.metrics.iter().map(|((period, name, id), value)| MetricRow {
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

impl UsageLog for Snapshot<'_> {
    fn usage(&mut self, filter: &UsageFilter, limit: usize) -> StoreResult<Vec<UsageRecord>> {
        let newest = self.0.usage.values().rev();
        Ok(newest.filter(|record| filter.matches(record)).take(limit).cloned().collect())
    }

    fn usage_after(&mut self, after: Option<UsageId>, limit: usize) -> StoreResult<Vec<UsageRecord>> {
        let later = self.0.usage.range(UsageId::after(after)..);
        Ok(later.take(limit).map(|(_, record)| record.clone()).collect())
    }

    fn usage_summary(&mut self, by: GroupBy, range: TimeRange) -> StoreResult<UsageGroups> {
        let mut groups = UsageGroups::new();
        for record in self.0.usage.values().filter(|record| range.contains(record.created_at)) {
            groups.entry(by.name_of(record).into_owned()).or_default().add(&UsageTotal::from(record));
        }
        Ok(groups)
    }

    fn usage_of_requests(&mut self, requests: &[&str]) -> StoreResult<Vec<(String, UsageId)>> {
        let known = &self.0.usage_requests;
        Ok(requests
            .iter()
            .filter_map(|request| Some(((*request).to_owned(), *known.get(*request)?)))
            .collect())
    }

    fn unattributed_usage(
        &mut self,
        session: &SessionName,
        since: Timestamp,
        limit: usize,
    ) -> StoreResult<Vec<UsageRecord>> {
        let wanted = |record: &&UsageRecord| {
            record.session == session.as_str()
                && record.instance_id == UNATTRIBUTED
                && record.received_at >= since
        };
        Ok(self.0.usage.values().filter(wanted).take(limit).cloned().collect())
    }

    fn spent_since(&mut self, project: &ProjectName, since: Timestamp) -> StoreResult<Spent> {
        let mut spent = Spent::default();
        let of_project =
            |record: &&UsageRecord| record.project == project.as_str() && record.created_at >= since;
        self.0.usage.values().filter(of_project).for_each(|record| spent.add(record));
        Ok(spent)
    }

    fn session(&mut self, session: &SessionName) -> StoreResult<Option<AgentSession>> {
        Ok(self.0.sessions.get(session).cloned())
    }

    fn sessions(&mut self) -> StoreResult<Vec<AgentSession>> {
        Ok(self.0.sessions.values().cloned().collect())
    }
}
