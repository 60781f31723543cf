//! Cursor: hooks in a file of their own, and no place for context at a prompt.

use serde_json::{Value, json};

use super::{Fields, Form, LONG, SHORT, Setup, Touches, Translation, entry};
use crate::commands::hook::event::{Answer, Moment};

pub(super) const TABLE: Translation = Translation {
    name: "cursor",
    title: "Cursor",
    fields: Fields {
        event: "/hook_event_name",
        session: &["/session_id", "/conversation_id"],
        directory: &["/workspace_roots/0", "/cwd"],
        tool: "/tool_name",
        input: "/tool_input",
        prompt: "/prompt",
        interrupted: Some(("/status", "aborted")),
    },
    events: &[
        ("sessionStart", Moment::SessionStart),
        ("beforeSubmitPrompt", Moment::Prompt),
        ("preToolUse", Moment::BeforeTool),
        ("postToolUse", Moment::AfterTool),
        ("stop", Moment::Stop),
        ("sessionEnd", Moment::SessionEnd),
    ],
    tools: &[
        ("Write", Touches::Path("/file_path")),
        ("Delete", Touches::Path("/file_path")),
        ("Shell", Touches::Command("/command")),
    ],
    answer,
    names_session: false,
    setup: Setup {
        user: ".cursor/hooks.json",
        project: ".cursor/hooks.json",
        form: Form::List {
            entries: &[
                entry("sessionStart", "", SHORT),
                entry("beforeSubmitPrompt", "", SHORT),
                entry("preToolUse", "Write|Delete|Shell", SHORT),
                entry("postToolUse", "", SHORT),
                entry("stop", "", LONG),
                entry("sessionEnd", "", SHORT),
            ],
        },
        afterwards: None,
    },
};

fn answer(_: &str, moment: Moment, answer: &Answer) -> Option<Value> {
    Some(match (answer, moment) {
        (Answer::Context(text), Moment::SessionStart | Moment::AfterTool) => {
            json!({"additional_context": text})
        }
        (Answer::Silence | Answer::Context(_), _) => return None,
        (Answer::Deny(reason), Moment::Prompt) => json!({"continue": false, "user_message": reason}),
        (Answer::Deny(reason), _) => {
            json!({"permission": "deny", "user_message": reason, "agent_message": reason})
        }
        (Answer::GoOn(reason), _) => json!({"followup_message": reason}),
    })
}
