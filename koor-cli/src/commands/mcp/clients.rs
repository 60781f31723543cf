//! The MCP clients, and how each of them wants to be told of a server.

use clap::ValueEnum;
use serde_json::{Map, Value, json};

/// The name of the entry.
pub(super) const NAME: &str = "koor";

/// An MCP client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Client {
    ClaudeCode,
    Cursor,
    Vscode,
    Kilo,
    Windsurf,
    /// Any other that knows the usual form
    Generic,
}

impl Client {
    /// Its file in the directory of a project, if it has one.
    pub(super) fn file(self) -> Option<&'static str> {
        match self {
            Self::ClaudeCode => Some(".mcp.json"),
            Self::Cursor => Some(".cursor/mcp.json"),
            Self::Vscode => Some(".vscode/mcp.json"),
            Self::Kilo => Some(".kilocode/mcp.json"),
            Self::Windsurf | Self::Generic => None,
        }
    }

    /// Where its entry belongs, for a person.
    pub(super) fn place(self) -> &'static str {
        match self {
            Self::Windsurf => "~/.codeium/windsurf/mcp_config.json",
            Self::Generic => "the client's MCP settings",
            Self::ClaudeCode | Self::Cursor | Self::Vscode | Self::Kilo => self.file().unwrap_or_default(),
        }
    }

    /// Under which name its file lists the servers.
    pub(super) fn list(self) -> &'static str {
        match self {
            Self::Vscode => "servers",
            Self::ClaudeCode | Self::Cursor | Self::Kilo | Self::Windsurf | Self::Generic => "mcpServers",
        }
    }

    /// What it must know of the server at that URL.
    pub(super) fn entry(self, server: &str, token: Option<&str>) -> Map<String, Value> {
        let url = json!(format!("{server}/mcp"));
        let mut entry = Map::new();
        match self {
            Self::ClaudeCode | Self::Cursor | Self::Vscode | Self::Generic => {
                entry.insert("type".to_owned(), json!("http"));
                entry.insert("url".to_owned(), url);
            }
            // It takes no other word for it, and refuses an entry without one.
            Self::Kilo => {
                entry.insert("type".to_owned(), json!("streamable-http"));
                entry.insert("url".to_owned(), url);
            }
            Self::Windsurf => {
                entry.insert("serverUrl".to_owned(), url);
            }
        }
        if let Some(token) = token {
            entry.insert("headers".to_owned(), json!({"Authorization": format!("Bearer {token}")}));
        }
        entry
    }
}
