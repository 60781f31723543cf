//! The MCP clients, and how each of them wants to be told of a server.

use clap::ValueEnum;
use serde_json::{Map, Value, json};

/// The name of the entry.
pub(crate) const NAME: &str = "koor";

/// An MCP client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Client {
    ClaudeCode,
    Cursor,
    Vscode,
    Kilo,
    Codex,
    Gemini,
    Opencode,
    Windsurf,
    /// Any other that knows the usual form
    Generic,
}

/// A file in which a client looks for servers, and the form in which it wants to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct File {
    /// In the directory of a project; for a client that has none there, words for a person.
    pub(crate) path: &'static str,
    /// Under which name the file lists the servers.
    pub(crate) list: &'static str,
    form: Form,
}

/// How an entry says where the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Http,
    /// Kilo Code takes no other word for it in this file, and refuses an entry without one.
    StreamableHttp,
    /// opencode and Kilo Code's newer file: an entry is off unless it says that it is on.
    Remote,
    ServerUrl,
    /// Gemini CLI, where `url` alone means the older transport.
    HttpUrl,
    /// Codex: TOML, with headers under a name of its own.
    Codex,
}

const fn file(path: &'static str, list: &'static str, form: Form) -> File {
    File { path, list, form }
}

const CLAUDE: File = file(".mcp.json", "mcpServers", Form::Http);
const CURSOR: File = file(".cursor/mcp.json", "mcpServers", Form::Http);
const VSCODE: File = file(".vscode/mcp.json", "servers", Form::Http);
const KILO: [File; 2] = [
    file(".kilocode/mcp.json", "mcpServers", Form::StreamableHttp),
    file(".kilo/kilo.json", "mcp", Form::Remote),
];

const GEMINI: File = file(".gemini/settings.json", "mcpServers", Form::HttpUrl);
const OPENCODE: File = file("opencode.json", "mcp", Form::Remote);

/// Every file that a workspace of the wizard has.
pub(crate) const OF_WORKSPACES: [File; 5] = [CLAUDE, CURSOR, VSCODE, KILO[0], KILO[1]];

impl Client {
    /// Its files in the directory of a project.
    pub(crate) fn files(self) -> &'static [File] {
        match self {
            Self::ClaudeCode => &[CLAUDE],
            Self::Cursor => &[CURSOR],
            Self::Vscode => &[VSCODE],
            Self::Kilo => &KILO,
            Self::Gemini => &[GEMINI],
            Self::Opencode => &[OPENCODE],
            Self::Codex | Self::Windsurf | Self::Generic => &[],
        }
    }

    /// The file for which an entry is printed.
    pub(crate) fn printed(self) -> File {
        match self {
            Self::ClaudeCode => CLAUDE,
            Self::Cursor => CURSOR,
            Self::Vscode => VSCODE,
            Self::Kilo => KILO[0],
            Self::Gemini => GEMINI,
            Self::Opencode => OPENCODE,
            Self::Codex => file("~/.codex/config.toml", "mcp_servers", Form::Codex),
            Self::Windsurf => file("~/.codeium/windsurf/mcp_config.json", "mcpServers", Form::ServerUrl),
            Self::Generic => file("the client's MCP settings", "mcpServers", Form::Http),
        }
    }
}

impl File {
    /// What the client must know of the server at that URL.
    pub(crate) fn entry(self, server: &str, token: Option<&str>) -> Map<String, Value> {
        let url = json!(format!("{server}/mcp"));
        let mut entry = Map::new();
        match self.form {
            Form::Http => drop(entry.insert("type".to_owned(), json!("http"))),
            Form::StreamableHttp => drop(entry.insert("type".to_owned(), json!("streamable-http"))),
            Form::Remote => {
                entry.insert("type".to_owned(), json!("remote"));
                entry.insert("enabled".to_owned(), json!(true));
            }
            Form::ServerUrl | Form::HttpUrl | Form::Codex => {}
        }
        let key = match self.form {
            Form::ServerUrl => "serverUrl",
            Form::HttpUrl => "httpUrl",
            Form::Http | Form::StreamableHttp | Form::Remote | Form::Codex => "url",
        };
        entry.insert(key.to_owned(), url);
        if let Some(token) = token {
            let headers = if self.form == Form::Codex { "http_headers" } else { "headers" };
            entry.insert(headers.to_owned(), json!({"Authorization": format!("Bearer {token}")}));
        }
        entry
    }

    /// What belongs into the file, as a person pastes it.
    pub(crate) fn snippet(self, server: &str, token: Option<&str>) -> String {
        let entry = self.entry(server, token);
        if self.form != Form::Codex {
            return format!("{:#}", json!({self.list: {NAME: entry}}));
        }
        // A JSON text is a TOML text, too, for what a URL and a token are made of.
        let mut text = format!("[{}.{NAME}]", self.list);
        for (key, value) in &entry {
            let value = match value.get("Authorization") {
                Some(header) => format!("{{ Authorization = {header} }}"),
                None => value.to_string(),
            };
            text.extend(["\n", key, " = ", &value]);
        }
        text
    }
}
