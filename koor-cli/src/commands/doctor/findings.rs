//! What was found, and how it is shown.

use serde::Serialize;

use crate::{exit::Failure, output::Output};

/// How well it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    Warn,
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    level: Level,
    name: &'static str,
    found: String,
    /// What to do; empty when there is nothing to do.
    advice: String,
}

impl Finding {
    /// It is as it should be.
    pub(super) fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { level: Level::Ok, name, found: found.into(), advice: String::new() }
    }

    /// It works, and could be better.
    pub(super) fn warn(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Warn, name, found: found.into(), advice: advice.into() }
    }

    /// It does not work.
    pub(super) fn fail(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Fail, name, found: found.into(), advice: advice.into() }
    }

    fn line(&self) -> String {
        let Self { level, name, found, advice } = self;
        let level = match level {
            Level::Ok => "ok  ",
            Level::Warn => "warn",
            Level::Fail => "fail",
        };
        let advice = if advice.is_empty() { String::new() } else { format!("; {advice}") };
        // A line stays a line, whatever a server said.
        format!("{level} {name}: {found}{advice}").replace(['\n', '\r'], " ")
    }
}

/// Everything that was looked at, in that order.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    /// With another one.
    pub(super) fn add(&mut self, finding: Finding) {
        self.0.push(finding);
    }

    /// Whether something does not work.
    pub(super) fn has_failed(&self) -> bool {
        self.0.iter().any(|finding| finding.level == Level::Fail)
    }

    /// Prints them: as lines, or as one JSON array.
    ///
    /// # Errors
    /// When stdout can't be written.
    pub(super) fn show(&self, output: &Output, json: bool) -> Result<(), Failure> {
        if json {
            let text = serde_json::to_vec(&self.0).map_err(|error| Failure::caused_by(&error))?;
            return output.json(&text);
        }
        self.0.iter().try_for_each(|finding| output.line(finding.line()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line() {
        assert_eq!(Finding::ok("server", "it\nanswers").line(), "ok   server: it answers");
        assert_eq!(Finding::warn("clock", "late", "wait").line(), "warn clock: late; wait");
        assert_eq!(Finding::fail("token", "wrong", "get another").line(), "fail token: wrong; get another");
    }

    #[test]
    fn only_what_fails_has_failed() {
        let mut findings = Findings::default();
        findings.add(Finding::ok("a", ""));
        findings.add(Finding::warn("b", "", ""));
        assert!(!findings.has_failed());
        findings.add(Finding::fail("c", "", ""));
        assert!(findings.has_failed());
    }
}
