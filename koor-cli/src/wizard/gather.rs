//! What is wanted: from the flags, and from answers where they say nothing.

use std::{env, fs, path::Path, str::FromStr as _};

use serde_json::Value;

use super::{
    InitArgs,
    ask::{Ask, Check, Checked, Choice},
    plan,
    project::{Agent, Agents, CONTROLLER, Database, Name, Project, Stack, Wrong},
    start::Starter,
};
use crate::{
    commands::{hook::clients::Client, hooks},
    exit::Failure,
    probe::{Probe, probe},
    settings::{
        client::{ClientSettings, check_token, server_url},
        file,
        origin::Origin,
        store::Store,
    },
};

/// What is to be made, and what is known of the server that it will meet in.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) project: Project,
    pub(crate) probe: Probe,
    pub(crate) starter: Option<Starter>,
    /// The clients whose hooks are installed.
    pub(crate) hooks: Vec<Client>,
    pub(crate) warnings: Vec<String>,
    /// The server's own token, if it was given for this run and can be kept for the next.
    pub(crate) to_keep: Option<String>,
}

/// Finds out what is wanted. Asks for what the flags do not say, if it may ask.
///
/// # Errors
/// When it can't be meant, or is not said.
pub(crate) fn gather(
    args: &InitArgs,
    settings: &ClientSettings,
    base: &Path,
    mut ask: Option<&mut (dyn Ask + 'static)>,
) -> Result<Wanted, Failure> {
    let mut warnings = Vec::new();
    let mut given = Vec::new();
    for text in args.agent.iter().chain(&args.add) {
        given.push(Agent::parse(text, &mut warnings).map_err(usage)?);
    }
    let name = args.project.as_deref().map(Name::from_str).transpose().map_err(usage)?;
    if let Some(ask) = ask.as_deref_mut() {
        ask.begin("Koor: workspaces for agents that work together")?;
    }

    let (name, adds) = match (name, ask.as_deref_mut()) {
        (Some(name), _) => (name, !args.add.is_empty()),
        (None, Some(ask)) => ask_for_project(base, !given.is_empty(), !args.add.is_empty(), ask)?,
        (None, None) => return Err(Failure::usage("--project NAME is needed")),
    };
    let controller = base.join(format!("{}-{CONTROLLER}", name.slug()));
    if adds && !controller.is_dir() {
        return Err(Failure::refused(format_args!(
            "there is no project {name} in {}: {} is missing. Without --add, --agent makes a new one",
            base.display(),
            controller.display()
        )));
    }
    let there = if adds { names_in(&controller) } else { Vec::new() };
    let agents = match ask.as_deref_mut() {
        Some(ask) if given.is_empty() => ask_for_agents(&there, ask)?,
        Some(_) | None => given,
    };
    let agents = Agents::new(agents).map_err(usage)?;

    let known =
        if adds { file::read_if_there(&controller.join(file::NAME))? } else { serde_json::Map::new() };
    let known = |key: &str| known.get(key).and_then(Value::as_str).map(str::to_owned);
    let likely = match (settings.server.origin, known("server")) {
        (Origin::Default, Some(server)) => server,
        (_, _) => settings.server.value.clone(),
    };
    let server = match ask.as_deref_mut() {
        Some(ask) if !adds && matches!(settings.server.origin, Origin::File | Origin::Default) => {
            let check: Check = Box::new(|text| server_url(text).map(drop));
            ask.text(
                "Where is the Koor server, or where will it be?",
                Some(&likely),
                Checked::WhenDone(check),
            )?
        }
        Some(_) | None => likely,
    };
    let server = server_url(&server).map_err(Failure::usage)?;
    // A token goes only to the server it was set for; who is asked has just named one.
    let fits = ask.is_some() || settings.server.value == server;
    let given = settings.token.as_ref().filter(|_| fits);
    let typed = given.filter(|token| token.origin != Origin::File);
    let stored = || Store::new(&|name| env::var(name).ok()).token(&server);
    // The one in a file is an agent's: the user's own can do more.
    let token = match typed.map(|token| token.value.clone()) {
        Some(token) => Some(token),
        None => stored()?.or_else(|| given.map(|token| token.value.clone())),
    };
    let (probe, token, was_asked) = meet(&server, token, ask.as_deref_mut())?;
    let by_flag = given.is_some_and(|token| token.origin == Origin::Flag);
    let to_keep = token.clone().filter(|_| was_asked || by_flag);
    let asked = ask.is_some();
    let mut project =
        Project { name, agents, with_controller: !adds, server, token, allows_koor: args.allow_koor };
    let starter = match (args.start, ask.as_deref_mut()) {
        (Some(starter), _) => {
            if project.on_loopback().is_none() {
                return Err(Failure::usage(format_args!(
                    "--start starts a server on this machine, and {} is not on it",
                    project.server
                )));
            }
            Some(starter)
        }
        (None, Some(ask)) if matches!(probe, Probe::Silent) && project.on_loopback().is_some() => {
            ask_for_starter(&project, ask)?
        }
        (None, _) => None,
    };
    let mut chosen = args.hooks.clone();
    if let Some(ask) = ask {
        if !project.allows_koor {
            let question = "May Claude Code run koor without asking you each time?";
            project.allows_koor = ask.confirm(question, true)?;
        }
        if chosen.is_empty() {
            chosen = ask_for_hooks(hooks::clients_without(), ask)?;
        }
    }
    // An interactive user sees it in the summary.
    if !(asked && probe == Probe::Silent) {
        warnings.extend(probe.warning(&project.server));
    }
    Ok(Wanted { project, probe, starter, hooks: chosen, warnings, to_keep })
}

fn usage(wrong: Wrong) -> Failure {
    Failure::usage(wrong)
}

/// Asks whether a new project is meant or one that is there, and for the name of a new one.
fn ask_for_project(
    base: &Path,
    has_agents: bool,
    adds: bool,
    ask: &mut dyn Ask,
) -> Result<(Name, bool), Failure> {
    let projects = projects_in(base);
    if !(projects.is_empty() || has_agents && !adds) {
        let new = Choice { label: "A new project".to_owned(), hint: String::new() };
        let add = |project: &Name| Choice {
            label: format!("An agent for {project}"),
            hint: "that is here already".to_owned(),
        };
        let offered: Vec<Choice> =
            (!adds).then_some(new).into_iter().chain(projects.iter().map(add)).collect();
        let chosen = ask.choose("What shall it be?", &offered)?;
        if let Some(project) = (chosen + usize::from(adds)).checked_sub(1).and_then(|n| projects.get(n)) {
            return Ok((project.clone(), true));
        }
    }
    let check: Check = Box::new(|text| Name::from_str(text).map(drop).map_err(|wrong| wrong.to_string()));
    let name = ask.text("What is the project called?", None, Checked::AsTyped(check))?;
    Ok((name.parse().map_err(usage)?, adds))
}

/// The projects that have a controller here, as their notes for agents name them.
fn projects_in(base: &Path) -> Vec<Name> {
    let Ok(entries) = fs::read_dir(base) else { return Vec::new() };
    let mut projects: Vec<Name> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            path.file_name()?.to_str()?.strip_suffix(&format!("-{CONTROLLER}"))?;
            let instructions = fs::read_to_string(path.join("AGENTS.md")).ok()?;
            plan::project_of(&instructions)?.parse().ok()
        })
        .collect();
    projects.sort_by_key(Name::slug);
    projects
}

