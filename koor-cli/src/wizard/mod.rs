//! `koor init`: workspaces for a controller and its agents, each with its instructions, its MCP settings and this
//! program.
//!
//! Asking, planning and writing are apart: [`ask`] and [`gather`] find out what is wanted, [`plan`] makes a list of
//! files of it without touching the disk, and [`mod@write`] puts all of them there, or none.

mod ask;
mod enroll;
mod gather;
mod identities;
mod plan;
mod project;
mod report;
mod start;
mod templates;
mod write;

use std::{
    env, fs,
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
};

use clap::Args;

use crate::{
    commands::{hook::clients::Client, hooks},
    exit::{self, Failure},
    global::Global,
    rule_sets,
    settings::{client::ClientSettings, file, store::Store},
};

use self::{
    ask::{Arrows, Ask, Plain},
    gather::Wanted,
    identities::Identities,
    plan::{PROGRAM, Planned},
    project::{Project, Stack},
    start::Starter,
    write::{Fate, Site},
};

/// The end of `koor init --help`.
pub(crate) const EXAMPLES: &str = "\
On a terminal, the wizard asks for what is not given. It writes nothing before you confirm, and replaces no file without
--force. In a directory that has files already, it merges: its part of AGENTS.md, CLAUDE.md and .cursorrules stands between
markers, and the settings of MCP clients keep everything else, comments included.

Stacks: goth, go-api (databases: sqlite, postgres, memory), react, flutter, c, rust, python, node, generic.

Examples:
  koor init
  koor init --project Truck-Wash --agent frontend:goth --agent backend:go-api:postgres --yes
  koor init --add mobile:flutter --project Truck-Wash
  koor init --project Truck-Wash --agent frontend:react --dry-run";

/// The flags of `init`, as they were typed.
#[derive(Debug, Default, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct InitArgs {
    /// Name of the project: letters, digits, '-', '_' and '.'
    #[arg(long, value_name = "NAME")]
    project: Option<String>,

    /// Agent of a new project; may be repeated
    #[arg(long, value_name = "NAME:STACK[:DATABASE]", conflicts_with = "add")]
    agent: Vec<String>,

    /// Agent to add to an existing project; may be repeated
    #[arg(long, value_name = "NAME:STACK[:DATABASE]")]
    add: Vec<String>,

    /// Directory of the workspaces
    #[arg(long, value_name = "PATH", default_value = ".")]
    dir: PathBuf,

    /// Also write a script or unit that starts the server
    #[arg(long, value_name = "HOW", value_enum)]
    start: Option<Starter>,

    /// Let Claude Code run koor without asking, by .claude/settings.json
    #[arg(long)]
    allow_koor: bool,

    /// Also install the hooks of a client for this user; may be repeated
    #[arg(long, value_name = "CLIENT", value_enum)]
    hooks: Vec<Client>,

    /// Ask nothing
    #[arg(long, short)]
    yes: bool,

    /// Replace files that differ
    #[arg(long)]
    force: bool,

    /// List what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,

    /// Ask in plain lines, for screen readers and simple terminals
    #[arg(long)]
    accessible: bool,
}

