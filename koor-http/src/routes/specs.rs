//! Specs: JSON documents by project.

use koor_core::{
    Committed,
    clock::Timestamp,
    ids::{ProjectName, SpecKey, SpecName, Version},
    use_cases::{RollbackDocument, Written},
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    conditional::precondition,
    error::Failure,
    request::Call,
    response::{self, Answer},
    routes::documents,
};

pub(crate) async fn projects(call: Call) -> Result<Answer, Failure> {
    let found = call.koor().projects().await?;
    let projects: Vec<_> = found
        .iter()
        .map(|found| json!({"project": found.project, "specs": found.specs, "rules": found.rules}))
        .collect();
    response::json(&json!({"projects": projects}))
}

#[derive(Serialize)]
struct Listed<'a> {
    name: &'a SpecName,
    version: Version,
    updated_at: Timestamp,
}

pub(crate) async fn list(call: Call) -> Result<Answer, Failure> {
    let project: ProjectName = call.name(0)?;
    let found = call.koor().specs(project.clone()).await?;
    let specs: Vec<_> = found
        .iter()
        .map(|(name, revision)| Listed { name, version: revision.version, updated_at: revision.updated_at })
        .collect();
    response::json(&json!({"project": project, "specs": specs}))
}

/// The spec that a path names.
pub(super) fn key(call: &Call) -> Result<SpecKey, Failure> {
    Ok(SpecKey { project: call.name(0)?, name: call.name(1)? })
}

pub(crate) async fn get(call: Call) -> Result<Answer, Failure> {
    let key = key(&call)?;
    documents::read(&call, key.into()).await
}

pub(crate) async fn put(mut call: Call) -> Result<Answer, Failure> {
    let body = call.bytes().await?;
    let key = key(&call)?;
    let condition = precondition(&call.head.headers, call.query())?;
    let done = call.koor().put_spec(&call.caller, &key, body, condition).await?;
    response::committed(&done.map(|written| put_answer(&key, &written)))
}

/// What a PUT of a spec, or of a contract, answers.
pub(super) fn put_answer(key: &SpecKey, written: &Written) -> Value {
    let revision = &written.revision;
    json!({
        "project": key.project, "name": key.name, "version": revision.version, "hash": revision.hash,
        "updated_at": revision.updated_at,
    })
}

pub(crate) async fn rollback(call: Call) -> Result<Answer, Failure> {
    let key = key(&call)?;
    let to = documents::rollback_to(call.query())?;
    let condition = precondition(&call.head.headers, call.query())?;
    let command = RollbackDocument::new(key.clone(), to).only_if(condition);
    let done: Committed<Written> = call.koor().execute(&call.caller, command).await?;
    response::committed(&done.map(|written| {
        let mut answer = put_answer(&key, &written);
        answer["key"] = json!(key.to_string());
        answer["rolled_back"] = json!(to);
        answer
    }))
}

pub(crate) async fn delete(call: Call) -> Result<Answer, Failure> {
    let key = key(&call)?;
    documents::delete(&call, key.into()).await
}
