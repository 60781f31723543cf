//! Budgets: how much a project may spend in a period, and what happens when it has.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::{Duration as Days, OffsetDateTime};

use crate::{
    clock::Timestamp,
    domain::{string_enum, tasks::TaskId, usage::UsageRecord, whole_number::count_or_none},
    error::Invalid,
    ids::{ProjectName, TaskNumber},
};

/// From which part of a limit on a budget warns.
const WARN_AT: f64 = 0.8;

string_enum! {
    /// For how long a budget lasts, in UTC.
    BudgetPeriod, "period", {
        /// From midnight to midnight.
        Day = "day",
        /// From Monday to Sunday.
        Week = "week",
        /// From the first day of a month to its last.
        Month = "month",
        /// For good.
        Total = "total",
    }, "day, week, month, or total"
}

string_enum! {
    /// What happens when a budget is used up.
    BudgetAction, "action", {
        /// An event says so.
        Warn = "warn",
        /// No task can be claimed in the project, and hooks refuse new prompts.
        Stop = "stop",
    }, "warn or stop"
}

string_enum! {
    /// How far a budget is used up.
    BudgetState, "state", {
        /// Less than 80 % of every limit.
        Ok = "ok",
        /// At least 80 % of a limit.
        Warned = "warned",
        /// A limit is reached.
        Exceeded = "exceeded",
    }, "ok, warned, or exceeded"
}

impl BudgetPeriod {
    /// When the period began that the moment lies in.
    #[must_use]
    pub fn start(self, now: Timestamp) -> Timestamp {
        let Ok(moment) = OffsetDateTime::from_unix_timestamp(now.millis() / 1000) else { return now };
        let midnight = moment.replace_time(time::Time::MIDNIGHT);
        match self {
            Self::Day => midnight.into(),
            Self::Week => {
                let since = midnight.weekday().number_days_from_monday();
                midnight.checked_sub(Days::days(since.into())).unwrap_or(midnight).into()
            }
            Self::Month => midnight.replace_day(1).unwrap_or(midnight).into(),
            Self::Total => Timestamp::EPOCH,
        }
    }

    /// When the period ends that began then; `None` for one that never does.
    #[must_use]
    pub fn end(self, start: Timestamp) -> Option<Timestamp> {
        // No month has more days than these, and no two of them have fewer.
        let days = match self {
            Self::Day => 1,
            Self::Week => 7,
            Self::Month => 31,
            Self::Total => return None,
        };
        let later = start.plus(std::time::Duration::from_hours(24 * days));
        Some(self.start(later))
    }
}

/// A budget as a client sends it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(transform = crate::schema::Needs(&["period", "action"]))]
#[schemars(extend("anyOf" = [
    {"required": ["usd"], "properties": {"usd": {"type": "number"}}},
    {"required": ["tokens"], "properties": {"tokens": {"type": "integer"}}},
    {"required": ["per_task_tokens"], "properties": {"per_task_tokens": {"type": "integer"}}},
]))]
pub struct BudgetDraft {
    /// For how long it lasts.
    #[schemars(with = "BudgetPeriod")]
    pub period: Option<BudgetPeriod>,
    /// The most US dollars in a period.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub usd: Option<f64>,
    /// The most tokens in a period.
    #[serde(deserialize_with = "count_or_none")]
    #[schemars(range(min = 1, max = i64::MAX))]
    pub tokens: Option<u64>,
    /// The most tokens for one task.
    #[serde(deserialize_with = "count_or_none")]
    #[schemars(range(min = 1, max = i64::MAX))]
    pub per_task_tokens: Option<u64>,
    /// What happens when it is used up.
    #[schemars(with = "BudgetAction")]
    pub action: Option<BudgetAction>,
}

