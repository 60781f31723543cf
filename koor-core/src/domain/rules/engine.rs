//! Rules at work on a file.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    MatchType, Rule, RuleStatus, Severity,
    builtin::{self, Custom},
    cache::Cache,
    content::Content,
    matcher::{Finding, GaveUp, LineMatcher, WholeMatcher},
};
use crate::{error::Invalid, ids::RuleId};

/// As long as paths get; and globs are matched against it.
const MAX_FILENAME: usize = 4096;

/// More would not be read, and a rule that matches everywhere must not turn ten megabytes into gigabytes.
const MAX_VIOLATIONS: usize = 10_000;

/// As much of a match as helps to find it.
const MAX_MATCH_CHARS: usize = 200;

/// The file that rules are applied to.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    filename: Option<&'a str>,
    content: &'a str,
    stack: Option<&'a str>,
}

impl<'a> Input<'a> {
    /// A content, and what is known of it; an empty name or stack is none.
    ///
    /// # Errors
    /// When the name is over 4096 bytes long.
    pub fn new(filename: Option<&'a str>, content: &'a str, stack: Option<&'a str>) -> Result<Self, Invalid> {
        match filename {
            Some(name) if name.len() > MAX_FILENAME => Err(Invalid::new(format!(
                "filename is {} bytes long, at most {MAX_FILENAME} are allowed",
                name.len()
            ))),
            filename => Ok(Self {
                filename: filename.filter(|name| !name.is_empty()),
                content,
                stack: stack.filter(|stack| !stack.is_empty()),
            }),
        }
    }
}

/// One place where a file breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuleViolation {
    /// The rule.
    pub rule_id: RuleId,
    /// How much it matters.
    pub severity: Severity,
    /// What the rule says about it.
    pub message: String,
    /// The line, counted from 1; `None` when it is about the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What matched there; the end of a long match is left out, and most of a secret.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub matched: Option<String>,
}

/// Applies rules to files, and remembers compiled patterns from one file to the next. Clones share the memory.
#[derive(Debug, Clone, Default)]
pub struct RuleEngine {
    caches: Arc<Caches>,
}

#[derive(Debug, Default)]
struct Caches {
    lines: Cache<LineMatcher>,
    whole: Cache<WholeMatcher>,
}

impl RuleEngine {
    /// Every violation of those rules that are accepted and meant for this file, rule by rule in the order
    /// given, then line by line.
    ///
    /// A rule that cannot be applied is a violation that says so. After 10000 violations it stops, and says so.
    #[must_use]
    pub fn validate(&self, rules: &[Rule], input: &Input<'_>) -> Vec<RuleViolation> {
        self.validate_while(rules, input, &|| true)
    }

    /// The same, for as long as `still` says so: then it stops, and says so.
    #[must_use]
    pub fn validate_while(
        &self,
        rules: &[Rule],
        input: &Input<'_>,
        still: &dyn Fn() -> bool,
    ) -> Vec<RuleViolation> {
        let content = Content::new(input.content);
        let mut report = Report::default();
        for rule in rules {
            if rule.status != RuleStatus::Accepted
                || !rule.is_for_stack(input.stack)
                || !rule.is_for_file(input.filename)
            {
                continue;
            }
            let applied = if still() {
                self.apply(rule, &content, still, &mut report)
            } else {
                report.time_is_up(rule, None)
            };
            if applied.is_err() {
                break;
            }
        }
        report.violations
    }

    fn apply(
        &self,
        rule: &Rule,
        content: &Content<'_>,
        still: &dyn Fn() -> bool,
        report: &mut Report,
    ) -> Result<(), Full> {
        match rule.match_type {
            MatchType::Regex => self.lines(rule, (&rule.pattern, false), content, still, report),
            MatchType::Missing => self.missing(rule, content, report),
            MatchType::Custom => match Custom::named(&rule.pattern) {
                Ok(Custom::Lines { pattern, secret }) => {
                    self.lines(rule, (pattern, secret), content, still, report)
                }
                Ok(Custom::LongLines(longest)) => long_lines(rule, longest, content, report),
                Ok(Custom::Unknown) => self.lines(rule, (&rule.pattern, false), content, still, report),
                Err(cause) => report.add(rule, cause.to_string(), None, None),
            },
        }
    }

