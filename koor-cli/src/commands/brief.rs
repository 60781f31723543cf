//! What this agent has to know now.

use clap::Args;

use crate::{
    commands::{coordination::wait_for, documents::Span},
    context::Context,
    exit::Failure,
    output,
};

pub(crate) const EXAMPLES: &str = "\
Examples:
  koor brief
  koor brief --wait 10m
  koor brief --since 120 --json";

/// What is asked for.
#[derive(Debug, Args)]
pub(crate) struct BriefArgs {
    /// With the changes after this cursor, instead of those since the last brief
    #[arg(long, value_name = "ID")]
    since: Option<u64>,
    /// Wait until there is something new, at most this long
    #[arg(long, value_name = "TIME")]
    wait: Option<Span>,
}

/// Prints the brief: text, or JSON where that is asked for.
///
/// # Errors
/// When the server refuses, or can't be reached.
pub(crate) fn run(args: &BriefArgs, context: &Context) -> Result<(), Failure> {
    let json = context.output.is_json_wanted();
    let kind = if json { "application/json" } else { "text/plain" };
    let request = || {
        let request = context.client.get("/api/brief").header("Accept", kind.to_owned());
        Ok(request.queries("since", args.since))
    };
    let brief = wait_for(args.wait.as_ref().map(Span::get), request, |answer, last| {
        // The server knows what is news for this agent.
        let has_news = answer.header("X-Koor-Quiet").is_none();
        let body = answer.bytes()?;
        Ok((last || has_news).then_some(body))
    })?;
    if json { context.output.json(&brief) } else { output::print(&brief) }
}
