//! What a client sends as a rule, and how it becomes one.

use std::{collections::HashSet, fmt, str::FromStr};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{MatchType, Rule, RuleSource, RuleStatus, Severity, builtin::Custom, matcher};
use crate::{
    clock::Timestamp,
    error::Invalid,
    ids::{ProjectName, RuleId},
    pattern::Pattern,
    schema::{Needs, OrEmpty},
};

/// Every rule of a request is compiled before any is stored: this many take about a second.
pub(crate) const MAX_RULES: usize = 5_000;

/// What the rules of one request, or of one project, may take up in memory together: five thousand of three kilobytes.
pub(crate) const MAX_WEIGHT: usize = 16 << 20;

/// What the patterns of one request may compile to together. Most compile to next to nothing; a thousand that hold a
/// class such as `\w` several times take a second or two.
const MAX_COMPILED: usize = 512 << 20;

/// What a request with rules may take up while it is worked on: its rules, and compiled patterns.
pub const RULES_ROOM: usize = 32 << 20;

/// A message is repeated with every violation.
const MAX_MESSAGE: usize = 4096;

/// More globs than this belong into several rules; each costs a match per file.
const MAX_GLOBS: usize = 100;

/// A rule as a client writes it: everything optional, nothing checked.
///
/// An absent text and an empty one are the same.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(transform = Needs(&["rule_id", "pattern"]))]
#[expect(missing_docs, reason = "the fields are those of Rule, as they were sent")]
pub struct RuleDraft {
    #[schemars(description = "Ignored where the path names a project.")]
    pub project: Option<String>,
    #[schemars(with = "RuleId")]
    pub rule_id: Option<String>,
    #[schemars(with = "Severity", transform = OrEmpty)]
    pub severity: Option<String>,
    #[schemars(with = "MatchType", transform = OrEmpty)]
    pub match_type: Option<String>,
    #[schemars(with = "String", length(min = 1, max = 8192))]
    pub pattern: Option<String>,
    #[schemars(length(max = 4096))]
    pub message: Option<String>,
    pub stack: Option<String>,
    #[schemars(with = "Option<Vec<Pattern>>", length(max = 100))]
    pub applies_to: Option<Vec<String>>,
    #[schemars(description = "local, learned or external; ignored in a proposal.")]
    pub source: Option<String>,
    #[schemars(
        description = "proposed, accepted or rejected, where a project's rules are replaced; else ignored."
    )]
    pub status: Option<String>,
    pub proposed_by: Option<String>,
    pub context: Option<String>,
}

