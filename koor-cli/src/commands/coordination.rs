//! What commands have in common with which agents work together: the project, and waits of any length.

use std::{
    env,
    time::{Duration, Instant},
};

use clap::Args;
use koor_core::domain::agents::ProjectScope;
use serde_json::Value;

use crate::{
    client::{Answer, Request},
    context::Context,
    exit::Failure,
};

const PROJECT: &str = "The project [environment: KOOR_PROJECT] [default: the workspace in settings.json]";

/// The project that a command is about.
#[derive(Debug, Args)]
pub(crate) struct Project {
    #[arg(long, value_name = "NAME", help = PROJECT)]
    project: Option<String>,
}

impl Project {
    /// The project that is meant: that of the flag, of the environment, of the workspace in the settings, or, in a directory
    /// of before the settings had one, of the agent that is registered for it.
    ///
    /// # Errors
    /// When none of them names one.
    pub(crate) fn resolve(&self, context: &Context) -> Result<String, Failure> {
        let of_environment = || env::var("KOOR_PROJECT").ok();
        let given = self.project.clone().filter(|name| !name.is_empty()).or_else(of_environment);
        if let Some(given) = given.filter(|name| !name.is_empty()) {
            return Ok(given);
        }
        let workspace = match (&context.settings.workspace, &context.settings.instance_id) {
            (None, Some(id)) => {
                let instance: Value = context.client.get("/api/instances").segment(id).send()?.json()?;
                instance["workspace"].as_str().unwrap_or_default().to_owned()
            }
            (workspace, _) => workspace.clone().unwrap_or_default(),
        };
        ProjectScope::of_workspace(&workspace).project().map(ToString::to_string).ok_or_else(|| {
            Failure::usage(
                "which project? Name it with --project or KOOR_PROJECT, or begin with `koor register NAME --workspace \
                 PROJECT`",
            )
        })
    }
}

/// The longest that the server waits in one call.
const LONGEST: Duration = Duration::from_mins(5);

/// Sends a request with as long a `wait` as the server takes, again and again until the answer is settled or the time is up:
/// `settled` says so of an answer, and of a refusal with 409.
///
/// # Errors
/// When it is refused for another reason, or still at the end.
pub(crate) fn wait_for<'a, T>(
    wait: Option<Duration>,
    request: impl Fn() -> Result<Request<'a>, Failure>,
    settled: impl Fn(Answer, bool) -> Result<Option<T>, Failure>,
) -> Result<T, Failure> {
    let until = wait.map(|wait| Instant::now() + wait);
    loop {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let span = left.map(|left| left.min(LONGEST));
        let last = left.is_none_or(|left| left <= LONGEST);
        let mut asked = request()?;
        if let Some(span) = span {
            asked = asked
                .query("wait", format_args!("{}ms", span.as_millis()))
                .patience(span + Duration::from_secs(30));
        }
        match asked.send() {
            Err(refused) if refused.status() == Some(409) && !last => {}
            Err(refused) => return Err(refused),
            Ok(answer) => {
                if let Some(settled) = settled(answer, last)? {
                    return Ok(settled);
                }
            }
        }
    }
}
