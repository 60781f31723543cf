//! Tasks: made, claimed, done.

use std::{borrow::Cow, time::Duration};

use hyper::{
    HeaderMap, StatusCode,
    header::{ETAG, HeaderValue, IF_MATCH, IF_NONE_MATCH},
};
use koor_core::{
    Command, Committed, Error,
    domain::{
        LeaseTime, RawJson,
        tasks::{Fence, Task, TaskEditFields, TaskFields, TaskFilter, TaskId, TaskOrder, TaskStatus},
    },
    ids::{ProjectName, TaskNumber},
    time_span::TimeSpan,
    use_cases::{
        AddTaskNote, ClaimRequest, Claimed, CreateTasks, DecideTask, EditTask, FailTask, FinishTask, Holding,
        ReleaseTask, RenewClaim, TaskSummary, TaskView,
    },
};
use serde::Deserialize;
use serde_json::json;
use tokio::select;

use crate::{
    error::Failure,
    request::Call,
    response::{self, Answer, X_KOOR_VERSION},
};

fn project(call: &Call) -> Result<ProjectName, Failure> {
    call.name(0)
}

/// The task that a path names; what is no number is the number of none.
fn id(call: &Call) -> Result<TaskId, Failure> {
    let project = project(call)?;
    let text = call.param(1)?;
    let number = text.parse().ok().and_then(TaskNumber::new);
    match number {
        Some(number) => Ok(TaskId { project, number }),
        None => Err(Error::NotFound { what: "task", name: format!("{project}/{text}") }.into()),
    }
}

fn lease(span: Option<TimeSpan>) -> Result<Option<LeaseTime>, Failure> {
    Ok(span.map(|span| LeaseTime::new(span.get())).transpose()?)
}

/// A task with its tag and its version.
fn shown(view: &TaskView) -> Result<Answer, Failure> {
    let mut answer = response::json(view)?;
    mark(&mut answer, view);
    Ok(answer)
}

fn mark(answer: &mut Answer, view: &TaskView) {
    let headers = answer.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&tag(view)) {
        headers.insert(ETAG, tag);
    }
    headers.insert(X_KOOR_VERSION, HeaderValue::from(view.version.get()));
}

/// The tag of a task: its version, and what tells answers of that version apart.
fn tag(view: &TaskView) -> String {
    format!("\"{}.{}{}\"", view.version, view.revision, if view.ready { "r" } else { "" })
}

/// The tags that a header lists, without what makes them weak.
fn tags<'h>(headers: &'h HeaderMap, name: &hyper::header::HeaderName) -> Vec<&'h str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    let tags = values.flat_map(|value| value.split(','));
    tags.map(str::trim).map(|tag| tag.strip_prefix("W/").unwrap_or(tag)).collect()
}

/// The version that the task must have. Where `If-Match` lists tags of several versions, it must have none of them.
fn wanted_version(call: &Call) -> Result<Option<u64>, Failure> {
    let asked = call.query().number("if_version")?;
    if asked.is_some() || !call.head.headers.contains_key(IF_MATCH) {
        return Ok(asked);
    }
    let tags = tags(&call.head.headers, &IF_MATCH);
    if tags.contains(&"*") {
        return Ok(None);
    }
    let version = |tag: &str| tag.trim_matches('"').split('.').next()?.parse::<u64>().ok();
    // A tag that is none of ours is that of no version.
    Ok(Some(tags.iter().find_map(|tag| version(tag)).unwrap_or(0)))
}

fn committed_task(call: &Call, done: &Committed<impl AsRef<Task>>) -> Result<Answer, Failure> {
    let view = call.koor().task_view(done.output.as_ref());
    let mut answer = shown(&view)?;
    response::set_cursor(&mut answer, done.cursor);
    Ok(answer)
}

async fn run<C: Command<Output: AsRef<Task>>>(call: &Call, command: C) -> Result<Answer, Failure> {
    let done = call.koor().execute(&call.caller, command).await?;
    committed_task(call, &done)
}

pub(crate) async fn projects(call: Call) -> Result<Answer, Failure> {
    let projects: Vec<TaskSummary> = call.koor().task_summaries().await?;
    response::json(&json!({"projects": projects}))
}