/// Makes the workspaces of a project, or of an agent more.
///
/// # Errors
/// When it is not wanted, not possible, or files are in the way; then nothing is written.
pub(crate) fn run(args: &InitArgs, global: &Global) -> Result<(), Failure> {
    let settings = ClientSettings::resolve(global, &|name| env::var(name).ok())?;
    let base = std::path::absolute(&args.dir)
        .map_err(|error| Failure::usage(format_args!("invalid --dir {}: {error}", args.dir.display())))?;
    // Without `..`, where that can be known: the path stands in what is told, and in what starts the server.
    let base = if cfg!(unix) { fs::canonicalize(&base).unwrap_or(base) } else { base };
    let mut asker = asker(args)?;
    if let Some(line) = &settings.left_out {
        exit::warn(line);
    }
    let wanted = gather::gather(args, &settings, &base, asker.as_deref_mut())?;
    for warning in &wanted.warnings {
        match asker.as_deref_mut() {
            Some(ask) => ask.warn(warning)?,
            None => exit::warn(warning),
        }
    }

    let program = env::current_exe()
        .map_err(|error| Failure::refused(format_args!("cannot find this program's own file: {error}")))?;
    let site = Site { base: &base, program: &program };
    let known = enroll::known(&wanted.project, &base);
    let files = files(&wanted, site, &enroll::expected(&wanted, &known))?;
    let fates = survey(site, &files, args.force)?;
    if args.dry_run {
        return report::list(&files, &fates);
    }
    refuse_conflicts(&base, &files, &fates)?;
    if let Some(ask) = asker.as_deref_mut() {
        ask.note("This is what comes now", &report::summary(&wanted, &base, &fates))?;
        if !ask.confirm("Write it?", true)? {
            return Err(ask::Stop::Cancelled.into());
        }
    }
    let (files, fates, registered) = make(&wanted, &known, site, args.force)?;
    keep_token(&wanted);
    install_hooks(&wanted.hooks);
    let made = report::made(&wanted, registered);
    let next = report::next_steps(&wanted, &base, &server_program(site, &wanted.project));
    if let Some(ask) = asker.as_deref_mut() {
        ask.note("What comes next", &next)?;
        ask.end(&made)?;
    } else {
        report::list(&files, &fates)?;
        report::say(&format!("{made}\n{next}"));
    }
    Ok(())
}

/// Registers the agents and writes all files, or does neither. Answers what was written, and how many were registered.
fn make(
    wanted: &Wanted,
    known: &Identities,
    site: Site<'_>,
    force: bool,
) -> Result<(Vec<Planned>, Vec<Fate>, usize), Failure> {
    let enrolled = enroll::enroll(wanted, known)?;
    let write = || {
        let identities = enrolled.as_ref().map_or(known, |enrolled| &enrolled.identities);
        let files = files(wanted, site, identities)?;
        let fates = survey(site, &files, force)?;
        refuse_conflicts(site.base, &files, &fates)?;
        write::apply(site, &files, &fates).map_err(|error| {
            Failure::refused(format_args!("cannot write: {error}; everything is as it was"))
        })?;
        Ok((files, fates))
    };
    match write() {
        Ok((files, fates)) => Ok((files, fates, enrolled.map_or(0, |enrolled| enrolled.count()))),
        Err(failure) => {
            if let Some(enrolled) = enrolled {
                enrolled.undo();
            }
            Err(failure)
        }
    }
}

/// Installs the hooks that are wanted. The workspaces are there: what goes wrong here is said, and can be done later.
fn install_hooks(clients: &[Client]) {
    for client in clients {
        let name = client.table().name;
        match hooks::install_for_user(*client) {
            Ok(left) => {
                report::say(&format!("Hooks of {name} are installed; `koor hooks status` shows them."));
                left.into_iter().for_each(exit::warn);
            }
            Err(failure) => exit::warn(format_args!(
                "the hooks of {name} are not installed: {}; `koor hooks install {name}` tries again",
                failure.text()
            )),
        }
    }
}

fn survey(site: Site<'_>, files: &[Planned], force: bool) -> Result<Vec<Fate>, Failure> {
    write::survey(site, files, force)
        .map_err(|error| Failure::refused(format_args!("cannot look at what is there: {error}")))
}

