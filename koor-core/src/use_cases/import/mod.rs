//! Taking over what an original server kept.

mod convert;
mod documents;

use serde::Serialize;
use serde_json::json;

use self::convert::Sorting;
use crate::{
    announcement::SystemTopic,
    app::Koor,
    caller::{Access, Caller},
    clock::Timestamp,
    command::{Applied, Command, CommandContext, Committed, Operation},
    domain::{
        audit::{Action, AuditEntry},
        compliance::ComplianceRun,
        events::Event,
        instances::Instance,
        metrics::MetricRow,
        original::Original,
        rules::Rule,
        state::Document,
        templates::Template,
        usage::UsageRecord,
        webhooks::Webhook,
    },
    error::{Error, Invalid},
    ids::{AuditId, Cursor, DocumentKey, Hash, RunId, UsageId},
    ports::{Change, EventChange},
};

/// How many rows that cannot be taken over are named in a refusal.
const NAMED: usize = 10;

/// What to do about rows that cannot be taken over, such as a key with an empty segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// Take over nothing.
    Refuse,
    /// Leave them out, and say which.
    LeaveOut,
}

/// What was taken over, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// State documents.
    pub state: u64,
    /// Versions of state documents.
    pub state_versions: u64,
    /// Specs.
    pub specs: u64,
    /// Rules.
    pub rules: u64,
    /// Events.
    pub events: u64,
    /// Instances.
    pub instances: u64,
    /// Webhooks.
    pub webhooks: u64,
    /// Compliance runs.
    pub compliance_runs: u64,
    /// Templates.
    pub templates: u64,
    /// Audit entries.
    pub audit: u64,
    /// Counters of agents.
    pub metrics: u64,
    /// Usage records.
    pub usage: u64,
    /// Versions that had a number which their key had used before, and got the next one.
    pub renumbered: u64,
    /// What was left out, and why: table, row and reason.
    pub left_out: Vec<String>,
}

/// What an original server kept, every row of it checked: what is left is to write it down.
#[derive(Debug)]
pub struct Takeover(Taken);

impl Takeover {
    /// Checks every row. No store is needed for that, so that one need not be made for rows that it will not get. `now`
    /// is the time of what bears none.
    ///
    /// # Errors
    /// When a row cannot be taken over and none may be left out.
    pub fn of(original: Original, unfit: Unfit, now: Timestamp) -> Result<Self, Invalid> {
        let taken = Taken::sort(original, now);
        if unfit == Unfit::Refuse && !taken.left_out.is_empty() {
            return Err(refusal(&taken.left_out));
        }
        Ok(Self(taken))
    }
}

impl Koor {
    /// Takes over what an original server kept into a store that is still empty: all of it, or nothing. Keys, versions,
    /// bytes and times stay what they were; events, runs and usage records keep their order and get ids of ours; tokens
    /// of instances and secrets of webhooks go on working.
    ///
    /// # Errors
    /// When the store is not empty.
    pub async fn import_original(
        &self,
        caller: &Caller,
        takeover: Takeover,
    ) -> Result<Committed<Imported>, Error> {
        self.execute(caller, ImportOriginal(takeover.0)).await
    }
}

fn refusal(unfit: &[String]) -> Invalid {
    let more = unfit.len().saturating_sub(NAMED);
    let named = unfit.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join("; ");
    let rest = if more > 0 { format!("; and {more} more") } else { String::new() };
    Invalid::new(format!("{} rows cannot be taken over: {named}{rest}", unfit.len()))
}

/// Everything that can be taken over, checked.
#[derive(Debug, Default)]
struct Taken {
    documents: Vec<Document>,
    rules: Vec<Rule>,
    events: Vec<Event>,
    instances: Vec<(Instance, Option<Hash>)>,
    webhooks: Vec<Webhook>,
    runs: Vec<ComplianceRun>,
    templates: Vec<Template>,
    audit: Vec<AuditEntry>,
    metrics: Vec<MetricRow>,
    usage: Vec<UsageRecord>,
    renumbered: u64,
    left_out: Vec<String>,
}

impl Taken {
    fn sort(mut original: Original, now: Timestamp) -> Self {
        let mut sorting = Sorting::new(now);
        let (documents, renumbered) = documents::sort(&mut original, &mut sorting);
        Self {
            documents,
            rules: sorting.each(&mut original, "validation_rules", convert::rule),
            events: sorting.each(&mut original, "events", convert::event),
            instances: sorting.each(&mut original, "instances", convert::instance),
            webhooks: sorting.each(&mut original, "webhooks", convert::webhook),
            runs: sorting.each(&mut original, "compliance_runs", convert::run),
            templates: sorting.each(&mut original, "templates", convert::template),
            audit: sorting.each(&mut original, "audit_log", convert::audit),
            metrics: sorting.each(&mut original, "agent_metrics", convert::metric),
            usage: sorting.each(&mut original, "llm_usage", convert::usage),
            renumbered,
            left_out: sorting.unfit,
        }
    }
}

