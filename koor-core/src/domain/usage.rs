//! What the models cost that the agents call.

use std::{borrow::Cow, collections::BTreeMap, fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp, domain::line, error::Invalid, ids::UsageId, page::TimeRange, schema::describe,
};

/// What stands for the instance of usage whose session is not known.
pub const UNATTRIBUTED: &str = "(unattributed)";

/// One call, or a batch of them, to a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UsageRecord {
    /// Its id.
    pub id: UsageId,
    /// Whose model it is.
    pub provider: String,
    /// Which model.
    pub model: String,
    /// The instance that called it; `""` if it was not given.
    pub instance_id: String,
    /// For which project.
    pub project: String,
    /// Tokens sent, without those that came from a cache or went into it.
    pub tokens_in: u64,
    /// Tokens received.
    pub tokens_out: u64,
    /// What it cost.
    pub cost_usd: f64,
    /// What kind of call it was.
    pub request_type: String,
    /// A label of the caller's own.
    pub session_tag: String,
    /// When the call was made.
    pub created_at: Timestamp,
    /// The id of the request, under which it is counted once; `""` if it has none.
    #[serde(default)]
    pub request_id: String,
    /// The session of the agent's client; `""` if it is not known.
    #[serde(default)]
    pub session: String,
    /// The task that it was for, as `Truck-Wash/12`; `""` if it was for none.
    #[serde(default)]
    pub task: String,
    /// Tokens sent that came from a cache.
    #[serde(default)]
    pub cache_read_tokens: u64,
    /// Tokens sent that were written into a cache.
    #[serde(default)]
    pub cache_write_tokens: u64,
    /// Whether `cost_usd` is known: false where neither the client nor the price table says what the model costs.
    #[serde(default = "known")]
    pub priced: bool,
    /// When it was recorded.
    #[serde(default = "at_once")]
    pub received_at: Timestamp,
}

fn known() -> bool {
    true
}

/// Stands for the time of the call in a backup of a server that did not tell the two apart.
fn at_once() -> Timestamp {
    Timestamp::EPOCH
}

impl UsageRecord {
    /// The same, if a call could have been recorded so.
    pub(crate) fn checked(self) -> Result<Self, Invalid> {
        let wrong = |what: &str| Invalid::new(format!("usage record {}: {what}", self.id));
        if self.provider.is_empty() || self.model.is_empty() {
            return Err(wrong("provider and model are required"));
        }
        if !self.cost_usd.is_finite() || self.cost_usd < 0.0 {
            return Err(wrong("cost_usd must not be negative"));
        }
        let counts = [self.tokens_in, self.tokens_out, self.cache_read_tokens, self.cache_write_tokens];
        if counts.into_iter().any(|tokens| i64::try_from(tokens).is_err()) {
            return Err(wrong("so many tokens can't be counted"));
        }
        let received_at = if self.received_at == at_once() { self.created_at } else { self.received_at };
        Ok(Self {
            request_id: line("request_id", self.request_id)?,
            session: line("session", self.session)?,
            task: line("task", self.task)?,
            received_at,
            provider: line("provider", self.provider)?,
            model: line("model", self.model)?,
            instance_id: line("instance_id", self.instance_id)?,
            project: line("project", self.project)?,
            request_type: line("request_type", self.request_type)?,
            session_tag: line("session_tag", self.session_tag)?,
            ..self
        })
    }

    /// How many tokens a budget counts: those that came from a cache are left out.
    #[must_use]
    pub fn budget_tokens(&self) -> u64 {
        self.tokens_in.saturating_add(self.tokens_out).saturating_add(self.cache_write_tokens)
    }
}

/// A filter of records; all given conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsageFilter {
    /// Of this instance.
    pub instance: Option<String>,
    /// Of this project.
    pub project: Option<String>,
    /// With this label.
    pub session_tag: Option<String>,
    /// When.
    pub range: TimeRange,
}

impl UsageFilter {
    /// Whether the record is one of those looked for.
    #[must_use]
    pub fn matches(&self, record: &UsageRecord) -> bool {
        let is = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|wanted| wanted == value);
        is(&self.instance, &record.instance_id)
            && is(&self.project, &record.project)
            && is(&self.session_tag, &record.session_tag)
            && self.range.contains(record.created_at)
    }
}

/// What usage is summed up by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupBy {
    /// By project.
    #[default]
    Project,
    /// By instance.
    Instance,
    /// By model.
    Model,
    /// By the callers' own label.
    SessionTag,
    /// By the task that it was for.
    Task,
    /// By the day, in UTC.
    Day,
}

describe!(GroupBy: {
    "type": "string",
    "enum": (["project", "instance", "model", "session_tag", "task", "day"]),
});

impl GroupBy {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Instance => "instance",
            Self::Model => "model",
            Self::SessionTag => "session_tag",
            Self::Task => "task",
            Self::Day => "day",
        }
    }

    /// The record's name in a summary of this kind.
    #[must_use]
    pub fn name_of(self, record: &UsageRecord) -> Cow<'_, str> {
        match self {
            Self::Project => record.project.as_str().into(),
            Self::Instance => record.instance_id.as_str().into(),
            Self::Model => record.model.as_str().into(),
            Self::SessionTag => record.session_tag.as_str().into(),
            Self::Task => record.task.as_str().into(),
            Self::Day => record.created_at.day().into(),
        }
    }
}

impl fmt::Display for GroupBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for GroupBy {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "project" => Ok(Self::Project),
            "instance" => Ok(Self::Instance),
            "model" => Ok(Self::Model),
            "session_tag" => Ok(Self::SessionTag),
            "task" => Ok(Self::Task),
            "day" => Ok(Self::Day),
            _ => Err(Invalid::new(
                "invalid group_by: must be instance, project, model, session_tag, task, or day",
            )),
        }
    }
}

/// Usage summed up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, JsonSchema)]
pub struct UsageTotal {
    /// Tokens sent.
    pub total_tokens_in: u64,
    /// Tokens received.
    pub total_tokens_out: u64,
    /// What it cost.
    pub total_cost_usd: f64,
    /// In how many records.
    pub request_count: u64,
}

impl UsageTotal {
    /// Adds another sum.
    pub fn add(&mut self, other: &Self) {
        self.total_tokens_in = self.total_tokens_in.saturating_add(other.total_tokens_in);
        self.total_tokens_out = self.total_tokens_out.saturating_add(other.total_tokens_out);
        self.total_cost_usd += other.total_cost_usd;
        self.request_count += other.request_count;
    }
}

impl From<&UsageRecord> for UsageTotal {
    fn from(record: &UsageRecord) -> Self {
        Self {
            total_tokens_in: record.tokens_in,
            total_tokens_out: record.tokens_out,
            total_cost_usd: record.cost_usd,
            request_count: 1,
        }
    }
}

/// Sums by name.
pub type UsageGroups = BTreeMap<String, UsageTotal>;
