//! The audit log.

use koor_core::{
    domain::audit::{AuditEntry, AuditFilter, AuditSummary, ChainReport, Outcome},
    page::{Limit, TimeRange},
};

use crate::{
    error::Failure,
    query_value::query,
    request::Call,
    response::{self, Json},
};

query! {
    struct ListQuery {
        /// By this actor.
        actor: Option<String>,
        /// With this action.
        action: Option<String>,
        /// To this resource.
        resource: Option<String>,
        /// With this outcome.
        outcome: Option<Outcome>,
        /// How many at most.
        limit: Option<Limit>,
        /// After this id, oldest first.
        after: Option<u64>,
    }
}

pub(crate) async fn list(
    call: Call,
    (query, range): (ListQuery, TimeRange),
) -> Result<Json<Vec<AuditEntry>>, Failure> {
    let ListQuery { actor, action, resource, outcome, limit, after } = query;
    let filter = AuditFilter { actor, action, resource, outcome, range, after };
    response::json(&call.koor().audit(filter, limit.unwrap_or_default()).await?)
}

pub(crate) async fn summary(call: Call, range: TimeRange) -> Result<Json<AuditSummary>, Failure> {
    response::json(&call.koor().audit_summary(range).await?)
}

pub(crate) async fn verify(call: Call) -> Result<Json<ChainReport>, Failure> {
    response::json(&call.koor().verify_audit().await?)
}
