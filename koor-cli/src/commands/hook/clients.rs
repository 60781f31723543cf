//! The clients: each is one file with a table that translates its events, tools and answers.

mod claude_code;
mod codex;
mod cursor;
mod gemini;
mod kilo;
mod opencode;
mod translate;

use std::time::Duration;

use clap::ValueEnum;
use serde_json::Value;

use super::event::{Answer, Moment};

/// A client whose hooks Koor answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Client {
    ClaudeCode,
    Codex,
    Gemini,
    Cursor,
    Opencode,
    Kilo,
}

impl Client {
    /// Every client.
    pub(crate) const ALL: [Self; 6] =
        [Self::ClaudeCode, Self::Codex, Self::Gemini, Self::Cursor, Self::Opencode, Self::Kilo];

    /// Its table.
    pub(crate) fn table(self) -> &'static Translation {
        match self {
            Self::ClaudeCode => &claude_code::TABLE,
            Self::Codex => &codex::TABLE,
            Self::Gemini => &gemini::TABLE,
            Self::Cursor => &cursor::TABLE,
            Self::Opencode => &opencode::TABLE,
            Self::Kilo => &kilo::TABLE,
        }
    }
}

/// How a client says what happened, and what it wants to be answered.
#[derive(Debug)]
pub(crate) struct Translation {
    /// The name of the client on Koor's command line.
    pub(crate) name: &'static str,
    /// What people call it.
    pub(crate) title: &'static str,
    pub(crate) fields: Fields,
    /// Its names of moments. Events that are not listed are not for Koor.
    pub(crate) events: &'static [(&'static str, Moment)],
    /// Its tools that write files, by name.
    pub(crate) tools: &'static [(&'static str, Touches)],
    /// An answer in its own words; `None` where it has no place for one, or none is needed.
    pub(crate) answer: fn(&str, Moment, &Answer) -> Option<Value>,
    /// Whether it names the session in the environment of the commands that its agent runs.
    pub(crate) names_session: bool,
    pub(crate) setup: Setup,
}

/// Where things stand in the JSON of an event, as JSON pointers. Where there are several, the first that is there counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields {
    pub(crate) event: &'static str,
    pub(crate) session: &'static [&'static str],
    pub(crate) directory: &'static [&'static str],
    pub(crate) tool: &'static str,
    pub(crate) input: &'static str,
    pub(crate) prompt: &'static str,
    /// A value that says that the user interrupted the agent, and where it stands.
    pub(crate) interrupted: Option<(&'static str, &'static str)>,
}

/// The fields of clients that follow the form of Claude Code.
pub(crate) const COMMON_FIELDS: Fields = Fields {
    event: "/hook_event_name",
    session: &["/session_id"],
    directory: &["/cwd"],
    tool: "/tool_name",
    input: "/tool_input",
    prompt: "/prompt",
    interrupted: None,
};

/// What a tool touches, and where in its input that is said.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Touches {
    /// The file that this member names.
    Path(&'static str),
    /// The files that a patch in this member names.
    Patch(&'static str),
    /// What the command line in this member does.
    Command(&'static str),
}

/// Where the hooks of a client are set up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    /// The file for all projects, below the home directory.
    pub(crate) user: &'static str,
    /// The file of one project, below its directory.
    pub(crate) project: &'static str,
    pub(crate) form: Form,
    /// What is left to do for a person, after the hooks were installed.
    pub(crate) afterwards: Option<&'static str>,
}

/// The form of that file.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    /// JSON: `hooks.<event>` lists groups, each with a matcher and hooks.
    Groups { entries: &'static [Entry], unit: TimeUnit },
    /// JSON: `hooks.<event>` lists hooks.
    List { entries: &'static [Entry] },
    /// A JavaScript file that is all Koor's.
    Plugin { text: &'static str },
}

/// The unit of time limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeUnit {
    Seconds,
    Milliseconds,
}

/// A hook that is set up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) event: &'static str,
    /// The tools for which it runs; empty for all.
    pub(crate) matcher: &'static str,
    /// When the client gives it up.
    pub(crate) limit: Duration,
}

/// The time limit of a hook that answers at once: it gives up by itself long before.
pub(crate) const SHORT: Duration = Duration::from_secs(10);

/// The time limit of a hook that may wait for work, and how long the hook waits.
pub(crate) const LONG: Duration = Duration::from_mins(10);
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(570);

const fn entry(event: &'static str, matcher: &'static str, limit: Duration) -> Entry {
    Entry { event, matcher, limit }
}

#[cfg(test)]
mod tests;
