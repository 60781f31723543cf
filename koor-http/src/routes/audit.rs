//! The audit log.

use koor_core::domain::audit::AuditFilter;

use crate::{
    error::Failure,
    request::Call,
    response::{self, Answer},
};

pub(crate) async fn list(call: Call) -> Result<Answer, Failure> {
    let query = call.query();
    let filter = AuditFilter {
        actor: query.text("actor")?,
        action: query.text("action")?,
        resource: query.text("resource")?,
        outcome: query.parse("outcome")?,
        range: query.range()?,
        after: query.number("after")?,
    };
    response::json(&call.koor().audit(filter, query.limit("limit")?).await?)
}

pub(crate) async fn summary(call: Call) -> Result<Answer, Failure> {
    response::json(&call.koor().audit_summary(call.query().range()?).await?)
}

pub(crate) async fn verify(call: Call) -> Result<Answer, Failure> {
    response::json(&call.koor().verify_audit().await?)
}
