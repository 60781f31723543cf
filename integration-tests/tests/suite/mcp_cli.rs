//! `koor mcp`: what clients must be told, and MCP over stdin and stdout.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use integration_tests::{Server, Start, koor};
use serde_json::{Value, json};
use tempfile::TempDir;

const TOKEN: &str = "the-server-token";

/// A command in that directory, without settings from outside.
fn command(directory: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(koor());
    command.args(args).current_dir(directory).env_remove("KOOR_SERVER").env_remove("KOOR_TOKEN");
    command.env("XDG_CONFIG_HOME", directory.join("nothing"));
    command
}

/// How a command ended: its exit code, its stdout and its stderr.
fn run(directory: &Path, args: &[&str]) -> (i32, String, String) {
    let ended = command(directory, args).stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (ended.status.code().unwrap(), text(ended.stdout), text(ended.stderr))
}

/// What a command prints that must succeed, as JSON.
fn printed(directory: &Path, args: &[&str]) -> Value {
    let (code, out, err) = run(directory, args);
    assert_eq!(code, 0, "{args:?}: {err}");
    serde_json::from_str(&out).unwrap()
}

#[test]
fn each_client_is_told_in_its_own_words() {
    let directory = TempDir::new().unwrap();
    let url = "http://build-box:9800/mcp";
    let http = json!({"type": "http", "url": url, "headers": {"Authorization": "Bearer t"}});
    for (client, expected) in [
        ("claude-code", json!({"mcpServers": {"koor": http}})),
        ("cursor", json!({"mcpServers": {"koor": http}})),
        ("vscode", json!({"servers": {"koor": http}})),
        ("generic", json!({"mcpServers": {"koor": http}})),
        (
            "kilo",
            json!({"mcpServers": {"koor": {"type": "streamable-http", "url": url, "headers": http["headers"]}}}),
        ),
        ("gemini", json!({"mcpServers": {"koor": {"httpUrl": url, "headers": http["headers"]}}})),
        (
            "opencode",
            json!({"mcp": {"koor": {"type": "remote", "enabled": true, "url": url, "headers": http["headers"]}}}),
        ),
        ("windsurf", json!({"mcpServers": {"koor": {"serverUrl": url, "headers": http["headers"]}}})),
    ] {
        // No server is at that address: what is printed does not depend on it.
        let args = ["mcp", "config", client, "--server", "http://build-box:9800", "--token", "t"];
        assert_eq!(printed(directory.path(), &args), expected, "{client}");
    }
    let args = ["mcp", "config", "codex", "--server", "http://build-box:9800", "--token", "t"];
    let codex =
        format!("[mcp_servers.koor]\nhttp_headers = {{ Authorization = \"Bearer t\" }}\nurl = \"{url}\"\n");
    assert_eq!(run(directory.path(), &args).1, codex);
    let bare = printed(directory.path(), &["mcp", "config", "claude-code", "--server", "localhost:1"]);
    assert_eq!(bare["mcpServers"]["koor"], json!({"type": "http", "url": "http://localhost:1/mcp"}));
}

#[test]
fn the_servers_own_token_is_written_into_no_project() {
    let server = Start::default().args(["--auth-token", TOKEN]).start().unwrap();
    let directory = TempDir::new().unwrap();
    let args = ["mcp", "config", "cursor", "--write", "--server", &server.api, "--token", TOKEN];
    let (code, out, err) = run(directory.path(), &args);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("koor register NAME"), "{err}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    let args = ["register", "a", "--server", &server.api, "--token", TOKEN];
    let own = printed(directory.path(), &args)["token"].as_str().unwrap().to_owned();
    assert_eq!(run(directory.path(), &["mcp", "config", "cursor", "--write"]).0, 0);
    let file = fs::read_to_string(directory.path().join(".cursor/mcp.json")).unwrap();
    assert!(file.contains(&format!("Bearer {own}")) && !file.contains(TOKEN), "{file}");
}

#[test]
fn whoever_lacks_the_token_is_told_so() {
    let server = Start::default().args(["--auth-token", TOKEN]).start().unwrap();
    let directory = TempDir::new().unwrap();
    for (token, said) in [
        (&[][..], "the server asks for a token, and none is set"),
        (&["--token", "wrong"], "the server does not take this token"),
        (&["--token", TOKEN], "this holds the server's own token"),
    ] {
        let args = [&["mcp", "config", "cursor", "--server", &server.api][..], token].concat();
        let (code, _, err) = run(directory.path(), &args);
        assert_eq!(code, 0);
        assert!(err.contains(said), "{err}");
    }
}

#[test]
fn an_entry_is_merged_and_nothing_else_is_touched() {
    let directory = TempDir::new().unwrap();
    let at = |name: &str| directory.path().join(name);
    for (client, file, more) in [
        ("claude-code", ".mcp.json", ""),
        ("cursor", ".cursor/mcp.json", ""),
        ("vscode", ".vscode/mcp.json", ""),
        ("kilo", ".kilocode/mcp.json", ".kilo/kilo.json\n"),
        ("gemini", ".gemini/settings.json", ""),
        ("opencode", "opencode.json", ""),
    ] {
        let args = ["mcp", "config", client, "--write", "--server", "localhost:1"];
        let (code, out, err) = run(directory.path(), &args);
        assert_eq!((code, out.as_str()), (0, format!("{file}\n{more}").as_str()), "{err}");
        let made: Value = serde_json::from_str(&fs::read_to_string(at(file)).unwrap()).unwrap();
        assert_eq!(made, printed(directory.path(), &["mcp", "config", client, "--server", "localhost:1"]));
    }
    let kilo: Value = serde_json::from_str(&fs::read_to_string(at(".kilo/kilo.json")).unwrap()).unwrap();
    let entry = json!({"type": "remote", "enabled": true, "url": "http://localhost:1/mcp"});
    assert_eq!(kilo, json!({"mcp": {"koor": entry}}));
    let before = "{\n  \"z\": 1.50,\n  \"mcpServers\": {\n    \"other\": {\"command\":   \"x\"}\n  }\n}\n";
    fs::write(at(".mcp.json"), before).unwrap();
    let args = ["mcp", "config", "claude-code", "--write", "--server", "localhost:1", "--token", "t"];
    let (code, _, err) = run(directory.path(), &args);
    assert_eq!(code, 0);
    assert!(err.contains("keep it out of version control"), "{err}");
    let after = fs::read_to_string(at(".mcp.json")).unwrap();
    assert!(
        after.contains("\"z\": 1.50,") && after.contains("\"other\": {\"command\":   \"x\"},"),
        "{after}"
    );
    assert!(after.contains("Bearer t"), "{after}");
    let left: Vec<_> =
        fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 7, "nothing is left lying about: {left:?}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(at(".mcp.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "it holds a token");
    }
}

