//! Whether the server can do its work.

use hyper::StatusCode;
use koor_core::{ports::StoreHealth, time_span::TimeSpan};
use serde_json::json;

use crate::{
    error::Failure,
    request::Call,
    response::{self, Answer},
};

pub(crate) async fn health(call: Call) -> Result<Answer, Failure> {
    let koor = call.koor();
    let (uptime, version) = (TimeSpan::from(koor.uptime()).to_string(), env!("CARGO_PKG_VERSION"));
    match koor.health().await {
        StoreHealth::Ok => response::json(&json!({"status": "ok", "uptime": uptime, "version": version})),
        StoreHealth::Degraded(reason) => response::json_with(
            StatusCode::SERVICE_UNAVAILABLE,
            &json!({
                "status": "degraded", "uptime": uptime, "version": version, "reason": reason,
                "error": format!("the store cannot write: {reason}"), "code": 503,
            }),
        ),
    }
}
