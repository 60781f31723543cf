//! Compliance runs.

use koor_core::domain::compliance::RunFilter;
use serde_json::json;

use crate::{
    error::Failure,
    request::Call,
    response::{self, Answer},
};

pub(crate) async fn history(call: Call) -> Result<Answer, Failure> {
    let query = call.query();
    let filter = RunFilter {
        instance_id: query.parse("instance_id")?,
        project: query.parse("project")?,
        pass: query.choice("pass")?,
    };
    response::json(&call.koor().compliance_history(filter, query.limit("limit")?).await?)
}

pub(crate) async fn run(call: Call) -> Result<Answer, Failure> {
    let done = call.koor().run_compliance(&call.caller).await?;
    response::committed(&done.map(|runs| json!({"checked": true, "count": runs.len(), "runs": runs})))
}
