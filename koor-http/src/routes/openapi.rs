//! The `OpenAPI` document.

use schemars::JsonSchema;
use serde_json::{Map, Value};

use crate::{
    error::Failure,
    request::Call,
    response::{self, Json},
};

/// An `OpenAPI` document.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct OpenApi {
    openapi: String,
    info: Map<String, Value>,
    paths: Map<String, Value>,
}

pub(crate) async fn document(call: Call) -> Result<Json<OpenApi>, Failure> {
    Ok(Json::of(response::rendered(
        hyper::StatusCode::OK,
        (call.shared().openapi)(call.koor().settings().server_token.is_some()),
    )))
}
