//! The tables, held against events as real clients have sent them.

use serde_json::json;

use super::*;
use crate::commands::hook::event::{HookEvent, Tool};

/// Claude Code 2.1.332, Codex 0.171.0 and Gemini CLI 0.61.0 have sent these.
const SAMPLES: [(Client, &str); 3] = [
    (Client::ClaudeCode, include_str!("samples/claude-code.jsonl")),
    (Client::Codex, include_str!("samples/codex.jsonl")),
    (Client::Gemini, include_str!("samples/gemini.jsonl")),
];

fn events(samples: &str, client: Client) -> Vec<(Value, Option<HookEvent>)> {
    let read = |line: &str| {
        let event: Value = serde_json::from_str(line).unwrap();
        let read = client.table().read(&event);
        (event, read)
    };
    samples.lines().map(read).collect()
}

#[test]
fn every_moment_of_a_real_session_is_understood() {
    for (client, samples) in SAMPLES {
        let events = events(samples, client);
        let read: Vec<&HookEvent> = events.iter().filter_map(|(_, event)| event.as_ref()).collect();
        for moment in [
            Moment::SessionStart,
            Moment::Prompt,
            Moment::BeforeTool,
            Moment::AfterTool,
            Moment::Stop,
            Moment::SessionEnd,
        ] {
            assert!(read.iter().any(|event| event.moment == moment), "{client:?} {moment:?}");
        }
        let session = read.first().and_then(|event| event.session.clone());
        assert!(session.is_some() && read.iter().all(|event| event.session == session), "{client:?}");
        assert!(read.iter().all(|event| event.directory.is_some()), "{client:?}");
        let prompt = read.iter().find(|event| event.moment == Moment::Prompt).unwrap();
        assert!(prompt.prompt.ends_with("do-the-script"), "{client:?}: {}", prompt.prompt);
    }
}

#[test]
fn the_files_and_commands_of_real_tools_are_found() {
    for (client, samples) in SAMPLES {
        let events = events(samples, client);
        let tools: Vec<&Tool> = events.iter().filter_map(|(_, event)| Some(&event.as_ref()?.tool)).collect();
        let edits = tools.iter().filter_map(|tool| match tool {
            Tool::Edit(paths) => Some(paths),
            Tool::Shell(_) | Tool::Other => None,
        });
        let edited: Vec<&String> = edits.flatten().collect();
        assert!(edited.iter().any(|path| path.ends_with("made.txt")), "{client:?}: {edited:?}");
        let has_shell =
            tools.iter().any(|tool| matches!(tool, Tool::Shell(line) if line.contains("koor state set")));
        assert!(has_shell, "{client:?}");
    }
}

#[test]
fn what_is_not_for_koor_is_left_alone() {
    let table = Client::ClaudeCode.table();
    for event in [
        json!({"hook_event_name": "InstructionsLoaded", "session_id": "s", "cwd": "/"}),
        json!({"hook_event_name": "OfNextYear"}),
        json!({"session_id": "s"}),
        json!([]),
        json!("Stop"),
    ] {
        assert_eq!(table.read(&event), None, "{event}");
    }
    // A newer client's members do not matter, and wrong ones are as good as none.
    let odd = json!({
        "hook_event_name": "PreToolUse", "session_id": "../x", "cwd": "relative", "tool_name": "Write",
        "tool_input": {"file_path": 7}, "of_next_year": {"deep": [1]},
    });
    let read = table.read(&odd).unwrap();
    assert_eq!((read.session, read.directory, read.tool), (None, None, Tool::Other));
}

#[test]
fn cursor_and_the_plugin_are_understood_by_their_own_words() {
    let cursor = Client::Cursor.table();
    let stop = json!({
        "hook_event_name": "stop", "conversation_id": "c1", "workspace_roots": ["/w"], "status": "aborted", "loop_count": 0,
    });
    let read = cursor.read(&stop).unwrap();
    assert_eq!((read.moment, read.interrupted, read.directory), (Moment::Stop, true, Some("/w".into())));
    let write = json!({
        "hook_event_name": "preToolUse", "conversation_id": "c1", "cwd": "/w", "tool_name": "Write",
        "tool_input": {"file_path": "/w/a"},
    });
    assert_eq!(cursor.read(&write).unwrap().tool, Tool::Edit(vec!["/w/a".to_owned()]));
    for client in [Client::Opencode, Client::Kilo] {
        let edit = json!({
            "hook_event_name": "before-tool", "session_id": "ses_1", "cwd": "/w", "tool_name": "edit",
            "tool_input": {"filePath": "a"},
        });
        assert_eq!(client.table().read(&edit).unwrap().tool, Tool::Edit(vec!["a".to_owned()]));
    }
}

#[test]
fn each_answer_is_said_in_the_clients_words() {
    let deny = Answer::Deny("held".to_owned());
    let told = Answer::Context("new".to_owned());
    let go_on = Answer::GoOn("koor next".to_owned());
    let of =
        |client: Client, event: &str, moment, answer: &Answer| (client.table().answer)(event, moment, answer);
    for client in [Client::ClaudeCode, Client::Codex] {
        assert_eq!(
            of(client, "PreToolUse", Moment::BeforeTool, &deny),
            Some(json!({"hookSpecificOutput": {
                "hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": "held",
            }}))
        );
        assert_eq!(
            of(client, "Stop", Moment::Stop, &go_on),
            Some(json!({"decision": "block", "reason": "koor next"}))
        );
        // As an error it would take the place of the tool's result.
        assert_eq!(
            of(client, "PostToolUse", Moment::AfterTool, &told),
            Some(json!({"hookSpecificOutput": {"hookEventName": "PostToolUse", "additionalContext": "new"}}))
        );
    }
    let gemini = |event: &str, moment, answer: &Answer| of(Client::Gemini, event, moment, answer);
    assert_eq!(
        gemini("BeforeTool", Moment::BeforeTool, &deny),
        Some(json!({"decision": "deny", "reason": "held"}))
    );
    assert_eq!(gemini("BeforeTool", Moment::BeforeTool, &told), None, "there is no place for it");
    assert_eq!(
        of(Client::Cursor, "stop", Moment::Stop, &go_on),
        Some(json!({"followup_message": "koor next"}))
    );
    assert_eq!(of(Client::Kilo, "before-tool", Moment::BeforeTool, &deny), Some(json!({"deny": "held"})));
    for client in Client::ALL {
        for (event, moment) in client.table().events {
            assert_eq!(of(client, event, *moment, &Answer::Silence), None, "{client:?} {event}");
        }
    }
}

#[test]
fn what_is_set_up_is_what_is_understood() {
    for client in Client::ALL {
        let table = client.table();
        let entries = match table.setup.form {
            Form::Groups { entries, .. } | Form::List { entries } => entries,
            Form::Plugin { text } => {
                for (event, _) in table.events {
                    assert!(text.contains(&format!("\"{event}\"")), "{client:?} {event}");
                }
                continue;
            }
        };
        for entry in entries {
            let known = table.events.iter().find(|(name, _)| *name == entry.event);
            assert!(known.is_some(), "{client:?} {}", entry.event);
            for tool in entry.matcher.split('|').filter(|tool| !tool.is_empty()) {
                assert!(table.tools.iter().any(|(name, _)| *name == tool), "{client:?} {tool}");
            }
        }
        assert_eq!(entries.len(), table.events.len(), "{client:?}");
    }
}
