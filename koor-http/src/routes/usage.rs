//! What models cost.

use koor_core::{
    domain::usage::{UsageFilter, UsageTotal},
    use_cases::{RecordUsage, UsageDraft},
};
use serde_json::json;

use crate::{
    error::Failure,
    request::Call,
    response::{self, Answer},
};

pub(crate) async fn record(mut call: Call) -> Result<Answer, Failure> {
    let draft: UsageDraft = call.object().await?;
    let command = RecordUsage::new(&call.caller, draft)?;
    let done = call.koor().execute(&call.caller, command).await?;
    response::committed(&done.map(|record| json!({"id": record.id, "recorded": true})))
}

pub(crate) async fn list(call: Call) -> Result<Answer, Failure> {
    let query = call.query();
    let filter = UsageFilter {
        instance: query.text("instance")?,
        project: query.text("project")?,
        session_tag: query.text("session_tag")?,
        range: query.range()?,
    };
    response::json(&call.koor().usage(filter, query.limit("limit")?).await?)
}

pub(crate) async fn summary(call: Call) -> Result<Answer, Failure> {
    let query = call.query();
    let by = query.parse("group_by")?.unwrap_or_default();
    let groups = call.koor().usage_summary(by, query.range()?).await?;
    let mut total = UsageTotal::default();
    for group in groups.values() {
        total.add(group);
    }
    let (from, to) = (query.text("from")?.unwrap_or_default(), query.text("to")?.unwrap_or_default());
    response::json(&json!({"group_by": by, "from": from, "to": to, "groups": groups, "total": total}))
}
