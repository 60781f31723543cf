//! The command line that a client or git calls.

use std::env;

use koor_core::domain::hooks::HookPolicy;

use crate::{commands::hook::target::Target, exit::Failure};

/// The name by which a project's settings call the program: each user has it elsewhere.
const NAME: &str = "koor";

/// The program that hooks start: this one, or, in a project's settings, the one that the user has.
///
/// # Errors
/// When it can't be told where this program is.
pub(super) fn program(project: bool) -> Result<String, Failure> {
    if project {
        return Ok(NAME.to_owned());
    }
    let own = env::current_exe()
        .map_err(|error| Failure::refused(format_args!("cannot tell where koor is: {error}")))?;
    let own = own.to_str().map(str::to_owned);
    own.ok_or_else(|| Failure::refused("the path of koor is not text: move it to another directory"))
}

/// The words that call a hook.
pub(super) fn words(program: &str, target: Target, policy: HookPolicy) -> Vec<String> {
    let mut words = vec![program.to_owned(), "hook".to_owned(), target.name().to_owned()];
    let policy = policy.to_string();
    if !policy.is_empty() {
        words.extend(["--policy".to_owned(), policy]);
    }
    words
}

/// The same as a line for a shell.
pub(super) fn line(program: &str, target: Target, policy: HookPolicy) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/+@%,:=".contains(c);
    let quote = |word: &String| {
        if word.chars().all(is_plain) { word.clone() } else { format!("'{}'", word.replace('\'', "'\\''")) }
    };
    words(program, target, policy).iter().map(quote).collect::<Vec<_>>().join(" ")
}

/// A line that calls a hook of that target, as [`line()`] writes it: the program in it, and the policy.
pub(super) fn read(line: &str, target: Target) -> Option<(&str, &str)> {
    let (program, rest) = line.split_once(&format!(" hook {}", target.name()))?;
    let policy = match rest.trim() {
        "" => "",
        rest => rest.strip_prefix("--policy ")?.trim(),
    };
    let unquoted = program.trim_matches('\'');
    let stem = unquoted.rsplit(['/', '\\']).next()?.trim_end_matches(".exe");
    // The program may have been installed under another name, as `koor-0.2`.
    (stem.starts_with("koor") && !policy.contains(' ')).then_some((unquoted, policy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::hook::clients::Client;

    #[test]
    fn a_line_is_read_as_it_is_written_and_others_are_not() {
        let target = Target::Client(Client::ClaudeCode);
        let policy: HookPolicy = "work,strict".parse().unwrap();
        let written = line("/opt/my koor/koor", target, policy);
        assert_eq!(written, "'/opt/my koor/koor' hook claude-code --policy work,strict");
        assert_eq!(read(&written, target), Some(("/opt/my koor/koor", "work,strict")));
        assert_eq!(read("koor hook claude-code", target), Some(("koor", "")));
        for other in
            ["koor hook codex", "koor hook claude-code; rm x", "mykoor hook claude-code", "koor brief", ""]
        {
            assert_eq!(read(other, target), None, "{other}");
        }
    }
}
