//! The `OpenAPI` document.

use crate::{
    error::Failure,
    request::Call,
    response::{self, Answer},
};

#[expect(clippy::unused_async, reason = "every route is async")]
pub(crate) async fn document(call: Call) -> Result<Answer, Failure> {
    Ok(response::rendered(
        hyper::StatusCode::OK,
        (call.shared().openapi)(call.koor().settings().server_token.is_some()),
    ))
}
