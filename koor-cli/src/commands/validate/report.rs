//! What was found, for people, programs and GitHub.

use std::{
    fmt,
    io::{self, Write},
};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How violations are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// `file:line: severity rule: message`
    Text,
    /// One object with all of them
    Json,
    /// Annotations for GitHub Actions
    Github,
}

/// A rule that a file breaks, as the server says it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Violation {
    pub(super) rule_id: String,
    pub(super) severity: String,
    pub(super) message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) line: Option<u64>,
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub(super) matched: Option<String>,
}

impl Violation {
    pub(super) fn is_error(&self) -> bool {
        self.severity == "error"
    }
}

/// A violation and where it is.
#[derive(Debug, Serialize)]
struct Found {
    file: String,
    #[serde(flatten)]
    violation: Violation,
}

/// Shows violations file by file, and counts them.
#[derive(Debug)]
pub(super) struct Report<W> {
    format: Format,
    out: W,
    found: Vec<Found>,
    pub(super) tally: Tally,
}

/// What there was, in numbers.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) checked: usize,
    pub(super) skipped: usize,
    pub(super) unread: usize,
    pub(super) errors: usize,
    pub(super) warnings: usize,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} checked", counted(self.checked, "file"))?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        if self.unread > 0 {
            write!(f, ", {} not readable", self.unread)?;
        }
        write!(f, ": {}, {}", counted(self.errors, "error"), counted(self.warnings, "warning"))
    }
}

fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

impl<W: Write> Report<W> {
    pub(super) fn new(format: Format, out: W) -> Self {
        Self { format, out, found: Vec::new(), tally: Tally::default() }
    }

    /// Shows what was found in a file.
    ///
    /// # Errors
    /// When it can't be written.
    pub(super) fn file(&mut self, file: &str, violations: Vec<Violation>) -> io::Result<()> {
        self.tally.checked += 1;
        for violation in violations {
            let count = if violation.is_error() { &mut self.tally.errors } else { &mut self.tally.warnings };
            *count += 1;
            match self.format {
                Format::Text => writeln!(self.out, "{}", text(file, &violation))?,
                Format::Github => writeln!(self.out, "{}", annotation(file, &violation))?,
                Format::Json => self.found.push(Found { file: file.to_owned(), violation }),
            }
        }
        Ok(())
    }

    /// Ends it; answers the one object that programs read, if they do.
    ///
    /// # Errors
    /// When something can't be written.
    pub(super) fn end(mut self, project: &str) -> io::Result<(Tally, Option<Value>)> {
        self.out.flush()?;
        let Tally { checked, skipped, unread, errors, warnings } = self.tally;
        let whole = (self.format == Format::Json).then(|| {
            json!({
                "project": project,
                "violations": self.found,
                "checked": checked,
                "skipped": skipped,
                "unreadable": unread,
                "errors": errors,
                "warnings": warnings,
            })
        });
        Ok((self.tally, whole))
    }
}

fn text(file: &str, violation: &Violation) -> String {
    let Violation { rule_id, severity, message, line, .. } = violation;
    let line = line.map_or_else(String::new, |line| format!("{line}:"));
    format!("{}:{line} {severity} {}: {}", plain(file), plain(rule_id), plain(message))
}

/// Text that stays on its line, and does to a terminal nothing that a text should not.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { plain.extend(c.escape_default()) } else { plain.push(c) }
    }
    plain
}

/// A line that GitHub Actions turns into an annotation of the file.
fn annotation(file: &str, violation: &Violation) -> String {
    let Violation { rule_id, message, line, .. } = violation;
    let kind = if violation.is_error() { "error" } else { "warning" };
    let line = line.map_or_else(String::new, |line| format!(",line={line}"));
    format!("::{kind} file={}{line},title={}::{}", property(file), property(rule_id), data(message))
}

/// As GitHub wants the text behind `::` written.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// As GitHub wants the value of a property written.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violation(severity: &str, line: Option<u64>, message: &str) -> Violation {
        Violation {
            rule_id: "no,x".to_owned(),
            severity: severity.to_owned(),
            message: message.to_owned(),
            line,
            matched: None,
        }
    }

    fn shown(format: Format) -> (String, Tally, Option<Value>) {
        let mut out = Vec::new();
        let mut report = Report::new(format, &mut out);
        let violations =
            vec![violation("error", Some(3), "100%: a\nb"), violation("warning", None, "\u{1b}[2J")];
        report.file("src/a:b.rs", violations).unwrap();
        report.file("fine.rs", Vec::new()).unwrap();
        let (tally, whole) = report.end("p").unwrap();
        (String::from_utf8(out).unwrap(), tally, whole)
    }

    #[test]
    fn a_violation_is_one_line() {
        let (text, tally, _) = shown(Format::Text);
        assert_eq!(text, "src/a:b.rs:3: error no,x: 100%: a\\nb\nsrc/a:b.rs: warning no,x: \\u{1b}[2J\n");
        assert_eq!(tally.to_string(), "2 files checked: 1 error, 1 warning");
    }

    #[test]
    fn what_means_something_to_github_is_escaped() {
        let (text, ..) = shown(Format::Github);
        assert_eq!(
            text,
            "::error file=src/a%3Ab.rs,line=3,title=no%2Cx::100%25: a%0Ab\n\
             ::warning file=src/a%3Ab.rs,title=no%2Cx::\u{1b}[2J\n"
        );
    }

    #[test]
    fn json_is_one_object() {
        let (text, _, whole) = shown(Format::Json);
        assert_eq!(text, "");
        assert_eq!(
            whole.unwrap(),
            json!({
                "project": "p", "checked": 2, "skipped": 0, "unreadable": 0, "errors": 1, "warnings": 1,
                "violations": [
                    {"file": "src/a:b.rs", "rule_id": "no,x", "severity": "error", "message": "100%: a\nb", "line": 3},
                    {"file": "src/a:b.rs", "rule_id": "no,x", "severity": "warning", "message": "\u{1b}[2J"},
                ],
            })
        );
    }
}
