//! Contracts, held against payloads and live services.

use koor_core::{domain::RawJson, ids::ProjectName, use_cases::TestRequest};
use serde::Deserialize;
use serde_json::json;

use crate::{
    conditional::precondition,
    error::Failure,
    request::Call,
    response::{self, Answer},
    routes::specs,
};

pub(crate) async fn list(call: Call) -> Result<Answer, Failure> {
    let project: ProjectName = call.name(0)?;
    let contracts = call.koor().contracts(&project).await?;
    response::json(&json!({"project": project, "contracts": contracts}))
}

pub(crate) async fn put(mut call: Call) -> Result<Answer, Failure> {
    let body = call.bytes().await?;
    let key = specs::key(&call)?;
    let condition = precondition(&call.head.headers, call.query())?;
    let done = call.koor().put_contract(&call.caller, &key, body, condition).await?;
    response::committed(&done.map(|written| specs::put_answer(&key, &written)))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PayloadBody {
    endpoint: String,
    direction: String,
    payload: RawJson,
}

pub(crate) async fn validate(mut call: Call) -> Result<Answer, Failure> {
    let PayloadBody { endpoint, direction, payload } = call.object_kept().await?;
    let key = specs::key(&call)?;
    let violations = call.koor().check_payload(&call.caller, &key, &endpoint, &direction, payload).await?;
    response::json(&json!({"valid": violations.is_empty(), "violations": violations}))
}

pub(crate) async fn test(mut call: Call) -> Result<Answer, Failure> {
    let request: TestRequest = call.object_kept().await?;
    let key = specs::key(&call)?;
    response::json(&call.koor().test_contract(&call.caller, &key, request).await?)
}
