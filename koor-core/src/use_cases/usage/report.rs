//! Recording what the clients of agents report by themselves.

use std::collections::HashSet;

use serde_json::json;

use super::{
    attribute::{Holds, attribute},
    common::{announce, cost},
};
use crate::{
    caller::{Access, Caller, Role},
    command::{Applied, Command, CommandContext, Operation},
    domain::{
        audit::Action, instances::Instance, prices::Tokens, telemetry::ReportedUsage, usage::UsageRecord,
    },
    error::Error,
    ids::{InstanceId, UsageId},
    ports::FactSet,
    use_cases::budgets::charge,
};

/// What came of a report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ingested {
    /// How many records are new.
    pub recorded: u64,
    /// How many were recorded before.
    pub repeated: u64,
}

/// Records what clients report of calls to models, each call once.
#[derive(Debug)]
pub struct RecordReported {
    reports: Vec<ReportedUsage>,
    caller: Option<InstanceId>,
    /// Whether the caller speaks for itself alone.
    only_own: bool,
}

impl RecordReported {
    /// To record these. What an agent reports with a token of its own is its own usage.
    #[must_use]
    pub fn new(caller: &Caller, reports: Vec<ReportedUsage>) -> Self {
        let only_own = caller.role() == Role::Agent;
        Self { reports, caller: caller.as_instance().map(|instance| instance.id), only_own }
    }

    /// The instance whose hook announced the session, else the one that the client was started for, else the caller.
    fn reporter(
        &self,
        cx: &mut CommandContext<'_>,
        report: &ReportedUsage,
    ) -> Result<Option<Instance>, Error> {
        let mut found = None;
        if !self.only_own {
            if let Some(session) = &report.session
                && let Some(session) = cx.view().sessions(session)?
            {
                found = cx.instance(session.instance_id)?;
            }
            if let (None, Some(id)) = (&found, report.instance) {
                found = cx.instance(id)?;
            }
        }
        match (found, self.caller) {
            (None, Some(id)) => cx.instance(id),
            (found, _) => Ok(found),
        }
    }
}

impl Command for RecordReported {
    type Output = Ingested;

    fn operation(&self) -> Operation {
        Operation::to(Action::LlmUsage, "otlp", Access::Anyone)
    }

    fn reads(&self, wanted: &mut FactSet) {
        for report in &self.reports {
            wanted.sessions.extend(report.session.clone());
            wanted.usage_requests.insert(report.request_id.clone());
        }
        for id in self.reports.iter().filter_map(|report| report.instance).chain(self.caller) {
            wanted.instances.insert(id);
            wanted.held_tasks.insert(id);
        }
        wanted.budgets.insert(());
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Ingested>, Error> {
        let mut done = Ingested::default();
        let (mut requests, mut new) = (HashSet::new(), Vec::new());
        for report in &self.reports {
            let is_known = cx.view().usage_requests(&report.request_id)?.is_some();
            if is_known || !requests.insert(report.request_id.as_str()) {
                done.repeated += 1;
                continue;
            }
            let reporter = self.reporter(cx, report)?;
            new.push((report, reporter, report.at.unwrap_or(cx.now).min(cx.now)));
        }
        if new.is_empty() {
            return Ok(Applied::unrecorded(done));
        }
        let moments = new.iter().filter_map(|(_, reporter, at)| Some((reporter.as_ref()?, *at)));
        let holds = Holds::look_up(cx, moments)?;
        let (mut records, mut id) = (Vec::with_capacity(new.len()), cx.ends().usage);
        for (report, reporter, created_at) in new {
            let tokens = Tokens {
                input: report.tokens_in,
                output: report.tokens_out,
                cache_read: report.cache_read_tokens,
                cache_write: report.cache_write_tokens,
            };
            let (cost_usd, priced) = cost(cx, &report.model, report.cost_usd, tokens);
            let next = UsageId::after(id);
            id = Some(next);
            let mut record = UsageRecord {
                id: next,
                provider: report.provider.clone(),
                model: report.model.clone(),
                instance_id: String::new(),
                project: String::new(),
                tokens_in: tokens.input,
                tokens_out: tokens.output,
                cost_usd,
                request_type: "completion".to_owned(),
                session_tag: String::new(),
                created_at,
                request_id: report.request_id.clone(),
                session: report.session.as_ref().map(ToString::to_string).unwrap_or_default(),
                task: String::new(),
                cache_read_tokens: tokens.cache_read,
                cache_write_tokens: tokens.cache_write,
                priced,
                received_at: cx.now,
            };
            attribute(&mut record, reporter.as_ref(), &holds);
            records.push(record);
        }
        charge(cx, &records)?;
        done.recorded = records.len() as u64;
        let total = |of: fn(&UsageRecord) -> u64| records.iter().map(of).fold(0, u64::saturating_add);
        let detail = json!({
            "records": done.recorded,
            "tokens_in": total(|record| record.tokens_in),
            "tokens_out": total(|record| record.tokens_out),
            "cost_usd": records.iter().map(|record| record.cost_usd).sum::<f64>(),
        });
        for record in records {
            announce(cx, &record)?;
            cx.append_usage(record);
        }
        Ok(Applied::with(done, detail))
    }
}
