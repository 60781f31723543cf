//! Recording what a model's work cost.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::common::{announce, cost};
use crate::{
    caller::{Access, Caller, Role},
    command::{Applied, Command, CommandContext, Operation},
    domain::{
        audit::Action,
        line,
        prices::Tokens,
        tasks::{Task, TaskId},
        usage::UsageRecord,
        whole_number::whole_number,
    },
    error::{Error, Invalid},
    ids::{InstanceId, UsageId},
    ports::{Change, FactSet},
    schema::{FullLine, Line, Needs, TaskOrNone},
    use_cases::budgets::charge,
};

/// A record as a client sends it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(transform = Needs(&["provider", "model"]))]
pub struct UsageDraft {
    /// Whose model it is.
    #[schemars(with = "FullLine")]
    pub provider: String,
    /// Which model.
    #[schemars(with = "FullLine")]
    pub model: String,
    /// Which instance called it.
    #[schemars(with = "Line")]
    pub instance_id: String,
    /// For which project.
    #[schemars(with = "Line")]
    pub project: String,
    /// Tokens sent.
    #[serde(deserialize_with = "whole_number")]
    #[schemars(range(min = 0))]
    pub tokens_in: i64,
    /// Tokens received.
    #[serde(deserialize_with = "whole_number")]
    #[schemars(range(min = 0))]
    pub tokens_out: i64,
    /// What it cost; as the price table says, unless told.
    #[schemars(range(min = 0))]
    pub cost_usd: Option<f64>,
    /// What kind of call it was; `completion`, unless told.
    #[schemars(with = "Line")]
    pub request_type: String,
    /// A label of the caller's own.
    #[schemars(with = "Line")]
    pub session_tag: String,
    /// The id of the request: the same one is recorded once.
    #[schemars(with = "Line")]
    pub request_id: String,
    /// The session of the agent's client.
    #[schemars(with = "Line")]
    pub session: String,
    /// The task that it was for, as `Truck-Wash/12`; the one that the instance holds, unless told.
    #[schemars(with = "TaskOrNone")]
    pub task: String,
    /// Tokens sent that came from a cache.
    #[serde(deserialize_with = "whole_number")]
    #[schemars(range(min = 0))]
    pub cache_read_tokens: i64,
    /// Tokens sent that were written into a cache.
    #[serde(deserialize_with = "whole_number")]
    #[schemars(range(min = 0))]
    pub cache_write_tokens: i64,
}

/// Records what a call to a model cost.
#[derive(Debug)]
pub struct RecordUsage {
    draft: UsageDraft,
    tokens: Tokens,
    /// The instance that the draft names, where it is the id of one.
    instance: Option<InstanceId>,
}

impl RecordUsage {
    /// To record that. Where it does not say which instance, it was the calling one; an agent always is.
    ///
    /// # Errors
    /// When it does not say whose model it was, or a number is negative.
    pub fn new(caller: &Caller, draft: UsageDraft) -> Result<Self, Invalid> {
        if draft.provider.is_empty() {
            return Err(Invalid::new("provider is required"));
        }
        if draft.model.is_empty() {
            return Err(Invalid::new("model is required"));
        }
        let count = |name: &str, n: i64| {
            u64::try_from(n).map_err(|_| Invalid::new(format!("{name} must not be negative, got {n}")))
        };
        let tokens = Tokens {
            input: count("tokens_in", draft.tokens_in)?,
            output: count("tokens_out", draft.tokens_out)?,
            cache_read: count("cache_read_tokens", draft.cache_read_tokens)?,
            cache_write: count("cache_write_tokens", draft.cache_write_tokens)?,
        };
        if let Some(cost) = draft.cost_usd.filter(|cost| !cost.is_finite() || *cost < 0.0) {
            return Err(Invalid::new(format!("cost_usd must not be negative, got {cost}")));
        }
        if !draft.task.is_empty() {
            draft.task.parse::<TaskId>()?;
        }
        let request_type =
            if draft.request_type.is_empty() { "completion".to_owned() } else { draft.request_type };
        // An agent speaks for itself alone: its word becomes the actor in the audit log.
        let instance_id = match caller.as_instance() {
            Some(own) if draft.instance_id.is_empty() || caller.role() == Role::Agent => own.id.to_string(),
            _ => draft.instance_id,
        };
        let draft = UsageDraft {
            provider: line("provider", draft.provider)?,
            model: line("model", draft.model)?,
            instance_id: line("instance_id", instance_id)?,
            project: line("project", draft.project)?,
            request_type: line("request_type", request_type)?,
            session_tag: line("session_tag", draft.session_tag)?,
            request_id: line("request_id", draft.request_id)?,
            session: line("session", draft.session)?,
            ..draft
        };
        let instance = draft.instance_id.parse().ok();
        Ok(Self { draft, tokens, instance })
    }
}