/// Keeps the server's own token in the user's configuration directory: for `koor init --add`, and for what only an
/// administrator may do.
fn keep_token(wanted: &Wanted) {
    let store = Store::new(&|name| env::var(name).ok());
    let kept = wanted.to_keep.as_deref().map(|token| store.set(&wanted.project.server, Some(token)));
    match kept {
        Some(Ok(path)) => report::say(&format!(
            "The server's own token is kept in {}, for your own commands; no workspace holds it.",
            path.display()
        )),
        Some(Err(failure)) => exit::warn(format_args!("the token was not kept: {}", failure.text())),
        None => {}
    }
    let file = token_file(wanted).zip(wanted.project.token.as_deref());
    if let (Some(_), Some((path, token))) = (wanted.starter, file)
        && let Err(failure) =
            store.private_directory().and_then(|_| file::replace(&path, &format!("{token}\n")))
    {
        exit::warn(format_args!("the server will not find its token: {}", failure.text()));
    }
}

/// Where what starts the server finds the server's token: outside of the project.
fn token_file(wanted: &Wanted) -> Option<PathBuf> {
    wanted.project.token.as_ref()?;
    let name = wanted.project.on_loopback()?.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    Some(Store::new(&|name| env::var(name).ok()).directory()?.join(format!("{name}.token")))
}

/// The set of rules that is made for a stack, if one is.
fn rule_set_of(stack: Stack) -> Option<&'static str> {
    rule_sets::names().find(|name| *name == stack.as_str())
}

/// How to ask; `None` if nothing is to be asked.
fn asker(args: &InitArgs) -> Result<Option<Box<dyn Ask>>, Failure> {
    let complete = args.project.is_some() && !(args.agent.is_empty() && args.add.is_empty());
    if args.yes || (args.dry_run && complete) {
        return Ok(None);
    }
    if args.accessible {
        return Ok(Some(Box::new(Plain::new(io::stdin().lock(), io::stderr()))));
    }
    // Questions go to stderr, so both stdin and stderr must be a terminal.
    if io::stdin().is_terminal() && io::stderr().is_terminal() {
        return Ok(Some(Box::new(Arrows)));
    }
    Err(Failure::usage(
        "there is no terminal to ask on: say everything with --project, --agent NAME:STACK and --yes, or use --accessible",
    ))
}

/// Everything that is to be there afterwards.
fn files(wanted: &Wanted, site: Site<'_>, identities: &Identities) -> Result<Vec<Planned>, Failure> {
    let mut files = plan::plan(&wanted.project, identities).map_err(|error| Failure::caused_by(&error))?;
    if let Some(starter) = wanted.starter {
        let program = server_program(site, &wanted.project);
        let token_file = token_file(wanted);
        let file = starter.file(&wanted.project, site.base, &program, token_file.as_deref());
        files.push(file.map_err(|error| Failure::caused_by(&error))?);
    }
    Ok(files)
}

/// The program that starts the server: the one that runs now, which no agent's workspace holds. Under another name it would
/// be the wizard again.
pub(crate) fn server_program(site: Site<'_>, project: &Project) -> PathBuf {
    let own = site.program.file_stem().is_some_and(|name| name == "koor");
    if own { site.program.to_owned() } else { site.base.join(project.controller_folder()).join(PROGRAM) }
}

fn refuse_conflicts(base: &Path, files: &[Planned], fates: &[Fate]) -> Result<(), Failure> {
    let conflicts: Vec<&Planned> =
        files.iter().zip(fates).filter(|(_, fate)| **fate == Fate::Conflict).map(|(file, _)| file).collect();
    let Some(first) = conflicts.first() else { return Ok(()) };
    let more = match conflicts.len() - 1 {
        0 => "is".to_owned(),
        n => format!("and {n} more are"),
    };
    let stuck = conflicts.iter().find(|file| {
        let path = base.join(&file.path);
        path.is_dir() || path.ancestors().skip(1).any(Path::is_file)
    });
    let what_then = match stuck {
        Some(file) => format!("--force can't replace {}: move it away", file.path),
        None => "--force replaces them, --dry-run lists them".to_owned(),
    };
    Err(Failure::refused(format_args!(
        "nothing was written: {} {more} there already and would change; {what_then}",
        first.path
    )))
}
