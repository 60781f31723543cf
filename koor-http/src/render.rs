//! Failures as answers.

use bytes::Bytes;
use hyper::{
    Response, StatusCode,
    header::{ALLOW, CONNECTION, HeaderValue, RETRY_AFTER, UPGRADE, WWW_AUTHENTICATE},
};
use koor_core::ErrorKind;
use serde_json::json;

use crate::{body::Body, error::Failure, log::X_REQUEST_ID, origin, response};

impl Failure {
    /// The answer. An internal error is logged here, and nowhere else, with its causes; the client does not see them.
    pub(crate) fn render(&self, request_id: &HeaderValue) -> Response<Body> {
        let status = self.status();
        let text = if status == StatusCode::INTERNAL_SERVER_ERROR {
            let request_id = request_id.to_str().unwrap_or_default();
            tracing::error!(request_id, error = %self, causes = %koor_core::causes(self), "internal error");
            "internal error".to_owned()
        } else {
            self.to_string()
        };
        let mut body = json!({"error": text, "code": status.as_u16()});
        self.add_fields(&mut body);
        let mut answer = response::rendered(status, body.to_string().into());
        let headers = answer.headers_mut();
        match self {
            Self::Core(error) => match error.kind() {
                ErrorKind::Unauthorized => {
                    headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                }
                ErrorKind::Busy => {
                    headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
                }
                _ => {}
            },
            Self::WrongMethod(allow) => {
                if let Ok(allow) = HeaderValue::from_str(allow) {
                    headers.insert(ALLOW, allow);
                }
            }
            Self::NoUpgrade => {
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            }
            // What is left of the body is in the way of the next request.
            Self::TooLarge(_) | Self::TooSlow(_) | Self::BrokenOff | Self::Unread(_) => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Self::NoRoute(_) | Self::Refused(_) | Self::UnknownMedia(_) | Self::Internal { .. } => {}
        }
        answer
    }

    /// The answer in bytes, for a request that the HTTP library cannot read and so cannot answer.
    pub(crate) fn write(&self, request_id: &HeaderValue) -> Vec<u8> {
        let mut answer = self.render(request_id);
        answer.headers_mut().insert(X_REQUEST_ID, request_id.clone());
        origin::add_policy(answer.headers_mut());
        let (head, body) = answer.into_parts();
        let body = if let Body::Full(body) = body { body } else { Bytes::new() };
        let mut bytes =
            format!("HTTP/1.1 {}\r\ncontent-length: {}\r\n", head.status, body.len()).into_bytes();
        for (name, value) in &head.headers {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                bytes.extend_from_slice(part);
            }
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&body);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use koor_core::{Error, ports::StoreError};

    use serde_json::Value;

    use super::*;

    fn body(failure: &Failure) -> (u16, Value) {
        let answer = failure.render(&HeaderValue::from_static("r1"));
        let Body::Full(bytes) = answer.body() else { panic!("a failure has a whole body") };
        (answer.status().as_u16(), serde_json::from_slice(bytes).unwrap())
    }

    #[test]
    fn a_fault_of_ours_says_nothing_of_its_cause() {
        let source = "no such table: secrets".into();
        let failure = Failure::Core(StoreError::Backend { attempted: "read /var/lib/koor", source }.into());
        assert_eq!(body(&failure), (500, json!({"error": "internal error", "code": 500})));
    }

    #[test]
    fn a_conflict_with_nothing_has_version_zero_and_no_hash() {
        let failure = Failure::Core(Error::VersionConflict { name: "k".into(), version: None, hash: None });
        let expected = json!({
            "error": "version conflict: k is at version 0", "code": 412, "version": 0, "hash": "",
        });
        assert_eq!(body(&failure), (412, expected));
    }

    #[test]
    fn a_busy_store_says_when_to_try_again() {
        let answer = Failure::Core(StoreError::Busy.into()).render(&HeaderValue::from_static("r1"));
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()[RETRY_AFTER], "1");
    }
}