/// What a budget limits, checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BudgetTerms {
    /// For how long it lasts.
    pub period: BudgetPeriod,
    /// The most US dollars in a period.
    pub usd: Option<f64>,
    /// The most tokens in a period.
    pub tokens: Option<u64>,
    /// The most tokens for one task.
    pub per_task_tokens: Option<u64>,
    /// What happens when it is used up.
    pub action: BudgetAction,
}

impl BudgetTerms {
    /// The terms of a draft.
    ///
    /// # Errors
    /// When it does not say for how long, what is to happen, or limits nothing.
    pub fn new(draft: &BudgetDraft) -> Result<Self, Invalid> {
        let period =
            draft.period.ok_or_else(|| Invalid::new("period is required: day, week, month, or total"))?;
        let action = draft.action.ok_or_else(|| Invalid::new("action is required: warn or stop"))?;
        Self { period, usd: draft.usd, tokens: draft.tokens, per_task_tokens: draft.per_task_tokens, action }
            .checked()
    }

    fn checked(self) -> Result<Self, Invalid> {
        if self.usd.is_some_and(|usd| !usd.is_finite() || usd <= 0.0) {
            return Err(Invalid::new("usd must be above 0"));
        }
        for (name, tokens) in [("tokens", self.tokens), ("per_task_tokens", self.per_task_tokens)] {
            if tokens.is_some_and(|tokens| tokens == 0 || i64::try_from(tokens).is_err()) {
                return Err(Invalid::new(format!("{name} must be between 1 and {}", i64::MAX)));
            }
        }
        if self.usd.is_none() && self.tokens.is_none() && self.per_task_tokens.is_none() {
            return Err(Invalid::new("a budget needs usd, tokens, or per_task_tokens"));
        }
        Ok(self)
    }
}

/// What was spent.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Spent {
    /// US dollars.
    pub usd: f64,
    /// Tokens, without those that came from a cache.
    pub tokens: u64,
}

impl Spent {
    /// Adds what a record says.
    pub fn add(&mut self, record: &UsageRecord) {
        self.usd += record.cost_usd;
        self.tokens = self.tokens.saturating_add(record.budget_tokens());
    }
}

/// The budget of a project, with what is spent of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// The project.
    pub project: ProjectName,
    /// What it limits.
    pub terms: BudgetTerms,
    /// When the period began for which the rest counts.
    pub since: Timestamp,
    /// US dollars spent since then.
    pub used_usd: f64,
    /// Tokens spent since then.
    pub used_tokens: u64,
    /// Whether it was announced in this period that 80 % is spent.
    pub warned: bool,
    /// Whether it was announced in this period that all is spent.
    pub exceeded: bool,
}

impl Budget {
    /// A budget of which that is spent in the period that `now` lies in.
    #[must_use]
    pub fn new(project: ProjectName, terms: BudgetTerms, now: Timestamp, spent: Spent) -> Self {
        let since = terms.period.start(now);
        let Spent { usd: used_usd, tokens: used_tokens } = spent;
        Self { project, terms, since, used_usd, used_tokens, warned: false, exceeded: false }
    }

    /// The same, if a server could have kept it so.
    pub(crate) fn checked(self) -> Result<Self, Invalid> {
        let wrong =
            |what: &dyn std::fmt::Display| Invalid::new(format!("budget of {}: {what}", self.project));
        if !self.used_usd.is_finite() || self.used_usd < 0.0 || i64::try_from(self.used_tokens).is_err() {
            return Err(wrong(&"what is used of it can't be counted"));
        }
        let terms = self.terms.clone().checked().map_err(|error| wrong(&error))?;
        Ok(Self { terms, ..self })
    }

    /// Begins a new period if `now` lies in another one.
    pub fn roll(&mut self, now: Timestamp) {
        let since = self.terms.period.start(now);
        if since > self.since {
            (self.since, self.used_usd, self.used_tokens) = (since, 0.0, 0);
            (self.warned, self.exceeded) = (false, false);
        }
    }

