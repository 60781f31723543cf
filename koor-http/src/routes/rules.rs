//! Validation rules, and files held against them.

use koor_core::{
    Committed,
    domain::rules::{RuleDraft, RuleFilter, RuleSource},
    ids::ProjectName,
    use_cases::{DecideRule, Decision, DeleteRule, FileToCheck},
};
use serde_json::json;

use crate::{
    error::Failure,
    query::Query,
    request::Call,
    response::{self, Answer},
};

pub(crate) async fn of_project(call: Call) -> Result<Answer, Failure> {
    let project: ProjectName = call.name(0)?;
    let stack = call.query().text("stack")?;
    let filter = RuleFilter { projects: vec![project.clone()], stack, ..RuleFilter::default() };
    let rules = call.koor().rules(filter).await?;
    response::json(&json!({"project": project, "rules": rules}))
}

pub(crate) async fn list(call: Call) -> Result<Answer, Failure> {
    let query = call.query();
    let project: Option<ProjectName> = query.parse("project")?;
    let filter = RuleFilter {
        projects: project.into_iter().collect(),
        stack: query.text("stack")?,
        sources: sources(query)?,
        status: query.parse("status")?,
    };
    response::json(&call.koor().rules(filter).await?)
}

/// The sources that a query names, separated by commas.
fn sources(query: Query<'_>) -> Result<Vec<RuleSource>, Failure> {
    let Some(text) = query.text("source")? else { return Ok(Vec::new()) };
    text.split(',').map(|source| source.trim().parse().map_err(Failure::from)).collect()
}

pub(crate) async fn put(mut call: Call) -> Result<Answer, Failure> {
    let drafts: Vec<RuleDraft> = call.objects().await?;
    let project: ProjectName = call.name(0)?;
    let done = call.koor().put_rules(&call.caller, project.clone(), drafts).await?;
    response::committed(&done.map(|count| json!({"project": project, "count": count})))
}

pub(crate) async fn import(mut call: Call) -> Result<Answer, Failure> {
    let drafts: Vec<RuleDraft> = call.objects().await?;
    let done = call.koor().import_rules(&call.caller, drafts).await?;
    response::committed(&done.map(|imported| json!({"imported": imported})))
}

pub(crate) async fn export(call: Call) -> Result<Answer, Failure> {
    let named = call.query().text("source")?;
    // The original's client asks for sources that do not exist: they match nothing.
    let sources: Vec<RuleSource> = named
        .iter()
        .flat_map(|named| named.split(','))
        .filter_map(|source| source.trim().parse().ok())
        .collect();
    if named.is_some() && sources.is_empty() {
        return response::json(&json!([]));
    }
    response::json(&call.koor().export_rules(sources).await?)
}

pub(crate) async fn propose(mut call: Call) -> Result<Answer, Failure> {
    let draft: RuleDraft = call.object().await?;
    let done = call.koor().propose_rule(&call.caller, draft).await?;
    response::committed(
        &done.map(|rule| json!({"project": rule.project, "rule_id": rule.rule_id, "status": rule.status})),
    )
}

pub(crate) async fn accept(call: Call) -> Result<Answer, Failure> {
    decide(call, Decision::Accept).await
}

pub(crate) async fn reject(call: Call) -> Result<Answer, Failure> {
    decide(call, Decision::Reject).await
}

async fn decide(call: Call, decision: Decision) -> Result<Answer, Failure> {
    let command = DecideRule { project: call.name(0)?, rule_id: call.name(1)?, decision };
    let (project, rule_id) = (command.project.clone(), command.rule_id.clone());
    let done: Committed<_> = call.koor().execute(&call.caller, command).await?;
    response::committed(&done.map(|status| json!({"project": project, "rule_id": rule_id, "status": status})))
}

pub(crate) async fn delete(call: Call) -> Result<Answer, Failure> {
    let command = DeleteRule { project: call.name(0)?, rule_id: call.name(1)? };
    let name = format!("{}/{}", command.project, command.rule_id);
    let done = call.koor().execute(&call.caller, command).await?;
    response::committed(&done.map(|()| json!({"deleted": name})))
}

pub(crate) async fn validate(mut call: Call) -> Result<Answer, Failure> {
    let file: FileToCheck = call.object().await?;
    let project = call.name(0)?;
    response::json(&call.koor().validate(&call.caller, project, file).await?)
}
