//! Whether the server can do its work.

use hyper::StatusCode;
use koor_core::ports::StoreHealth;
use serde_json::json;

use crate::{
    duration,
    error::Failure,
    request::Call,
    response::{self, Answer},
};

pub(crate) async fn health(call: Call) -> Result<Answer, Failure> {
    let koor = call.koor();
    let (uptime, version) = (duration::show(koor.uptime()), env!("CARGO_PKG_VERSION"));
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
