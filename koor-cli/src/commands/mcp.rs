//! MCP for clients: what they must be told, and a way for those that can't speak HTTP.

mod config;
mod stdio;
mod telemetry;

use clap::Subcommand;

use crate::{context::Context, exit::Failure, mcp_files::clients::Client};

/// What is done for an MCP client.
#[derive(Debug, Subcommand)]
pub(crate) enum McpCommand {
    /// Print the MCP settings of a client for this server
    #[command(after_help = "\
With --write, the entry is merged into the client's file in this directory: what else is in the file stays as it is. Where \
the server asks for a token, the entry holds it: keep the file out of version control then.

Examples:
  koor mcp config claude-code --write      .mcp.json
  koor mcp config cursor --write           .cursor/mcp.json
  koor mcp config vscode --write           .vscode/mcp.json
  koor mcp config kilo --write             .kilocode/mcp.json and .kilo/kilo.json
  koor mcp config gemini --write           .gemini/settings.json
  koor mcp config opencode --write         opencode.json
  koor mcp config codex                    for ~/.codex/config.toml
  koor mcp config claude-code --telemetry --write
  koor mcp config windsurf                 for ~/.codeium/windsurf/mcp_config.json
  koor mcp config generic --server http://build-box:9800")]
    Config {
        /// MCP client
        client: Client,
        /// Merge the settings into the client's file in this directory
        #[arg(long)]
        write: bool,
        /// The telemetry settings instead, so that the client reports what its models cost
        #[arg(long)]
        telemetry: bool,
    },

    /// Serve MCP over stdin and stdout, by forwarding to the server
    #[command(after_help = "\
For clients that start a program instead of calling a URL. Messages that cannot be passed on are answered with an error; \
the server may come and go.

Example, in a client's settings:
  {\"mcpServers\": {\"koor\": {\"command\": \"koor\", \"args\": [\"mcp\", \"stdio\"]}}}")]
    Stdio,
}

/// Does what was typed.
///
/// # Errors
/// When a file is no good, or the output can't be written.
pub(crate) fn run(command: &McpCommand, context: &Context) -> Result<(), Failure> {
    match command {
        McpCommand::Config { client, write, telemetry: true } => telemetry::run(*client, *write, context),
        McpCommand::Config { client, write, telemetry: false } => config::run(*client, *write, context),
        McpCommand::Stdio => stdio::run(context),
    }
}
