//! Validation rules: what a project forbids or asks for in its files.

mod builtin;
mod cache;
mod content;
mod draft;
mod engine;
mod filter;
mod matcher;
mod scanner;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use self::draft::{MAX_RULES, MAX_WEIGHT, TOO_LARGE};
pub use self::{
    draft::{Intake, RULES_ROOM, RuleDraft},
    engine::{Input, RuleEngine, RuleViolation},
    filter::RuleFilter,
};
use crate::{
    clock::Timestamp,
    domain::string_enum,
    ids::{ProjectName, RuleId},
    pattern::Pattern,
};

/// The project whose rules hold in every project.
pub const GLOBAL_PROJECT: &str = "_global";

/// One rule of a project, in working order: whatever it names exists, and its pattern compiles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rule {
    /// The project it belongs to; [`GLOBAL_PROJECT`] for all of them.
    pub project: ProjectName,
    /// Its name there.
    pub rule_id: RuleId,
    /// How much a violation matters.
    pub severity: Severity,
    /// How the pattern is used.
    pub match_type: MatchType,
    /// A regex, or the name of a built-in check.
    pub pattern: String,
    /// What a violation says; empty for the default text.
    pub message: String,
    /// The stack it is for; empty for every stack.
    pub stack: String,
    /// The files it is for: globs over a path or its base name.
    pub applies_to: Vec<Pattern>,
    /// Where it came from.
    pub source: RuleSource,
    /// Whether it is in force.
    pub status: RuleStatus,
    /// Who proposed it; empty for a rule that was not proposed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub proposed_by: String,
    /// Why it was proposed; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub context: String,
    /// When it was first stored.
    pub created_at: Timestamp,
}

impl Rule {
    /// Whether it is for those who work with this stack: for that one, or for every one. Without a stack, every
    /// rule is.
    #[must_use]
    pub fn is_for_stack(&self, stack: Option<&str>) -> bool {
        self.stack.is_empty() || stack.is_none_or(|stack| stack == self.stack)
    }

    /// What it takes up in memory, roughly.
    pub(crate) fn weight(&self) -> usize {
        /// The rule itself, and what each text costs beside its bytes.
        const BARE: usize = 640;
        /// What a glob takes up for each of its bytes.
        const GLOB: usize = 25;
        let texts = [&self.pattern, &self.message, &self.stack, &self.proposed_by, &self.context];
        let texts: usize = texts.into_iter().map(String::len).sum();
        let globs: usize = self.applies_to.iter().map(|glob| GLOB * glob.as_str().len() + 64).sum();
        BARE + texts + globs
    }

    /// Whether it is for this file: one of its globs matches the path or the base name. Without a name, every
    /// rule is.
    #[must_use]
    pub fn is_for_file(&self, filename: Option<&str>) -> bool {
        let Some(path) = filename else { return true };
        let base = path.rsplit(['/', '\\']).next().unwrap_or(path);
        self.applies_to.is_empty()
            || self.applies_to.iter().any(|glob| glob.matches(path) || glob.matches(base))
    }
}

string_enum! {
    /// How much a violation matters.
    Severity, "severity", {
        /// It must be put right.
        Error = "error",
        /// It should be.
        Warning = "warning",
    }, "error or warning"
}
string_enum! {
    /// How a rule uses its pattern.
    MatchType, "match_type", {
        /// A violation on every line that matches.
        Regex = "regex",
        /// A violation when nothing matches.
        Missing = "missing",
        /// The built-in check of that name, or else a regex.
        Custom = "custom",
    }, "regex, missing, or custom"
}
string_enum! {
    /// Where a rule came from.
    RuleSource, "source", {
        /// The project's own.
        Local = "local",
        /// Proposed by an agent.
        Learned = "learned",
        /// Imported.
        External = "external",
    }, "local, learned, or external"
}
string_enum! {
    /// Whether a rule is in force.
    RuleStatus, "status", {
        /// Waits to be accepted or rejected.
        Proposed = "proposed",
        /// In force.
        Accepted = "accepted",
        /// Turned down.
        Rejected = "rejected",
    }, "proposed, accepted, or rejected"
}
