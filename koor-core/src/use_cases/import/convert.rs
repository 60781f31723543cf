//! Rows of the original, one by one, as what they are here.

use std::str::FromStr;

use crate::{
    clock::Timestamp,
    domain::{
        Actor, RawJson,
        audit::{AuditEntry, Outcome},
        compliance::ComplianceRun,
        events::Event,
        instances::{Instance, InstanceStatus, tidy_capabilities},
        metrics::MetricRow,
        original::{Original, Row},
        rules::{Intake, Rule, RuleDraft},
        templates::{Contents, Template, TemplateKind},
        usage::UsageRecord,
        webhooks::{Secret, Webhook, check_url},
    },
    error::Invalid,
    ids::{
        AuditId, Cursor, EventId, Hash, ProjectName, RunId, SpecName, TemplateId, Topic, UsageId, WebhookId,
    },
    pattern::Pattern,
};

/// Sorts rows into those that can be taken over and those that can't.
pub(super) struct Sorting {
    now: Timestamp,
    /// Table, row and reason of each that can't.
    pub(super) unfit: Vec<String>,
}

impl Sorting {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { now, unfit: Vec::new() }
    }

    /// The rows of a table that can be taken over.
    pub(super) fn each<T>(
        &mut self,
        original: &mut Original,
        table: &'static str,
        convert: impl Fn(&Row, Timestamp) -> Result<T, Invalid>,
    ) -> Vec<T> {
        let rows = original.take(table);
        let mut taken = Vec::with_capacity(rows.len());
        for (row, number) in rows.iter().zip(1_u64..) {
            match convert(row, self.now) {
                Ok(one) => taken.push(one),
                Err(reason) => self.unfit.push(format!("{table} {}: {reason}", named(row, number))),
            }
        }
        taken
    }
}

/// How a row is called in a message: by what its table calls it, else by its place.
fn named(row: &Row, number: u64) -> String {
    let given = |column| row.text(column).ok().filter(|text| !text.is_empty());
    match (given("project"), given("name").or_else(|| given("rule_id"))) {
        (Some(project), Some(name)) => format!("{project}/{name}"),
        _ => given("key").or_else(|| given("id")).unwrap_or_else(|| format!("row {number}")),
    }
}

fn word<T: FromStr<Err = Invalid>>(row: &Row, column: &str, default: T) -> Result<T, Invalid> {
    match row.text(column)?.as_str() {
        "" => Ok(default),
        word => word.parse(),
    }
}

pub(super) fn rule(row: &Row, now: Timestamp) -> Result<Rule, Invalid> {
    let project = ProjectName::new(row.text("project")?)?;
    let draft = RuleDraft {
        project: None,
        rule_id: row.given("rule_id")?,
        severity: row.given("severity")?,
        match_type: row.given("match_type")?,
        pattern: row.given("pattern")?,
        message: row.given("message")?,
        stack: row.given("stack")?,
        applies_to: Some(row.list("applies_to")?),
        source: row.given("source")?,
        status: row.given("status")?,
        proposed_by: row.given("proposed_by")?,
        context: row.given("context")?,
    };
    let rule = draft.check(Intake::Put(&project), now)?;
    Ok(Rule { created_at: row.time(&["created_at"])?.unwrap_or(now), ..rule })
}

pub(super) fn event(row: &Row, now: Timestamp) -> Result<Event, Invalid> {
    let topic = Topic::new(row.text("topic")?)?;
    if topic.is_system() {
        return Err(Invalid::new(format!("topics such as {topic}, with $, are the server's own here")));
    }
    Ok(Event {
        // The one it gets is known when all of them are.
        id: EventId::FIRST,
        topic,
        data: row.json("data")?,
        source: row.text("source")?,
        created_at: row.time(&["created_at"])?.unwrap_or(now),
    })
}

pub(super) fn instance(row: &Row, now: Timestamp) -> Result<(Instance, Option<Hash>), Invalid> {
    let registered_at = row.time(&["registered_at", "created_at"])?.unwrap_or(now);
    let instance = Instance {
        id: row.text("id")?.parse()?,
        name: row.text("name")?,
        workspace: row.text("workspace")?,
        intent: row.text("intent")?,
        stack: row.text("stack")?,
        capabilities: tidy_capabilities(&row.list("capabilities")?),
        // Before there were statuses, every registered instance was active.
        status: word(row, "status", InstanceStatus::Active)?,
        registered_at,
        last_seen: row.time(&["last_seen"])?.unwrap_or(registered_at),
    };
    if instance.name.is_empty() {
        return Err(Invalid::new("it has no name"));
    }
    let token = row.given("token")?.filter(|token| !token.is_empty());
    Ok((instance, token.map(|token| Hash::of(token.as_bytes()))))
}