/// As everywhere in a query, an empty text counts as none.
fn is_empty(word: &Result<Cow<'_, str>, Failure>) -> bool {
    word.as_ref().is_ok_and(|word| word.is_empty())
}

pub(crate) async fn list(call: Call) -> Result<Answer, Failure> {
    let query = call.query();
    let status: Result<Vec<TaskStatus>, Failure> =
        query.all("status").filter(|word| !is_empty(word)).map(|word| Ok(word?.parse()?)).collect();
    let number = |name| Ok::<_, Failure>(query.number(name)?.unwrap_or(0));
    let parent = match query.number("parent")? {
        None => None,
        Some(number) => {
            Some(TaskNumber::new(number).ok_or_else(|| Failure::invalid("parent counts from 1"))?)
        }
    };
    let ready = query.flag("ready")?;
    let filter = TaskFilter {
        status: status?,
        ready_at: ready.then(|| call.koor().now()),
        label: query.text("label")?,
        assignee: query.parse("assignee")?,
        claimed_by: query.parse("claimed_by")?,
        parent,
        after_number: number("after_number")?,
    };
    let order = query.parse("order")?.unwrap_or(TaskOrder::Number);
    let found = call.koor().tasks(project(&call)?, filter, order, query.limit("limit")?).await?;
    let views: Vec<TaskView> = found.iter().map(|task| call.koor().task_view(task)).collect();
    response::json(&views)
}

pub(crate) async fn create(mut call: Call) -> Result<Answer, Failure> {
    let (tasks, several): (Vec<TaskFields>, bool) = call.object_or_objects().await?;
    let command = CreateTasks::new(&call.caller, project(&call)?, tasks)?;
    let done = call.koor().execute(&call.caller, command).await?;
    let any_new = done.output.iter().any(|created| created.is_new);
    let status = if any_new { StatusCode::CREATED } else { StatusCode::OK };
    let views: Vec<TaskView> =
        done.output.iter().map(|created| call.koor().task_view(&created.task)).collect();
    let mut answer = match views.first().filter(|_| !several) {
        Some(view) => {
            let mut answer = response::json_with(status, view)?;
            mark(&mut answer, view);
            answer
        }
        None => response::json_with(status, &views)?,
    };
    response::set_cursor(&mut answer, done.cursor);
    Ok(answer)
}

pub(crate) async fn get(call: Call) -> Result<Answer, Failure> {
    let (id, koor, query) = (id(&call)?, call.koor(), call.query());
    let (wait, version) = (query.span("wait")?, query.number("version")?);
    if let Some(wait) = wait {
        let changed = select! {
            biased;
            changed = koor.wait_for_task(&id, version, wait) => changed?,
            () = call.no_use_in_waiting() => koor.wait_for_task(&id, version, Duration::ZERO).await?,
        };
        return match changed {
            Some(task) => shown(&koor.task_view(&task)),
            None => Ok(response::empty(StatusCode::NOT_MODIFIED)),
        };
    }
    let view = koor.task_view(&*koor.task(&id).await?);
    let tag = tag(&view);
    if tags(&call.head.headers, &IF_NONE_MATCH).iter().any(|known| *known == tag || *known == "*") {
        let mut answer = response::empty(StatusCode::NOT_MODIFIED);
        mark(&mut answer, &view);
        return Ok(answer);
    }
    shown(&view)
}

pub(crate) async fn edit(mut call: Call) -> Result<Answer, Failure> {
    let fields: TaskEditFields = call.object().await?;
    let edit = fields.try_into()?;
    let command = EditTask::new(&call.caller, id(&call)?, edit, wanted_version(&call)?);
    run(&call, command).await
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ClaimBody {
    number: Option<TaskNumber>,
    labels: Vec<String>,
    lease: Option<TimeSpan>,
}

pub(crate) async fn claim(mut call: Call) -> Result<Answer, Failure> {
    let body: ClaimBody = call.object_or_default().await?;
    let request = ClaimRequest { number: body.number, labels: body.labels, lease: lease(body.lease)? };
    let wait = call.query().span("wait")?.unwrap_or_default();
    let (koor, project) = (call.koor(), project(&call)?);
    let claiming = koor.claim_task(&call.caller, project.clone(), request, wait);
    let done = if wait.is_zero() {
        claiming.await?
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
            let mut answer = response::json(&json!({"task": view}))?;
            mark(&mut answer, &view);
            response::set_cursor(&mut answer, done.cursor);
            Ok(answer)
        }
        Claimed::Nothing(counts) => response::json(&json!({
            "task": null, "ready": counts.claimable, "blocked": counts.blocked + counts.delayed, "claimed": counts.claimed,
        })),
    }
}

