//! What a client posts, as far as it must be known before the protocol's library reads it.

use koor_core::{domain::json::fits, ids::InstanceId};
use rmcp::{ErrorData, model::ErrorCode};
use serde_json::Value;

use crate::calls::instance_named;

/// A message that is JSON-RPC by its form.
#[derive(Debug, PartialEq)]
pub(crate) struct Message {
    /// The id of a request, which its answer repeats; `null` for what is not answered.
    pub(crate) id: Value,
    /// Whether it calls a tool.
    pub(crate) is_call: bool,
    /// The instance that the call of a tool names.
    pub(crate) names: Option<InstanceId>,
}

/// What the values of a message may take up in memory: the tools take some texts each.
const MOST_TREE: usize = 4 << 20;

/// Why a body is no message, and the id that the answer to it carries.
pub(crate) type Refusal = (Value, ErrorData);

impl Message {
    /// Reads a body.
    ///
    /// # Errors
    /// When it is not JSON, or not one message of JSON-RPC 2.0.
    pub(crate) fn read(body: &[u8]) -> Result<Self, Refusal> {
        fits(body, MOST_TREE)
            .map_err(|error| (Value::Null, ErrorData::parse_error(error.to_string(), None)))?;
        let message: Value = serde_json::from_slice(body)
            .map_err(|error| (Value::Null, ErrorData::parse_error(format!("parse error: {error}"), None)))?;
        let refuse = |id: Value, text: &'static str| (id, ErrorData::invalid_request(text, None));
        if message.is_array() {
            return Err(refuse(Value::Null, "batches are not supported: send one message at a time"));
        }
        let Value::Object(mut message) = message else {
            return Err(refuse(Value::Null, "a JSON-RPC message is an object"));
        };
        let id = message.remove("id");
        let echo = id.as_ref().filter(|id| is_id(id)).cloned().unwrap_or_default();
        if message.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
            return Err(refuse(echo, "jsonrpc must be \"2.0\""));
        }
        if id.is_some() && echo.is_null() {
            return Err(refuse(echo, "id must be a string or a whole number"));
        }
        if message.get("params").is_some_and(|params| !params.is_object() && !params.is_null()) {
            return Err((echo, ErrorData::invalid_params("params must be an object", None)));
        }
        let is_answer = message.contains_key("result") || message.contains_key("error");
        match message.get("method") {
            Some(Value::String(method)) => {
                let is_call = method == "tools/call" && !echo.is_null();
                let names = message.get("params").filter(|_| is_call).and_then(|params| {
                    instance_named(params.get("name")?.as_str()?, params.get("arguments")?.as_object()?)
                });
                Ok(Self { id: echo, is_call, names })
            }
            None if is_answer => Err(refuse(echo, "this server asks nothing, so there is nothing to answer")),
            None | Some(_) => Err(refuse(echo, "method must be a string")),
        }
    }
}

/// Whether this can be the id of a request.
fn is_id(id: &Value) -> bool {
    id.is_string() || id.is_i64()
}

/// The code of an error by the status of an answer that says no more than that.
pub(crate) fn code_of(status: http::StatusCode) -> ErrorCode {
    if status.is_server_error() { ErrorCode::INTERNAL_ERROR } else { ErrorCode::INVALID_REQUEST }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(body: &str) -> (Value, i32, String) {
        let (id, error) = Message::read(body.as_bytes()).unwrap_err();
        (id, error.code.0, error.message.into_owned())
    }

    #[test]
    fn messages_are_read_as_far_as_they_must_be() {
        for (body, id, is_call) in [
            (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#, json!(1), true),
            (r#"{"jsonrpc":"2.0","id":"a","method":"tools/list"}"#, json!("a"), false),
            (r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, json!(null), false),
            (r#"{"jsonrpc":"2.0","method":"tools/call"}"#, json!(null), false),
        ] {
            let names = None;
            assert_eq!(Message::read(body.as_bytes()).unwrap(), Message { id, is_call, names }, "{body}");
        }
    }

    #[test]
    fn a_call_names_an_instance_by_the_argument_of_its_tool() {
        let id = "7b0c1c62-1f0e-4c40-9d0a-3a1f6f3c2b11";
        let concerned = |tool: &str, argument: &str, value: &str| {
            let params = json!({"name": tool, "arguments": {argument: value}});
            let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
            Message::read(body.to_string().as_bytes()).unwrap().names
        };
        let named = Some(id.parse().unwrap());
        assert_eq!(concerned("set_intent", "instance_id", id), named);
        assert_eq!(concerned("propose_rule", "proposed_by", &format!(" {id} ")), named);
        assert_eq!(concerned("set_intent", "instance_id", "frontend"), None);
        assert_eq!(concerned("set_intent", "proposed_by", id), None);
        assert_eq!(concerned("register_instance", "instance_id", id), None);
    }

    #[test]
    fn what_is_no_message_is_refused_with_the_id_it_has() {
        for (body, id, code, text) in [
            ("", json!(null), -32700, "parse error: EOF while parsing a value at line 1 column 0"),
            ("{", json!(null), -32700, "parse error: EOF while parsing an object at line 1 column 1"),
            ("[]", json!(null), -32600, "batches are not supported: send one message at a time"),
            ("7", json!(null), -32600, "a JSON-RPC message is an object"),
            ("{}", json!(null), -32600, "jsonrpc must be \"2.0\""),
            (r#"{"jsonrpc":"1.0","id":3}"#, json!(3), -32600, "jsonrpc must be \"2.0\""),
            (r#"{"jsonrpc":"2.0","id":3}"#, json!(3), -32600, "method must be a string"),
            (r#"{"jsonrpc":"2.0","id":3,"method":1}"#, json!(3), -32600, "method must be a string"),
            (
                r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
                json!(null),
                -32600,
                "id must be a string or a whole number",
            ),
            (
                r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
                json!(null),
                -32600,
                "id must be a string or a whole number",
            ),
            (
                r#"{"jsonrpc":"2.0","id":3,"method":"ping","params":[]}"#,
                json!(3),
                -32602,
                "params must be an object",
            ),
            (
                r#"{"jsonrpc":"2.0","id":3,"result":{}}"#,
                json!(3),
                -32600,
                "this server asks nothing, so there is nothing to answer",
            ),
        ] {
            assert_eq!(refused(body), (id, code, text.to_owned()), "{body}");
        }
    }
}
