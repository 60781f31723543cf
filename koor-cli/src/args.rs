//! The command line as it was typed.

pub(crate) mod serve;

use std::{ffi::OsString, path::Path};

use clap::{Command, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::{
    commands::{
        audit, backup, brief, budgets, compliance, config, contract, doctor, events, hook, hooks, import,
        instances, leases, manual, mcp, messages, metrics, rules, skill, specs, state, status, store, tasks,
        templates, usage, validate, webhooks,
    },
    global::Global,
    settings::serve::ServeFlags,
    wizard,
};

/// A coordination server for AI coding agents, and everything that a shell does with one.
#[derive(Debug, Parser)]
#[command(
    name = "koor",
    version,
    disable_help_flag = true,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = EXAMPLES
)]
pub(crate) struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub(crate) global: Global,

    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Task,
}

const EXAMPLES: &str = "\
Examples:
  koor serve
  koor init --project Truck-Wash --agent frontend:react --agent backend:go-api --yes
  koor register frontend --workspace Truck-Wash
  koor events wait 'truck-wash.*' --since 0
  koor state set --help";

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Start the server
    #[command(after_help = serve::EXAMPLES)]
    Serve(Box<ServeFlags>),

    /// Set up workspaces for a project's agents (wizard)
    #[command(after_help = wizard::EXAMPLES)]
    Init(Box<wizard::InitArgs>),

    /// Import the database of an original server
    #[command(after_help = import::EXAMPLES)]
    Import(import::Import),

    /// Manage the database of a server
    #[command(subcommand)]
    Store(store::StoreCommand),

    /// Check the health of the server
    #[command(after_help = status::EXAMPLES)]
    Status,

    /// Show and change settings
    #[command(subcommand)]
    Config(config::ConfigCommand),

    /// Connect MCP clients to the server
    #[command(subcommand)]
    Mcp(mcp::McpCommand),

    /// Manage shared values and their versions
    #[command(subcommand)]
    State(state::StateCommand),

    /// Manage specs: JSON documents of projects
    #[command(subcommand)]
    Specs(specs::SpecsCommand),

    /// Publish and follow events
    #[command(subcommand)]
    Events(events::EventsCommand),

    /// Print what this agent has to know now
    #[command(after_help = brief::EXAMPLES)]
    Brief(brief::BriefArgs),

    /// Answer a client that calls its hooks
    #[command(after_help = hook::EXAMPLES)]
    Hook(hook::HookArgs),

    /// Set up the hooks of clients and git
    #[command(subcommand)]
    Hooks(hooks::HooksCommand),

    /// Write the skill that tells agents how to use Koor
    #[command(subcommand)]
    Skill(skill::SkillCommand),

    /// Lease paths, so that agents do not edit the same files
    #[command(subcommand)]
    Lease(leases::LeaseCommand),

    /// Send and read messages between agents
    #[command(subcommand)]
    Msg(messages::MsgCommand),

    /// Check files against a project's rules
    #[command(after_help = validate::EXAMPLES)]
    Validate(validate::ValidateArgs),

    /// Save a backup of the server to a file
    #[command(after_help = backup::BACKUP_EXAMPLES)]
    Backup(backup::BackupArgs),

    /// Restore a backup
    #[command(after_help = backup::RESTORE_EXAMPLES)]
    Restore(backup::RestoreArgs),

    /// Diagnose problems and say how to fix them
    #[command(after_help = doctor::EXAMPLES)]
    Doctor,

    /// Manage contracts between services
    #[command(subcommand)]
    Contract(contract::ContractCommand),

    /// Manage rules for code
    #[command(subcommand)]
    Rules(rules::RulesCommand),

    /// Manage webhooks
    #[command(subcommand)]
    Webhooks(webhooks::WebhooksCommand),

    /// Run and list compliance checks
    #[command(subcommand)]
    Compliance(compliance::ComplianceCommand),

    /// Manage templates of rules and contracts
    #[command(subcommand)]
    Templates(templates::TemplatesCommand),

    /// Show the audit log, newest first
    #[command(after_help = audit::EXAMPLES)]
    Audit(Box<audit::Audit>),

    /// Show metrics of the server or its agents
    #[command(after_help = metrics::EXAMPLES)]
    Metrics(metrics::Metrics),

    /// Manage the budgets of projects
    #[command(subcommand)]
    Budget(budgets::BudgetCommand),

    /// Record and report LLM usage
    #[command(subcommand)]
    Llm(usage::LlmCommand),

    /// Register an agent for this directory
    #[command(after_help = instances::REGISTER)]
    Register(instances::Register),

    /// Activate a registered agent
    #[command(after_help = instances::ACTIVATE)]
    Activate(instances::WhichOrOwn),

    /// Send a heartbeat for an agent
    #[command(after_help = instances::HEARTBEAT)]
    Heartbeat(instances::WhichOrOwn),

    /// List and manage instances
    #[command(subcommand)]
    Instances(instances::InstancesCommand),

    /// Claim the next task and print it
    #[command(after_help = tasks::work::NEXT)]
    Next(tasks::work::Next),

    /// Finish a task
    #[command(after_help = tasks::work::DONE)]
    Done(tasks::work::Done),

    /// Say that a task could not be done
    #[command(after_help = tasks::work::FAIL)]
    Fail(tasks::work::Fail),

    /// Give a task back
    #[command(after_help = tasks::work::RELEASE)]
    Release(tasks::work::Release),

    /// Manage the tasks of a project
    #[command(subcommand, name = "task")]
    Tasks(tasks::TaskCommand),

    /// Print shell completions
    #[command(after_help = manual::COMPLETIONS)]
    Completions(manual::Completions),

    /// Print a manual page
    #[command(after_help = manual::MAN)]
    Man(manual::Man),
}

/// Reads a command line. The name it was called by can stand for a command: `koor-server` for `koor serve`.
///
/// # Errors
/// When it can't be understood, or asks for help only.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let mut args: Vec<OsString> = args.into_iter().collect();
    let called = args.first().map(Path::new).and_then(Path::file_stem).and_then(|name| name.to_str());
    let command = match called {
        Some("koor-server") => Some("serve"),
        Some("koor-wizard") => Some("init"),
        Some(_) | None => None,
    };
    if let Some(command) = command {
        args.insert(1, command.into());
    }
    let mut definition = definition();
    let mut matches = definition.try_get_matches_from_mut(args)?;
    Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut definition))
}

/// Every command and flag. A flag with a dash in its name can be written with an underscore, too.
pub(crate) fn definition() -> Command {
    with_underscores(Cli::command())
}

fn with_underscores(command: Command) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|one| one.get_name().to_owned()).collect();
    let command = command.mut_args(|arg| match arg.get_long() {
        Some(long) if long.contains('-') => {
            let old = long.replace('-', "_");
            arg.alias(old)
        }
        Some(_) | None => arg,
    });
    names.into_iter().fold(command, |command, name| command.mut_subcommand(name, with_underscores))
}

#[cfg(test)]
mod tests;
