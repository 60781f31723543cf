//! What each agent does, counted by the hour, and what its calls would have cost in tokens.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{error::Invalid, ids::InstanceId};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Refused writes, because another writer was first.
    Conflicts,
    /// Events published.
    EventsPublished,
    /// Calls through MCP.
    McpCalls,
    /// Calls through REST.
    RestCalls,
    /// State and specs taken back to an older version.
    Rollbacks,
    /// State and specs written.
    StateWrites,
    /// Violations that checks found.
    Violations,
}

impl Metric {
    /// Every one of them, by name.
    pub const ALL: [Self; 7] = [
        Self::Conflicts,
        Self::EventsPublished,
        Self::McpCalls,
        Self::RestCalls,
        Self::Rollbacks,
        Self::StateWrites,
        Self::Violations,
    ];

    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Conflicts => "conflicts",
            Self::EventsPublished => "events_published",
            Self::McpCalls => "mcp_calls",
            Self::RestCalls => "rest_calls",
            Self::Rollbacks => "rollbacks",
            Self::StateWrites => "state_writes",
            Self::Violations => "violations",
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Metric {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|metric| metric.as_str() == text)
            .ok_or_else(|| Invalid::new(format!("unknown metric {text:?}")))
    }
}

/// One counter of one instance in one hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MetricRow {
    /// Whose.
    pub instance_id: InstanceId,
    /// What was counted.
    pub metric_name: Metric,
    /// How much of it.
    pub metric_value: u64,
    /// In which hour, as `2026-02-16T14`.
    pub period: String,
}

/// A filter of counters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetricFilter {
    /// Of this instance.
    pub instance_id: Option<InstanceId>,
    /// Of periods that begin so.
    pub period: String,
}

impl MetricFilter {
    /// Whether the counter is one of those looked for.
    #[must_use]
    pub fn matches(&self, row: &MetricRow) -> bool {
        self.instance_id.is_none_or(|wanted| wanted == row.instance_id)
            && row.period.starts_with(&self.period)
    }
}

/// The calls that were made, and what they would have cost had all of them gone through a model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, JsonSchema)]
pub struct TokenTax {
    /// Calls through MCP.
    pub mcp_calls: u64,
    /// Calls through REST.
    pub rest_calls: u64,
    /// Both.
    pub total_calls: u64,
    /// What the calls through MCP cost, by the original's estimate.
    pub mcp_estimated_tokens: u64,
    /// What the calls through REST saved, by the original's estimate.
    pub rest_tokens_saved: u64,
    /// The share of calls that cost nothing, in percent.
    pub savings_percent: f64,
    /// The same, from the bytes that were really served.
    pub measured: MeasuredTokens,
}

/// Tokens counted from bytes: four of these make one of those.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MeasuredTokens {
    /// Bytes that went through MCP.
    pub mcp_bytes: u64,
    /// Bytes that went through REST.
    pub rest_bytes: u64,
    /// Tokens that those cost.
    pub mcp_tokens: u64,
    /// Tokens that these did not cost.
    pub rest_tokens: u64,
}

impl TokenTax {
    /// The figures for so many calls and bytes.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a percentage of call counts needs no more than 52 bits")]
    pub fn of(mcp_calls: u64, rest_calls: u64, mcp_bytes: u64, rest_bytes: u64) -> Self {
        const TOKENS_PER_CALL: u64 = 300;
        const BYTES_PER_TOKEN: u64 = 4;
        let total_calls = mcp_calls + rest_calls;
        Self {
            mcp_calls,
            rest_calls,
            total_calls,
            mcp_estimated_tokens: TOKENS_PER_CALL * mcp_calls,
            rest_tokens_saved: TOKENS_PER_CALL * rest_calls,
            savings_percent: if total_calls == 0 {
                0.0
            } else {
                rest_calls as f64 / total_calls as f64 * 100.0
            },
            measured: MeasuredTokens {
                mcp_bytes,
                rest_bytes,
                mcp_tokens: mcp_bytes / BYTES_PER_TOKEN,
                rest_tokens: rest_bytes / BYTES_PER_TOKEN,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn savings_are_the_share_of_calls_that_cost_nothing() {
        let tax = TokenTax::of(1, 3, 40, 4_000);
        assert_eq!((tax.mcp_estimated_tokens, tax.rest_tokens_saved), (300, 900));
        assert!((tax.savings_percent - 75.0).abs() < f64::EPSILON);
        assert_eq!((tax.measured.mcp_tokens, tax.measured.rest_tokens), (10, 1_000));
        assert!(TokenTax::of(0, 0, 0, 0).savings_percent.abs() < f64::EPSILON);
    }

    #[test]
    fn every_metric_reads_what_it_writes() {
        for metric in Metric::ALL {
            assert_eq!(metric.as_str().parse::<Metric>().unwrap(), metric);
            assert_eq!(serde_json::to_value(metric).unwrap(), metric.as_str());
        }
    }
}
