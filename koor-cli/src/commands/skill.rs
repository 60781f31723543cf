//! `koor skill`: the instructions for agents, where clients look for skills.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};

use crate::{
    exit::Failure,
    output::Output,
    settings::{file, locate},
    skill_files::{PATHS, TEXT, is_own},
};

/// What is done with the skill.
#[derive(Debug, Subcommand)]
pub(crate) enum SkillCommand {
    /// Write the skill that tells agents how to use Koor
    #[command(after_help = "\
The same file goes into .agents/skills/koor/ and .claude/skills/koor/: together, they reach Claude Code, Codex, Gemini CLI, \
opencode, Kilo Code and Cursor.

Examples:
  koor skill install
  koor skill install --user
  koor skill install --dry-run")]
    Install(Install),
}

/// Where it goes.
#[derive(Debug, Args)]
pub(crate) struct Install {
    /// Into this directory (default)
    #[arg(long, conflicts_with = "user")]
    project: bool,
    /// Into the home directory: for all projects
    #[arg(long)]
    user: bool,
    /// Print the skill, and write nothing
    #[arg(long)]
    dry_run: bool,
}

/// Does what was typed.
///
/// # Errors
/// When a file can't be written, or is another's.
pub(crate) fn run(command: &SkillCommand, output: &Output) -> Result<(), Failure> {
    let SkillCommand::Install(Install { user, dry_run, .. }) = command;
    if *dry_run {
        return output.line(TEXT.trim_end());
    }
    let base = if *user {
        locate::home(&|name| env::var(name).ok())
            .ok_or_else(|| Failure::refused("no home directory is known: set HOME, or leave --user out"))?
    } else {
        PathBuf::new()
    };
    for path in PATHS {
        let path = base.join(path);
        let changed = write(&path)?;
        output.line(format_args!("{}{}", path.display(), if changed { "" } else { ": unchanged" }))?;
    }
    Ok(())
}

/// Writes the skill; answers whether that changed anything.
fn write(path: &Path) -> Result<bool, Failure> {
    match fs::read_to_string(path) {
        Ok(there) if there == TEXT => return Ok(false),
        Ok(there) if is_own(&there) => {}
        Ok(_) => {
            return Err(Failure::refused(format_args!(
                "{} is not Koor's: move it away, or merge by hand what --dry-run prints",
                path.display()
            )));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(Failure::refused(format_args!("cannot read {}: {error}", path.display()))),
    }
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(|error| {
            Failure::refused(format_args!("cannot create {}: {error}", directory.display()))
        })?;
    }
    file::replace_readable(path, TEXT)?;
    Ok(true)
}