#[test]
fn what_cannot_be_merged_is_left_as_it_is() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join(".mcp.json");
    for text in ["{\n  mine: 1\n}\n", "[]", "{\"mcpServers\": 7}", "not JSON"] {
        fs::write(&file, text).unwrap();
        let (code, out, err) = run(directory.path(), &["mcp", "config", "claude-code", "--write"]);
        assert_eq!((code, out.as_str()), (1, ""), "{text}");
        assert!(err.starts_with("koor: cannot change .mcp.json: ") && err.lines().count() == 1, "{err}");
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
    for client in ["windsurf", "generic", "codex"] {
        let (code, _, err) = run(directory.path(), &["mcp", "config", client, "--write"]);
        assert_eq!(code, 2, "{err}");
    }
}

/// A client that has started `koor mcp stdio`.
struct Speaker {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Speaker {
    fn start(directory: &Path, args: &[&str]) -> Self {
        let mut child = command(directory, &[&["mcp", "stdio"][..], args].concat())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let to = child.stdin.take().unwrap();
        let from = BufReader::new(child.stdout.take().unwrap());
        Self { child, to, from }
    }

    fn tell(&mut self, line: &str) {
        writeln!(self.to, "{line}").unwrap();
    }

    fn ask(&mut self, line: &str) -> Value {
        self.tell(line);
        let mut answer = String::new();
        self.from.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    /// Ends the conversation as clients do: by closing it.
    fn end(mut self) -> Option<i32> {
        drop(self.to);
        self.child.wait().unwrap().code()
    }
}

const HELLO: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
const LIST: &str = r#"{"jsonrpc":"2.0","id":"l","method":"tools/list"}"#;

#[test]
fn the_five_tools_are_there_over_stdio_too() {
    let server = Start::default().args(["--auth-token", TOKEN]).start().unwrap();
    let directory = TempDir::new().unwrap();
    let mut client = Speaker::start(directory.path(), &["--server", &server.api, "--token", TOKEN]);
    assert_eq!(client.ask(HELLO)["result"]["protocolVersion"], "2025-06-18");
    // Nothing answers a notification: the next line belongs to the next request.
    client.tell(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    client.tell("");
    let listed = client.ask(LIST);
    assert_eq!((&listed["id"], listed["result"]["tools"].as_array().map(Vec::len)), (&json!("l"), Some(5)));
    let register = json!({"name": "register_instance", "arguments": {"name": "by-stdio"}});
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": register});
    assert_eq!(client.ask(&call.to_string())["result"]["structuredContent"]["name"], "by-stdio");
    assert_eq!(client.ask("[]")["error"]["code"], -32600);
    assert_eq!(client.ask("{")["error"]["code"], -32700);
    assert_eq!(client.ask(&"x".repeat(3 << 20))["error"]["code"], -32700);
    assert_eq!(client.ask(LIST)["id"], "l", "and goes on");
    assert_eq!(client.end(), Some(0));
    let known = server.site().token(TOKEN).get("/api/instances?name=by-stdio").ok();
    assert_eq!(known.as_array().map(Vec::len), Some(1));
}

#[test]
fn stdio_says_what_is_wrong_and_outlives_the_server() {
    let server = Start::default().args(["--auth-token", TOKEN]).start().unwrap();
    let directory = TempDir::new().unwrap();
    let mut stranger = Speaker::start(directory.path(), &["--server", &server.api]);
    let refused = stranger.ask(LIST);
    assert_eq!(refused["error"]["message"], "the server answers 401: invalid or missing bearer token");
    assert_eq!(stranger.end(), Some(0));
    let mut client = Speaker::start(directory.path(), &["--server", &server.api, "--token", TOKEN]);
    assert!(client.ask(HELLO)["result"].is_object());
    let (api, data) = (server.api.clone(), std::sync::Arc::clone(server.directory()));
    assert_eq!(server.stop().code, Some(0));
    let gone = client.ask(LIST);
    assert_eq!((&gone["id"], &gone["error"]["code"]), (&json!("l"), &json!(-32000)));
    let message = gone["error"]["message"].as_str().unwrap();
    assert!(message.contains("connection refused") && message.contains("koor serve"), "{message}");
    let place = api.trim_start_matches("http://");
    let args = ["--bind", place, "--dashboard-bind", "", "--auth-token", TOKEN];
    let again: Server = Start::default().no_ports().args(args).within(&data).start().unwrap();
    assert_eq!(client.ask(LIST)["result"]["tools"].as_array().map(Vec::len), Some(5));
    assert_eq!(client.end(), Some(0));
    drop(again);
}
