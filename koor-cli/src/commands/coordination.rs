//! What commands have in common with which agents work together: the project, and waits of any length.

use std::{
    env,
    time::{Duration, Instant},
};

use clap::Args;
use serde_json::Value;

use crate::{
    client::{Answer, Request},
    context::Context,
    exit::Failure,
};

/// The project that a command is about.
#[derive(Debug, Args)]
pub(crate) struct ProjectArg {
    /// The project [environment: `KOOR_PROJECT`] [default: that of this directory's agent]
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
}

impl ProjectArg {
    /// The project that is meant: the flag, the environment, or the project of this directory's agent.
    ///
    /// # Errors
    /// When none of them says.
    pub(crate) fn resolve(&self, context: &Context) -> Result<String, Failure> {
        let of_environment = || env::var("KOOR_PROJECT").ok();
        let given = self.project.clone().or_else(of_environment).filter(|project| !project.is_empty());
        if let Some(project) = given {
            return Ok(project);
        }
        let unknown = || {
            Failure::usage(
                "which project? Give --project, set KOOR_PROJECT, or register this directory's agent",
            )
        };
        let id = context.settings.instance_id.as_ref().ok_or_else(unknown)?;
        let instance: Value = context.client.get("/api/instances").segment(id).send()?.json()?;
        let workspace = instance["workspace"].as_str().unwrap_or_default().trim_end_matches('/');
        let last = workspace.rsplit('/').next().unwrap_or_default();
        if last.is_empty() { Err(unknown()) } else { Ok(last.to_owned()) }
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
