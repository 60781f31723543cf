//! What stands before the protocol's library: what clients really send, and what the specification wants answered.

use std::sync::Arc;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};
use http_body_util::{BodyExt as _, Full};
use koor_core::{Caller, InstanceRef, Koor, Role, ids::InstanceId};
use rmcp::{
    ErrorData,
    model::ProtocolVersion,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
    },
};

use crate::{Guide, PROTOCOL_VERSION, answer, handler::Handler, message::Message};

/// The longest message. The longest argument that means anything, the pattern of a rule, is a hundredth of it.
const LONGEST: usize = 1 << 20;

/// The MCP endpoint. Cheap to clone.
#[derive(Clone)]
pub struct Mcp {
    koor: Koor,
    service: Arc<StreamableHttpService<Handler, NeverSessionManager>>,
}

/// What is answered, and whether it was a call.
#[derive(Debug)]
pub struct Answer {
    /// The answer.
    pub response: Response<Full<Bytes>>,
    /// On whose behalf a tool was called, if one was: the instance that the call names, or else the caller.
    pub called_by: Option<Caller>,
}

impl Mcp {
    /// The five tools on that core.
    #[must_use]
    pub fn new(koor: Koor, guide: Guide) -> Self {
        let handler = Handler::new(koor.clone(), guide);
        // The server that mounts this has checked host and origin. Without sessions, a restart breaks no client.
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_json_response(true)
            .with_max_request_body_bytes(LONGEST)
            .disable_allowed_hosts()
            .disable_allowed_origins();
        let sessions = Arc::new(NeverSessionManager::default());
        let service = StreamableHttpService::new(move || Ok(handler.clone()), sessions, config);
        Self { koor, service: Arc::new(service) }
    }

    /// Answers a request that was let in. Its extensions hold the [`Caller`], and the address of the peer.
    pub async fn answer(&self, request: Request<Full<Bytes>>) -> Answer {
        let uncounted = |response| Answer { response, called_by: None };
        let (mut head, body) = request.into_parts();
        if head.method != Method::POST {
            return uncounted(answer::not_allowed());
        }
        let Ok(body) = body.collect().await.map(http_body_util::Collected::to_bytes);
        let message = match check(&head.headers, &body) {
            Ok(message) => message,
            Err((status, (id, error))) => return uncounted(answer::error(status, &id, &error)),
        };
        // Plain JSON is all we answer, and all we read, whatever a client says of it.
        let headers = &mut head.headers;
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let caller = head.extensions.get::<Caller>().filter(|_| message.is_call).cloned();
        let answered = self.service.handle(Request::from_parts(head, Full::new(body))).await;
        let called_by = match caller {
            Some(caller) => Some(self.called_by(caller, message.names).await),
            None => None,
        };
        Answer { response: answer::mended(answered, &message.id).await, called_by }
    }
}

impl Mcp {
    /// The caller that a call counts for: the instance that it names, where an admin calls on behalf of one. An instance
    /// that calls with its own token counts as itself, whichever it names.
    async fn called_by(&self, caller: Caller, named: Option<InstanceId>) -> Caller {
        let Some(id) = named.filter(|_| caller.role() == Role::Admin) else { return caller };
        match self.koor.instance(id).await {
            Ok(instance) => Caller::instance(Role::Agent, InstanceRef::from(&instance)),
            // It is unknown, or the store is busy: the call happened all the same.
            Err(_) => caller,
        }
    }
}

/// Refuses what the library would misunderstand.
fn check(headers: &HeaderMap, body: &[u8]) -> Result<Message, (StatusCode, crate::message::Refusal)> {
    let refuse =
        |status, text: String| (status, (serde_json::Value::Null, ErrorData::invalid_request(text, None)));
    if !accepts_json(headers) {
        let text = "not acceptable: answers are application/json".to_owned();
        return Err(refuse(StatusCode::NOT_ACCEPTABLE, text));
    }
    if body.len() > LONGEST {
        return Err(refuse(StatusCode::PAYLOAD_TOO_LARGE, format!("message over {LONGEST} bytes")));
    }
    let message = Message::read(body).map_err(|refusal| (StatusCode::BAD_REQUEST, refusal))?;
    if let Some(version) = headers.get(PROTOCOL_VERSION)
        && !ProtocolVersion::KNOWN_VERSIONS.iter().any(|known| version == known.as_str())
    {
        let requested = String::from_utf8_lossy(version.as_bytes());
        let data = serde_json::json!({"requested": requested, "supported": ProtocolVersion::KNOWN_VERSIONS});
        let text = "Unsupported protocol version";
        let error = ErrorData::new(rmcp::model::ErrorCode::UNSUPPORTED_PROTOCOL_VERSION, text, Some(data));
        return Err((StatusCode::BAD_REQUEST, (message.id, error)));
    }
    Ok(message)
}

/// Whether a client takes JSON: it says so, or says nothing. Only one that names other types alone does not.
fn accepts_json(headers: &HeaderMap) -> bool {
    let mut ranges =
        headers.get_all(ACCEPT).iter().flat_map(|value| value.to_str().unwrap_or_default().split(','));
    let takes = |range: &str| {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let weight =
            parts.find_map(|part| part.strip_prefix("q=")).and_then(|q| q.parse().ok()).unwrap_or(1.0);
        let json = ["application/json", "application/*", "*/*"];
        kind.is_empty() || (weight > 0.0 && json.iter().any(|name| kind.eq_ignore_ascii_case(name)))
    };
    !headers.contains_key(ACCEPT) || ranges.any(takes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_client_that_refuses_json_is_refused() {
        let accepts = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(ACCEPT, HeaderValue::from_str(value).unwrap());
            }
            accepts_json(&headers)
        };
        for values in [
            &[][..],
            &[""],
            &["*/*"],
            &["application/json"],
            &["Application/JSON;q=0.5"],
            &["application/*"],
            &["application/json, text/event-stream"],
            &["text/event-stream", "application/json"],
        ] {
            assert!(accepts(values), "{values:?}");
        }
        for values in
            [&["text/event-stream"][..], &["text/html"], &["application/json;q=0"], &["image/*, text/plain"]]
        {
            assert!(!accepts(values), "{values:?}");
        }
    }
}
