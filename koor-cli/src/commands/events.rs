//! The event log: followed as it grows.

use clap::Subcommand;

use crate::{commands::subscribe, context::Context, exit::Failure};

/// What is done with events.
#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// Follows the log: prints each event as it comes, across broken connections
    #[command(after_help = subscribe::EXAMPLES)]
    Subscribe(subscribe::SubscribeArgs),
}

/// Does what was typed.
///
/// # Errors
/// When the server refuses, or can't be reached.
pub(crate) fn run(command: &EventsCommand, context: &Context) -> Result<(), Failure> {
    match command {
        EventsCommand::Subscribe(args) => subscribe::run(args, &context.client),
    }
}
