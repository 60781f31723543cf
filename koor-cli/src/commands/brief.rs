//! What this agent has to know now.

use clap::Args;
use serde_json::Value;

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
        let body = answer.bytes()?;
        Ok((last || !is_quiet(&body)).then_some(body))
    })?;
    if json { context.output.json(&brief) } else { output::print(&brief) }
}

/// Whether a brief says that there is nothing new: in one line of text, or in empty fields.
fn is_quiet(brief: &[u8]) -> bool {
    match serde_json::from_slice::<Value>(brief) {
        Err(_) => brief.starts_with(b"Nothing new"),
        Ok(brief) => {
            let lists = ["messages", "claims", "review", "waiting", "changes"];
            let counts = [&brief["ready"]["count"], &brief["rules_changed"], &brief["violations"]];
            lists.iter().all(|list| brief[*list].as_array().is_some_and(Vec::is_empty))
                && counts.iter().all(|count| **count == 0)
        }
    }
}
