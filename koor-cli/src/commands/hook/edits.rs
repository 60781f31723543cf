//! Before and after a tool: leases for what it writes, rules for what it wrote.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use koor_core::domain::hooks::{Verdict, quoted};
use serde_json::{Value, json};

use super::{
    Reply,
    agent::Agent,
    event::{Answer, Tool},
    leases::guard,
    server::Trouble,
    shell, work_tree,
};

/// How long an agent that works is not reported again.
const RENEW_AFTER: Duration = Duration::from_secs(30);

/// The most files that are validated after one tool, and the most violations that are shown.
const MAX_FILES: usize = 5;
const MAX_VIOLATIONS: usize = 5;

/// The largest file that is validated.
const MAX_FILE: u64 = 1 << 20;

/// Lets a tool write only what no other agent holds.
pub(super) fn before(agent: &mut Agent, tool: &Tool) -> Reply {
    if matches!(tool, Tool::Shell(_)) {
        let now = agent.now.millis();
        agent.session.update(|memory| memory.shell_at = now);
    }
    let paths = written(agent, tool);
    let root = agent.root();
    let names: Vec<String> = paths.iter().map(|path| root.name(path)).collect();
    let verdict = match guard(agent, &names) {
        Verdict::Allowed => guard_commit(agent, tool),
        verdict @ (Verdict::Refused(_) | Verdict::Unknown(_)) => verdict,
    };
    if let Some(reason) = verdict.refusal(agent.policy.unknown) {
        return Reply::of(Answer::Deny(reason));
    }
    match verdict {
        Verdict::Unknown(why) => Reply::unknown(agent, &why),
        Verdict::Allowed | Verdict::Refused(_) => Reply::silent(),
    }
}

/// Whether a command line may commit what it commits. The guard before a commit says the same, where git runs it: Gemini CLI
/// keeps git from running hooks.
fn guard_commit(agent: &Agent, tool: &Tool) -> Verdict {
    let commit = match tool {
        Tool::Shell(line) => shell::commit(line),
        Tool::Edit(_) | Tool::Other => None,
    };
    match commit.map(|commit| work_tree::committed_but_held(agent, commit)) {
        None | Some(Ok(None)) => Verdict::Allowed,
        Some(Ok(Some(refusal))) => Verdict::Refused(refusal),
        Some(Err(trouble)) => Verdict::Unknown(trouble.why()),
    }
}

/// Checks what a tool has written, and tells the server that the agent works.
pub(super) fn after(agent: &mut Agent, tool: &Tool) -> Reply {
    let found = match tool {
        Tool::Edit(_) => validate(agent, &written(agent, tool)),
        Tool::Shell(_) => work_tree::changed_but_held(agent),
        Tool::Other => Ok(None),
    };
    let since = agent.now.millis().saturating_sub(agent.session.memory.renewed_at);
    let is_due = u128::try_from(since).is_ok_and(|since| since >= RENEW_AFTER.as_millis());
    let renewed = if is_due && !agent.server.was_heard() && found.is_ok() { renew(agent) } else { Ok(()) };
    match found.and_then(|found| renewed.map(|()| found)) {
        Ok(Some(text)) => Reply::of(Answer::Context(text)),
        Ok(None) => Reply::silent(),
        Err(trouble) => Reply::unknown(agent, &trouble.why()),
    }
}

/// What a tool writes below the project's root.
fn written(agent: &Agent, tool: &Tool) -> Vec<String> {
    let named: Vec<(PathBuf, String)> = match tool {
        Tool::Edit(paths) => paths.iter().map(|path| (agent.directory.clone(), path.clone())).collect(),
        Tool::Shell(line) => shell::written(line, &agent.directory),
        Tool::Other => return Vec::new(),
    };
    let root = agent.root();
    let mut found: Vec<String> = named.iter().filter_map(|(start, path)| root.below(start, path)).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// The violations of the project's rules in these files, as a text; `None` if there are none.
fn validate(agent: &Agent, paths: &[String]) -> Result<Option<String>, Trouble> {
    let Some(project) = agent.project() else { return Ok(None) };
    let root = agent.root();
    let mut lines = Vec::new();
    let mut count = 0;
    for path in paths.iter().take(MAX_FILES) {
        let Some(content) = content(&root.directory().join(path)) else { continue };
        let body = json!({"filename": path, "content": content, "stack": agent.session.memory.stack});
        let answer =
            agent.server.ask_json(|client| client.post("/api/validate").segment(&project).json(&body))?;
        for violation in answer["violations"].as_array().into_iter().flatten() {
            count += 1;
            if lines.len() < MAX_VIOLATIONS {
                lines.push(violation_line(path, violation));
            }
        }
    }
    if count == 0 {
        return Ok(None);
    }
    let more = count - lines.len();
    if more > 0 {
        lines.push(format!("and {more} more: `koor validate {project} FILE`"));
    }
    Ok(Some(format!(
        "Koor: the file was written, and breaks rules of the project. Correct it.\n{}",
        lines.join("\n")
    )))
}

fn violation_line(path: &str, violation: &Value) -> String {
    let text = |key: &str| violation[key].as_str().unwrap_or_default();
    let line = violation["line"].as_u64().map(|line| format!(" line {line}")).unwrap_or_default();
    format!(
        "- {}{line}: {} {}: {}",
        quoted(path),
        quoted(text("severity")).trim_matches('"'),
        quoted(text("rule_id")),
        quoted(text("message"))
    )
}

/// The text of a file that is not too large; what is no text breaks no rule.
fn content(path: &Path) -> Option<String> {
    let about = path.metadata().ok().filter(fs::Metadata::is_file)?;
    (about.len() <= MAX_FILE).then(|| fs::read_to_string(path).ok()).flatten()
}

fn renew(agent: &Agent) -> Result<(), Trouble> {
    let id = agent.settings.instance_id.clone().unwrap_or_default();
    agent.server.ask(|client| Ok(client.post("/api/instances").segment(&id).segment("heartbeat"))).map(drop)
}
