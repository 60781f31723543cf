//! `koor`: the server, and everything that a shell does with one.
//!
//! The one place that knows every other crate: it puts them together and starts them.

mod args;
mod client;
mod commands;
mod context;
mod exit;
mod global;
mod input;
mod listen;
mod log;
mod loopback;
mod mcp_files;
mod open_files;
mod output;
mod price_file;
mod probe;
mod rule_sets;
mod serve;
mod settings;
mod signals;
mod skill_files;
mod store;
mod systemd;
mod values;
mod wizard;

use std::process::ExitCode;

use clap::error::ErrorKind;

use crate::{
    commands::hook::{self, HookArgs},
    exit::Failure,
};

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    if let Some(hook) = HookArgs::read(&args) {
        return hook::run(&hook).map_or_else(Failure::report, |()| ExitCode::SUCCESS);
    }
    let cli = match args::parse(args) {
        Ok(cli) => cli,
        // Asking for nothing at all is asking what there is.
        Err(error)
            if error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand && error.use_stderr() =>
        {
            return Failure::typed(&error).report();
        }
        Err(error) => {
            // There is no place to report that this failed.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(exit::USAGE) } else { ExitCode::SUCCESS };
        }
    };
    commands::run(cli).map_or_else(Failure::report, |()| ExitCode::SUCCESS)
}