    /// Adds what a record says, if it lies in the period.
    pub fn add(&mut self, record: &UsageRecord) {
        if record.created_at >= self.since {
            self.used_usd += record.cost_usd;
            self.used_tokens = self.used_tokens.saturating_add(record.budget_tokens()).min(i64::MAX as u64);
        }
    }

    /// How far it is used up, as of its own period.
    #[must_use]
    pub fn state(&self) -> BudgetState {
        #[expect(clippy::cast_precision_loss, reason = "a part of a limit need not be exact to the token")]
        let parts = [
            self.terms.usd.map(|usd| self.used_usd / usd),
            self.terms.tokens.map(|tokens| self.used_tokens as f64 / tokens as f64),
        ];
        let part = parts.into_iter().flatten().fold(0.0, f64::max);
        let is_used_up = self.terms.tokens.is_some_and(|tokens| self.used_tokens >= tokens) || part >= 1.0;
        match part {
            _ if is_used_up => BudgetState::Exceeded,
            part if part >= WARN_AT => BudgetState::Warned,
            _ => BudgetState::Ok,
        }
    }

    /// As clients see it at that moment.
    #[must_use]
    pub fn view(&self, now: Timestamp) -> BudgetView {
        let mut budget = self.clone();
        budget.roll(now);
        let state = budget.state();
        let Self { project, terms, since, used_usd, used_tokens, .. } = budget;
        let BudgetTerms { period, usd, tokens, per_task_tokens, action } = terms;
        let resets_at = period.end(since);
        BudgetView {
            project,
            period,
            usd,
            tokens,
            per_task_tokens,
            action,
            used_usd,
            used_tokens,
            resets_at,
            state,
            exceeded_task: None,
        }
    }

    /// Whether so many tokens for one task are too many.
    #[must_use]
    pub fn is_over_for_task(&self, tokens: u64) -> bool {
        self.terms.per_task_tokens.is_some_and(|limit| tokens > limit)
    }
}

/// A budget as clients see it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct BudgetView {
    /// The project.
    pub project: ProjectName,
    /// For how long it lasts.
    pub period: BudgetPeriod,
    /// The most US dollars in a period.
    pub usd: Option<f64>,
    /// The most tokens in a period.
    pub tokens: Option<u64>,
    /// The most tokens for one task.
    pub per_task_tokens: Option<u64>,
    /// What happens when it is used up.
    pub action: BudgetAction,
    /// US dollars spent in this period.
    pub used_usd: f64,
    /// Tokens spent in this period, without those that came from a cache.
    pub used_tokens: u64,
    /// When the period ends; null for one that never does.
    pub resets_at: Option<Timestamp>,
    /// How far it is used up.
    pub state: BudgetState,
    /// In a brief: the task that the agent holds and for which too many tokens were spent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exceeded_task: Option<TaskNumber>,
}

impl BudgetView {
    /// Why no new work may begin, if the budget stops it.
    #[must_use]
    pub fn stop_reason(&self) -> Option<String> {
        if self.action != BudgetAction::Stop {
            return None;
        }
        let project = &self.project;
        if self.state == BudgetState::Exceeded {
            let until = self.resets_at.map(|time| format!(" until {time}")).unwrap_or_default();
            return Some(format!("budget of {project} is used up{until}"));
        }
        self.exceeded_task.as_ref().map(|task| format!("budget of {project} is used up for task {task}"))
    }
}

