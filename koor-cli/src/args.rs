//! The command line as it was typed.

pub(crate) mod serve;

use std::{ffi::OsString, path::Path};

use clap::{Command, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::{
    commands::{
        audit, backup, compliance, config, contract, doctor, events, import, instances, manual, mcp, metrics,
        rules, specs, state, status, templates, usage, validate, webhooks,
    },
    global::Global,
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
    /// Starts the server
    #[command(after_help = serve::EXAMPLES)]
    Serve(Box<serve::ServeArgs>),

    /// Makes workspaces for agents that work together: the wizard
    #[command(after_help = wizard::EXAMPLES)]
    Init(Box<wizard::InitArgs>),

    /// Takes over the database of an original server
    #[command(after_help = import::EXAMPLES)]
    Import(import::Import),

    /// Asks whether the server can do its work
    #[command(after_help = status::EXAMPLES)]
    Status,

    /// Shows and sets where the server is
    #[command(subcommand)]
    Config(config::ConfigCommand),

    /// What MCP clients need to find this server
    #[command(subcommand)]
    Mcp(mcp::McpCommand),

    /// Shared values, with every version they had
    #[command(subcommand)]
    State(state::StateCommand),

    /// What projects agree on: JSON documents with versions
    #[command(subcommand)]
    Specs(specs::SpecsCommand),

    /// The event log: what happened, and what happens next
    #[command(subcommand)]
    Events(events::EventsCommand),

    /// Checks files against a project's rules
    #[command(after_help = validate::EXAMPLES)]
    Validate(validate::ValidateArgs),

    /// Saves everything on the server in a file
    #[command(after_help = backup::BACKUP_EXAMPLES)]
    Backup(backup::BackupArgs),

    /// Restores what a backup holds
    #[command(after_help = backup::RESTORE_EXAMPLES)]
    Restore(backup::RestoreArgs),

    /// Looks for what is wrong, and says what to do
    #[command(after_help = doctor::EXAMPLES)]
    Doctor,

    /// What services promise each other
    #[command(subcommand)]
    Contract(contract::ContractCommand),

    /// What code must and must not contain
    #[command(subcommand)]
    Rules(rules::RulesCommand),

    /// Who is called when something happens
    #[command(subcommand)]
    Webhooks(webhooks::WebhooksCommand),

    /// Whether agents keep to their contracts
    #[command(subcommand)]
    Compliance(compliance::ComplianceCommand),

    /// Rules and contracts to take from project to project
    #[command(subcommand)]
    Templates(templates::TemplatesCommand),

    /// Shows who did what, newest first
    #[command(after_help = audit::EXAMPLES)]
    Audit(Box<audit::Audit>),

    /// Shows the server, or its agents, in numbers
    #[command(after_help = metrics::EXAMPLES)]
    Metrics(metrics::Metrics),

    /// What models cost
    #[command(subcommand)]
    Llm(usage::LlmCommand),

    /// Registers an agent, whose directory this becomes
    #[command(after_help = instances::REGISTER)]
    Register(instances::Register),

    /// Makes a registered agent active, whose directory this becomes
    #[command(after_help = instances::ACTIVATE)]
    Activate(instances::WhichOrOwn),

    /// Says that an agent is alive
    #[command(after_help = instances::HEARTBEAT)]
    Heartbeat(instances::WhichOrOwn),

    /// Who is there
    #[command(subcommand)]
    Instances(instances::InstancesCommand),

    /// Prints what a shell needs to complete commands
    #[command(after_help = manual::COMPLETIONS)]
    Completions(manual::Completions),

    /// Prints a manual page
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
