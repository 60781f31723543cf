//! What an agent does with tasks: takes the next, and says how it ended.

use clap::Args;
use serde_json::{Map, Value, json};

use super::claims::Claims;
use crate::{
    client::{Answer, Request},
    commands::{
        coordination::{Project, wait_for},
        documents::Span,
    },
    context::Context,
    exit::Failure,
    input::Input,
    output,
};

pub(crate) const NEXT: &str = "\
What is new for this agent is printed first, as `koor brief` does. With a task in hand, that one is printed again and
renewed. With nothing to do, the exit code is 1.

Examples:
  koor next
  koor next --wait 10m --label ui";

pub(crate) const DONE: &str =
    "Examples:\n  koor done\n  koor done 12 --result '{\"tests\": 12}' --note 'the page is there'";

pub(crate) const FAIL: &str = "Examples:\n  koor fail --reason 'the design is missing'\n  koor fail 12 --reason 'not possible' --no-retry";

pub(crate) const RELEASE: &str =
    "Examples:\n  koor release\n  koor release 12 --delay 30m --note 'waiting for the API'";

/// What is claimed.
#[derive(Debug, Args)]
pub(crate) struct Next {
    #[command(flatten)]
    project: Project,
    /// Wait for a task, at most so long
    #[arg(long, value_name = "TIME")]
    wait: Option<Span>,
    /// Only a task with this label; may be repeated
    #[arg(long, value_name = "LABEL")]
    label: Vec<String>,
    /// For how long it is claimed, unless a later call renews it
    #[arg(long, value_name = "TIME")]
    lease: Option<Span>,
}

/// What is finished.
#[derive(Debug, Args)]
pub(crate) struct Done {
    /// The task [default: the one that this agent holds]
    number: Option<u64>,
    #[command(flatten)]
    project: Project,
    /// What came of it, in JSON; - reads it from standard input
    #[arg(long, value_name = "JSON", conflicts_with = "result_file")]
    result: Option<String>,
    /// The file that holds what came of it, in JSON; - is standard input
    #[arg(long, value_name = "PATH")]
    result_file: Option<String>,
    /// A note for those who read the task
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

/// What failed.
#[derive(Debug, Args)]
pub(crate) struct Fail {
    /// The task [default: the one that this agent holds]
    number: Option<u64>,
    #[command(flatten)]
    project: Project,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Do not let it be tried again
    #[arg(long)]
    no_retry: bool,
}

/// What is given back.
#[derive(Debug, Args)]
pub(crate) struct Release {
    /// The task [default: the one that this agent holds]
    number: Option<u64>,
    #[command(flatten)]
    project: Project,
    /// A note for those who read the task
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Not to be claimed before so much time has passed
    #[arg(long, value_name = "TIME")]
    delay: Option<Span>,
}

/// Claims the next task and prints it.
///
/// # Errors
/// When there is nothing to do, the server refuses, or can't be reached.
pub(crate) fn next(what: &Next, context: &Context) -> Result<(), Failure> {
    let project = what.project.resolve(context)?;
    let mut claims = Claims::read(context)?;
    if !context.output.is_json_wanted() {
        print_news(context, claims.of(&project).first().copied())?;
    }
    let lease = what.lease.as_ref().map(|lease| lease.get().as_secs());
    for number in claims.of(&project) {
        // One that was lost meanwhile is refused, and no longer in hand.
        let again = claim(context, &project, &json!({"number": number, "lease": lease}))?;
        match again.send().and_then(Answer::json::<Value>) {
            Ok(answer) if answer["task"]["fence"].as_u64() == claims.fence(&project, number) => {
                return show(context, &answer);
            }
            Ok(answer) => {
                claims.keep(&answer["task"])?;
                return show(context, &answer);
            }
            Err(failure) if matches!(failure.status(), Some(404 | 409)) => claims.forget(&project, number)?,
            Err(failure) => return Err(failure),
        }
    }
    let wanted = json!({"labels": what.label, "lease": lease});
    let request = || claim(context, &project, &wanted);
    let answer = wait_for(what.wait.as_ref().map(Span::get), request, |answer, last| {
        let answer: Value = answer.json()?;
        Ok((last || !answer["task"].is_null()).then_some(answer))
    })?;
    if answer["task"].is_null() {
        return Err(nothing(context, &project, &answer));
    }
    claims.keep(&answer["task"])?;
    show(context, &answer)
}

/// Prints the lines of the brief that this command does not deal with itself: those that advise to call it, and the one about
/// the task that it prints again.
fn print_news(context: &Context, in_hand: Option<u64>) -> Result<(), Failure> {
    let brief = context.client.get("/api/brief").header("Accept", "text/plain".to_owned()).send()?;
    if brief.header("X-Koor-Quiet").is_some() {
        return Ok(());
    }
    let brief = brief.bytes()?;
    let done = in_hand.map(|number| format!(": koor done {number}"));
    let is_news = |line: &&str| {
        !line.ends_with(": koor next") && done.as_ref().is_none_or(|done| !line.ends_with(done.as_str()))
    };
    let brief = String::from_utf8_lossy(&brief);
    let news: String = brief.lines().filter(is_news).flat_map(|line| [line, "\n"]).collect();
    output::print(news.as_bytes())
}

fn claim<'c>(context: &'c Context, project: &str, wanted: &Value) -> Result<Request<'c>, Failure> {
    context.client.post("/api/tasks").segment(project).segment("claim").json(wanted)
}

