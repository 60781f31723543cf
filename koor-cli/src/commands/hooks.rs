//! `koor hooks`: sets up what clients call at the moments of a session, and git before a commit.

mod change;
mod command;
mod error;
mod file;
mod pre_commit;
mod record;
mod status;
mod trust;

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use clap::{Args, Subcommand};
use koor_core::domain::hooks::HookPolicy;

pub(crate) use self::status::{Installed, installed};

use self::{change::Wanted, record::Records};
use super::hook::target::Target;
use crate::{
    exit::{self, Failure},
    output::Output,
    settings::{locate, store::Store},
};

/// What is done with hooks.
#[derive(Debug, Subcommand)]
pub(crate) enum HooksCommand {
    /// Install hooks of clients, or of git
    #[command(after_help = "\
The hooks are merged into the client's settings: what else is there stays as it is written, and a second time changes nothing. \
Without --project, they hold for every project of the user, and do nothing outside of directories with Koor's settings. A \
project's own settings, once committed, run for everyone who checks them out. `koor hook --help` lists the policies.

Examples:
  koor hooks install claude-code codex
  koor hooks install gemini --project --policy work
  koor hooks install git --policy strict
  koor hooks install claude-code --dry-run")]
    Install(Install),

    /// Show which hooks are installed, trusted, and when they last ran
    #[command(after_help = "Examples:\n  koor hooks status\n  koor hooks status --json")]
    Status,

    /// Take hooks out again
    #[command(after_help = "\
A file that was not changed since becomes what it was before, byte for byte.

Examples:
  koor hooks uninstall claude-code
  koor hooks uninstall git")]
    Uninstall(Uninstall),
}

/// What is installed.
#[derive(Debug, Args)]
pub(crate) struct Install {
    /// Clients, and git
    #[arg(required = true)]
    clients: Vec<Target>,
    #[command(flatten)]
    place: Place,
    /// What the hooks do: words with commas between them
    #[arg(long, value_name = "WORDS", default_value = "", hide_default_value = true)]
    policy: HookPolicy,
    /// Print what would be in the files, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// What is taken out.
#[derive(Debug, Args)]
pub(crate) struct Uninstall {
    /// Clients, and git
    #[arg(required = true)]
    clients: Vec<Target>,
    #[command(flatten)]
    place: Place,
}

/// Whose settings are meant.
#[derive(Debug, Args)]
#[group(multiple = false)]
struct Place {
    /// The user's own settings, for all projects (default)
    #[arg(long)]
    user: bool,
    /// The settings of the project in this directory
    #[arg(long)]
    project: bool,
}

/// Does what was typed.
///
/// # Errors
/// When a file can't be read, understood or written.
pub(crate) fn run(command: &HooksCommand, output: &Output) -> Result<(), Failure> {
    match command {
        HooksCommand::Install(what) => {
            what.clients.iter().try_for_each(|target| install(*target, what, output))
        }
        HooksCommand::Uninstall(what) => {
            what.clients.iter().try_for_each(|target| uninstall(*target, &what.place, output))
        }
        HooksCommand::Status => status::show(output),
    }
}

fn install(target: Target, what: &Install, output: &Output) -> Result<(), Failure> {
    let path = path_of(target, what.place.project)?;
    let program = command::program(what.place.project)?;
    let wanted = Wanted { target, program: &program, policy: what.policy };
    let there = file::read(&path)?;
    let records = Records::of_user(&environment);
    let before = records.before(&path, there.as_deref(), target)?;
    let after = wanted.put_into(before.as_deref().unwrap_or_default()).map_err(|why| cannot(&path, &why))?;
    if what.dry_run {
        output.line(format_args!("{}:", path.display()))?;
        return output.line(after.trim_end());
    }
    if there.as_deref() == Some(after.as_str()) {
        return output.line(format_args!("{}: unchanged", path.display()));
    }
    let made = file::make_directories(&path)?;
    records.keep(&path, before, &after, made)?;
    file::write(&path, &after, target == Target::Git)?;
    output.line(format_args!("{}: hooks of {} installed", path.display(), target.name()))?;
    if let Target::Client(client) = target
        && let Some(line) = client.table().setup.afterwards
    {
        exit::warn(line);
    }
    Ok(())
}

fn uninstall(target: Target, place: &Place, output: &Output) -> Result<(), Failure> {
    let path = path_of(target, place.project)?;
    let Some(there) = file::read(&path)? else {
        return output.line(format_args!("{}: not there", path.display()));
    };
    let records = Records::of_user(&environment);
    let before = records.before(&path, Some(&there), target)?;
    let made = records.forget(&path)?;
    match before {
        Some(before) if before == there => {
            return output.line(format_args!("{}: no hooks of {}", path.display(), target.name()));
        }
        Some(before) => file::write(&path, &before, false)?,
        None => file::remove(&path, &made)?,
    }
    output.line(format_args!("{}: hooks of {} taken out", path.display(), target.name()))
}

fn environment(name: &str) -> Option<String> {
    env::var(name).ok()
}

/// The file in which a target looks for its hooks.
fn path_of(target: Target, project: bool) -> Result<PathBuf, Failure> {
    let client = match target {
        Target::Client(client) => client,
        Target::Git => return pre_commit_path(),
    };
    let setup = &client.table().setup;
    if project {
        let here = env::current_dir();
        let here =
            here.map_err(|error| Failure::refused(format_args!("cannot tell the directory: {error}")))?;
        return Ok(here.join(setup.project));
    }
    user_path(setup.user)
        .ok_or_else(|| Failure::refused("no home directory is known: set HOME, or use --project"))
}

/// A file below the home directory. What lies in `.config` is where the environment says.
fn user_path(below: &str) -> Option<PathBuf> {
    if let Some(rest) = below.strip_prefix(".config/") {
        return Some(Store::new(&environment).directory()?.with_file_name(rest));
    }
    Some(locate::home(&environment)?.join(below))
}

fn pre_commit_path() -> Result<PathBuf, Failure> {
    let ran = Command::new("git")
        .args(["rev-parse", "--path-format=absolute", "--git-path", "hooks/pre-commit"])
        .output();
    let path = ran.ok().filter(|ran| ran.status.success()).and_then(|ran| String::from_utf8(ran.stdout).ok());
    let path = path.map(|path| PathBuf::from(path.trim_end())).filter(|path| path.is_absolute());
    path.ok_or_else(|| Failure::usage("this is no work tree of git: call it in a repository"))
}

fn cannot(path: &Path, why: &dyn std::fmt::Display) -> Failure {
    Failure::refused(format_args!("cannot change {}: {why}. It was left as it is", path.display()))
}