pub(super) fn webhook(row: &Row, now: Timestamp) -> Result<Webhook, Invalid> {
    let patterns = row.list("patterns")?;
    let patterns = if patterns.is_empty() { vec!["*".to_owned()] } else { patterns };
    Ok(Webhook {
        id: WebhookId::new(row.text("id")?)?,
        url: check_url(&row.text("url")?)?,
        patterns: patterns.iter().map(Pattern::new).collect::<Result<_, _>>()?,
        secret: row.given("secret")?.filter(|secret| !secret.is_empty()).map(Secret::new).transpose()?,
        active: row.flag("active", true)?,
        created_at: row.time(&["created_at"])?.unwrap_or(now),
        last_fired: row.time(&["last_fired"])?,
        fail_count: u32::try_from(row.count("fail_count")?).unwrap_or(u32::MAX),
        cursor: Cursor::START,
        retry_at: None,
        last_error: String::new(),
    })
}

pub(super) fn run(row: &Row, now: Timestamp) -> Result<ComplianceRun, Invalid> {
    Ok(ComplianceRun {
        id: RunId::FIRST,
        instance_id: row.text("instance_id")?.parse()?,
        project: ProjectName::new(row.text("project")?)?,
        contract: SpecName::new(row.text("contract")?)?,
        pass: row.flag("pass", false)?,
        violations: match row.json("violations")? {
            none if none == RawJson::null() => Vec::new(),
            listed => listed.read().map_err(|error| Invalid::new(format!("violations: {error}")))?,
        },
        run_at: row.time(&["run_at", "created_at"])?.unwrap_or(now),
    })
}

pub(super) fn template(row: &Row, now: Timestamp) -> Result<Template, Invalid> {
    let id = TemplateId::new(row.text("id")?)?;
    let kind = word(row, "kind", TemplateKind::default())?;
    let data = row.json("data")?;
    Contents::read(&id, kind, &data)?;
    let created_at = row.time(&["created_at"])?.unwrap_or(now);
    Ok(Template {
        id,
        name: row.text("name")?,
        description: row.text("description")?,
        kind,
        data,
        tags: row.list("tags")?,
        version: row.count("version")?.max(1),
        created_at,
        updated_at: row.time(&["updated_at"])?.unwrap_or(created_at),
    })
}

pub(super) fn audit(row: &Row, now: Timestamp) -> Result<AuditEntry, Invalid> {
    let detail = row.text("detail")?;
    Ok(AuditEntry {
        id: AuditId::FIRST,
        timestamp: row.time(&["timestamp", "created_at"])?.unwrap_or(now),
        actor: Actor::new(row.text("actor")?),
        action: row.text("action")?,
        resource: row.text("resource")?,
        detail: if detail.is_empty() { "{}".to_owned() } else { detail },
        outcome: word(row, "outcome", Outcome::Success)?,
    })
}

pub(super) fn metric(row: &Row, _: Timestamp) -> Result<MetricRow, Invalid> {
    let period = row.text("period")?;
    Timestamp::parse_from("period", &format!("{period}:00:00"))?;
    Ok(MetricRow {
        instance_id: row.text("instance_id")?.parse()?,
        metric_name: row.text("metric_name")?.parse()?,
        metric_value: row.count("metric_value")?,
        period,
    })
}

pub(super) fn usage(row: &Row, now: Timestamp) -> Result<UsageRecord, Invalid> {
    let cost_usd = row.number("cost_usd")?;
    if !cost_usd.is_finite() || cost_usd < 0.0 {
        return Err(Invalid::new(format!("cost_usd is {cost_usd}")));
    }
    let request_type = row.text("request_type")?;
    let created_at = row.time(&["created_at"])?.unwrap_or(now);
    Ok(UsageRecord {
        id: UsageId::FIRST,
        provider: row.text("provider")?,
        model: row.text("model")?,
        instance_id: row.text("instance_id")?,
        project: row.text("project")?,
        tokens_in: row.count("tokens_in")?,
        tokens_out: row.count("tokens_out")?,
        cost_usd,
        request_type: if request_type.is_empty() { "completion".to_owned() } else { request_type },
        session_tag: row.text("session_tag")?,
        created_at,
        request_id: String::new(),
        session: String::new(),
        task: String::new(),
        cache_read_tokens: 0,
        cache_write_tokens: 0,
        priced: true,
        received_at: created_at,
    })
}
