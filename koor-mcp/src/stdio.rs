//! MCP over stdin and stdout, for clients that can't speak HTTP: one message a line, each passed on to a server.
//!
//! A [`Bridge`] knows the protocol and no network: its owner posts what [`Bridge::ask`] makes of a line, and hands
//! what came back to [`Bridge::answer`].

use serde_json::{Value, json};

use crate::message::Message;

/// Where a message says by which version it is meant.
const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";

/// The code of an error that is neither the client's nor the server's: they did not come together.
const NO_WAY: i32 = -32000;

/// One conversation between a client and a server.
#[derive(Debug, Default)]
pub struct Bridge {
    /// The version that was agreed on, where there was a handshake.
    version: Option<String>,
}

/// A message that is to be posted to the server.
#[derive(Debug, PartialEq, Eq)]
pub struct Post {
    /// The headers that say over HTTP what the message says itself.
    pub headers: Vec<(&'static str, String)>,
    id: Value,
    is_handshake: bool,
}

impl Bridge {
    /// Makes something to post of a line.
    ///
    /// # Errors
    /// The line that answers it at once, when it is no message.
    pub fn ask(&self, line: &[u8]) -> Result<Post, String> {
        let Message { id, .. } = Message::read(line)
            .map_err(|(id, error)| json!({"jsonrpc": "2.0", "id": id, "error": error}).to_string())?;
        let message: Value = serde_json::from_slice(line).unwrap_or_default();
        let text = |value: &Value| value.as_str().filter(|text| is_plain(text)).map(str::to_owned);
        let method = text(&message["method"]).unwrap_or_default();
        let params = &message["params"];
        let is_handshake = method == "initialize";
        let mut headers = Vec::new();
        let own = text(&params["_meta"][VERSION_KEY]);
        if let Some(version) = own.or_else(|| self.version.clone()).filter(|_| !is_handshake) {
            headers.push(("MCP-Protocol-Version", version));
            headers.extend(text(&params["name"]).map(|name| ("Mcp-Name", name)));
            headers.push(("Mcp-Method", method));
        }
        Ok(Post { headers, id, is_handshake })
    }

    /// The line that the client gets for what the server answered; none where there is nothing to say.
    pub fn answer(&mut self, post: &Post, status: u16, body: &[u8]) -> Option<String> {
        if body.is_empty() && (200..300).contains(&status) {
            return None;
        }
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        if answer["jsonrpc"] != "2.0" {
            let why = answer["error"].as_str().unwrap_or("no answer in JSON-RPC");
            return post.failed(&format!("the server answers {status}: {why}"));
        }
        if post.is_handshake
            && let Some(version) = answer["result"]["protocolVersion"].as_str()
        {
            self.version = Some(version.to_owned());
        }
        // However it came, it goes on as one line.
        match std::str::from_utf8(body) {
            Ok(line) if !line.contains(['\n', '\r']) => Some(line.to_owned()),
            Ok(_) | Err(_) => Some(answer.to_string()),
        }
    }
}

impl Post {
    /// The line that the client gets when no answer can be had; none where it waits for none.
    #[must_use]
    pub fn failed(&self, why: &str) -> Option<String> {
        let error = json!({"code": NO_WAY, "message": why});
        (!self.id.is_null()).then(|| json!({"jsonrpc": "2.0", "id": self.id, "error": error}).to_string())
    }
}

/// Whether a text can stand in a header as it is.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.len() <= 256 && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(bridge: &Bridge, message: &Value) -> Post {
        bridge.ask(message.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn what_was_agreed_on_is_said_with_every_message_after_it() {
        let mut bridge = Bridge::default();
        let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": "2025-11-25"}});
        let asked = post(&bridge, &hello);
        assert_eq!(asked.headers, []);
        let body = "{\"jsonrpc\":\"2.0\",\n\"id\":0,\"result\":{\"protocolVersion\":\"2025-06-18\"}}";
        let line = bridge.answer(&asked, 200, body.as_bytes()).unwrap();
        assert!(!line.contains('\n'), "{line}");
        let told = post(&bridge, &json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        let version = ("MCP-Protocol-Version", "2025-06-18".to_owned());
        assert_eq!(told.headers, [version, ("Mcp-Method", "notifications/initialized".to_owned())]);
        assert_eq!(bridge.answer(&told, 202, b""), None);
    }

    #[test]
    fn a_message_that_says_its_version_is_meant_so() {
        let call = json!({
            "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": "set_intent", "_meta": {VERSION_KEY: "2026-07-28"}},
        });
        let expected = [
            ("MCP-Protocol-Version", "2026-07-28".to_owned()),
            ("Mcp-Name", "set_intent".to_owned()),
            ("Mcp-Method", "tools/call".to_owned()),
        ];
        assert_eq!(post(&Bridge::default(), &call).headers, expected);
        let strange = json!({
            "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": "a\r\nX: y", "_meta": {VERSION_KEY: "2026\n"}},
        });
        assert_eq!(post(&Bridge::default(), &strange).headers, []);
    }

    #[test]
    fn what_goes_wrong_is_told_to_whoever_waits_for_an_answer() {
        let mut bridge = Bridge::default();
        let refused = bridge.ask(b"{").unwrap_err();
        assert!(refused.contains("-32700") && refused.contains("\"id\":null"), "{refused}");
        let asked = post(&bridge, &json!({"jsonrpc": "2.0", "id": "a", "method": "ping"}));
        let body = br#"{"error":"invalid or missing bearer token","code":401}"#;
        let expected = json!({
            "jsonrpc": "2.0", "id": "a",
            "error": {"code": -32000, "message": "the server answers 401: invalid or missing bearer token"},
        });
        assert_eq!(bridge.answer(&asked, 401, body), Some(expected.to_string()));
        let told = post(&bridge, &json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        assert_eq!(told.failed("no server there"), None);
    }
}
