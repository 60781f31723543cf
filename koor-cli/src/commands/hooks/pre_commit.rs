//! The block in git's `pre-commit` script.

use super::error::ChangeError;

const BEGIN: &str = "# >>> koor: refuses paths that other agents hold";
const END: &str = "# <<< koor";

/// The script with a block that calls the guard, before everything else it does.
pub(super) fn put(script: &str, line: &str) -> Result<String, ChangeError> {
    let block = format!("{BEGIN}\n{line} || exit 1\n{END}\n");
    if script.is_empty() {
        return Ok(format!("#!/bin/sh\n{block}"));
    }
    let (first, rest) = script.split_once('\n').unwrap_or((script, ""));
    let interpreter = first.strip_prefix("#!").unwrap_or_default();
    let program = interpreter.split(['/', ' ']).rfind(|word| !word.is_empty() && !word.starts_with('-'));
    if !matches!(program, Some("sh" | "bash" | "dash" | "ash" | "zsh" | "ksh")) {
        return Err(ChangeError::NoShell);
    }
    Ok(format!("{first}\n{block}{rest}"))
}

/// The script without the block; `None` if it has none. A script that was only the block is empty then.
pub(super) fn taken_out(script: &str) -> Option<String> {
    let begin = script.find(BEGIN)?;
    let end = script[begin..].find(END).map(|at| begin + at + END.len())?;
    let rest = script[end..].strip_prefix('\n').unwrap_or(&script[end..]);
    let left = format!("{}{rest}", &script[..begin]);
    Some(if left == "#!/bin/sh\n" { String::new() } else { left })
}

/// The line of the block that calls the guard.
pub(super) fn line(script: &str) -> Option<&str> {
    let (_, rest) = script.split_once(BEGIN)?;
    rest.trim_start().lines().next()?.strip_suffix(" || exit 1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_comes_first_and_goes_without_a_trace() {
        for script in
            ["", "#!/bin/sh\nmake lint\n", "#!/usr/bin/env bash\nset -e\nexec make lint", "#!/bin/sh -e\n"]
        {
            let with = put(script, "koor hook git").unwrap();
            assert_eq!(with.lines().nth(2), Some("koor hook git || exit 1"));
            assert_eq!(line(&with), Some("koor hook git"));
            assert_eq!(taken_out(&with).as_deref(), Some(script));
            assert_eq!(taken_out(script), None);
        }
        for script in ["#!/usr/bin/python3\nimport os\n", "\u{7f}ELF", "make lint\n"] {
            assert!(put(script, "koor hook git").is_err(), "{script}");
        }
    }
}