/// The agents that a controller knows.
fn names_in(controller: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(controller.join("agents")) else { return Vec::new() };
    entries.filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned())).collect()
}

fn ask_for_agents(taken: &[String], ask: &mut dyn Ask) -> Result<Vec<Agent>, Failure> {
    let mut agents: Vec<Agent> = Vec::new();
    loop {
        let taken: Vec<String> =
            taken.iter().cloned().chain(agents.iter().map(|agent| agent.name.clone())).collect();
        let check: Check = Box::new(move |text| {
            let name = Name::from_str(text).map_err(|wrong| wrong.to_string())?;
            if taken.contains(&name.slug()) {
                return Err(Wrong::Twice(name.slug()).to_string());
            }
            Agent::new(&name, Stack::Generic).map(drop).map_err(|wrong| wrong.to_string())
        });
        let question = match agents.len() {
            0 => "What is the agent called? It names a part, as in frontend",
            _ => "What is the next agent called?",
        };
        let name: Name = ask.text(question, None, Checked::AsTyped(check))?.parse().map_err(usage)?;
        let stack = ask_for_stack(&name, ask)?;
        agents.push(Agent::new(&name, stack).map_err(usage)?);
        if !ask.confirm("Another agent?", agents.len() < 2)? {
            return Ok(agents);
        }
    }
}

