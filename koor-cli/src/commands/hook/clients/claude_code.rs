//! Claude Code. Its form of hooks is the one that others follow.

use serde_json::{Value, json};

use super::{COMMON_FIELDS, Form, LONG, SHORT, Setup, TimeUnit, Touches, Translation, entry};
use crate::commands::hook::event::{Answer, Moment};

pub(super) const TABLE: Translation = Translation {
    name: "claude-code",
    title: "Claude Code",
    fields: COMMON_FIELDS,
    events: &[
        ("SessionStart", Moment::SessionStart),
        ("UserPromptSubmit", Moment::Prompt),
        ("PreToolUse", Moment::BeforeTool),
        ("PostToolUse", Moment::AfterTool),
        ("Stop", Moment::Stop),
        ("SessionEnd", Moment::SessionEnd),
    ],
    tools: &[
        ("Write", Touches::Path("/file_path")),
        ("Edit", Touches::Path("/file_path")),
        ("MultiEdit", Touches::Path("/file_path")),
        ("NotebookEdit", Touches::Path("/notebook_path")),
        ("Bash", Touches::Command("/command")),
    ],
    answer,
    names_session: true,
    setup: Setup {
        user: ".claude/settings.json",
        project: ".claude/settings.json",
        form: Form::Groups {
            entries: &[
                entry("SessionStart", "", SHORT),
                entry("UserPromptSubmit", "", SHORT),
                entry("PreToolUse", "Write|Edit|MultiEdit|NotebookEdit|Bash", SHORT),
                entry("PostToolUse", "", SHORT),
                entry("Stop", "", LONG),
                entry("SessionEnd", "", SHORT),
            ],
            unit: TimeUnit::Seconds,
        },
        afterwards: None,
    },
};

/// An answer in Claude Code's words, which Codex takes as well.
pub(super) fn answer(event: &str, moment: Moment, answer: &Answer) -> Option<Value> {
    match answer {
        Answer::Silence => None,
        Answer::Context(text) => match moment {
            Moment::SessionStart | Moment::Prompt | Moment::BeforeTool | Moment::AfterTool => Some(json!({
                "hookSpecificOutput": {"hookEventName": event, "additionalContext": text},
            })),
            Moment::Stop | Moment::Interrupt | Moment::SessionEnd => None,
        },
        Answer::Deny(reason) => Some(match moment {
            Moment::BeforeTool => json!({
                "hookSpecificOutput": {
                    "hookEventName": event, "permissionDecision": "deny", "permissionDecisionReason": reason,
                },
            }),
            _ => json!({"decision": "block", "reason": reason}),
        }),
        Answer::GoOn(reason) => Some(json!({"decision": "block", "reason": reason})),
    }
}