/// What was spent for one task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskCost {
    /// The task.
    pub task: TaskId,
    /// Tokens, without those that came from a cache.
    pub tokens: u64,
    /// Whether it was announced that these are too many.
    pub announced: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn periods_begin_and_end_in_utc() {
        use BudgetPeriod::{Day, Month, Total, Week};
        for (period, now, start, end) in [
            (Day, "2026-02-16T14:30:00.123Z", "2026-02-16", "2026-02-17"),
            (Day, "2026-02-16T00:00:00Z", "2026-02-16", "2026-02-17"),
            (Week, "2026-02-16T14:30:00Z", "2026-02-16", "2026-02-23"),
            (Week, "2026-02-22T23:59:59.999Z", "2026-02-16", "2026-02-23"),
            (Month, "2026-02-28T23:59:59Z", "2026-02-01", "2026-03-01"),
            (Month, "2028-02-29T00:00:00Z", "2028-02-01", "2028-03-01"),
            (Month, "2026-12-31T12:00:00Z", "2026-12-01", "2027-01-01"),
            (Month, "2026-01-31T12:00:00Z", "2026-01-01", "2026-02-01"),
        ] {
            let begun = period.start(at(now));
            assert_eq!((begun, period.end(begun)), (at(start), Some(at(end))), "{period} at {now}");
        }
        assert_eq!((Total.start(at("2026-02-16")), Total.end(Timestamp::EPOCH)), (Timestamp::EPOCH, None));
    }

    fn budget(usd: Option<f64>, tokens: Option<u64>) -> Budget {
        let draft = BudgetDraft {
            period: Some(BudgetPeriod::Day),
            action: Some(BudgetAction::Stop),
            usd,
            tokens,
            ..BudgetDraft::default()
        };
        let terms = BudgetTerms::new(&draft).unwrap();
        Budget::new("p".parse().unwrap(), terms, at("2026-02-16T14:00:00Z"), Spent::default())
    }

    #[test]
    fn a_budget_warns_at_80_percent_and_is_used_up_at_100() {
        for (used, state) in [
            (0, BudgetState::Ok),
            (799, BudgetState::Ok),
            (800, BudgetState::Warned),
            (999, BudgetState::Warned),
            (1000, BudgetState::Exceeded),
            (5000, BudgetState::Exceeded),
        ] {
            let by_tokens = Budget { used_tokens: used, ..budget(None, Some(1000)) };
            assert_eq!(by_tokens.state(), state, "{used} tokens");
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let by_usd = Budget { used_usd: used as f64 / 100.0, ..budget(Some(10.0), Some(1_000_000)) };
            assert_eq!(by_usd.state(), state, "{used} cents");
        }
    }

    #[test]
    fn a_new_period_begins_with_nothing_spent() {
        let mut spent =
            Budget { used_tokens: 2000, warned: true, exceeded: true, ..budget(None, Some(1000)) };
        let view = spent.view(at("2026-02-16T23:59:59Z"));
        assert_eq!(view.stop_reason().unwrap(), "budget of p is used up until 2026-02-17T00:00:00.000Z");
        assert_eq!(spent.view(at("2026-02-17")).stop_reason(), None);
        spent.roll(at("2026-02-17"));
        assert_eq!((spent.used_tokens, spent.warned, spent.exceeded), (0, false, false));
        // A clock that goes back brings no period back.
        spent.used_tokens = 7;
        spent.roll(at("2026-02-16"));
        assert_eq!(spent.used_tokens, 7);
    }

    #[test]
    fn a_budget_limits_something() {
        let draft = |usd, tokens| BudgetDraft {
            period: Some(BudgetPeriod::Total),
            action: Some(BudgetAction::Warn),
            usd,
            tokens,
            ..BudgetDraft::default()
        };
        for (draft, said) in [
            (BudgetDraft::default(), "period is required: day, week, month, or total"),
            (BudgetDraft { action: None, ..draft(Some(1.0), None) }, "action is required: warn or stop"),
            (draft(None, None), "a budget needs usd, tokens, or per_task_tokens"),
            (draft(Some(0.0), None), "usd must be above 0"),
            (draft(Some(f64::NAN), None), "usd must be above 0"),
            (draft(None, Some(0)), "tokens must be between 1 and 9223372036854775807"),
        ] {
            assert_eq!(BudgetTerms::new(&draft).unwrap_err().to_string(), said);
        }
    }
}
