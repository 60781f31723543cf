//! Stub.
use serde::{Deserialize, Serialize};
mod filter;
use crate::{
    clock::Timestamp,
    error::Invalid,
    ids::{ProjectName, RuleId},
};
pub use filter::RuleFilter;
/// A rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs)]
pub struct Rule {
    pub project: ProjectName,
    pub rule_id: RuleId,
    pub severity: Severity,
    pub match_type: MatchType,
    pub pattern: String,
    pub message: String,
    pub stack: String,
    pub applies_to: Vec<String>,
    pub source: RuleSource,
    pub status: RuleStatus,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub proposed_by: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub context: String,
    pub created_at: Timestamp,
}
macro_rules! words { ($name:ident { $($v:ident = $t:literal),+ }) => {
    /// Stub.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    #[expect(missing_docs)]
    pub enum $name { $($v),+ }
    impl $name {
        /// Stub.
        #[must_use]
        pub fn as_str(self) -> &'static str { match self { $(Self::$v => $t),+ } }
    }
    impl std::str::FromStr for $name { type Err = Invalid;
        fn from_str(text: &str) -> Result<Self, Invalid> { match text { $($t => Ok(Self::$v),)+ _ => Err(Invalid::new(text)) } } }
} }
words!(Severity { Error = "error", Warning = "warning" });
words!(MatchType { Regex = "regex", Missing = "missing", Custom = "custom" });
words!(RuleSource { Local = "local", Learned = "learned", External = "external" });
words!(RuleStatus { Proposed = "proposed", Accepted = "accepted", Rejected = "rejected" });
/// Stub.
#[derive(Debug, Clone, Deserialize)]
pub struct RuleDraft {}
impl RuleDraft {
    /// Stub.
    pub fn check(
        self,
        _: Option<&ProjectName>,
        _: RuleSource,
        _: RuleStatus,
        _: Timestamp,
    ) -> Result<Rule, Invalid> {
        Err(Invalid::new("stub"))
    }
}
