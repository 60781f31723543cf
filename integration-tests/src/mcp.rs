//! A client of MCP that sends one message at a time, as plain HTTP.

use serde_json::{Value, json};

use crate::site::{Reply, Site};

/// The MCP endpoint of a server, with the headers that are sent to it each time.
#[derive(Debug, Clone)]
pub struct Mcp(pub Site);

impl Mcp {
    /// The same with another header.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        Self(self.0.with(name, value))
    }

    /// Posts a body as it is.
    #[must_use]
    pub fn post(&self, body: impl AsRef<[u8]>) -> Reply {
        self.0.with("Content-Type", "application/json").send("POST", "/mcp", body)
    }

    /// Sends a request: its answer, whole.
    ///
    /// # Panics
    /// When it is not the answer to that request.
    #[must_use]
    pub fn ask(&self, method: &str, params: &Value) -> Value {
        let reply =
            self.post(json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).to_string());
        let answer = reply.json();
        assert_eq!((&answer["jsonrpc"], &answer["id"]), (&json!("2.0"), &json!(7)), "{method}: {answer}");
        answer
    }

    /// Sends a request as it is done since 2026-07-28: everything that must be known of the client is in it.
    #[must_use]
    pub fn ask_2026(&self, method: &str, params: &Value) -> Reply {
        const VERSION: &str = "2026-07-28";
        let mut params = params.clone();
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": VERSION,
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        });
        let mut client = self.with("MCP-Protocol-Version", VERSION).with("Mcp-Method", method);
        if let Some(name) = params["name"].as_str() {
            client = client.with("Mcp-Name", name);
        }
        client.post(json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).to_string())
    }

    /// Calls a tool that must succeed: what it answers, which is there as text and as JSON.
    ///
    /// # Panics
    /// When it fails.
    #[expect(clippy::must_use_candidate, reason = "that it succeeds may be all that is wanted")]
    pub fn call(&self, tool: &str, arguments: &Value) -> Value {
        let answer = self.ask("tools/call", &json!({"name": tool, "arguments": arguments}));
        let result = &answer["result"];
        assert_eq!(result["isError"], false, "{tool}: {answer}");
        let text = result["content"][0]["text"].as_str().unwrap();
        let content = &result["structuredContent"];
        assert_eq!(text, content.to_string(), "the text is the JSON, without a byte more");
        content.clone()
    }

    /// Calls a tool that must fail: what it says.
    ///
    /// # Panics
    /// When it succeeds, or says more.
    #[must_use]
    pub fn fails(&self, tool: &str, arguments: &Value) -> String {
        let answer = self.ask("tools/call", &json!({"name": tool, "arguments": arguments}));
        let text = answer["result"]["content"][0]["text"].as_str().unwrap_or_default().to_owned();
        let expected = json!({"content": [{"type": "text", "text": text}], "isError": true});
        assert_eq!(answer["result"], expected, "{tool}: {answer}");
        text
    }
}
