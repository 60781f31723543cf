//! Whether the server can do its work.

use hyper::StatusCode;
use koor_core::{ports::StoreHealth, time_span::TimeSpan};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    error::Failure,
    request::Call,
    response::{self, Json},
};

/// That the server can do its work.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Health {
    status: &'static str,
    uptime: String,
    version: &'static str,
}

/// That the store cannot write.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Degraded {
    #[serde(flatten)]
    health: Health,
    reason: String,
    error: String,
    code: u16,
}

pub(crate) async fn health(call: Call) -> Result<Json<Health>, Failure> {
    let koor = call.koor();
    let (uptime, version) = (TimeSpan::from(koor.uptime()).to_string(), env!("CARGO_PKG_VERSION"));
    match koor.health().await {
        StoreHealth::Ok => response::json(&Health { status: "ok", uptime, version }),
        StoreHealth::Degraded(reason) => {
            let degraded = Degraded {
                health: Health { status: "degraded", uptime, version },
                error: format!("the store cannot write: {reason}"),
                reason,
                code: 503,
            };
            response::json_with(StatusCode::SERVICE_UNAVAILABLE, &degraded).map(Json::of)
        }
    }
}
