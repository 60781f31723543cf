//! opencode: its hooks are functions of a JavaScript plugin, which is Koor's own and calls `koor hook` in Koor's own words.

use serde_json::{Value, json};

use super::{COMMON_FIELDS, Form, Setup, Touches, Translation};
use crate::commands::hook::event::{Answer, Moment};

pub(super) const TABLE: Translation = Translation {
    name: "opencode",
    title: "opencode",
    fields: COMMON_FIELDS,
    events: EVENTS,
    tools: TOOLS,
    answer,
    names_session: true,
    setup: Setup {
        user: ".config/opencode/plugins/koor.js",
        project: ".opencode/plugins/koor.js",
        form: Form::Plugin { text: PLUGIN },
        afterwards: None,
    },
};

/// The plugin that opencode and its fork Kilo Code run.
pub(super) const PLUGIN: &str = include_str!("plugin.js");

/// The names by which the plugin calls the moments.
pub(super) const EVENTS: &[(&str, Moment)] = &[
    ("session-start", Moment::SessionStart),
    ("prompt", Moment::Prompt),
    ("before-tool", Moment::BeforeTool),
    ("after-tool", Moment::AfterTool),
    ("stop", Moment::Stop),
    ("session-end", Moment::SessionEnd),
];

pub(super) const TOOLS: &[(&str, Touches)] = &[
    ("write", Touches::Path("/filePath")),
    ("edit", Touches::Path("/filePath")),
    ("patch", Touches::Patch("/patchText")),
    ("apply_patch", Touches::Patch("/patchText")),
    ("bash", Touches::Command("/command")),
];

/// What the plugin is answered.
pub(super) fn answer(_: &str, _: Moment, answer: &Answer) -> Option<Value> {
    match answer {
        Answer::Silence => None,
        Answer::Context(text) => Some(json!({"context": text})),
        Answer::Deny(reason) => Some(json!({"deny": reason})),
        Answer::GoOn(reason) => Some(json!({"continue": reason})),
    }
}
