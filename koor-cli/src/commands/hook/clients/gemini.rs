//! Gemini CLI: names of its own, time limits in milliseconds, and no place for context before a tool runs.

use serde_json::{Value, json};

use super::{COMMON_FIELDS, Form, LONG, SHORT, Setup, TimeUnit, Touches, Translation, entry};
use crate::commands::hook::event::{Answer, Moment};

pub(super) const TABLE: Translation = Translation {
    name: "gemini",
    title: "Gemini CLI",
    fields: COMMON_FIELDS,
    events: &[
        ("SessionStart", Moment::SessionStart),
        ("BeforeAgent", Moment::Prompt),
        ("BeforeTool", Moment::BeforeTool),
        ("AfterTool", Moment::AfterTool),
        ("AfterAgent", Moment::Stop),
        ("SessionEnd", Moment::SessionEnd),
    ],
    tools: &[
        ("write_file", Touches::Path("/file_path")),
        ("replace", Touches::Path("/file_path")),
        ("run_shell_command", Touches::Command("/command")),
    ],
    answer,
    names_session: false,
    setup: Setup {
        user: ".gemini/settings.json",
        project: ".gemini/settings.json",
        form: Form::Groups {
            entries: &[
                entry("SessionStart", "", SHORT),
                entry("BeforeAgent", "", SHORT),
                entry("BeforeTool", "write_file|replace|run_shell_command", SHORT),
                entry("AfterTool", "", SHORT),
                entry("AfterAgent", "", LONG),
                entry("SessionEnd", "", SHORT),
            ],
            unit: TimeUnit::Milliseconds,
        },
        afterwards: Some("Gemini CLI runs the hooks of a project only in a folder that it trusts"),
    },
};

fn answer(event: &str, moment: Moment, answer: &Answer) -> Option<Value> {
    match answer {
        Answer::Silence => None,
        Answer::Context(text) => match moment {
            Moment::SessionStart | Moment::Prompt | Moment::AfterTool => Some(json!({
                "hookSpecificOutput": {"hookEventName": event, "additionalContext": text},
            })),
            Moment::BeforeTool | Moment::Stop | Moment::Interrupt | Moment::SessionEnd => None,
        },
        Answer::Deny(reason) | Answer::GoOn(reason) => Some(json!({"decision": "deny", "reason": reason})),
    }
}