impl Command for RecordUsage {
    /// The id of the record: of the one that is there, if the request was recorded before.
    type Output = UsageId;

    fn operation(&self) -> Operation {
        let resource = format!("{}/{}", self.draft.project, self.draft.model);
        Operation::to(Action::LlmUsage, resource, Access::Anyone).by(&self.draft.instance_id)
    }

    fn reads(&self, wanted: &mut FactSet) {
        wanted.held_tasks.extend(self.instance);
        let request = Some(&self.draft.request_id).filter(|request| !request.is_empty());
        wanted.usage_requests.extend(request.cloned());
        wanted.budgets.insert(());
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<UsageId>, Error> {
        let draft = self.draft.clone();
        if !draft.request_id.is_empty()
            && let Some(known) = cx.view().usage_requests(&draft.request_id)?
        {
            return Ok(Applied::unrecorded(known));
        }
        let task = match self.instance {
            Some(holder) if draft.task.is_empty() => {
                let claimed_at = |task: &Arc<Task>| task.claim.as_ref().map(|claim| claim.claimed_at);
                let held = cx.held_tasks(holder)?.into_iter().max_by_key(claimed_at);
                held.map(|task| task.id().to_string()).unwrap_or_default()
            }
            _ => draft.task,
        };
        let (cost_usd, priced) = cost(cx, &draft.model, draft.cost_usd, self.tokens);
        let record = UsageRecord {
            id: UsageId::after(cx.ends().usage),
            provider: draft.provider,
            model: draft.model,
            instance_id: draft.instance_id,
            project: draft.project,
            tokens_in: self.tokens.input,
            tokens_out: self.tokens.output,
            cost_usd,
            request_type: draft.request_type,
            session_tag: draft.session_tag,
            created_at: cx.now,
            request_id: draft.request_id,
            session: draft.session,
            task,
            cache_read_tokens: self.tokens.cache_read,
            cache_write_tokens: self.tokens.cache_write,
            priced,
            received_at: cx.now,
        };
        charge(cx, std::slice::from_ref(&record))?;
        announce(cx, &record)?;
        let detail = json!({
            "tokens_in": record.tokens_in, "tokens_out": record.tokens_out, "cost_usd": record.cost_usd,
        });
        let id = record.id;
        cx.append_usage(record);
        Ok(Applied::with(id, detail))
    }
}

impl CommandContext<'_> {
    /// Appends a usage record. Its id is the one after the last.
    pub fn append_usage(&mut self, record: UsageRecord) {
        self.push(Change::AppendUsage(record));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_of_tokens_may_be_written_as_a_float() {
        let read = |text: &str| {
            serde_json::from_str::<UsageDraft>(&format!("{{\"tokens_in\":{text}}}"))
                .map(|draft| draft.tokens_in)
                .map_err(|error| error.to_string())
        };
        for (text, expected) in
            [("14765.0", 14765), ("3e2", 300), ("-1", -1), ("9223372036854775807", i64::MAX)]
        {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
        for (text, said) in [
            ("1.5", "invalid type: floating point `1.5`, expected i64"),
            ("1e300", "invalid type: floating point `1e+300`, expected i64"),
            ("18446744073709551615", "invalid value: integer `18446744073709551615`, expected i64"),
            ("\"1\"", "invalid type: string \"1\", expected i64"),
        ] {
            assert!(read(text).is_err_and(|error| error.starts_with(said)), "{text}: {:?}", read(text));
        }
    }
}
