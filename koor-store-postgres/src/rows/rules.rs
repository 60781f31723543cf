//! `rule`.

use std::collections::BTreeSet;

use koor_core::{
    domain::rules::{MatchType, Rule, RuleFilter, RuleSource, RuleStatus, Severity},
    ids::{ProjectName, RuleId},
    ports::{RuleBook, RuleChange, StoreResult},
};

use crate::{
    conn::{Conn, Row},
    rows::as_json,
    snapshot::Snapshot,
    statement::Statement,
};

const TABLE: &str = "rule";

macro_rules! rule {
    () => {
        "SELECT rule_id, project, severity, match_type, pattern, message, stack, applies_to, source, status, \
         proposed_by, context, created_at FROM rule "
    };
}

const SELECT: &str = concat!(rule!(), "WHERE project = $1 AND rule_id = $2");
const SELECT_PROJECT: &str = concat!(rule!(), "WHERE project = $1 ORDER BY rule_id");
const SELECT_ALL: &str = concat!(rule!(), "ORDER BY project, rule_id");
const PUT: &str = "INSERT INTO rule (rule_id, project, severity, match_type, pattern, message, stack, \
    applies_to, source, status, proposed_by, context, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
    ON CONFLICT (project, rule_id) DO UPDATE SET severity = excluded.severity, match_type = excluded.match_type, \
    pattern = excluded.pattern, message = excluded.message, stack = excluded.stack, applies_to = excluded.applies_to, \
    source = excluded.source, status = excluded.status, proposed_by = excluded.proposed_by, context = excluded.context, \
    created_at = excluded.created_at";
const REMOVE: &str = "DELETE FROM rule WHERE project = $1 AND rule_id = $2";

fn read(row: Row<'_>) -> StoreResult<Rule> {
    Ok(Rule {
        project: row.read("project", |name: &str| ProjectName::new(name))?,
        rule_id: row.read("rule_id", |name: &str| RuleId::new(name))?,
        severity: row.read("severity", str::parse::<Severity>)?,
        match_type: row.read("match_type", str::parse::<MatchType>)?,
        pattern: row.text("pattern")?,
        message: row.text("message")?,
        stack: row.text("stack")?,
        applies_to: row.json("applies_to")?,
        source: row.read("source", str::parse::<RuleSource>)?,
        status: row.read("status", str::parse::<RuleStatus>)?,
        proposed_by: row.text("proposed_by")?,
        context: row.text("context")?,
        created_at: row.time("created_at")?,
    })
}

impl RuleBook for Snapshot<'_> {
    fn rule(&mut self, project: &ProjectName, id: &RuleId) -> StoreResult<Option<Rule>> {
        let statement = Statement::new("read a rule", SELECT).bind(project.as_str()).bind(id.as_str());
        self.conn.row(statement, TABLE, read)
    }

    fn rules(&mut self, filter: &RuleFilter) -> StoreResult<Vec<Rule>> {
        const ATTEMPTED: &str = "list rules";
        let mut rules = Vec::new();
        if filter.projects.is_empty() {
            rules = self.conn.rows(Statement::new(ATTEMPTED, SELECT_ALL), TABLE, read)?;
        }
        for project in filter.projects.iter().collect::<BTreeSet<_>>() {
            let statement = Statement::new(ATTEMPTED, SELECT_PROJECT).bind(project.as_str());
            rules.extend(self.conn.rows(statement, TABLE, read)?);
        }
        rules.retain(|rule| filter.matches(rule));
        Ok(rules)
    }
}

/// Makes a change.
pub(crate) fn write(conn: &mut Conn, change: &RuleChange) -> StoreResult<()> {
    match change {
        RuleChange::Put(rule) => put_rule(conn, rule),
        RuleChange::Remove { project, id } => remove_rule(conn, project, id),
    }
}

fn put_rule(conn: &mut Conn, rule: &Rule) -> StoreResult<()> {
    const ATTEMPTED: &str = "keep a rule";
    let statement = Statement::new(ATTEMPTED, PUT)
        .bind(rule.rule_id.as_str())
        .bind(rule.project.as_str())
        .bind(rule.severity.as_str())
        .bind(rule.match_type.as_str())
        .bind_text(&rule.pattern)
        .bind_text(&rule.message)
        .bind_text(&rule.stack)
        .bind(as_json(ATTEMPTED, &rule.applies_to)?)
        .bind(rule.source.as_str())
        .bind(rule.status.as_str())
        .bind_text(&rule.proposed_by)
        .bind_text(&rule.context)
        .bind(rule.created_at.millis());
    conn.execute(statement).map(drop)
}

fn remove_rule(conn: &mut Conn, project: &ProjectName, id: &RuleId) -> StoreResult<()> {
    let statement = Statement::new("forget a rule", REMOVE).bind(project.as_str()).bind(id.as_str());
    conn.execute(statement).map(drop)
}
