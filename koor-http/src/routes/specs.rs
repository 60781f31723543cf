//! Specs: JSON documents by project.

use koor_core::{
    Committed,
    clock::Timestamp,
    domain::state::Precondition,
    ids::{Hash, ProjectName, SpecKey, SpecName, Version},
    ports::SpecProject,
    use_cases::{RollbackDocument, Written},
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    error::Failure,
    query_value::Known,
    request::Call,
    response::{self, Json, Written as WrittenAnswer},
    routes::documents,
    shape::JsonBytes,
};

/// A project, in numbers.
#[derive(Serialize, JsonSchema)]
struct ProjectCounts {
    project: ProjectName,
    specs: u64,
    rules: u64,
}

/// Every project.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Projects {
    projects: Vec<ProjectCounts>,
}

pub(crate) async fn projects(call: Call) -> Result<Json<Projects>, Failure> {
    let found = call.koor().projects().await?;
    let counts =
        |found: SpecProject| ProjectCounts { project: found.project, specs: found.specs, rules: found.rules };
    response::sorted_json(&Projects { projects: found.into_iter().map(counts).collect() })
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ListedSpec")]
struct Listed {
    name: SpecName,
    version: Version,
    updated_at: Timestamp,
}

/// The specs of a project, by name.
#[derive(Serialize, JsonSchema)]
pub(crate) struct SpecList {
    project: ProjectName,
    specs: Vec<Listed>,
}

pub(crate) async fn list(call: Call) -> Result<Json<SpecList>, Failure> {
    let project: ProjectName = call.name(0)?;
    let found = call.koor().specs(project.clone()).await?;
    let specs: Vec<_> = found
        .into_iter()
        .map(|(name, revision)| Listed { name, version: revision.version, updated_at: revision.updated_at })
        .collect();
    response::sorted_json(&SpecList { project, specs })
}

/// The spec that a path names.
pub(super) fn key(call: &Call) -> Result<SpecKey, Failure> {
    Ok(SpecKey { project: call.name(0)?, name: call.name(1)? })
}

pub(crate) async fn get(
    call: Call,
    (query, Known): (documents::ReadQuery, Known),
) -> Result<documents::Document, Failure> {
    let key = key(&call)?;
    documents::read(&call, query, key.into()).await
}

pub(crate) async fn put(
    call: Call,
    (body, condition): (JsonBytes, Precondition),
) -> Result<WrittenAnswer<SpecPut>, Failure> {
    let (JsonBytes(body), key) = (body, key(&call)?);
    let done = call.koor().put_spec(&call.caller, &key, body, condition).await?;
    response::committed(&done.map(|written| put_answer(&key, &written)))
}

/// What a PUT of a spec, or of a contract, answers.
#[derive(Serialize, JsonSchema)]
pub(crate) struct SpecPut {
    project: ProjectName,
    name: SpecName,
    version: Version,
    hash: Hash,
    updated_at: Timestamp,
}

pub(super) fn put_answer(key: &SpecKey, written: &Written) -> SpecPut {
    let revision = &written.revision;
    SpecPut {
        project: key.project.clone(),
        name: key.name.clone(),
        version: revision.version,
        hash: revision.hash,
        updated_at: revision.updated_at,
    }
}

/// A spec whose newest version is an older one again.
#[derive(Serialize, JsonSchema)]
pub(crate) struct SpecRolledBack {
    key: String,
    #[serde(flatten)]
    put: SpecPut,
    rolled_back: Version,
}

pub(crate) async fn rollback(
    call: Call,
    (query, condition): (documents::RollbackQuery, Precondition),
) -> Result<WrittenAnswer<SpecRolledBack>, Failure> {
    let (key, to) = (key(&call)?, query.to());
    let command = RollbackDocument::new(key.clone(), to).only_if(condition);
    let done: Committed<Written> = call.koor().execute(&call.caller, command).await?;
    response::committed(&done.map(|written| SpecRolledBack {
        key: key.to_string(),
        put: put_answer(&key, &written),
        rolled_back: to,
    }))
}

pub(crate) async fn delete(
    call: Call,
    condition: Precondition,
) -> Result<WrittenAnswer<documents::DeletedVersion>, Failure> {
    let key = key(&call)?;
    documents::delete(&call, condition, key.into()).await
}
