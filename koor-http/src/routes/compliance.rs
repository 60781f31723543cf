//! Compliance runs.

use koor_core::{domain::compliance::RunFilter, ids::InstanceId};
use serde_json::json;

use crate::{
    error::Failure,
    request::Call,
    response::{self, Answer},
};

pub(crate) async fn history(call: Call) -> Result<Answer, Failure> {
    let query = call.query();
    let mut filter =
        RunFilter { instance_id: None, project: query.parse("project")?, pass: query.choice("pass")? };
    let limit = query.limit("limit")?;
    if let Some(id) = query.text("instance_id")? {
        // What is no id is no instance's.
        let Ok(id) = id.parse::<InstanceId>() else { return response::json(&json!([])) };
        filter.instance_id = Some(id);
    }
    response::json(&call.koor().compliance_history(filter, limit).await?)
}

pub(crate) async fn run(call: Call) -> Result<Answer, Failure> {
    let done = call.koor().run_compliance(&call.caller).await?;
    response::committed(&done.map(|runs| json!({"checked": true, "count": runs.len(), "runs": runs})))
}