/// What is said to one that has hung up.
async fn nothing(call: &Call, project: &ProjectName) -> Result<Answer, Failure> {
    let summaries = call.koor().task_summaries().await?;
    let counts = summaries.into_iter().find(|summary| summary.project == *project);
    let of = |count: fn(&TaskSummary) -> u64| counts.as_ref().map_or(0, count);
    response::json(&json!({
        "task": null, "ready": of(|of| of.ready), "blocked": of(|of| of.open - of.ready), "claimed": of(|of| of.claimed),
    }))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct HolderBody {
    fence: Option<Fence>,
    lease: Option<TimeSpan>,
    delay: Option<TimeSpan>,
    note: Option<String>,
    reason: Option<String>,
    retry: Option<bool>,
    result: Option<RawJson>,
    text: Option<String>,
}

/// The body of a call on a task, all of which is optional, and the claim that it is about.
async fn read(call: &mut Call) -> Result<(HolderBody, Holding), Failure> {
    let body: HolderBody = call.object_or_default().await?;
    let holding = Holding::new(&call.caller, id(call)?, body.fence);
    Ok((body, holding))
}

pub(crate) async fn renew(mut call: Call) -> Result<Answer, Failure> {
    let (body, holding) = read(&mut call).await?;
    let command = RenewClaim { holding, lease: lease(body.lease)? };
    let done = call.koor().execute(&call.caller, command).await?;
    let view = call.koor().task_view(&done.output);
    response::committed(&done.map(|_| view.claim))
}

pub(crate) async fn release(mut call: Call) -> Result<Answer, Failure> {
    let (body, holding) = read(&mut call).await?;
    let command = ReleaseTask::new(holding, body.note, body.delay.map(TimeSpan::get))?;
    run(&call, command).await
}

pub(crate) async fn done(mut call: Call) -> Result<Answer, Failure> {
    let (body, holding) = read(&mut call).await?;
    let command = FinishTask::new(holding, body.result, body.note)?;
    run(&call, command).await
}

pub(crate) async fn fail(mut call: Call) -> Result<Answer, Failure> {
    let (body, holding) = read(&mut call).await?;
    let command = FailTask::new(holding, body.reason, body.retry.unwrap_or(true))?;
    run(&call, command).await
}

pub(crate) async fn approve(mut call: Call) -> Result<Answer, Failure> {
    let (body, holding) = read(&mut call).await?;
    let command = DecideTask::approve(&call.caller, holding.id, body.note)?;
    run(&call, command).await
}

pub(crate) async fn reject(mut call: Call) -> Result<Answer, Failure> {
    let (body, holding) = read(&mut call).await?;
    let command = DecideTask::reject(&call.caller, holding.id, body.note)?;
    run(&call, command).await
}

pub(crate) async fn cancel(mut call: Call) -> Result<Answer, Failure> {
    let (body, holding) = read(&mut call).await?;
    let command = DecideTask::cancel(&call.caller, holding.id, body.reason)?;
    run(&call, command).await
}

pub(crate) async fn reopen(call: Call) -> Result<Answer, Failure> {
    let command = DecideTask::reopen(&call.caller, id(&call)?);
    run(&call, command).await
}

pub(crate) async fn note(mut call: Call) -> Result<Answer, Failure> {
    let (body, holding) = read(&mut call).await?;
    let command = AddTaskNote::new(&call.caller, holding.id, body.text)?;
    let done = call.koor().execute(&call.caller, command).await?;
    let mut answer = response::json_with(StatusCode::CREATED, &done.output)?;
    response::set_cursor(&mut answer, done.cursor);
    Ok(answer)
}

pub(crate) async fn notes(call: Call) -> Result<Answer, Failure> {
    response::json(&call.koor().task_notes(&id(&call)?).await?)
}
