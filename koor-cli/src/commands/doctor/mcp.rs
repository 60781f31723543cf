//! The endpoint that agents' tools connect to.

use serde_json::{Value, json};

use super::findings::{Finding, Findings};
use crate::{
    client::{Answer, Client},
    exit::Failure,
};

const NAME: &str = "mcp";

/// The protocol version that is offered. A server that knows others answers with one of its own.
const PROTOCOL: &str = "2025-06-18";

/// Shakes hands as a client would, and asks for the tools.
pub(super) fn look(client: &Client, findings: &mut Findings) {
    findings.add(match shake_hands(client) {
        Ok(found) => found,
        Err(failure) if failure.status() == Some(404) => Finding::fail(
            NAME,
            format!("there is none at {}/mcp", client.server()),
            "use a server that has one: agents find its tools there",
        ),
        Err(failure) => {
            Finding::fail(NAME, failure.text(), "look into the server's log, and into proxies in between")
        }
    });
}

fn shake_hands(client: &Client) -> Result<Finding, Failure> {
    let hello = json!({
        "protocolVersion": PROTOCOL,
        "capabilities": {},
        "clientInfo": {"name": "koor-doctor", "version": env!("CARGO_PKG_VERSION")},
    });
    let begun =
        call(client, None, &json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}))?;
    let session =
        Session { protocol: begun.result["protocolVersion"].as_str().unwrap_or(PROTOCOL), id: begun.session };
    let asked = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"});
    let listed = call(client, Some(&session), &asked)?;
    let tools: Vec<_> = listed.result["tools"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|tool| tool["name"].as_str())
        .collect();
    if tools.is_empty() {
        return Ok(Finding::fail(
            NAME,
            "it answers, and has no tools",
            "use the server's version of this program",
        ));
    }
    Ok(Finding::ok(
        NAME,
        format!("it speaks {} and has {} tools: {}", session.protocol, tools.len(), tools.join(", ")),
    ))
}

struct Session<'a> {
    protocol: &'a str,
    id: Option<String>,
}

struct Called {
    result: Value,
    session: Option<String>,
}

fn call(client: &Client, session: Option<&Session<'_>>, message: &Value) -> Result<Called, Failure> {
    let answer = client
        .post("/mcp")
        .json(message)?
        .header("Accept", "application/json, text/event-stream".to_owned())
        .header("MCP-Protocol-Version", session.map(|session| session.protocol.to_owned()))
        .header("Mcp-Session-Id", session.and_then(|session| session.id.clone()))
        .send()?;
    let session = answer.header("mcp-session-id").map(str::to_owned);
    let said = said(answer)?;
    match said.get("result") {
        Some(result) => Ok(Called { result: result.clone(), session }),
        None => Err(Failure::refused(format!("it answers {said} to {}", message["method"]))),
    }
}

/// What was answered: as JSON, or as the first event of a stream.
fn said(answer: Answer) -> Result<Value, Failure> {
    if answer.is_json() {
        return answer.json();
    }
    let text = answer.bytes()?;
    let text = String::from_utf8_lossy(&text);
    text.lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .find_map(|data| serde_json::from_str(data.trim()).ok())
        .ok_or_else(|| Failure::refused("it does not answer as MCP servers do"))
}
