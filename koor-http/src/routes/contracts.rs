//! Contracts, held against payloads and live services.

use koor_core::{
    domain::{RawJson, contracts::Violation, state::Precondition},
    ids::ProjectName,
    schema::Needs,
    use_cases::{ContractSummary, ContractTest, TestRequest},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    error::Failure,
    json_body::Kept,
    request::Call,
    response::{self, Json, Written},
    routes::specs,
    shape::JsonBytes,
};

/// The contracts of a project.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Contracts {
    project: ProjectName,
    contracts: Vec<ContractSummary>,
}

pub(crate) async fn list(call: Call) -> Result<Json<Contracts>, Failure> {
    let project: ProjectName = call.name(0)?;
    let contracts = call.koor().contracts(&project).await?;
    response::sorted_json(&Contracts { project, contracts })
}

pub(crate) async fn put(
    call: Call,
    (JsonBytes(body), condition): (JsonBytes, Precondition),
) -> Result<Written<specs::SpecPut>, Failure> {
    let key = specs::key(&call)?;
    let done = call.koor().put_contract(&call.caller, &key, body, condition).await?;
    response::committed(&done.map(|written| specs::put_answer(&key, &written)))
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(transform = Needs(&["endpoint"]))]
pub(crate) struct PayloadBody {
    #[schemars(length(min = 1))]
    endpoint: String,
    direction: String,
    payload: RawJson,
}

/// What a payload was found to be.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Checked {
    valid: bool,
    violations: Vec<Violation>,
}

pub(crate) async fn validate(call: Call, Kept(body): Kept<PayloadBody>) -> Result<Json<Checked>, Failure> {
    let PayloadBody { endpoint, direction, payload } = body;
    let key = specs::key(&call)?;
    let violations = call.koor().check_payload(&call.caller, &key, &endpoint, &direction, payload).await?;
    response::json(&Checked { valid: violations.is_empty(), violations })
}

pub(crate) async fn test(
    call: Call,
    Kept(request): Kept<TestRequest>,
) -> Result<Json<ContractTest>, Failure> {
    let key = specs::key(&call)?;
    response::json(&call.koor().test_contract(&call.caller, &key, request).await?)
}
