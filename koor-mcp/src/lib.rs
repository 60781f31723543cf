//! The MCP control plane of Koor: five tools by which agents find each other and learn where the data is.
//!
//! Every byte that goes through MCP goes through a model's context, so no tool reads or writes state, specs or events.
//! An [`Mcp`] answers HTTP requests that a server has let in; [`stdio`] brings the same tools to clients that can't
//! speak HTTP.

mod address;
mod answer;
mod arguments;
mod calls;
mod front;
mod handler;
mod message;
pub mod stdio;
mod tools;

/// The header in which a client names the version of the protocol that it speaks.
const PROTOCOL_VERSION: &str = "mcp-protocol-version";

pub use front::{Answer, Mcp};
pub use tools::definitions;

/// Where the data plane is, for those who ask by `get_endpoints`.
#[derive(Debug, Clone, Default)]
pub struct Guide {
    /// Every route: its name, and its method and path as `GET /api/state`.
    pub endpoints: Vec<(&'static str, String)>,
    /// The address of the server, where a request does not tell under which it was called.
    pub api_base: String,
}
