//! Leases on paths: taken, listed, checked, renewed, given back.

use std::time::Duration;

use koor_core::{
    Error,
    domain::{
        LeaseTime,
        leases::{Lease, LeaseMode, PathCheck, PathSet},
    },
    ids::{AgentName, LeaseId, ProjectName, TaskNumber},
    paths::PathPattern,
    schema::{Needs, OrEmpty, Prose},
    time_span::TimeSpan,
    use_cases::{LeaseRequest, RenewLease},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::select;

use crate::{
    error::Failure,
    json_body::{Object, OrDefault},
    query_value::query,
    request::Call,
    response::{self, Created, Json, Written},
};

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename = "LeaseBody", transform = Needs(&["paths"]))]
pub(crate) struct TakeBody {
    #[schemars(with = "Vec<PathPattern>", length(min = 1, max = 100))]
    paths: Vec<String>,
    #[schemars(with = "LeaseMode", transform = OrEmpty)]
    mode: Option<String>,
    #[schemars(with = "Option<LeaseTime>")]
    lease: Option<TimeSpan>,
    #[schemars(with = "Prose")]
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

query! {
    struct TakeQuery {
        /// Wait until they are free, at most so long: first come, first served.
        wait: Option<Duration>,
    }
}

pub(crate) async fn take(
    call: Call,
    (Object(body), TakeQuery { wait }): (Object<TakeBody>, TakeQuery),
) -> Result<Created<Lease>, Failure> {
    let project: ProjectName = call.name(0)?;
    let TakeBody { paths, mode: written, lease, reason, task } = body;
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
    response::created(&taken)
}

query! {
    struct ListQuery {
        /// Those that cover this path.
        path: Option<String>,
        /// Those of the agents with this name.
        name: Option<AgentName>,
    }
}

pub(crate) async fn list(call: Call, query: ListQuery) -> Result<Json<Vec<Lease>>, Failure> {
    let ListQuery { path, name } = query;
    response::json(&call.koor().leases(call.name(0)?, path.as_deref(), name).await?)
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename = "PathsBody", transform = Needs(&["paths"]))]
pub(crate) struct CheckBody {
    #[schemars(with = "Vec<PathPattern>", length(min = 1, max = 100))]
    paths: Vec<String>,
    #[schemars(with = "LeaseMode", transform = OrEmpty)]
    mode: Option<String>,
}

pub(crate) async fn check(call: Call, Object(body): Object<CheckBody>) -> Result<Json<PathCheck>, Failure> {
    let project: ProjectName = call.name(0)?;
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

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename = "LeaseRenewal")]
pub(crate) struct RenewBody {
    #[schemars(with = "Option<LeaseTime>")]
    lease: Option<TimeSpan>,
}

pub(crate) async fn renew(
    call: Call,
    OrDefault(body): OrDefault<RenewBody>,
) -> Result<Written<Lease>, Failure> {
    let (project, id) = lease(&call)?;
    let command = RenewLease::new(&call.caller, project, id, lease_time(body.lease)?);
    response::committed(&call.koor().execute(&call.caller, command).await?)
}

/// The lease that was given back.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Released {
    released: LeaseId,
}

pub(crate) async fn release(call: Call) -> Result<Written<Released>, Failure> {
    let (project, id) = lease(&call)?;
    let done = call.koor().release_lease(&call.caller, project, id).await?;
    response::committed(&done.map(|released| Released { released }))
}
