//! The checks that a `custom` rule can call by name.

use crate::error::Invalid;

/// What a `custom` rule means by its pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Custom {
    /// A built-in check that is a regex over lines.
    Lines {
        /// The regex.
        pattern: &'static str,
        /// Whether what it finds must not be repeated in the answer.
        secret: bool,
    },
    /// No line may have more characters than this.
    LongLines(usize),
    /// No built-in check: the pattern is a regex itself.
    Unknown,
}

/// Exactly seven markers, as git writes them: longer rows are decoration.
const MERGE_MARKERS: &str = r"^(?:<{7}|>{7}|\|{7})(?: |$)|^={7}$";

/// What is known to be a credential by its shape, then what is assigned to a name that says so.
const SECRETS: &str = concat!(
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    r"|-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----",
    r"|\bgh[pousr]_[A-Za-z0-9]{36,}",
    r"|\bgithub_pat_[A-Za-z0-9_]{22,}",
    r"|\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
    r"|\bsk-[A-Za-z0-9_-]{20,}",
    r#"|(?i:password|passwd|secret|(?:api|access|auth)_?(?:key|token))["']?\s*(?::=|[:=])\s*"#,
    // A value that starts like a placeholder is filled in elsewhere.
    r#"(?:"[^"\s$<{%][^"\s]{7,}"|'[^'\s$<{%][^'\s]{7,}')"#,
);

impl Custom {
    /// The check of that name.
    ///
    /// # Errors
    /// When a built-in check is named that takes a number, and the number is missing or is none.
    pub(super) fn named(name: &str) -> Result<Self, Invalid> {
        let lines = |pattern| Self::Lines { pattern, secret: false };
        Ok(match name {
            "no-console-log" => lines(r"console\.log\("),
            "no-merge-markers" => lines(MERGE_MARKERS),
            "no-trailing-whitespace" => lines(r"[ \t]+$"),
            "no-tabs" => lines(r"\t"),
            "no-secrets" => Self::Lines { pattern: SECRETS, secret: true },
            _ => match name.strip_prefix("max-line-length") {
                Some("") => return Err(not_a_length("")),
                Some(rest) => match rest.strip_prefix(':') {
                    Some(number) => Self::LongLines(number.parse().map_err(|_| not_a_length(number))?),
                    None => Self::Unknown,
                },
                None => Self::Unknown,
            },
        })
    }
}

fn not_a_length(number: &str) -> Invalid {
    Invalid::new(format!(
        "max-line-length needs a number of characters, not {number:?} (use max-line-length:100)"
    ))
}

/// The text with its middle hidden: enough is left to find it, not enough to use it.
pub(super) fn masked(secret: &str) -> String {
    let head: String = secret.chars().take(4).collect();
    format!("{head}****")
}