    fn lines(
        &self,
        rule: &Rule,
        (pattern, secret): (&str, bool),
        content: &Content<'_>,
        still: &dyn Fn() -> bool,
        report: &mut Report,
    ) -> Result<(), Full> {
        let matcher = match self.caches.lines.get(pattern, LineMatcher::compile) {
            Ok(matcher) => matcher,
            Err(cause) => return report.add(rule, broken(&cause), None, None),
        };
        for finding in matcher.search(content, still) {
            match finding {
                Finding::Match { line, text } => {
                    let shown = if secret { builtin::masked(text) } else { shortened(text) };
                    report.add(rule, matched_message(rule), Some(line), Some(shown))?;
                }
                Finding::GaveUp { line } => report.add(rule, gave_up(rule), Some(line), None)?,
                Finding::TimeIsUp { line } => report.time_is_up(rule, Some(line))?,
            }
        }
        Ok(())
    }

    fn missing(&self, rule: &Rule, content: &Content<'_>, report: &mut Report) -> Result<(), Full> {
        let matcher = match self.caches.whole.get(&rule.pattern, WholeMatcher::compile) {
            Ok(matcher) => matcher,
            Err(cause) => return report.add(rule, broken(&cause), None, None),
        };
        match matcher.is_in(content.text) {
            Ok(true) => Ok(()),
            Ok(false) => {
                let default = || format!("required pattern '{}' not found", rule.pattern);
                report.add(rule, message_or(rule, default), None, None)
            }
            Err(GaveUp) => report.add(rule, gave_up(rule), None, None),
        }
    }
}

fn long_lines(rule: &Rule, longest: usize, content: &Content<'_>, report: &mut Report) -> Result<(), Full> {
    // A line has at least as many bytes as characters, so that most need no counting.
    for (line, text) in content.lines().filter(|(_, text)| text.len() > longest) {
        if text.chars().nth(longest).is_some() {
            report.add(rule, matched_message(rule), Some(line), None)?;
        }
    }
    Ok(())
}

fn message_or(rule: &Rule, default: impl FnOnce() -> String) -> String {
    if rule.message.is_empty() { default() } else { rule.message.clone() }
}

fn matched_message(rule: &Rule) -> String {
    message_or(rule, || format!("pattern '{}' matched", rule.pattern))
}

fn gave_up(rule: &Rule) -> String {
    format!("pattern '{}' reached the backtracking limit: the rule was not applied any further", rule.pattern)
}

fn broken(cause: &str) -> String {
    format!("invalid pattern, the rule was not applied: {cause}")
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_MATCH_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// No more violations are looked for.
struct Full;

#[derive(Default)]
struct Report {
    violations: Vec<RuleViolation>,
}

impl Report {
    /// The last thing that is said.
    fn time_is_up(&mut self, rule: &Rule, line: Option<usize>) -> Result<(), Full> {
        let message = "the time for all rules together is up: this rule, from here on, and those after it were not applied";
        self.add(rule, message.to_owned(), line, None)?;
        Err(Full)
    }

    fn add(
        &mut self,
        rule: &Rule,
        message: String,
        line: Option<usize>,
        matched: Option<String>,
    ) -> Result<(), Full> {
        let full = self.violations.len() == MAX_VIOLATIONS;
        let (message, line, matched) = if full {
            (format!("only the first {MAX_VIOLATIONS} violations are listed"), None, None)
        } else {
            (message, line, matched)
        };
        let (rule_id, severity) = (rule.rule_id.clone(), rule.severity);
        self.violations.push(RuleViolation { rule_id, severity, message, line, matched });
        if full { Err(Full) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
