//! The description of all this.

use crate::{
    error::Failure,
    openapi,
    request::Call,
    response::{self, Answer},
};

#[expect(clippy::unused_async, reason = "every route is async")]
pub(crate) async fn document(call: Call) -> Result<Answer, Failure> {
    Ok(response::rendered(
        hyper::StatusCode::OK,
        openapi::text(call.koor().settings().server_token.is_some()),
    ))
}