/// Says that there is nothing to do, in one line.
fn nothing(context: &Context, project: &str, answer: &Value) -> Failure {
    if context.output.is_json_wanted() {
        return match context.output.json(answer.to_string().as_bytes()) {
            Ok(()) => Failure::said_already(),
            Err(failure) => failure,
        };
    }
    let count = |name: &str| answer[name].as_u64().unwrap_or(0);
    Failure::refused(format_args!(
        "no task for this agent in {project}: {} ready for others, {} blocked, {} claimed",
        count("ready"),
        count("blocked"),
        count("claimed")
    ))
}

/// Prints a task to be done: all that an agent needs, and what it can do with it.
fn show(context: &Context, answer: &Value) -> Result<(), Failure> {
    if context.output.is_json_wanted() {
        return context.output.json(answer.to_string().as_bytes());
    }
    let task = &answer["task"];
    let text = |name: &str| task[name].as_str().unwrap_or_default();
    let number = task["number"].as_u64().unwrap_or(0);
    let until = task["claim"]["expires_at"].as_str().and_then(|time| time.get(11..16)).unwrap_or_default();
    let mut lines = vec![format!("{}/{number}: {}", text("project"), text("title"))];
    if !text("body").is_empty() {
        lines.push(text("body").to_owned());
    }
    let retried = task["attempts"].as_u64().unwrap_or(0);
    let again = if retried > 0 { format!(", attempt {}", retried + 1) } else { String::new() };
    lines.push(format!("(yours until {until} UTC{again}; each call renews)"));
    lines.push("then: koor done [--note T] | koor fail --reason T | koor release".to_owned());
    context.output.line(lines.join("\n"))
}

/// Finishes a task.
///
/// # Errors
/// When the claim is lost, or the server can't be reached.
pub(crate) fn done(what: &Done, context: &Context) -> Result<(), Failure> {
    let result = Input::maybe(what.result.as_ref(), what.result_file.as_ref());
    let result = result.map(|input| input.read_json()).transpose()?;
    let mut body = Map::new();
    body.extend(what.note.as_ref().map(|note| ("note".to_owned(), json!(note))));
    if let Some(result) = result {
        let value = serde_json::from_str(result.get()).map_err(|error| Failure::caused_by(&error))?;
        body.insert("result".to_owned(), value);
    }
    finish(context, &what.project, what.number, "done", body)
}

/// Says that a task could not be done.
///
/// # Errors
/// As [`done`].
pub(crate) fn fail(what: &Fail, context: &Context) -> Result<(), Failure> {
    let body = [("reason".to_owned(), json!(what.reason)), ("retry".to_owned(), json!(!what.no_retry))];
    finish(context, &what.project, what.number, "fail", body.into_iter().collect())
}

/// Gives a task back.
///
/// # Errors
/// As [`done`].
pub(crate) fn release(what: &Release, context: &Context) -> Result<(), Failure> {
    let mut body = Map::new();
    body.extend(what.note.as_ref().map(|note| ("note".to_owned(), json!(note))));
    body.extend(what.delay.as_ref().map(|delay| ("delay".to_owned(), json!(delay.get().as_secs()))));
    finish(context, &what.project, what.number, "release", body)
}

fn finish(
    context: &Context,
    project: &Project,
    number: Option<u64>,
    call: &str,
    mut body: Map<String, Value>,
) -> Result<(), Failure> {
    let project = project.resolve(context)?;
    let mut claims = Claims::read(context)?;
    let number = match number {
        Some(number) => number,
        None => the_one_held(context, &claims, &project)?,
    };
    body.extend(claims.fence(&project, number).map(|fence| ("fence".to_owned(), json!(fence))));
    let path = context.client.post("/api/tasks").segment(&project).segment(&number.to_string()).segment(call);
    let answer = path.json(&body)?.send();
    let lost = answer.as_ref().err().is_some_and(|failure| {
        let said = failure.answer().map(String::from_utf8_lossy).unwrap_or_default();
        said.contains("claim lost")
    });
    if answer.is_ok() || lost {
        claims.forget(&project, number)?;
    }
    let answer = answer?.bytes()?;
    if context.output.is_json_wanted() {
        return context.output.json(&answer);
    }
    let task: Value = serde_json::from_slice(&answer).unwrap_or_default();
    let status = task["status"].as_str().unwrap_or_default();
    context.output.line(format_args!("{project}/{number} {status}. next: koor next"))
}

/// The task that this agent holds, as the server knows it; without an identity, as this directory does.
fn the_one_held(context: &Context, claims: &Claims, project: &str) -> Result<u64, Failure> {
    let held = match &context.settings.instance_id {
        Some(id) => held(context, project, id)?,
        None => claims.of(project),
    };
    match held.as_slice() {
        [one] => Ok(*one),
        [] => {
            Err(Failure::refused(format_args!("this agent holds no task of {project}: koor next claims one")))
        }
        several => {
            let numbers: Vec<String> = several.iter().map(ToString::to_string).collect();
            Err(Failure::usage(format_args!(
                "this agent holds several tasks of {project}, say which: {}",
                numbers.join(", ")
            )))
        }
    }
}

fn held(context: &Context, project: &str, id: &str) -> Result<Vec<u64>, Failure> {
    let instance: Value = context.client.get("/api/instances").segment(id).send()?.json()?;
    let name = instance["name"].as_str().unwrap_or_default();
    let tasks = context.client.get("/api/tasks").segment(project).query("claimed_by", name);
    let tasks: Vec<Value> = tasks.query("limit", 10_000).send()?.json()?;
    // Another instance may go by the same name.
    let own = tasks.iter().filter(|task| task["claim"]["instance_id"] == id);
    Ok(own.filter_map(|task| task["number"].as_u64()).collect())
}
