//! One model of what happens in a client, and of what it can be answered.

use std::path::PathBuf;

use crate::settings::session::SessionId;

/// A moment of a session at which a client calls its hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Moment {
    /// A session begins or is taken up again.
    SessionStart,
    /// The user has sent a prompt.
    Prompt,
    /// A tool is about to run.
    BeforeTool,
    /// A tool has run.
    AfterTool,
    /// The agent stops.
    Stop,
    /// The user has interrupted the agent.
    Interrupt,
    /// The session ends.
    SessionEnd,
}

/// What a tool does, as far as hooks ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tool {
    /// It writes these files, named as the client names them.
    Edit(Vec<String>),
    /// It runs that command line in a shell.
    Shell(String),
    /// Anything else.
    Other,
}

/// Something that happened in a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HookEvent {
    pub(crate) moment: Moment,
    /// What the client calls the moment: some answers repeat it.
    pub(crate) name: String,
    pub(crate) session: Option<SessionId>,
    /// Where the client works.
    pub(crate) directory: Option<PathBuf>,
    pub(crate) tool: Tool,
    pub(crate) prompt: String,
    /// Whether the client says that the user interrupted the agent.
    pub(crate) interrupted: bool,
}

/// What a client is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing: it goes on.
    Silence,
    /// It goes on, and its model is told this.
    Context(String),
    /// The tool must not run, or the prompt must not be sent: why.
    Deny(String),
    /// The agent goes on instead of stopping: with what.
    GoOn(String),
}
