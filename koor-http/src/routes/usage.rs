//! What models cost.

use koor_core::{
    domain::usage::{GroupBy, UsageFilter, UsageRecord, UsageTotal},
    ids::UsageId,
    page::{Limit, TimeRange},
    use_cases::{RecordUsage, UsageDraft},
};
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    error::Failure,
    json_body::Object,
    query_value::query,
    request::Call,
    response::{self, Json, Written},
};

/// The record that was made.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Recorded {
    id: UsageId,
    recorded: bool,
}

pub(crate) async fn record(
    call: Call,
    Object(draft): Object<UsageDraft>,
) -> Result<Written<Recorded>, Failure> {
    let command = RecordUsage::new(&call.caller, draft)?;
    let done = call.koor().execute(&call.caller, command).await?;
    response::committed(&done.map(|id| Recorded { id, recorded: true }))
}

query! {
    struct ListQuery {
        /// Of this instance.
        instance: Option<String>,
        /// Of this project.
        project: Option<String>,
        /// With this label.
        session_tag: Option<String>,
        /// How many at most.
        limit: Option<Limit>,
    }
}

pub(crate) async fn list(
    call: Call,
    (query, range): (ListQuery, TimeRange),
) -> Result<Json<Vec<UsageRecord>>, Failure> {
    let ListQuery { instance, project, session_tag, limit } = query;
    let filter = UsageFilter { instance, project, session_tag, range };
    response::json(&call.koor().usage(filter, limit.unwrap_or_default()).await?)
}

query! {
    struct SummaryQuery {
        /// By what; project unless told.
        group_by: Option<GroupBy>,
    }
}

/// What each group cost, and all of them together.
#[derive(Serialize, JsonSchema)]
pub(crate) struct UsageSummary {
    group_by: GroupBy,
    from: String,
    to: String,
    groups: BTreeMap<String, UsageTotal>,
    total: UsageTotal,
}

pub(crate) async fn summary(
    call: Call,
    (query, range): (SummaryQuery, TimeRange),
) -> Result<Json<UsageSummary>, Failure> {
    let by = query.group_by.unwrap_or_default();
    let groups = call.koor().usage_summary(by, range).await?;
    let mut total = UsageTotal::default();
    for group in groups.values() {
        total.add(group);
    }
    let written = |name| Ok::<_, Failure>(call.query().get(name)?.unwrap_or_default().into_owned());
    let (from, to) = (written("from")?, written("to")?);
    response::sorted_json(&UsageSummary { group_by: by, from, to, groups, total })
}
