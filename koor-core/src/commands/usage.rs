//! Recording what a model's work cost.

use serde::Deserialize;
use serde_json::json;

use crate::{
    announcement::Announcement,
    caller::{Access, Caller},
    command::{Command, Done, Intent, Work},
    domain::{audit::Action, line, usage::UsageRecord},
    error::{Error, Invalid},
    ids::UsageId,
};

/// A record as a client sends it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct UsageDraft {
    /// Whose model it is.
    pub provider: String,
    /// Which model.
    pub model: String,
    /// Which instance called it.
    pub instance_id: String,
    /// For which project.
    pub project: String,
    /// Tokens sent.
    pub tokens_in: i64,
    /// Tokens received.
    pub tokens_out: i64,
    /// What it cost.
    pub cost_usd: f64,
    /// What kind of call it was; `completion`, unless told.
    pub request_type: String,
    /// A label of the caller's own.
    pub session_tag: String,
}

/// Records what a call to a model cost.
#[derive(Debug)]
pub struct RecordUsage {
    draft: UsageDraft,
    tokens_in: u64,
    tokens_out: u64,
}

impl RecordUsage {
    /// To record that. Where it does not say which instance, it was the calling one.
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
        let (tokens_in, tokens_out) =
            (count("tokens_in", draft.tokens_in)?, count("tokens_out", draft.tokens_out)?);
        if !draft.cost_usd.is_finite() || draft.cost_usd < 0.0 {
            return Err(Invalid::new(format!("cost_usd must not be negative, got {}", draft.cost_usd)));
        }
        let request_type =
            if draft.request_type.is_empty() { "completion".to_owned() } else { draft.request_type };
        let instance_id = match caller.as_instance() {
            Some(own) if draft.instance_id.is_empty() => own.id.to_string(),
            _ => draft.instance_id,
        };
        let draft = UsageDraft {
            provider: line("provider", draft.provider)?,
            model: line("model", draft.model)?,
            instance_id: line("instance_id", instance_id)?,
            project: line("project", draft.project)?,
            request_type: line("request_type", request_type)?,
            session_tag: line("session_tag", draft.session_tag)?,
            ..draft
        };
        Ok(Self { draft, tokens_in, tokens_out })
    }
}

impl Command for RecordUsage {
    type Output = UsageRecord;

    fn intent(&self) -> Intent {
        let resource = format!("{}/{}", self.draft.project, self.draft.model);
        Intent::to(Action::LlmUsage, resource, Access::Anyone).by(&self.draft.instance_id)
    }

    fn apply(&self, work: &mut Work<'_>) -> Result<Done<UsageRecord>, Error> {
        let draft = self.draft.clone();
        let record = UsageRecord {
            id: UsageId::after(work.tx.last_usage()?),
            provider: draft.provider,
            model: draft.model,
            instance_id: draft.instance_id,
            project: draft.project,
            tokens_in: self.tokens_in,
            tokens_out: self.tokens_out,
            cost_usd: draft.cost_usd,
            request_type: draft.request_type,
            session_tag: draft.session_tag,
            created_at: work.now,
        };
        work.tx.append_usage(&record)?;
        work.announce(
            Announcement::UsageRecorded,
            &json!({
                "instance_id": record.instance_id, "project": record.project, "model": record.model,
                "tokens_in": record.tokens_in, "tokens_out": record.tokens_out,
                "cost_usd": record.cost_usd, "session_tag": record.session_tag,
            }),
        )?;
        let detail = json!({
            "tokens_in": record.tokens_in, "tokens_out": record.tokens_out, "cost_usd": record.cost_usd,
        });
        Ok(Done::with(record, detail))
    }
}