/// The way by which a rule comes in: it decides what a draft may say of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intake<'a> {
    /// Into this project, whatever the draft names; local and accepted unless the draft says otherwise.
    Put(&'a ProjectName),
    /// Into the project that the draft names; accepted, and external unless the draft says otherwise.
    Import,
    /// Into the project that the draft names; learned and proposed.
    Propose,
    /// Into this project, out of a template; otherwise as an import.
    Template(&'a ProjectName),
    /// Nowhere: to be tried as if it were an accepted rule of this project.
    Trial(&'a ProjectName),
}

impl RuleDraft {
    /// The rule that this draft means, created now.
    ///
    /// # Errors
    /// When something is missing, unknown or does not compile. The text names the rule.
    pub fn check(self, intake: Intake<'_>, now: Timestamp) -> Result<Rule, Invalid> {
        let label = match given(self.rule_id.as_ref()) {
            Some(id) => format!("rule {id}"),
            None => "rule".to_owned(),
        };
        self.into_rule(intake, now, &mut 0).map_err(|cause| labelled(&label, &cause))
    }

    /// The rules that these drafts mean, or the first thing that is wrong with one of them.
    ///
    /// # Errors
    /// As for [`check`](Self::check), and when two of them would be the same rule, or there are more than 5000, or they
    /// are too large together.
    pub fn check_all(drafts: Vec<Self>, intake: Intake<'_>, now: Timestamp) -> Result<Vec<Rule>, Invalid> {
        if drafts.len() > MAX_RULES {
            return Err(Invalid::new(format!(
                "{} rules at once, at most {MAX_RULES} are allowed",
                drafts.len()
            )));
        }
        let mut rules: Vec<Rule> = Vec::with_capacity(drafts.len());
        let (mut weight, mut compiled) = (0, 0);
        for (index, draft) in drafts.into_iter().enumerate() {
            let label = match given(draft.rule_id.as_ref()) {
                Some(id) => format!("rule {id}"),
                None => format!("rule number {}", index + 1),
            };
            let rule =
                draft.into_rule(intake, now, &mut compiled).map_err(|cause| labelled(&label, &cause))?;
            weight += rule.weight();
            if weight > MAX_WEIGHT {
                return Err(labelled(&label, &TOO_LARGE));
            }
            if compiled > MAX_COMPILED {
                return Err(labelled(&label, &"up to here, the patterns take too long to compile"));
            }
            rules.push(rule);
        }
        let mut seen = HashSet::new();
        match rules.iter().find(|rule| !seen.insert((&rule.project, &rule.rule_id))) {
            Some(twice) => Err(Invalid::new(format!("rule {}: it is there twice", twice.rule_id))),
            None => Ok(rules),
        }
    }

    fn into_rule(self, intake: Intake<'_>, now: Timestamp, compiled: &mut usize) -> Result<Rule, Invalid> {
        let (project, source, status) = match intake {
            Intake::Put(project) => (
                project.clone(),
                word(self.source.as_ref(), RuleSource::Local)?,
                word(self.status.as_ref(), RuleStatus::Accepted)?,
            ),
            Intake::Template(project) | Intake::Trial(project) => {
                (project.clone(), word(self.source.as_ref(), RuleSource::External)?, RuleStatus::Accepted)
            }
            Intake::Import => {
                let source = word(self.source.as_ref(), RuleSource::External)?;
                (ProjectName::new(self.project.unwrap_or_default())?, source, RuleStatus::Accepted)
            }
            Intake::Propose => (
                ProjectName::new(self.project.unwrap_or_default())?,
                RuleSource::Learned,
                RuleStatus::Proposed,
            ),
        };
        let rule = Rule {
            project,
            rule_id: RuleId::new(self.rule_id.unwrap_or_default())?,
            severity: word(self.severity.as_ref(), Severity::Error)?,
            match_type: word(self.match_type.as_ref(), MatchType::Regex)?,
            pattern: self.pattern.unwrap_or_default(),
            message: self.message.unwrap_or_default(),
            stack: self.stack.unwrap_or_default(),
            applies_to: globs(self.applies_to.unwrap_or_default())?,
            source,
            status,
            proposed_by: self.proposed_by.unwrap_or_default(),
            context: self.context.unwrap_or_default(),
            created_at: now,
        };
        if rule.message.len() > MAX_MESSAGE {
            return Err(Invalid::new(format!(
                "message is {} bytes long, at most {MAX_MESSAGE} are allowed",
                rule.message.len()
            )));
        }
        *compiled += check_pattern(rule.match_type, &rule.pattern)?;
        Ok(rule)
    }
}

/// Why rules are refused that are too large together.
pub(crate) const TOO_LARGE: &str =
    "the rules are too large together: they would fill more than 16 MiB of memory";

/// How large a pattern compiles, at most.
fn check_pattern(match_type: MatchType, pattern: &str) -> Result<usize, Invalid> {
    if pattern.is_empty() {
        return Err(Invalid::new("pattern is required"));
    }
    let compiled = match match_type {
        MatchType::Regex => matcher::check_lines(pattern),
        MatchType::Missing => matcher::check_whole(pattern),
        MatchType::Custom => match Custom::named(pattern)? {
            Custom::Lines { .. } | Custom::LongLines(_) => Ok(0),
            Custom::Unknown => matcher::check_lines(pattern),
        },
    };
    compiled.map_err(|cause| Invalid::new(format!("invalid pattern: {cause}")))
}

fn globs(written: Vec<String>) -> Result<Vec<Pattern>, Invalid> {
    if written.len() > MAX_GLOBS {
        return Err(Invalid::new(format!(
            "applies_to holds {} globs, at most {MAX_GLOBS} are allowed",
            written.len()
        )));
    }
    let written = if written.is_empty() { vec!["*".to_owned()] } else { written };
    written
        .iter()
        .map(|glob| Pattern::new(glob).map_err(|cause| Invalid::new(format!("applies_to: {cause}"))))
        .collect()
}

fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

fn word<T: FromStr<Err = Invalid>>(text: Option<&String>, default: T) -> Result<T, Invalid> {
    given(text).map_or(Ok(default), str::parse)
}

fn labelled(label: &str, cause: &dyn fmt::Display) -> Invalid {
    Invalid::new(format!("{label}: {cause}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: &str = "2026-02-09T14:30:00.123Z";

    fn draft(json: Value) -> RuleDraft {
        serde_json::from_value(json).unwrap()
    }

    fn check(json: Value, intake: Intake<'_>) -> Result<Value, String> {
        draft(json)
            .check(intake, NOW.parse().unwrap())
            .map(|rule| serde_json::to_value(rule).unwrap())
            .map_err(|invalid| invalid.to_string())
    }

    #[test]
    fn a_put_rule_is_local_and_accepted_and_belongs_to_the_path() {
        let project = ProjectName::new("Truck-Wash").unwrap();
        let sent =
            json!({"project": "other", "rule_id": "no-x", "pattern": "x", "unknown": 1, "stack": null});
        assert_eq!(
            check(sent, Intake::Put(&project)),
            Ok(json!({
                "project": "Truck-Wash", "rule_id": "no-x", "severity": "error", "match_type": "regex",
                "pattern": "x", "message": "", "stack": "", "applies_to": ["*"], "source": "local",
                "status": "accepted", "created_at": NOW,
            }))
        );
    }

    #[test]
    fn a_proposal_cannot_accept_itself() {
        let sent = json!({
            "project": "p", "rule_id": "no-x", "severity": "warning", "match_type": "missing", "pattern": "x",
            "message": "m", "stack": "go", "applies_to": ["*.go"], "source": "local", "status": "accepted",
            "proposed_by": "claude", "context": "why",
        });
        assert_eq!(
            check(sent, Intake::Propose),
            Ok(json!({
                "project": "p", "rule_id": "no-x", "severity": "warning", "match_type": "missing",
                "pattern": "x", "message": "m", "stack": "go", "applies_to": ["*.go"], "source": "learned",
                "status": "proposed", "proposed_by": "claude", "context": "why", "created_at": NOW,
            }))
        );
    }

    #[test]
    fn an_import_keeps_its_source_and_is_accepted() {
        let project = ProjectName::new("q").unwrap();
        let sent = |source| json!({"project": "p", "rule_id": "a", "pattern": "x", "source": source, "status": "rejected"});
        for (intake, source, expected) in [
            (Intake::Import, "", ["p", "external", "accepted"]),
            (Intake::Import, "learned", ["p", "learned", "accepted"]),
            (Intake::Template(&project), "", ["q", "external", "accepted"]),
            (Intake::Put(&project), "", ["q", "local", "rejected"]),
        ] {
            let rule = check(sent(source), intake).unwrap();
            assert_eq!(json!([rule["project"], rule["source"], rule["status"]]), json!(expected));
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_the_name_of_the_rule() {
        for (patch, expected) in [
            (json!({"severity": "fatal"}), r#"rule no-x: unknown severity "fatal" (use error or warning)"#),
            (
                json!({"match_type": "glob"}),
                r#"rule no-x: unknown match_type "glob" (use regex, missing, or custom)"#,
            ),
            (
                json!({"source": "mars"}),
                r#"rule no-x: unknown source "mars" (use local, learned, or external)"#,
            ),
            (json!({"pattern": ""}), "rule no-x: pattern is required"),
            (json!({"project": null}), "rule no-x: project is required"),
            (json!({"rule_id": null}), "rule: rule_id is required"),
            (
                json!({"applies_to": ["[a"]}),
                r#"rule no-x: applies_to: invalid pattern "[a": the class is not closed, at character 1"#,
            ),
            (
                json!({"match_type": "custom", "pattern": "max-line-length:abc"}),
                r#"rule no-x: max-line-length needs a number of characters, not "abc" (use max-line-length:100)"#,
            ),
            (
                json!({"message": "m".repeat(4097)}),
                "rule no-x: message is 4097 bytes long, at most 4096 are allowed",
            ),
        ] {
            let mut sent = json!({"project": "p", "rule_id": "no-x", "pattern": "x"});
            for (key, value) in patch.as_object().unwrap() {
                sent[key] = value.clone();
            }
            assert_eq!(check(sent, Intake::Import), Err(expected.to_owned()));
        }
    }

    #[test]
    fn a_pattern_that_does_not_compile_is_never_stored() {
        for match_type in ["regex", "missing", "custom"] {
            for (pattern, expected) in [
                ("(", "Parsing error at position 1: Opening parenthesis without closing parenthesis"),
                ("[b-a]", "invalid character class range, the start must be <= the end"),
                (r"\p{Nope}", "Unicode property not found"),
                (r"(\w{1000}){1000}", "it compiles to more than 4194304 bytes"),
                (&"(".repeat(5_000), "Parsing error at position 63: Pattern too deeply nested"),
                (&"x".repeat(8193), "it is 8193 bytes long, at most 8192 are allowed"),
            ] {
                let sent =
                    json!({"project": "p", "rule_id": "no-x", "match_type": match_type, "pattern": pattern});
                assert_eq!(
                    check(sent, Intake::Import),
                    Err(format!("rule no-x: invalid pattern: {expected}"))
                );
            }
        }
    }

    #[test]
    fn a_list_of_rules_names_the_first_bad_one_and_refuses_twins() {
        let all = |drafts: Value| {
            RuleDraft::check_all(
                serde_json::from_value(drafts).unwrap(),
                Intake::Import,
                NOW.parse().unwrap(),
            )
            .map(|rules| rules.len())
            .map_err(|invalid| invalid.to_string())
        };
        let good = json!({"project": "p", "rule_id": "a", "pattern": "x"});
        let many = |count: usize, pattern: &str, message: &str| -> Value {
            let rule = |n| json!({"project": "p", "rule_id": format!("r{n}"), "pattern": pattern, "message": message});
            (0..count).map(rule).collect()
        };
        assert_eq!(all(many(5000, "x", "")), Ok(5000));
        assert_eq!(all(many(5001, "x", "")), Err("5001 rules at once, at most 5000 are allowed".into()));
        assert_eq!(
            all(many(5000, "x", &"m".repeat(4000))),
            Err("rule r3546: the rules are too large together: they would fill more than 16 MiB of memory"
                .into())
        );
        assert_eq!(all(json!([good, {"project": "q", "rule_id": "a", "pattern": "x"}])), Ok(2));
        assert_eq!(all(json!([good, {"project": "p"}])), Err("rule number 2: rule_id is required".into()));
        assert_eq!(all(json!([good, good])), Err("rule a: it is there twice".into()));
    }
}
