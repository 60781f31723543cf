//! Leases on paths: taken, listed, checked, renewed, given back.

use hyper::StatusCode;
use koor_core::{
    Error,
    domain::{
        LeaseTime,
        leases::{LeaseMode, PathSet},
    },
    ids::{AgentName, LeaseId, ProjectName, TaskNumber},
    time_span::TimeSpan,
    use_cases::{LeaseRequest, RenewLease},
};
use serde::Deserialize;
use serde_json::json;
use tokio::select;

use crate::{
    error::Failure,
    request::Call,
    response::{self, Answer},
};

#[derive(Default, Deserialize)]
#[serde(default)]
struct TakeBody {
    paths: Vec<String>,
    mode: Option<String>,
    lease: Option<TimeSpan>,
    reason: String,
    task: Option<TaskNumber>,
}

fn mode(given: Option<&str>) -> Result<LeaseMode, Failure> {
    match given {
        None | Some("") => Ok(LeaseMode::Exclusive),
        Some(mode) => Ok(mode.parse()?),
    }
}

fn lease_time(given: Option<TimeSpan>) -> Result<Option<LeaseTime>, Failure> {
    Ok(given.map(|lease| LeaseTime::new(lease.get())).transpose()?)
}

pub(crate) async fn take(mut call: Call) -> Result<Answer, Failure> {
    let project: ProjectName = call.name(0)?;
    let wait = call.query().span("wait")?;
    let TakeBody { paths, mode: written, lease, reason, task } = call.object().await?;
    let wanted = PathSet::new(&paths, mode(written.as_deref())?)?;
    let request = LeaseRequest::new(project, wanted, lease_time(lease)?, &reason, task)?;
    let take = call.koor().take_lease(&call.caller, request, wait);
    let taken = if wait.is_none() {
        take.await?
    } else {
        select! {
            biased;
            taken = take => taken?,
            // It has hung up: it must not win any more.
            () = call.no_use_in_waiting() => return Err(Failure::BrokenOff),
        }
    };
    let mut answer = response::json_with(StatusCode::CREATED, &taken.output)?;
    response::set_cursor(&mut answer, taken.cursor);
    Ok(answer)
}

pub(crate) async fn list(call: Call) -> Result<Answer, Failure> {
    let query = call.query();
    let (path, name) = (query.text("path")?, query.parse::<AgentName>("name")?);
    response::json(&call.koor().leases(call.name(0)?, path.as_deref(), name).await?)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CheckBody {
    paths: Vec<String>,
    mode: Option<String>,
}

pub(crate) async fn check(mut call: Call) -> Result<Answer, Failure> {
    let project: ProjectName = call.name(0)?;
    let body: CheckBody = call.object().await?;
    let wanted = PathSet::new(&body.paths, mode(body.mode.as_deref())?)?;
    response::json(&call.koor().check_paths(&call.caller, &project, &wanted).await?)
}

/// The lease that a path names; what is no number is the number of none.
fn lease(call: &Call) -> Result<(ProjectName, LeaseId), Failure> {
    let project: ProjectName = call.name(0)?;
    let written = call.param(1)?;
    let id = written.parse().ok().and_then(LeaseId::new);
    let missing = || Error::NotFound { what: "lease", name: format!("{project}/{written}") };
    let id = id.ok_or_else(missing)?;
    Ok((project, id))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RenewBody {
    lease: Option<TimeSpan>,
}

pub(crate) async fn renew(mut call: Call) -> Result<Answer, Failure> {
    let (project, id) = lease(&call)?;
    let body: RenewBody = call.object_or_default().await?;
    let command = RenewLease::new(&call.caller, project, id, lease_time(body.lease)?);
    response::committed(&call.koor().execute(&call.caller, command).await?)
}

pub(crate) async fn release(call: Call) -> Result<Answer, Failure> {
    let (project, id) = lease(&call)?;
    let done = call.koor().release_lease(&call.caller, project, id).await?;
    response::committed(&done.map(|id| json!({"released": id})))
}
