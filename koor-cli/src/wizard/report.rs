//! What is said before and after.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    path::Path,
};

use super::{
    gather::Wanted,
    plan::Planned,
    project::Project,
    start::{DATA, for_shell},
    write::Fate,
};
use crate::{exit::Failure, probe::Probe};

/// Prints what becomes of each file: a line each, on stdout.
///
/// # Errors
/// When stdout can't be written.
pub(crate) fn list(files: &[Planned], fates: &[Fate]) -> Result<(), Failure> {
    let mut text = String::new();
    for (file, fate) in files.iter().zip(fates) {
        // Padded by hand: `Display` of an enum knows no width.
        let fate = fate.to_string();
        writeln!(text, "{fate:<10}  {}", file.path).map_err(|error| Failure::caused_by(&error))?;
    }
    io::stdout().lock().write_all(text.as_bytes()).map_err(|error| Failure::output(&error))
}

/// Says something on stderr.
pub(crate) fn say(text: &str) {
    // Without stderr, there is no place to report an error.
    let _ = writeln!(io::stderr(), "{text}");
}

/// What is going to be made.
pub(crate) fn summary(wanted: &Wanted, base: &Path, fates: &[Fate]) -> String {
    let project = &wanted.project;
    let answers = match wanted.probe {
        Probe::Open => "answers",
        Probe::Accepts | Probe::OnlyAnAgent => "answers, and asks for a token",
        Probe::NeedsToken => "asks for a token",
        Probe::Silent => "does not answer yet",
    };
    let mut folders = Vec::new();
    if project.with_controller {
        folders.push((project.controller_folder(), "plans and assigns".to_owned()));
    }
    folders.extend(project.agents.iter().map(|agent| (project.folder(agent), agent.stack.to_string())));
    let widest = folders.iter().map(|(folder, _)| folder.chars().count()).max().unwrap_or_default();
    let folders: Vec<String> =
        folders.iter().map(|(folder, what)| format!("  {folder:<widest$}  {what}")).collect();
    let count = |wanted: Fate| fates.iter().filter(|fate| **fate == wanted).count();
    let counts: Vec<String> = [Fate::Create, Fate::Replace, Fate::Extend, Fate::Keep]
        .into_iter()
        .map(|fate| (count(fate), fate))
        .filter(|(n, _)| *n > 0)
        .map(|(n, fate)| format!("{n} to {fate}"))
        .collect();
    format!(
        "Project {}, at {} ({answers})\nIn {}:\n{}\nFiles: {}",
        project.name,
        project.server,
        base.display(),
        folders.join("\n"),
        counts.join(", ")
    )
}

/// What was made.
pub(crate) fn made(wanted: &Wanted, registered: usize) -> String {
    let workspaces = wanted.project.workspaces().count();
    let s = |n: usize| if n == 1 { "" } else { "s" };
    let agents = match registered {
        0 => String::new(),
        n => format!("; {n} agent{} registered", s(n)),
    };
    format!("Done: {workspaces} workspace{} of {}{agents}.", s(workspaces), wanted.project.name)
}

/// The command that makes the same again.
fn again(project: &Project, base: &Path) -> String {
    let flag = if project.with_controller { "--agent" } else { "--add" };
    let agents: Vec<String> = project.agents.iter().map(|agent| format!("{flag} {}", agent.flag())).collect();
    format!(
        "koor init --project {} {} --server {} --dir {} --yes",
        project.name,
        agents.join(" "),
        project.server,
        for_shell(base)
    )
}

/// What one does now.
pub(crate) fn next_steps(wanted: &Wanted, base: &Path, program: &Path) -> String {
    let project = &wanted.project;
    let mut steps = Vec::new();
    if wanted.probe == Probe::Silent {
        steps.push(match (wanted.starter, project.on_loopback()) {
            (Some(starter), _) => format!("Start the server:\n   {}", starter.command(base)),
            (None, Some(bind)) => {
                let data = for_shell(&base.join(DATA));
                let token = if project.token.is_some() { " --auth-token-file FILE" } else { "" };
                let bind = for_shell(Path::new(&bind));
                format!(
                    "Start the server, in a terminal of its own:\n   {} serve --bind {bind} --data-dir {data}{token}",
                    for_shell(program)
                )
            }
            (None, None) => format!(
                "Start the server at {}: on its machine, koor serve --help says how",
                project.server
            ),
        });
        let why = if project.token.is_some() {
            "Register the agents, which gives each a token of its own"
        } else {
            "Register the agents (or let each register itself when it is set up)"
        };
        steps.push(format!("{why}, by the same command again:\n   {}", again(project, base)));
    } else if let Some(starter) = wanted.starter {
        steps.push(format!("A server runs. To start it this way later:\n   {}", starter.command(base)));
    }
    let place = |folder: &str| for_shell(&base.join(folder));
    if project.with_controller {
        steps.push(format!(
            "Open this folder in your IDE, and tell the agent there: setup agents\n   {}",
            place(&project.controller_folder())
        ));
    }
    let agents: Vec<String> =
        project.agents.iter().map(|agent| format!("   {}", place(&project.folder(agent)))).collect();
    let when = if project.with_controller {
        "When it has assigned tasks, open"
    } else {
        "Tell the controller of the new agent, then open"
    };
    let windows = if agents.len() == 1 { "this folder" } else { "each of these in a window" };
    steps.push(format!("{when} {windows}, and say: setup agents\n{}", agents.join("\n")));
    let numbered: Vec<String> =
        steps.into_iter().enumerate().map(|(n, step)| format!("{}. {step}", n + 1)).collect();
    format!(
        "{}\n\nAn IDE may ask whether it may use the MCP server koor: it may.\nWords for later: next, yes, no, check requests, status.",
        numbered.join("\n")
    )
}
