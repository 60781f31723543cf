//! Compliance runs.

use koor_core::{
    domain::compliance::{ComplianceRun, RunFilter},
    ids::{InstanceId, ProjectName},
    page::Limit,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    error::Failure,
    query_value::query,
    request::Call,
    response::{self, Json, Written},
};

query! {
    struct HistoryQuery {
        /// Of this instance.
        instance_id: Option<String>,
        /// Of this project.
        project: Option<ProjectName>,
        /// That passed, or that did not.
        pass: Option<bool>,
        /// How many at most.
        limit: Option<Limit>,
    }
}

pub(crate) async fn history(call: Call, query: HistoryQuery) -> Result<Json<Vec<ComplianceRun>>, Failure> {
    let mut filter = RunFilter { instance_id: None, project: query.project, pass: query.pass };
    let limit = query.limit.unwrap_or_default();
    if let Some(id) = query.instance_id {
        // What is no id is no instance's.
        let Ok(id) = id.parse::<InstanceId>() else { return response::json(&Vec::new()) };
        filter.instance_id = Some(id);
    }
    response::json(&call.koor().compliance_history(filter, limit).await?)
}

/// What a check of all contracts found.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ComplianceCheck {
    checked: bool,
    count: usize,
    runs: Vec<ComplianceRun>,
}

pub(crate) async fn run(call: Call) -> Result<Written<ComplianceCheck>, Failure> {
    let done = call.koor().run_compliance(&call.caller).await?;
    response::committed(&done.map(|runs| ComplianceCheck { checked: true, count: runs.len(), runs }))
}
