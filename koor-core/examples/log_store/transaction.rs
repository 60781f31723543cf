//! The ports: questions go on to the transaction in memory; writes do, too, and are noted.

use koor_core::{
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
        AuditLog, AuditRead, ComplianceLog, ComplianceRead, EventLog, EventRead, InstanceRead,
        InstanceRegistry, MetricsRead, MetricsRepo, RuleBook, RuleRead, SpecProject, SpecRegistry, StateRead,
        StateRepo, StoreResult, TemplateRead, TemplateRepo, UsageLog, UsageRead, WebhookRead, WebhookRepo,
        WriteTx,
    },
};

use crate::write::Write;

/// A transaction that notes what is written in it.
pub(crate) struct Noting<'a> {
    inner: &'a mut dyn WriteTx,
    noted: Vec<Write>,
}

impl<'a> Noting<'a> {
    pub(crate) fn new(inner: &'a mut dyn WriteTx) -> Self {
        Self { inner, noted: Vec::new() }
    }

    /// What has been written.
    pub(crate) fn noted(&self) -> &[Write] {
        &self.noted
    }
}

impl WriteTx for Noting<'_> {
    fn dirty(&self) -> bool {
        !self.noted.is_empty()
    }
}

/// Hands questions on.
macro_rules! reads {
    ($($port:ident { $($method:ident($($arg:ident: $of:ty),*) -> $answer:ty;)+ })+) => {
        $(impl $port for Noting<'_> {
            $(fn $method(&mut self, $($arg: $of),*) -> StoreResult<$answer> {
                self.inner.$method($($arg),*)
            })+
        })+
    };
}

/// Hands writes on, and notes them.
macro_rules! writes {
    ($($port:ident { $($method:ident($($arg:ident: $of:ty),*) -> $answer:ty = $write:expr;)+ })+) => {
        $(impl $port for Noting<'_> {
            $(fn $method(&mut self, $($arg: $of),*) -> StoreResult<$answer> {
                let answer = self.inner.$method($($arg),*)?;
                self.noted.push($write);
                Ok(answer)
            })+
        })+
    };
}

reads! {
    StateRead {
        revision(key: &DocumentKey) -> Option<Revision>;
        document(key: &DocumentKey) -> Option<Document>;
        document_at(key: &DocumentKey, version: Version) -> Option<Document>;
        revisions(key: &DocumentKey, limit: usize) -> Vec<Revision>;
        state_keys(
            prefix: &str,
            after: Option<&StateKey>,
            limit: Option<usize>
        ) -> Vec<(StateKey, Revision)>;
        state_count() -> u64;
        documents_after(after: Option<(&DocumentKey, Version)>, limit: usize) -> Vec<Document>;
    }
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
        append_document(document: &Document) -> () = Write::AppendDocument(document.into());
        trim_document(key: &DocumentKey, first_kept: Version) -> () =
            Write::TrimDocument { key: key.into(), first_kept };
    }
    EventLog {
        append_event(event: &Event) -> () = Write::AppendEvent(event.clone());
        prune_events(class: Class, keep: u64, most: u64) -> u64 =
            Write::PruneEvents { class: class.into(), keep, most };
    }
    InstanceRegistry {
        put_instance(instance: &Instance) -> () = Write::PutInstance(instance.clone());
        set_instance_token(id: InstanceId, token: Hash) -> () = Write::SetInstanceToken { id, token };
        touch_instance(id: InstanceId, seen: Timestamp) -> () = Write::TouchInstance { id, seen };
        remove_instance(id: InstanceId) -> () = Write::RemoveInstance(id);
    }
    RuleBook {
        put_rule(rule: &Rule) -> () = Write::PutRule(rule.clone());
        remove_rule(project: &ProjectName, id: &RuleId) -> () =
            Write::RemoveRule { project: project.clone(), id: id.clone() };
    }
    WebhookRepo {
        put_webhook(webhook: &Webhook) -> () = Write::PutWebhook(webhook.into());
        remove_webhook(id: &WebhookId) -> () = Write::RemoveWebhook(id.clone());
        append_delivery(id: &WebhookId, delivery: &Delivery) -> () =
            Write::AppendDelivery { id: id.clone(), delivery: delivery.clone() };
    }
    ComplianceLog {
        append_run(run: &ComplianceRun) -> () = Write::AppendRun(run.clone());
        prune_runs(keep: u64) -> () = Write::PruneRuns(keep);
    }
    TemplateRepo {
        put_template(template: &Template) -> () = Write::PutTemplate(template.clone());
        remove_template(id: &TemplateId) -> () = Write::RemoveTemplate(id.clone());
    }
    AuditLog {
        append_audit(entry: &ChainedEntry) -> () = Write::AppendAudit(entry.clone());
    }
    MetricsRepo {
        add_metric(row: &MetricRow) -> () = Write::AddMetric(row.into());
    }
    UsageLog {
        append_usage(record: &UsageRecord) -> () = Write::AppendUsage(record.clone());
    }
}
