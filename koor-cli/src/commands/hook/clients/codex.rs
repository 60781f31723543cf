//! Codex: the form of Claude Code, with patches instead of edits. It runs a hook only once a person has trusted it.

use super::{COMMON_FIELDS, Form, LONG, SHORT, Setup, TimeUnit, Touches, Translation, claude_code, entry};
use crate::commands::hook::event::Moment;

pub(super) const TABLE: Translation = Translation {
    name: "codex",
    title: "Codex",
    fields: COMMON_FIELDS,
    events: &[
        ("SessionStart", Moment::SessionStart),
        ("UserPromptSubmit", Moment::Prompt),
        ("PreToolUse", Moment::BeforeTool),
        ("PostToolUse", Moment::AfterTool),
        ("Stop", Moment::Stop),
        ("Interrupt", Moment::Interrupt),
        ("SessionEnd", Moment::SessionEnd),
    ],
    tools: &[("apply_patch", Touches::Patch("/command")), ("Bash", Touches::Command("/command"))],
    answer: claude_code::answer,
    names_session: true,
    setup: Setup {
        user: ".codex/hooks.json",
        project: ".codex/hooks.json",
        form: Form::Groups {
            entries: &[
                entry("SessionStart", "", SHORT),
                entry("UserPromptSubmit", "", SHORT),
                entry("PreToolUse", "", SHORT),
                entry("PostToolUse", "", SHORT),
                entry("Stop", "", LONG),
                entry("Interrupt", "", SHORT),
                entry("SessionEnd", "", SHORT),
            ],
            unit: TimeUnit::Seconds,
        },
        afterwards: Some(
            "Codex runs no hook that it was not told to trust, and says nothing: type /hooks in Codex and trust these",
        ),
    },
};
