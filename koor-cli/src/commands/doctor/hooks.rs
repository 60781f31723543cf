//! The hooks of clients: each that is installed is run once, with an event that none of them acts on.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::findings::{Finding, Findings};
use crate::commands::hooks::{Installed, installed};

const NAME: &str = "hooks";

/// An event that no hook knows.
const EVENT: &str = "{\"hook_event_name\": \"KoorDoctor\", \"session_id\": \"doctor\"}";

/// How long a hook may take that has nothing to do; the contract's 5 ms, and what a busy machine adds.
const QUICK: Duration = Duration::from_millis(250);

/// Looks at every hook that is installed for this user and this project.
pub(super) fn look(findings: &mut Findings) {
    let found = installed();
    if found.is_empty() {
        findings.add(Finding::ok(NAME, "none are installed (`koor hooks install CLIENT` changes that)"));
    }
    for hook in &found {
        findings.add(judge(hook));
    }
}

fn judge(hook: &Installed) -> Finding {
    let name = hook.target.name();
    let file = hook.file.display();
    let again =
        format!("run `koor hooks install {name}{}`", if hook.scope == "project" { " --project" } else { "" });
    let Some(version) = hook.version() else {
        return Finding::fail(
            NAME,
            format!("{name} calls {}, which cannot be run ({file})", hook.program),
            again,
        );
    };
    if version != env!("CARGO_PKG_VERSION") {
        return Finding::warn(
            NAME,
            format!("{name} calls {} of version {version} ({file})", hook.program),
            again,
        );
    }
    if hook.trusted() == Some(false) {
        return Finding::warn(
            NAME,
            format!("{name} has the hooks of {file}, and does not run them: it was not told to trust them"),
            "trust them in the client: /hooks in Codex, /permissions in Gemini CLI",
        );
    }
    match run(hook) {
        Ok(took) if took > QUICK => Finding::warn(
            NAME,
            format!("{name} runs its hook, and waits {} ms for it", took.as_millis()),
            "look what else this machine does",
        ),
        Ok(took) => Finding::ok(NAME, format!("{name} runs its hook, in {} ms ({file})", took.as_millis())),
        Err(why) => Finding::fail(NAME, format!("the hook of {name} in {file} fails: {why}"), again),
    }
}

/// Runs a hook as its client does: by a shell, with an event on its input.
fn run(hook: &Installed) -> Result<Duration, String> {
    let begun = Instant::now();
    let mut shell = Command::new("sh");
    // Git's hook would look at what is staged: that it starts says enough.
    let line =
        if hook.target.name() == "git" { format!("{} --version", hook.program) } else { hook.line.clone() };
    shell.args(["-c", &line]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = shell.spawn().map_err(|error| error.to_string())?;
    if let Some(mut stdin) = child.stdin.take() {
        // A hook that does not read its input fails by itself.
        drop(stdin.write_all(EVENT.as_bytes()));
    }
    let ran = child.wait_with_output().map_err(|error| error.to_string())?;
    if ran.status.success() {
        return Ok(begun.elapsed());
    }
    let said = String::from_utf8_lossy(&ran.stderr);
    Err(format!("{}, {}", ran.status, said.lines().next().unwrap_or("without a word")))
}