fn ask_for_stack(agent: &Name, ask: &mut dyn Ask) -> Result<Stack, Failure> {
    let choices: Vec<Choice> = Stack::ALL
        .iter()
        .map(|stack| Choice { label: stack.as_str().to_owned(), hint: stack.title().to_owned() })
        .collect();
    let chosen = ask.choose(&format!("What does {agent} build with?"), &choices)?;
    let stack = Stack::ALL.get(chosen).copied().unwrap_or(Stack::Generic);
    if stack.database().is_none() {
        return Ok(stack);
    }
    let choices: Vec<Choice> = Database::ALL
        .iter()
        .map(|database| Choice { label: database.as_str().to_owned(), hint: database.title().to_owned() })
        .collect();
    let chosen = ask.choose("Where does it keep its data?", &choices)?;
    Ok(Stack::GoApi(Database::ALL.get(chosen).copied().unwrap_or_default()))
}

/// Finds out whether the server answers, and with which token, and whether that was asked for: one that is not needed is
/// forgotten.
fn meet(
    server: &str,
    token: Option<String>,
    ask: Option<&mut (dyn Ask + 'static)>,
) -> Result<(Probe, Option<String>, bool), Failure> {
    let mut found = probe(server, token.as_deref());
    if let (Probe::NeedsToken | Probe::OnlyAnAgent, Some(ask)) = (found, ask) {
        let mut was_shown = token.is_some();
        loop {
            let why = match found {
                Probe::OnlyAnAgent => "That is one agent's token, which can't register others. ",
                Probe::NeedsToken if was_shown => "That is not it. ",
                Probe::NeedsToken | Probe::Open | Probe::Accepts | Probe::Silent => "",
            };
            let typed = ask.secret(&format!("{why}What does the server ask for, as --auth-token?"))?;
            let typed = typed.trim().to_owned();
            if let Err(wrong) = check_token(&typed) {
                ask.warn(&format!("that can't be a token: {wrong}"))?;
                continue;
            }
            found = probe(server, Some(&typed));
            was_shown = true;
            match found {
                Probe::NeedsToken | Probe::OnlyAnAgent => {}
                Probe::Open => return Ok((found, None, false)),
                Probe::Accepts | Probe::Silent => return Ok((found, Some(typed), true)),
            }
        }
    }
    match found {
        Probe::Open => Ok((found, None, false)),
        Probe::Accepts | Probe::Silent => Ok((found, token, false)),
        Probe::OnlyAnAgent => Err(Failure::refused(format_args!(
            "the token is that of one agent, which can't register others at {server}: give the server's own with --token"
        ))),
        Probe::NeedsToken => Err(Failure::refused(format_args!(
            "{server} asks for a token{}: give the server's own with --token, and the server with --server",
            if token.is_some() { ", and not for this one" } else { "" }
        ))),
    }
}

/// Asks about the hooks of the clients that are here.
fn ask_for_hooks(clients: Vec<Client>, ask: &mut dyn Ask) -> Result<Vec<Client>, Failure> {
    if clients.is_empty() {
        return Ok(clients);
    }
    let titles: Vec<&str> = clients.iter().map(|client| client.table().title).collect();
    let question = format!(
        "Install Koor's hooks in your own settings of {}? Agents then coordinate by themselves; outside of Koor's projects the \
         hooks do nothing",
        titles.join(", ")
    );
    Ok(if ask.confirm(&question, true)? { clients } else { Vec::new() })
}

fn ask_for_starter(project: &Project, ask: &mut dyn Ask) -> Result<Option<Starter>, Failure> {
    let choice = |label: &str, hint: &str| Choice { label: label.to_owned(), hint: hint.to_owned() };
    let mut choices = vec![
        choice("A script", "start-koor.sh: in a terminal, when you want it"),
        choice("Nothing", "I start it myself"),
    ];
    let mut starters = vec![Some(Starter::Script), None];
    if cfg!(target_os = "linux") {
        choices.insert(1, choice("A systemd --user unit", "koor.service: always, after one command"));
        starters.insert(1, Some(Starter::Systemd));
    }
    let question = format!("No server answers at {} yet. What shall start it?", project.server);
    let chosen = ask.choose(&question, &choices)?;
    Ok(starters.get(chosen).copied().flatten())
}
