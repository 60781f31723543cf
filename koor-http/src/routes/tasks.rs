//! Tasks: made, read, changed, decided on.

use std::time::Duration;

use hyper::{
    HeaderMap, StatusCode,
    header::{ETAG, HeaderValue, IF_MATCH, IF_NONE_MATCH},
};
use koor_core::{
    Command, Committed, Error,
    domain::tasks::{Task, TaskEditFields, TaskFields, TaskFilter, TaskId, TaskNote, TaskOrder, TaskStatus},
    ids::{AgentName, ProjectName, TaskNumber},
    page::Limit,
    schema::{FullProse, Needs, Prose},
    use_cases::{AddTaskNote, CreateTasks, DecideTask, EditTask, TaskSummary, TaskView},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::select;

use crate::{
    error::Failure,
    json_body::{Object, OneOrMany, OrDefault},
    query_value::{Known, Wanted, query},
    request::Call,
    response::{self, Created, Json, Written, X_KOOR_VERSION},
    shape::{Output, Schemas, Shape},
};

/// Declares the body of a call on a task.
macro_rules! body {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)+ }) => {
        #[derive(Default, Deserialize, JsonSchema)]
        #[serde(default)]
        $(#[$meta])*
        pub(crate) struct $name {
            $($(#[$field_meta])* $field: $type,)+
        }
    };
}

pub(super) use body;

pub(super) fn project(call: &Call) -> Result<ProjectName, Failure> {
    call.name(0)
}

/// The task that a path names; what is no number is the number of none.
pub(super) fn id(call: &Call) -> Result<TaskId, Failure> {
    let project = project(call)?;
    let text = call.param(1)?;
    let number = text.parse().ok().and_then(TaskNumber::new);
    match number {
        Some(number) => Ok(TaskId { project, number }),
        None => Err(Error::NotFound { what: "task", name: format!("{project}/{text}") }.into()),
    }
}

/// A task with its tag and its version.
fn shown(view: &TaskView) -> Result<Json<TaskView>, Failure> {
    let mut answer = response::json(view)?;
    mark(answer.headers_mut(), view);
    Ok(answer)
}

pub(super) fn mark(headers: &mut HeaderMap, view: &TaskView) {
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
fn wanted_version(call: &Call, asked: Option<u64>) -> Option<u64> {
    if asked.is_some() || !call.head.headers.contains_key(IF_MATCH) {
        return asked;
    }
    let tags = tags(&call.head.headers, &IF_MATCH);
    if tags.contains(&"*") {
        return None;
    }
    let version = |tag: &str| tag.trim_matches('"').split('.').next()?.parse::<u64>().ok();
    // A tag that is none of ours is that of no version.
    Some(tags.iter().find_map(|tag| version(tag)).unwrap_or(0))
}

fn committed_task(call: &Call, done: &Committed<impl AsRef<Task>>) -> Result<Written<TaskView>, Failure> {
    let view = call.koor().task_view(done.output.as_ref());
    let mut answer = shown(&view)?;
    response::set_cursor(answer.headers_mut(), done.cursor);
    Ok(Written(answer))
}

pub(super) async fn run<C: Command<Output: AsRef<Task>>>(
    call: &Call,
    command: C,
) -> Result<Written<TaskView>, Failure> {
    let done = call.koor().execute(&call.caller, command).await?;
    committed_task(call, &done)
}

/// The tasks of every project, counted.
#[derive(Serialize, JsonSchema)]
pub(crate) struct TaskProjects {
    projects: Vec<TaskSummary>,
}

pub(crate) async fn projects(call: Call) -> Result<Json<TaskProjects>, Failure> {
    let projects: Vec<TaskSummary> = call.koor().task_summaries().await?;
    response::sorted_json(&TaskProjects { projects })
}

query! {
    struct ListQuery {
        /// With this status; may be repeated.
        status: Vec<TaskStatus>,
        /// Only tasks that can be claimed now.
        ready: bool,
        /// With this label.
        label: Option<String>,
        /// Assigned to this agent.
        assignee: Option<AgentName>,
        /// Claimed by this agent.
        claimed_by: Option<AgentName>,
        /// Part of this task.
        parent: Option<TaskNumber>,
        /// How many at most.
        limit: Option<Limit>,
        /// With a number after this one.
        after_number: Option<u64>,
        /// By number, or the most urgent first.
        order: Option<TaskOrder>,
    }
}

pub(crate) async fn list(call: Call, query: ListQuery) -> Result<Json<Vec<TaskView>>, Failure> {
    let filter = TaskFilter {
        status: query.status,
        ready_at: query.ready.then(|| call.koor().now()),
        label: query.label,
        assignee: query.assignee,
        claimed_by: query.claimed_by,
        parent: query.parent,
        after_number: query.after_number.unwrap_or(0),
    };
    let order = query.order.unwrap_or(TaskOrder::Number);
    let limit = query.limit.unwrap_or_default();
    let found = call.koor().tasks(project(&call)?, filter, order, limit).await?;
    let views: Vec<TaskView> = found.iter().map(|task| call.koor().task_view(task)).collect();
    response::json(&views)
}

/// The task that was made, or the array of them; with 200 where all of them were there already.
pub(crate) struct TasksCreated(Written<OneOrMany<TaskView>>);

impl Output for TasksCreated {
    fn into_answer(self) -> response::Answer {
        self.0.into_answer()
    }

    fn describe(shape: &mut Shape, schemas: &mut Schemas) {
        Written::<OneOrMany<TaskView>>::describe(shape, schemas);
    }
}

pub(crate) async fn create(call: Call, body: OneOrMany<TaskFields>) -> Result<TasksCreated, Failure> {
    let (tasks, several) = match body {
        OneOrMany::One(task) => (vec![task], false),
        OneOrMany::Many(tasks) => (tasks, true),
    };
    let command = CreateTasks::new(&call.caller, project(&call)?, tasks)?;
    let done = call.koor().execute(&call.caller, command).await?;
    let any_new = done.output.iter().any(|created| created.is_new);
    let status = if any_new { StatusCode::CREATED } else { StatusCode::OK };
    let views: Vec<TaskView> =
        done.output.iter().map(|created| call.koor().task_view(&created.task)).collect();
    let mut answer = match views.first().filter(|_| !several) {
        Some(view) => {
            let mut answer = response::json_with(status, view)?;
            mark(answer.headers_mut(), view);
            answer
        }
        None => response::json_with(status, &views)?,
    };
    response::set_cursor(answer.headers_mut(), done.cursor);
    Ok(TasksCreated(Written(Json::of(answer))))
}

query! {
    struct GetQuery {
        /// Wait for a new version, at most so long.
        wait: Option<Duration>,
        /// With wait: a version greater than this.
        version: Option<u64>,
    }
}

pub(crate) async fn get(call: Call, (query, Known): (GetQuery, Known)) -> Result<Json<TaskView>, Failure> {
    let (id, koor) = (id(&call)?, call.koor());
    let GetQuery { wait, version } = query;
    if let Some(wait) = wait {
        let changed = select! {
            biased;
            changed = koor.wait_for_task(&id, version, wait) => changed?,
            () = call.no_use_in_waiting() => koor.wait_for_task(&id, version, Duration::ZERO).await?,
        };
        return match changed {
            Some(task) => shown(&koor.task_view(&task)),
            None => Ok(Json::of(response::empty(StatusCode::NOT_MODIFIED))),
        };
    }
    let view = koor.task_view(&*koor.task(&id).await?);
    let tag = tag(&view);
    if tags(&call.head.headers, &IF_NONE_MATCH).iter().any(|known| *known == tag || *known == "*") {
        let mut answer = response::empty(StatusCode::NOT_MODIFIED);
        mark(answer.headers_mut(), &view);
        return Ok(Json::of(answer));
    }
    shown(&view)
}

query! {
    struct EditQuery {
        /// Only if it is at this version.
        if_version: Option<u64>,
    }
}

pub(crate) async fn edit(
    call: Call,
    (Object(fields), (query, Wanted)): (Object<TaskEditFields>, (EditQuery, Wanted)),
) -> Result<Written<TaskView>, Failure> {
    let version = wanted_version(&call, query.if_version);
    let command = EditTask::new(&call.caller, id(&call)?, fields.try_into()?, version);
    run(&call, command).await
}

body! {
    #[schemars(rename = "TaskRemark")]
    RemarkBody {
        #[schemars(with = "Option<Prose>")]
        note: Option<String>,
    }
}

pub(crate) async fn approve(
    call: Call,
    OrDefault(body): OrDefault<RemarkBody>,
) -> Result<Written<TaskView>, Failure> {
    run(&call, DecideTask::approve(&call.caller, id(&call)?, body.note)?).await
}

body! {
    #[schemars(rename = "TaskRejection", transform = Needs(&["note"]))]
    RejectBody {
        #[schemars(with = "FullProse")]
        note: Option<String>,
    }
}

pub(crate) async fn reject(
    call: Call,
    OrDefault(body): OrDefault<RejectBody>,
) -> Result<Written<TaskView>, Failure> {
    run(&call, DecideTask::reject(&call.caller, id(&call)?, body.note)?).await
}

body! {
    #[schemars(rename = "TaskCancellation")]
    CancelBody {
        #[schemars(with = "Option<Prose>")]
        reason: Option<String>,
    }
}

pub(crate) async fn cancel(
    call: Call,
    OrDefault(body): OrDefault<CancelBody>,
) -> Result<Written<TaskView>, Failure> {
    run(&call, DecideTask::cancel(&call.caller, id(&call)?, body.reason)?).await
}

pub(crate) async fn reopen(call: Call) -> Result<Written<TaskView>, Failure> {
    run(&call, DecideTask::reopen(&call.caller, id(&call)?)).await
}

body! {
    #[schemars(rename = "TaskNoteBody", transform = Needs(&["text"]))]
    NoteBody {
        #[schemars(with = "FullProse")]
        text: Option<String>,
    }
}

pub(crate) async fn note(
    call: Call,
    OrDefault(body): OrDefault<NoteBody>,
) -> Result<Created<TaskNote>, Failure> {
    let command = AddTaskNote::new(&call.caller, id(&call)?, body.text)?;
    response::created(&call.koor().execute(&call.caller, command).await?)
}

pub(crate) async fn notes(call: Call) -> Result<Json<Vec<TaskNote>>, Failure> {
    response::json(&call.koor().task_notes(&id(&call)?).await?)
}
