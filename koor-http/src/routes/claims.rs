//! Tasks and the agents that hold them: claimed, renewed, released, done, failed.

use std::time::{Duration, Instant};

use hyper::HeaderMap;
use koor_core::{
    domain::{LeaseTime, RawJson, tasks::Fence},
    ids::{ProjectName, TaskNumber},
    schema::{FullProse, Needs, Prose},
    time_span::TimeSpan,
    use_cases::{
        ClaimRequest, ClaimView, Claimed, FailTask, FinishTask, Holding, ReleaseTask, RenewClaim,
        TaskSummary, TaskView,
    },
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::select;

use crate::{
    error::Failure,
    json_body::OrDefault,
    query_value::query,
    request::Call,
    response::{self, Json, Written},
    routes::tasks::{body, id, mark, project, run},
};

fn lease(span: Option<TimeSpan>) -> Result<Option<LeaseTime>, Failure> {
    Ok(span.map(|span| LeaseTime::new(span.get())).transpose()?)
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct ClaimBody {
    number: Option<TaskNumber>,
    labels: Vec<String>,
    #[schemars(with = "Option<LeaseTime>")]
    lease: Option<TimeSpan>,
}

query! {
    struct ClaimQuery {
        /// Wait for one, at most so long.
        wait: Option<Duration>,
    }
}

/// The task that was claimed; without one, how many there are.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Claimed")]
pub(crate) struct ClaimAnswer {
    task: Option<TaskView>,
    #[serde(flatten)]
    counts: Option<ClaimCounts>,
}

/// How many tasks a project has that cannot be claimed now.
#[derive(Serialize, JsonSchema)]
struct ClaimCounts {
    ready: u64,
    blocked: u64,
    claimed: u64,
}

pub(crate) async fn claim(
    call: Call,
    (OrDefault(body), query): (OrDefault<ClaimBody>, ClaimQuery),
) -> Result<Json<ClaimAnswer>, Failure> {
    let request = ClaimRequest { number: body.number, labels: body.labels, lease: lease(body.lease)? };
    let wait = query.wait.unwrap_or_default();
    let (koor, project) = (call.koor(), project(&call)?);
    let begun = Instant::now();
    let claiming = koor.claim_task(&call.caller, project.clone(), request, wait);
    let done = if wait.is_zero() {
        let done = claiming.await?;
        if matches!(done.output, Claimed::Task(_)) {
            call.shared().meters.claimed(begun.elapsed());
        }
        done
    } else {
        select! {
            biased;
            // Before the claim: one that has hung up must not get a task that it will never do.
            () = call.no_use_in_waiting() => return nothing(&call, &project).await,
            done = claiming => done?,
        }
    };
    match &done.output {
        Claimed::Task(task) => {
            let view = koor.task_view(task);
            let headers = {
                let mut headers = HeaderMap::new();
                mark(&mut headers, &view);
                response::set_cursor(&mut headers, done.cursor);
                headers
            };
            let mut answer = response::json(&ClaimAnswer { task: Some(view), counts: None })?;
            answer.headers_mut().extend(headers);
            Ok(answer)
        }
        Claimed::Nothing(counts) => none_claimed(ClaimCounts {
            ready: counts.claimable,
            blocked: counts.blocked + counts.delayed,
            claimed: counts.claimed,
        }),
    }
}

/// What is said to one that has hung up.
async fn nothing(call: &Call, project: &ProjectName) -> Result<Json<ClaimAnswer>, Failure> {
    let summaries = call.koor().task_summaries().await?;
    let counts = summaries.into_iter().find(|summary| summary.project == *project);
    let of = |count: fn(&TaskSummary) -> u64| counts.as_ref().map_or(0, count);
    none_claimed(ClaimCounts {
        ready: of(|of| of.ready),
        blocked: of(|of| of.open - of.ready),
        claimed: of(|of| of.claimed),
    })
}

fn none_claimed(counts: ClaimCounts) -> Result<Json<ClaimAnswer>, Failure> {
    response::json(&ClaimAnswer { task: None, counts: Some(counts) })
}

body! {
    RenewBody {
        /// The fence of the claim, which must be the current one.
        fence: Option<Fence>,
        #[schemars(with = "Option<LeaseTime>")]
        lease: Option<TimeSpan>,
    }
}

/// The claim that a call is about.
fn holding(call: &Call, fence: Option<Fence>) -> Result<Holding, Failure> {
    Ok(Holding::new(&call.caller, id(call)?, fence))
}

pub(crate) async fn renew(
    call: Call,
    OrDefault(body): OrDefault<RenewBody>,
) -> Result<Json<Option<ClaimView>>, Failure> {
    let command = RenewClaim { holding: holding(&call, body.fence)?, lease: lease(body.lease)? };
    let done = call.koor().execute(&call.caller, command).await?;
    let view = call.koor().task_view(&done.output);
    let Written(answer) = response::committed(&done.map(|_| view.claim))?;
    Ok(answer)
}

body! {
    ReleaseBody {
        /// The fence of the claim, which must be the current one.
        fence: Option<Fence>,
        #[schemars(with = "Option<Prose>")]
        note: Option<String>,
        /// It cannot be claimed again before.
        delay: Option<TimeSpan>,
    }
}

pub(crate) async fn release(
    call: Call,
    OrDefault(body): OrDefault<ReleaseBody>,
) -> Result<Written<TaskView>, Failure> {
    let holding = holding(&call, body.fence)?;
    run(&call, ReleaseTask::new(holding, body.note, body.delay.map(TimeSpan::get))?).await
}

body! {
    DoneBody {
        /// The fence of the claim, which must be the current one.
        fence: Option<Fence>,
        /// What the agent leaves, at most 64 KiB.
        result: Option<RawJson>,
        #[schemars(with = "Option<Prose>")]
        note: Option<String>,
    }
}

pub(crate) async fn done(
    call: Call,
    OrDefault(body): OrDefault<DoneBody>,
) -> Result<Written<TaskView>, Failure> {
    let holding = holding(&call, body.fence)?;
    run(&call, FinishTask::new(holding, body.result, body.note)?).await
}

body! {
    #[schemars(transform = Needs(&["reason"]))]
    FailBody {
        /// The fence of the claim, which must be the current one.
        fence: Option<Fence>,
        #[schemars(with = "FullProse")]
        reason: Option<String>,
        /// Whether it may be tried again; true unless told.
        retry: Option<bool>,
    }
}

pub(crate) async fn fail(
    call: Call,
    OrDefault(body): OrDefault<FailBody>,
) -> Result<Written<TaskView>, Failure> {
    let holding = holding(&call, body.fence)?;
    run(&call, FailTask::new(holding, body.reason, body.retry.unwrap_or(true))?).await
}