#[derive(Debug)]
struct ImportOriginal(Taken);

impl ImportOriginal {
    /// Entries are chained to each other as they come: the original had no chain.
    fn append_audit(&self, cx: &mut CommandContext<'_>) {
        let mut before = None;
        for (entry, id) in self.0.audit.iter().zip(counting(AuditId::FIRST, AuditId::next)) {
            let chained = AuditEntry { id, ..entry.clone() }.chain(before);
            before = Some(chained.hash);
            cx.push(Change::AppendAudit(chained));
        }
    }

    fn append_records(&self, cx: &mut CommandContext<'_>) {
        let taken = &self.0;
        for (run, id) in taken.runs.iter().zip(counting(RunId::FIRST, RunId::next)) {
            cx.append_run(ComplianceRun { id, ..run.clone() });
        }
        for (record, id) in taken.usage.iter().zip(counting(UsageId::FIRST, UsageId::next)) {
            cx.append_usage(UsageRecord { id, ..record.clone() });
        }
        for row in &taken.metrics {
            cx.add_metric(row.clone());
        }
    }

    fn put_nouns(&self, cx: &mut CommandContext<'_>) {
        let taken = &self.0;
        for document in &taken.documents {
            cx.append_document(document.clone());
        }
        for rule in &taken.rules {
            cx.put_rule(rule.clone());
        }
        for template in &taken.templates {
            cx.put_template(template.clone());
        }
        for (instance, token) in &taken.instances {
            cx.put_instance(instance.clone());
            if let Some(token) = token {
                cx.set_instance_token(instance.id, *token);
            }
        }
        let cursor = cx.ends().log.last;
        for webhook in &taken.webhooks {
            // The original told its webhooks of everything at once or never: they go on from here.
            cx.put_webhook(Webhook { cursor, ..webhook.clone() });
        }
    }

    fn counted(&self) -> Imported {
        let taken = &self.0;
        let is_state = |document: &&Document| matches!(document.key, DocumentKey::State(_));
        let count = |number: usize| number as u64;
        let mut state_keys: Vec<_> = taken.documents.iter().filter(is_state).map(|d| &d.key).collect();
        let state_versions = state_keys.len();
        state_keys.dedup();
        Imported {
            state: count(state_keys.len()),
            state_versions: count(state_versions),
            specs: count(taken.documents.len() - state_versions),
            rules: count(taken.rules.len()),
            events: count(taken.events.len()),
            instances: count(taken.instances.len()),
            webhooks: count(taken.webhooks.len()),
            compliance_runs: count(taken.runs.len()),
            templates: count(taken.templates.len()),
            audit: count(taken.audit.len()),
            metrics: count(taken.metrics.len()),
            usage: count(taken.usage.len()),
            renumbered: taken.renumbered,
            left_out: taken.left_out.clone(),
        }
    }
}

fn counting<T: Copy>(first: T, next: fn(T) -> T) -> impl Iterator<Item = T> {
    std::iter::successors(Some(first), move |id| Some(next(*id)))
}

impl Command for ImportOriginal {
    type Output = Imported;

    fn operation(&self) -> Operation {
        Operation::to(Action::BackupImport, "original", Access::Admin("import a database"))
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Imported>, Error> {
        // Every change leaves one or the other.
        if cx.ends().audit.is_some() || cx.ends().log.last > Cursor::START {
            return Err(Error::Exists {
                what: "data",
                name: "an import needs an empty data directory".into(),
            });
        }
        let mut cursor = Cursor::START;
        for event in &self.0.events {
            cx.push(Change::Event(EventChange::Append(Event { id: cursor.next(), ..event.clone() })));
            cursor = cursor.next().into();
        }
        self.put_nouns(cx);
        self.append_records(cx);
        self.append_audit(cx);
        let imported = self.counted();
        let counts = json!(Imported { left_out: Vec::new(), ..imported.clone() });
        cx.announce(SystemTopic::BackupRestored, &json!({"imported": counts}))?;
        let detail = json!({"imported": counts, "left_out": imported.left_out.len()});
        Ok(Applied::with(imported, detail))
    }
}
