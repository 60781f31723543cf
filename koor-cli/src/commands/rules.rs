//! What code must and must not contain: proposed, judged, shared.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, builder::PossibleValuesParser};
use serde::Serialize;

use crate::{
    commands::documents,
    context::Context,
    exit::Failure,
    input::{self, Pair},
    output::{Column, Kind, Rows, Table},
    rule_sets,
};

/// What is done with rules.
#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// List rules
    #[command(after_help = "\
Examples:
  koor rules list
  koor rules list --project Truck-Wash --status proposed")]
    List(List),

    /// Propose a rule; it applies once an admin accepts it
    #[command(after_help = "\
Examples:
  koor rules propose Truck-Wash/no-console --pattern 'console\\.log' --message 'use the logger' --stack react
  koor rules propose Truck-Wash/license --pattern 'SPDX-License-Identifier' --match-type missing --applies-to '*.rs'")]
    Propose(Box<Propose>),

    /// Accept a proposed rule
    #[command(after_help = "Example:\n  koor rules accept Truck-Wash/no-console")]
    Accept(Which),

    /// Reject a proposed rule
    #[command(after_help = "Example:\n  koor rules reject Truck-Wash/no-console")]
    Reject(Which),

    /// Delete a rule
    #[command(after_help = "Example:\n  koor rules delete Truck-Wash/no-console")]
    Delete(Which),

    /// Import rules from a file or a built-in set, all or none; they apply at once
    #[command(after_help = "\
A set is for one stack, or for all: _global, c, flutter, go-api, goth, node, python, react, rust. Its rules hold in every
project for files of that stack, or, with --project, in that one alone.

Examples:
  koor rules import --file rules.json
  koor rules import --set rust
  koor rules import --set _global --project Truck-Wash
  koor rules export --server http://other:9800 | koor rules import --file -")]
    Import(Import),

    /// Print accepted rules in the format of import
    #[command(
        after_help = "Examples:\n  koor rules export --output rules.json\n  koor rules export --source local,learned,external"
    )]
    Export {
        /// Only from these sources: local, learned, external [default: local,learned]
        #[arg(long, value_name = "SOURCES")]
        source: Option<String>,
        /// Write to this file instead of stdout
        #[arg(long, short, value_name = "PATH")]
        output: Option<PathBuf>,
    },
}

/// Which rules.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only of this project
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
    /// Only for this stack, or for every stack
    #[arg(long, value_name = "STACK")]
    stack: Option<String>,
    /// Only from these sources: local, learned, external
    #[arg(long, value_name = "SOURCES")]
    source: Option<String>,
    /// Only with this status: proposed, accepted or rejected
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
}

/// Where rules come from.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// File with a JSON array of rules; - is standard input
    #[arg(long, value_name = "PATH", required_unless_present = "set", conflicts_with = "set")]
    file: Option<String>,
    /// Built-in set of rules
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(rule_sets::names()))]
    set: Option<String>,
    /// Import only into this project
    #[arg(long, value_name = "PROJECT", requires = "set", conflicts_with = "file")]
    project: Option<String>,
}

impl Import {
    /// The rules, as they are sent.
    fn rules(&self) -> Result<Vec<u8>, Failure> {
        match (self.set.as_deref(), &self.project) {
            (Some(set), Some(project)) => rule_sets::for_project(set, project),
            (Some(set), None) => Ok(rule_sets::get(set).unwrap_or_default().into()),
            (None, _) => input::read(self.file.as_deref().unwrap_or("-")),
        }
    }
}

/// Which rule.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Project and id of the rule
    #[arg(value_name = "PROJECT/RULE")]
    rule: Pair,
}

/// What is proposed.
#[derive(Debug, Args)]
pub(crate) struct Propose {
    /// Project and id of the rule
    #[arg(value_name = "PROJECT/RULE")]
    rule: Pair,
    /// Regular expression, or name of a built-in check
    #[arg(long, value_name = "REGEX", allow_hyphen_values = true)]
    pattern: String,
    /// Message of a violation
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
    /// Severity [default: error]
    #[arg(long, value_name = "HOW")]
    severity: Option<Severity>,
    /// How to match: regex (pattern found), missing (pattern absent), or a built-in check [default: regex]
    #[arg(long, value_name = "WHEN")]
    match_type: Option<MatchType>,
    /// Apply only to this stack
    #[arg(long, value_name = "STACK")]
    stack: Option<String>,
    /// Apply only to files that match one of these globs
    #[arg(long, value_name = "GLOBS", value_delimiter = ',')]
    applies_to: Vec<String>,
    /// Reason for the rule
    #[arg(long, value_name = "TEXT")]
    context: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Severity {
    Error,
    Warning,
}

#[derive(Debug, Clone, Copy, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum MatchType {
    Regex,
    Missing,
    Custom,
}

/// A rule as it is sent: what is not said is left to the server.
#[derive(Serialize)]
struct Proposal<'a> {
    project: &'a str,
    rule_id: &'a str,
    pattern: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<Severity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    match_type: Option<MatchType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stack: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    applies_to: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proposed_by: Option<&'a str>,
}

const TABLE: Table = Table {
    rows: Rows::Whole,
    columns: &[
        Column("PROJECT", "/project", Kind::Name),
        Column("RULE", "/rule_id", Kind::Name),
        Column("STATUS", "/status", Kind::State),
        Column("SEVERITY", "/severity", Kind::State),
        Column("WHEN", "/match_type", Kind::State),
        Column("STACK", "/stack", Kind::State),
        Column("SOURCE", "/source", Kind::State),
        Column("PATTERN", "/pattern", Kind::Text),
        Column("MESSAGE", "/message", Kind::Text),
    ],
    empty: "no rules",
};

/// Does what was typed.
///
/// # Errors
/// When the server refuses, or can't be reached.
pub(crate) fn run(command: &RulesCommand, context: &Context) -> Result<(), Failure> {
    let client = &context.client;
    match command {
        RulesCommand::List(List { project, stack, source, status }) => {
            let rules = client.get("/api/rules").queries("project", project).queries("stack", stack);
            context.table(rules.queries("source", source).queries("status", status), &TABLE)
        }
        RulesCommand::Propose(propose) => {
            let rule = propose.rule(context.settings.instance_id.as_deref());
            context.show_write(client.post("/api/rules/propose").json(&rule)?)
        }
        RulesCommand::Accept(Which { rule }) => {
            context.show_write(client.post("/api/rules").pair(rule).segment("accept"))
        }
        RulesCommand::Reject(Which { rule }) => {
            context.show_write(client.post("/api/rules").pair(rule).segment("reject"))
        }
        RulesCommand::Delete(Which { rule }) => context.show_write(client.delete("/api/rules").pair(rule)),
        RulesCommand::Import(import) => {
            context.show_write(client.post("/api/rules/import").bytes(import.rules()?, "application/json"))
        }
        RulesCommand::Export { source, output } => {
            let answer = client.get("/api/rules/export").queries("source", source).send()?;
            match output {
                None => context.output.json(&answer.bytes()?),
                Some(path) => documents::save(answer, path),
            }
        }
    }
}

impl Propose {
    fn rule<'a>(&'a self, instance: Option<&'a str>) -> Proposal<'a> {
        Proposal {
            project: &self.rule.first,
            rule_id: &self.rule.second,
            pattern: &self.pattern,
            message: self.message.as_deref(),
            severity: self.severity,
            match_type: self.match_type,
            stack: self.stack.as_deref(),
            applies_to: &self.applies_to,
            context: self.context.as_deref(),
            proposed_by: instance,
        }
    }
}
