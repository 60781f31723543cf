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
use super::hook::{clients::Client, target::Target};
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
    let records = Records::of_user(&environment);
    let planned = Planned::of(target, what.place.project, what.policy, &records)?;
    let path = planned.path.display().to_string();
    if what.dry_run {
        output.line(format_args!("{path}:"))?;
        return output.line(planned.after.trim_end());
    }
    if planned.is_there() {
        return output.line(format_args!("{path}: unchanged"));
    }
    planned.write(&records)?;
    output.line(format_args!("{path}: hooks of {} installed", target.name()))?;
    if let Some(line) = afterwards(target) {
        exit::warn(line);
    }
    Ok(())
}

/// What is left to do in a client when its hooks are installed.
fn afterwards(target: Target) -> Option<&'static str> {
    match target {
        Target::Client(client) => client.table().setup.afterwards,
        Target::Git => None,
    }
}

/// Installs a client's hooks for this user, and answers what is left to do in the client.
///
/// # Errors
/// When its settings can't be read, understood or written.
pub(crate) fn install_for_user(client: Client) -> Result<Option<&'static str>, Failure> {
    let (target, records) = (Target::Client(client), Records::of_user(&environment));
    let planned = Planned::of(target, false, HookPolicy::default(), &records)?;
    if planned.is_there() {
        return Ok(None);
    }
    planned.write(&records)?;
    Ok(afterwards(target))
}

/// The clients that this user seems to have, as the directories of their settings say, and that have no hooks of Koor's yet.
pub(crate) fn clients_without() -> Vec<Client> {
    let armed: Vec<&str> = installed().iter().map(|hook| hook.target.name()).collect();
    let has_settings = |client: &Client| {
        let file = client.table().setup.user;
        let (config, below) = file.strip_prefix(".config/").map_or(("", file), |below| (".config/", below));
        let own = below.split('/').next().unwrap_or_default();
        user_path(&format!("{config}{own}")).is_some_and(|directory| directory.is_dir())
    };
    let mut clients = Client::ALL.to_vec();
    clients.retain(|client| has_settings(client) && !armed.contains(&client.table().name));
    clients
}

/// What becomes of a file.
struct Planned {
    target: Target,
    path: PathBuf,
    there: Option<String>,
    before: Option<String>,
    after: String,
}

impl Planned {
    fn of(target: Target, project: bool, policy: HookPolicy, records: &Records) -> Result<Self, Failure> {
        let path = path_of(target, project)?;
        let program = command::program(project)?;
        let wanted = Wanted { target, program: &program, policy };
        let there = file::read(&path)?;
        let before = records.before(&path, there.as_deref(), target)?;
        let after =
            wanted.put_into(before.as_deref().unwrap_or_default()).map_err(|why| cannot(&path, &why))?;
        Ok(Self { target, path, there, before, after })
    }

    fn is_there(&self) -> bool {
        self.there.as_deref() == Some(self.after.as_str())
    }

    fn write(self, records: &Records) -> Result<(), Failure> {
        let made = file::make_directories(&self.path)?;
        records.keep(&self.path, self.before, &self.after, made)?;
        file::write(&self.path, &self.after, self.target == Target::Git)
    }
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
