//! What is wrong with a message is said as the specification wants it, and nothing of the inside is said with it.

use integration_tests::{Mcp, Server, Shared, Start};
use serde_json::{Value, json};

static SERVER: Shared = Shared::new();

fn mcp() -> (std::sync::Arc<Server>, Mcp) {
    let server = SERVER.server();
    let mcp = Mcp(server.site());
    (server, mcp)
}

/// What no client may read.
const INSIDE: [&str; 9] =
    ["serde", "variant", "enum ", "rmcp", "sqlite", "data.db", ".rs", "panicked", "\\n"];

fn holds_nothing_of_the_inside(text: &str) {
    for part in INSIDE {
        assert!(!text.contains(part), "{part:?} in {text}");
    }
}

#[test]
fn what_is_no_json_rpc_is_refused_with_its_code() {
    let (_server, mcp) = mcp();
    for (body, status, code, id) in [
        ("", 400, -32700, json!(null)),
        ("{", 400, -32700, json!(null)),
        ("\u{0}\u{1}", 400, -32700, json!(null)),
        ("<xml/>", 400, -32700, json!(null)),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping"} {}"#, 400, -32700, json!(null)),
        ("null", 400, -32600, json!(null)),
        ("[]", 400, -32600, json!(null)),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, 400, -32600, json!(null)),
        ("{}", 400, -32600, json!(null)),
        (r#"{"id":1,"method":"ping"}"#, 400, -32600, json!(1)),
        (r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#, 400, -32600, json!(1)),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, 400, -32600, json!(1)),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, 400, -32600, json!(null)),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, 400, -32600, json!(null)),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, 400, -32600, json!(null)),
        (r#"{"jsonrpc":"2.0","id":18446744073709551615,"method":"ping"}"#, 400, -32600, json!(null)),
        (r#"{"jsonrpc":"2.0","id":"a","method":7}"#, 400, -32600, json!("a")),
        (r#"{"jsonrpc":"2.0","id":"a"}"#, 400, -32600, json!("a")),
        (r#"{"jsonrpc":"2.0","id":"a","result":{}}"#, 400, -32600, json!("a")),
        (r#"{"jsonrpc":"2.0","id":1,"method":"nothing"}"#, 200, -32601, json!(1)),
        (r#"{"jsonrpc":"2.0","id":1,"method":""}"#, 200, -32601, json!(1)),
        (r#"{"jsonrpc":"2.0","id":1,"method":"prompts/list"}"#, 200, -32601, json!(1)),
        (r#"{"jsonrpc":"2.0","id":1,"method":"resources/list"}"#, 200, -32601, json!(1)),
        (r#"{"jsonrpc":"2.0","id":1,"method":"resources/templates/list"}"#, 200, -32601, json!(1)),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"info"}}"#,
            200,
            -32601,
            json!(1),
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#, 200, -32602, json!(1)),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[]}"#, 400, -32602, json!(1)),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7}}"#, 200, -32602, json!(1)),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"nothing"}}"#,
            200,
            -32602,
            json!(1),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"set_intent","arguments":"x"}}"#,
            200,
            -32602,
            json!(1),
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":"x"}"#, 400, -32602, json!(1)),
        (r#"{"jsonrpc":"2.0","id":1,"method":"initialize"}"#, 200, -32602, json!(1)),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":1}}"#,
            200,
            -32602,
            json!(1),
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":"server/discover"}"#, 200, -32602, json!(1)),
    ] {
        let reply = mcp.post(body);
        let answer = reply.gives(status);
        assert_eq!(
            (&answer["jsonrpc"], &answer["error"]["code"], &answer["id"]),
            (&json!("2.0"), &json!(code), &id),
            "{body}: {answer}"
        );
        holds_nothing_of_the_inside(&answer.to_string());
    }
}

#[test]
fn a_batch_of_ten_thousand_is_refused_as_a_whole() {
    let (server, mcp) = mcp();
    let one = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "register_instance", "arguments": {"name": "many"}}});
    let batch = Value::Array(vec![one; 10_000]);
    let reply = mcp.post(batch.to_string());
    assert_eq!(reply.gives(413)["error"]["message"], "message over 1048576 bytes");
    let small = Value::Array(vec![json!(1); 10_000]);
    let answer = mcp.post(small.to_string()).gives(400);
    assert_eq!(answer["error"]["message"], "batches are not supported: send one message at a time");
    assert_eq!(server.site().get("/api/instances?name=many").ok(), json!([]));
}

#[test]
fn a_deep_or_long_message_does_no_harm() {
    let (_server, mcp) = mcp();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(mcp.post(deep).gives(400)["error"]["code"], -32700);
    let long = |bytes: usize| {
        let arguments = json!({"name": "register_instance", "arguments": {"name": "n".repeat(bytes)}});
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": arguments}).to_string()
    };
    let answer = mcp.post(long(1_000_000)).ok();
    assert_eq!(answer["result"]["isError"], true, "{}", answer.to_string().len());
    assert!(answer.to_string().len() < 500, "a refusal does not repeat what was sent");
    assert_eq!(mcp.post(long(1 << 20)).gives(413)["error"]["code"], -32600);
    // Beyond what any body may be, the answer is that of every other path.
    mcp.post(long(11 << 20)).says(413, "body over");
}

#[test]
fn clients_are_served_whatever_they_say_they_read_or_send() {
    let (_server, mcp) = mcp();
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    for accept in
        ["application/json", "*/*", "application/json, text/event-stream", "text/event-stream, */*;q=0.1"]
    {
        assert_eq!(mcp.with("Accept", accept).post(ping).ok()["result"], json!({}), "{accept}");
    }
    assert_eq!(mcp.0.send("POST", "/mcp", ping).ok()["result"], json!({}), "without Content-Type and Accept");
    let form = mcp.0.with("Content-Type", "application/x-www-form-urlencoded").send("POST", "/mcp", ping);
    assert_eq!(form.ok()["result"], json!({}), "as curl -d sends it");
    for accept in ["text/event-stream", "text/html", "application/json;q=0"] {
        let answer = mcp.with("Accept", accept).post(ping).gives(406);
        assert_eq!(answer["error"]["message"], "not acceptable: answers are application/json", "{accept}");
    }
}

#[test]
fn other_methods_are_refused_as_the_specification_allows() {
    let (_server, mcp) = mcp();
    for method in ["GET", "DELETE", "PUT", "PATCH"] {
        let reply = mcp.0.with("Accept", "text/event-stream").send(method, "/mcp", "");
        reply.refused(405, "method not allowed (use OPTIONS, POST)");
        assert_eq!(reply.header("allow"), Some("OPTIONS, POST"));
    }
}

#[test]
fn a_session_id_that_nobody_gave_out_is_nothing_to_a_server_without_sessions() {
    let (_server, mcp) = mcp();
    for id in ["1f2e3d4c-0000-4000-8000-000000000000", "../../etc/passwd", "x y"] {
        let reply = mcp.with("Mcp-Session-Id", id).post(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
        assert_eq!(reply.ok()["result"]["tools"].as_array().map(Vec::len), Some(5));
        assert_eq!(reply.header("mcp-session-id"), None);
        mcp.0
            .with("Mcp-Session-Id", id)
            .delete("/mcp")
            .refused(405, "method not allowed (use OPTIONS, POST)");
    }
}

#[test]
fn a_version_that_nobody_knows_is_refused_with_those_that_are_known() {
    let (_server, mcp) = mcp();
    for version in ["1999-01-01", "latest", ""] {
        let answer = mcp
            .with("MCP-Protocol-Version", version)
            .post(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#)
            .gives(400);
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(1), &json!(-32022)));
        assert_eq!(answer["error"]["data"]["requested"], version);
        assert_eq!(answer["error"]["data"]["supported"].as_array().map(Vec::len), Some(5));
    }
}

#[test]
fn headers_that_contradict_the_message_are_refused() {
    let (_server, mcp) = mcp();
    let call = json!({"name": "get_endpoints"});
    for (name, value) in
        [("Mcp-Method", "tools/list"), ("Mcp-Name", "set_intent"), ("MCP-Protocol-Version", "2025-11-25")]
    {
        // The last header of that name would be one too many: the test's own comes first.
        let reply = mcp.with(name, value).ask_2026("tools/call", &call);
        let answer = reply.gives(400);
        assert_eq!(answer["error"]["code"], -32020, "{name}: {answer}");
    }
}

#[test]
fn a_page_from_elsewhere_and_a_name_that_is_not_ours_are_refused() {
    let (server, mcp) = mcp();
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    for origin in ["http://evil.example", "null", "http://localhost.evil.example"] {
        mcp.with("Origin", origin).post(ping).refused(403, &format!("origin not allowed: {origin}"));
    }
    mcp.with("Host", "evil.example").post(ping).refused(403, "host not allowed: evil.example");
    assert_eq!(mcp.with("Origin", &server.api).post(ping).ok()["result"], json!({}));
}

#[test]
fn a_client_that_is_not_let_in_learns_nothing() {
    let server = Start::default().args(["--auth-token", "secret-of-the-server"]).start().unwrap();
    let mcp = Mcp(server.site());
    for body in [r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#, "{", "[]"] {
        let reply = mcp.post(body);
        reply.refused(401, "invalid or missing bearer token");
    }
    let log = server.log().join("\n");
    assert!(!log.contains("secret-of-the-server"), "{log}");
}

#[test]
fn what_clients_send_wrong_does_not_fill_the_log() {
    let server = Server::start();
    let mcp = Mcp(server.site());
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"method":"a-marker"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a-marker"}}"#,
    ] {
        mcp.post(body).ok();
    }
    let log = server.log().join("\n");
    assert!(!log.contains("a-marker") && !log.contains("rmcp"), "{log}");
}
