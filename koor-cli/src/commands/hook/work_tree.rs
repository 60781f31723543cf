//! What a shell command has changed, as git sees it: its words may not have said.

use std::{
    io::Read as _,
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, UNIX_EPOCH},
};

use koor_core::domain::hooks::HeldBy;
use serde_json::Value;

use super::{agent::Agent, leases::check, paths::Root, server::Trouble, shell::Commit};

/// How long git may take. In a work tree that takes longer, the guard before the commit is what is left.
const PATIENCE: Duration = Duration::from_millis(250);

/// How far the times of files may be behind the clock: file systems take the time of the last tick.
const TICK: Duration = Duration::from_millis(50);

/// The most paths that are looked at.
const MOST: usize = 50;

/// The most that git may say.
const LARGEST: u64 = 1 << 20;

/// Says which files that other agents hold were changed since the last shell command began.
///
/// # Errors
/// When the server can't be asked.
pub(super) fn changed_but_held(agent: &Agent) -> Result<Option<String>, Trouble> {
    let root = agent.root();
    let (Some(project), Some(repository)) = (agent.project(), root.repository()) else { return Ok(None) };
    let leases: Vec<Value> =
        match agent.server.ask_json(|client| Ok(client.get("/api/leases").segment(&project)))? {
            Value::Array(leases) => leases,
            _ => Vec::new(),
        };
    let own = agent.settings.instance_id.as_deref().unwrap_or_default();
    if leases.iter().all(|lease| lease["instance_id"] == own) {
        return Ok(None);
    }
    let changed = changed(&repository, agent.session.memory.shell_at);
    let changed = named(&root, &repository, &changed);
    if changed.is_empty() {
        return Ok(None);
    }
    let held = check(agent, &project, &changed)?;
    Ok(held.first().map(|first| said(first, held.len())))
}

fn said(first: &HeldBy, count: usize) -> String {
    let more = if count > 1 { format!(" {} more are held, too.", count - 1) } else { String::new() };
    format!(
        "Koor: the command changed a file that another agent holds; it cannot be committed so. {}{more}",
        first.refusal()
    )
}

/// Says which files that other agents hold a commit would have in it.
///
/// # Errors
/// When the server can't be asked.
pub(super) fn committed_but_held(agent: &Agent, commit: Commit) -> Result<Option<String>, Trouble> {
    let root = agent.root();
    let (Some(project), Some(repository)) = (agent.project(), root.repository()) else { return Ok(None) };
    let listed = status(&repository).unwrap_or_default();
    let paths = entries(&listed).into_iter().filter(|(state, _)| match commit {
        Commit::All => true,
        // The first letter is what is staged.
        Commit::Staged => !state.starts_with([' ', '?']),
    });
    let paths: Vec<String> = paths.map(|(_, path)| path.to_owned()).take(MOST).collect();
    let paths = named(&root, &repository, &paths);
    if paths.is_empty() {
        return Ok(None);
    }
    let held = check(agent, &project, &paths)?;
    Ok(held.first().map(|first| format!("The commit is refused: {}", first.refusal())))
}

/// The project's names for paths in a repository: those of the agent's own files.
fn named(root: &Root, repository: &Path, paths: &[String]) -> Vec<String> {
    paths.iter().filter_map(|path| root.below(repository, path)).map(|below| root.name(&below)).collect()
}

/// The files that git shows as changed, and that were written since then or are gone.
fn changed(root: &Path, since: i64) -> Vec<String> {
    let Some(listed) = status(root) else { return Vec::new() };
    let since = Duration::from_millis(u64::try_from(since).unwrap_or(0)).saturating_sub(TICK);
    let is_recent = |path: &&str| {
        let written = root.join(path).symlink_metadata().and_then(|about| about.modified());
        written.map_or(true, |time| time.duration_since(UNIX_EPOCH).is_ok_and(|time| time >= since))
    };
    let names = entries(&listed).into_iter().map(|(_, path)| path);
    names.filter(is_recent).take(MOST).map(str::to_owned).collect()
}

/// The states and paths in the output of `git status --porcelain -z`.
fn entries(listed: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut entries = listed.split('\0').filter(|entry| !entry.is_empty());
    while let Some(entry) = entries.next() {
        let Some((state, path)) = entry.split_at_checked(2) else { continue };
        found.push((state, path.trim_start_matches(' ')));
        if state.starts_with(['R', 'C']) {
            found.extend(entries.next().map(|path| (state, path)));
        }
    }
    found
}

/// What git says, if it does so in time.
fn status(root: &Path) -> Option<String> {
    let mut git = Command::new("git")
        .args(["-c", "core.quotePath=false", "--no-optional-locks", "status", "--porcelain", "-z"])
        .arg("--untracked-files=all")
        .current_dir(root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let out = git.stdout.take()?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut text = Vec::new();
        let read = out.take(LARGEST).read_to_end(&mut text);
        // Where nothing waits any more, there is nothing to say.
        drop(sender.send(read.map(|_| text)));
    });
    let said = receiver.recv_timeout(PATIENCE).ok().and_then(Result::ok);
    if said.is_none() {
        // It may have ended by itself.
        drop(git.kill());
    }
    drop(git.wait());
    said.and_then(|text| String::from_utf8(text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renamed_files_have_two_names() {
        let listed = " M a b.rs\0?? new/x\0R  to.rs\0from.rs\0D  gone\0";
        let expected =
            [(" M", "a b.rs"), ("??", "new/x"), ("R ", "to.rs"), ("R ", "from.rs"), ("D ", "gone")];
        assert_eq!(entries(listed), expected);
        assert_eq!(entries(""), []);
    }
}
