//! Validation rules, and files held against them.

use koor_core::{
    Committed,
    domain::rules::{Rule, RuleDraft, RuleFilter, RuleSource, RuleStatus},
    ids::{ProjectName, RuleId},
    use_cases::{DecideRule, Decision, DeleteRule, FileToCheck, Validation},
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    error::Failure,
    json_body::{Object, Objects},
    query_value::{Sources, query},
    request::Call,
    response::{self, Json, Written},
    routes::deleted::Deleted,
};

query! {
    struct StackQuery {
        /// For this stack, or every one.
        stack: Option<String>,
    }
}

/// The rules of a project.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ProjectRules {
    project: ProjectName,
    rules: Vec<Rule>,
}

pub(crate) async fn of_project(call: Call, query: StackQuery) -> Result<Json<ProjectRules>, Failure> {
    let project: ProjectName = call.name(0)?;
    let stack = query.stack;
    let filter = RuleFilter { projects: vec![project.clone()], stack, ..RuleFilter::default() };
    let rules = call.koor().rules(filter).await?;
    response::sorted_json(&ProjectRules { project, rules })
}

query! {
    struct ListQuery {
        /// Of this project.
        project: Option<ProjectName>,
        /// For this stack, or every one.
        stack: Option<String>,
        /// From these sources.
        source: Option<Sources>,
        /// With this status.
        status: Option<RuleStatus>,
    }
}

pub(crate) async fn list(call: Call, query: ListQuery) -> Result<Json<Vec<Rule>>, Failure> {
    let filter = RuleFilter {
        projects: query.project.into_iter().collect(),
        stack: query.stack,
        sources: query.source.map_or_else(Vec::new, |Sources(named)| named),
        status: query.status,
    };
    response::json(&call.koor().rules(filter).await?)
}

/// How many accepted rules a project has now.
#[derive(Serialize, JsonSchema)]
pub(crate) struct RulesPut {
    project: ProjectName,
    count: usize,
}

pub(crate) async fn put(
    call: Call,
    Objects(drafts): Objects<RuleDraft>,
) -> Result<Written<RulesPut>, Failure> {
    let project: ProjectName = call.name(0)?;
    let done = call.koor().put_rules(&call.caller, project.clone(), drafts).await?;
    response::committed(&done.map(|count| RulesPut { project, count }))
}

/// How many rules were imported.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Imported {
    imported: usize,
}

pub(crate) async fn import(
    call: Call,
    Objects(drafts): Objects<RuleDraft>,
) -> Result<Written<Imported>, Failure> {
    let done = call.koor().import_rules(&call.caller, drafts).await?;
    response::committed(&done.map(|imported| Imported { imported }))
}

query! {
    struct ExportQuery {
        /// From these sources; local,learned unless told. One that does not exist matches nothing.
        source: Option<String>,
    }
}

pub(crate) async fn export(call: Call, query: ExportQuery) -> Result<Json<Vec<Rule>>, Failure> {
    let named = query.source;
    // The original's client asks for sources that do not exist: they match nothing.
    let sources: Vec<RuleSource> = named
        .iter()
        .flat_map(|named| named.split(','))
        .filter_map(|source| source.trim().parse().ok())
        .collect();
    if named.is_some() && sources.is_empty() {
        return response::json(&Vec::new());
    }
    response::json(&call.koor().export_rules(sources).await?)
}

/// A rule and its status.
#[derive(Serialize, JsonSchema)]
pub(crate) struct RuleState {
    project: ProjectName,
    rule_id: RuleId,
    status: RuleStatus,
}

pub(crate) async fn propose(
    call: Call,
    Object(draft): Object<RuleDraft>,
) -> Result<Written<RuleState>, Failure> {
    let done = call.koor().propose_rule(&call.caller, draft).await?;
    response::committed(&done.map(|rule| RuleState {
        project: rule.project,
        rule_id: rule.rule_id,
        status: rule.status,
    }))
}

pub(crate) async fn accept(call: Call) -> Result<Written<RuleState>, Failure> {
    decide(call, Decision::Accept).await
}

pub(crate) async fn reject(call: Call) -> Result<Written<RuleState>, Failure> {
    decide(call, Decision::Reject).await
}

async fn decide(call: Call, decision: Decision) -> Result<Written<RuleState>, Failure> {
    let command = DecideRule { project: call.name(0)?, rule_id: call.name(1)?, decision };
    let (project, rule_id) = (command.project.clone(), command.rule_id.clone());
    let done: Committed<_> = call.koor().execute(&call.caller, command).await?;
    response::committed(&done.map(|status| RuleState { project, rule_id, status }))
}

pub(crate) async fn delete(call: Call) -> Result<Written<Deleted>, Failure> {
    let command = DeleteRule { project: call.name(0)?, rule_id: call.name(1)? };
    let name = format!("{}/{}", command.project, command.rule_id);
    let done = call.koor().execute(&call.caller, command).await?;
    response::committed(&done.map(|()| Deleted::of(&name)))
}

pub(crate) async fn validate(
    call: Call,
    Object(file): Object<FileToCheck>,
) -> Result<Json<Validation>, Failure> {
    let project = call.name(0)?;
    response::json(&call.koor().validate(&call.caller, project, file).await?)
}
