//! The guard before a commit: the last line, which also sees what was written through a shell.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use koor_core::{
    domain::{
        agents::ProjectScope,
        hooks::{HeldBy, HookPolicy, UnknownPolicy, could_not_tell},
    },
    paths::PathPattern,
};
use serde_json::{Value, json};

use super::{
    leases::held_by,
    paths::Root,
    server::{Server, Trouble},
};
use crate::{
    exit::{self, Failure},
    global::Global,
    settings::client::ClientSettings,
};

/// How long the whole check may take: a commit may have many files.
const PATIENCE: Duration = Duration::from_secs(20);

/// The most paths in one question.
const AT_ONCE: usize = 50;

/// The most lines that say why a commit is refused.
const MOST: usize = 20;

/// The largest file that is held against rules.
const MAX_FILE: usize = 1 << 20;

/// Refuses a commit with paths that other agents hold, or files that break rules of severity error.
///
/// # Errors
/// When the commit is refused.
pub(super) fn before_commit(policy: HookPolicy) -> Result<(), Failure> {
    let Some(root) =
        git(&["rev-parse", "--show-toplevel"], Path::new(".")).map(|text| PathBuf::from(text.trim_end()))
    else {
        return Err(Failure::usage("this is no work tree of git"));
    };
    // Git calls hooks at the root, and says where the command was typed.
    let typed = root.join(env::var("GIT_PREFIX").unwrap_or_default());
    drop(env::set_current_dir(typed));
    let Ok(settings) = ClientSettings::resolve(&Global::default(), &|name| env::var(name).ok()) else {
        return Ok(());
    };
    let project = ProjectScope::of_workspace(settings.workspace.as_deref().unwrap_or_default());
    let Some(project) = project.project().filter(|_| settings.instance_id.is_some()) else { return Ok(()) };
    let server = Server::new(&settings, Instant::now() + PATIENCE);
    let listed = git(&["diff", "--cached", "--name-only", "--no-renames", "-z"], &root).unwrap_or_default();
    let paths: Vec<&str> = listed.split('\0').filter(|path| !path.is_empty()).collect();
    let file = settings.file.clone().unwrap_or_default();
    let here = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names = Root::of(here, settings.path_prefix.as_deref());
    let guard = Guard { server: &server, project: project.as_str(), root: &root, names };
    match guard.refusals(&paths) {
        Ok(lines) if lines.is_empty() => Ok(()),
        Ok(lines) => {
            lines.iter().take(MOST).for_each(exit::warn);
            let more = lines.len().saturating_sub(MOST);
            let more = if more > 0 { format!(", and {more} more") } else { String::new() };
            Err(Failure::refused(format_args!("the commit is refused for what was said above{more}")))
        }
        Err(trouble) => {
            let said = could_not_tell(&trouble.why());
            if policy.unknown == UnknownPolicy::Strict {
                return Err(Failure::refused(format_args!(
                    "{said} The commit is refused: the guard is strict"
                )));
            }
            exit::warn(format_args!("{said} The commit goes on, unchecked"));
            Ok(())
        }
    }
}

struct Guard<'a> {
    server: &'a Server,
    project: &'a str,
    /// The root of the repository.
    root: &'a Path,
    names: Root,
}

impl Guard<'_> {
    /// What is wrong with these files, a line each.
    fn refusals(&self, paths: &[&str]) -> Result<Vec<String>, Trouble> {
        let mut lines = Vec::new();
        for paths in paths.chunks(AT_ONCE) {
            lines.extend(self.held(paths)?.iter().map(HeldBy::refusal));
        }
        if lines.is_empty() {
            for path in paths {
                lines.extend(self.broken_rules(path)?);
            }
        }
        Ok(lines)
    }

    fn held(&self, paths: &[&str]) -> Result<Vec<HeldBy>, Trouble> {
        let below = paths.iter().filter_map(|path| self.names.below(self.root, path));
        let paths: Vec<String> = below.map(|below| self.names.name(&below)).collect();
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let patterns = paths.iter().map(|path| PathPattern::of_path(path)).collect::<Result<Vec<_>, _>>();
        let body = json!({"paths": patterns.map_err(|error| Trouble::Away(error.to_string()))?});
        let answer = self.server.ask_json(|client| {
            client.post("/api/leases").segment(self.project).segment("check").json(&body)
        })?;
        Ok(answer["held"].as_array().into_iter().flatten().map(|held| held_by(held, &paths)).collect())
    }

    /// The rules of severity error that a file breaks as it would be committed.
    fn broken_rules(&self, path: &str) -> Result<Vec<String>, Trouble> {
        // A deleted file, or one that is no text, breaks none.
        let Some(content) =
            git(&["show", &format!(":{path}")], self.root).filter(|text| text.len() <= MAX_FILE)
        else {
            return Ok(Vec::new());
        };
        let body = json!({"filename": path, "content": content});
        let answer =
            self.server.ask_json(|client| client.post("/api/validate").segment(self.project).json(&body))?;
        let violations = answer["violations"].as_array().map(Vec::as_slice).unwrap_or_default();
        let errors = violations.iter().filter(|violation| violation["severity"] == "error");
        Ok(errors.map(|violation| line(path, violation)).collect())
    }
}

fn line(path: &str, violation: &Value) -> String {
    let text = |key: &str| violation[key].as_str().unwrap_or_default();
    let at = violation["line"].as_u64().unwrap_or(1);
    format!("{path}:{at}: error {}: {}", text("rule_id"), text("message"))
}

/// What git prints, if it succeeds and prints text.
fn git(words: &[&str], directory: &Path) -> Option<String> {
    let ran = Command::new("git").args(words).current_dir(directory).stdin(Stdio::null()).output().ok()?;
    ran.status.success().then_some(ran.stdout).and_then(|text| String::from_utf8(text).ok())
}
