//! What there is to do in a project.

pub(crate) mod claims;
mod tree;
pub(crate) mod work;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use self::claims::Claims;
use crate::{
    client::Request,
    commands::coordination::Project,
    context::Context,
    exit::Failure,
    input,
    output::{Column, Kind, Rows, Table},
};

/// What is done with tasks.
#[derive(Debug, Subcommand)]
pub(crate) enum TaskCommand {
    /// Add a task
    #[command(
        after_help = "Examples:\n  koor task add 'Show free places' --label ui\n  koor task add 'Book one' --after 12 --review"
    )]
    Add(Box<Add>),

    /// Add the tasks of a file, one JSON object a line, all or none
    #[command(
        after_help = "Lines name each other by their keys: {\"title\": \"Book one\", \"after\": [\"places\"]}\n\nExample:\n  koor task import --file tasks.jsonl"
    )]
    Import(Import),

    /// List tasks, by number
    #[command(
        after_help = "Examples:\n  koor task list\n  koor task list --ready\n  koor task list --status review --status failed"
    )]
    List(List),

    /// Print a task with its notes
    #[command(after_help = "Example:\n  koor task show 12")]
    Show(Which),

    /// Claim a task, or the next one
    #[command(after_help = "Example:\n  koor task claim 12")]
    Claim(Claim),

    /// Change a task
    #[command(
        after_help = "Examples:\n  koor task edit 12 --assignee backend\n  koor task edit 12 --priority 0 --after 7"
    )]
    Edit(Box<Edit>),

    /// Note something on a task
    #[command(after_help = "Example:\n  koor task note 12 'the design is in specs/ui'")]
    Note(Note),

    /// Approve tasks that are in review
    #[command(after_help = "Example:\n  koor task approve 12")]
    Approve(Decide),

    /// Send tasks that are in review back to the agents who did them
    #[command(after_help = "Example:\n  koor task reject 12 --note 'one test is missing'")]
    Reject(Decide),

    /// Cancel tasks
    #[command(after_help = "Example:\n  koor task cancel 12 13 --note 'not needed any more'")]
    Cancel(Decide),

    /// Open finished tasks again
    #[command(after_help = "Example:\n  koor task reopen 12")]
    Reopen(Decide),

    /// Draw what waits for what
    #[command(after_help = "Examples:\n  koor task tree\n  koor task tree 12")]
    Tree(Tree),
}

/// Which task.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The number of the task
    number: u64,
    #[command(flatten)]
    project: Project,
}

/// What is added.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// What is to be done, in a line
    title: String,
    #[command(flatten)]
    fields: Fields,
    /// The key under which it is added only once
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

/// What can be said of a task.
#[derive(Debug, Args)]
struct Fields {
    #[command(flatten)]
    project: Project,
    /// What is to be done, at length
    #[arg(long, value_name = "TEXT")]
    body: Option<String>,
    /// From 0, the most urgent, to 4 [default: 2]
    #[arg(long, value_name = "N")]
    priority: Option<u64>,
    /// A label; may be repeated
    #[arg(long, value_name = "LABEL")]
    label: Vec<String>,
    /// A capability that is needed for it; may be repeated
    #[arg(long, value_name = "WORD")]
    needs: Vec<String>,
    /// A task that must be done before; may be repeated
    #[arg(long, value_name = "N")]
    after: Vec<u64>,
    /// The task that this is a part of
    #[arg(long, value_name = "N")]
    parent: Option<u64>,
    /// The only agent who may claim it
    #[arg(long, value_name = "AGENT")]
    assignee: Option<String>,
    /// Another agent must approve it
    #[arg(long)]
    review: bool,
}

impl Fields {
    fn to_json(&self) -> Map<String, Value> {
        let mut body = Map::new();
        let mut set =
            |name: &str, value: Option<Value>| body.extend(value.map(|value| (name.to_owned(), value)));
        set("body", self.body.as_ref().map(|body| json!(body)));
        set("priority", self.priority.map(Value::from));
        set("labels", (!self.label.is_empty()).then(|| json!(self.label)));
        set("needs", (!self.needs.is_empty()).then(|| json!(self.needs)));
        set("after", (!self.after.is_empty()).then(|| json!(self.after)));
        set("parent", self.parent.map(Value::from));
        set("assignee", self.assignee.as_ref().map(|name| json!(name)));
        set("review", self.review.then_some(Value::Bool(true)));
        body
    }
}

/// What is imported.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file: one JSON object a line; - is standard input
    #[arg(long, value_name = "PATH")]
    file: String,
    #[command(flatten)]
    project: Project,
}

/// What is listed.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    project: Project,
    /// Only tasks that can be claimed now
    #[arg(long)]
    ready: bool,
    /// open, claimed, review, done, failed or cancelled; may be repeated
    #[arg(long, value_name = "STATUS")]
    status: Vec<String>,
    /// With this label
    #[arg(long, value_name = "LABEL")]
    label: Option<String>,
    /// Assigned to this agent
    #[arg(long, value_name = "AGENT")]
    assignee: Option<String>,
    /// Claimed by this agent
    #[arg(long, value_name = "AGENT")]
    claimed_by: Option<String>,
    /// Part of this task
    #[arg(long, value_name = "N")]
    parent: Option<u64>,
    /// Maximum number of tasks
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// With a number after this one
    #[arg(long, value_name = "N")]
    after_number: Option<u64>,
    /// number, or priority
    #[arg(long, value_name = "ORDER")]
    order: Option<String>,
}

/// What is claimed.
#[derive(Debug, Args)]
pub(crate) struct Claim {
    /// The number of the task [default: the next one]
    number: Option<u64>,
    #[command(flatten)]
    project: Project,
}

/// What is changed.
#[derive(Debug, Args)]
pub(crate) struct Edit {
    /// The number of the task
    number: u64,
    /// What is to be done, in a line
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    #[command(flatten)]
    fields: Fields,
    /// Only if it is at this version
    #[arg(long, value_name = "N")]
    if_version: Option<u64>,
}

/// What is noted.
#[derive(Debug, Args)]
pub(crate) struct Note {
    /// The number of the task
    number: u64,
    /// What is noted
    text: String,
    #[command(flatten)]
    project: Project,
}

/// What is decided on.
#[derive(Debug, Args)]
pub(crate) struct Decide {
    /// The numbers of the tasks
    #[arg(required = true)]
    number: Vec<u64>,
    #[command(flatten)]
    project: Project,
    /// Why
    #[arg(long, value_name = "TEXT", visible_alias = "reason")]
    note: Option<String>,
}

/// What is drawn.
#[derive(Debug, Args)]
pub(crate) struct Tree {
    /// Only this task and what it waits for
    number: Option<u64>,
    #[command(flatten)]
    project: Project,
}

const TABLE: Table = Table {
    rows: Rows::Whole,
    columns: &[
        Column("N", "/number", Kind::Number),
        Column("STATUS", "/status", Kind::State),
        Column("READY", "/ready", Kind::Text),
        Column("P", "/priority", Kind::Number),
        Column("TITLE", "/title", Kind::Name),
        Column("CLAIMED BY", "/claim/name", Kind::Text),
        Column("ASSIGNEE", "/assignee", Kind::Text),
        Column("BLOCKED BY", "/blocked_by", Kind::Text),
        Column("LABELS", "/labels", Kind::Text),
    ],
    empty: "no tasks",
};

/// Does what was typed.
///
/// # Errors
/// When the server refuses, or can't be reached.
pub(crate) fn run(command: &TaskCommand, context: &Context) -> Result<(), Failure> {
    match command {
        TaskCommand::Add(add) => {
            let mut body = add.fields.to_json();
            body.insert("title".to_owned(), json!(add.title));
            body.extend(add.key.as_ref().map(|key| ("key".to_owned(), json!(key))));
            let project = add.fields.project.resolve(context)?;
            context.show(context.client.post("/api/tasks").segment(&project).json(&body)?)
        }
        TaskCommand::Import(import) => {
            let tasks = lines(&import.file)?;
            let project = import.project.resolve(context)?;
            context.table(context.client.post("/api/tasks").segment(&project).json(&tasks)?, &TABLE)
        }
        TaskCommand::List(list) => {
            let tasks = context.client.get("/api/tasks").segment(&list.project.resolve(context)?);
            let tasks = tasks.queries("ready", list.ready.then_some(true)).queries("status", &list.status);
            let tasks = tasks.queries("label", &list.label).queries("assignee", &list.assignee);
            let tasks = tasks.queries("claimed_by", &list.claimed_by).queries("parent", list.parent);
            let tasks = tasks.queries("limit", list.limit).queries("after_number", list.after_number);
            context.table(tasks.queries("order", &list.order), &TABLE)
        }
        TaskCommand::Show(which) => show(which, context),
        TaskCommand::Claim(what) => {
            let project = what.project.resolve(context)?;
            let request = context.client.post("/api/tasks").segment(&project).segment("claim");
            let answer = request.json(&json!({"number": what.number}))?.send()?.bytes()?;
            let claimed: Value = serde_json::from_slice(&answer).unwrap_or_default();
            Claims::read(context)?.keep(&claimed["task"])?;
            context.output.json(&answer)
        }
        TaskCommand::Edit(edit) => {
            let mut body = edit.fields.to_json();
            body.extend(edit.title.as_ref().map(|title| ("title".to_owned(), json!(title))));
            let project = edit.fields.project.resolve(context)?;
            let task = context.client.patch("/api/tasks").segment(&project).segment(&edit.number.to_string());
            context.show(task.queries("if_version", edit.if_version).json(&body)?)
        }
        TaskCommand::Note(note) => {
            let project = note.project.resolve(context)?;
            let notes = one(context, &project, note.number, "notes");
            context.show(notes.json(&json!({"text": note.text}))?)
        }
        TaskCommand::Approve(what) => decide(what, context, "approve", "note"),
        TaskCommand::Reject(what) => decide(what, context, "reject", "note"),
        TaskCommand::Cancel(what) => decide(what, context, "cancel", "reason"),
        TaskCommand::Reopen(what) => decide(what, context, "reopen", "note"),
        TaskCommand::Tree(what) => {
            let project = what.project.resolve(context)?;
            context.output.line(tree::draw(&all(context, &project)?, what.number)?)
        }
    }
}

fn one<'c>(context: &'c Context, project: &str, number: u64, call: &str) -> Request<'c> {
    context.client.post("/api/tasks").segment(project).segment(&number.to_string()).segment(call)
}

fn decide(what: &Decide, context: &Context, call: &str, field: &str) -> Result<(), Failure> {
    let project = what.project.resolve(context)?;
    for number in &what.number {
        let mut body = Map::new();
        body.extend(what.note.as_ref().map(|note| (field.to_owned(), json!(note))));
        context.show(one(context, &project, *number, call).json(&body)?)?;
    }
    Ok(())
}

fn show(which: &Which, context: &Context) -> Result<(), Failure> {
    let project = which.project.resolve(context)?;
    let task = || context.client.get("/api/tasks").segment(&project).segment(&which.number.to_string());
    if !context.output.is_for_people() {
        return context.show(task());
    }
    let found: Value = task().send()?.json()?;
    let notes: Vec<Value> = task().segment("notes").send()?.json()?;
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut lines = vec![format!("{project}/{}: {}", which.number, text(&found["title"]))];
    for name in [
        "status",
        "priority",
        "labels",
        "needs",
        "after",
        "blocked_by",
        "parent",
        "assignee",
        "claim",
        "attempts",
        "reason",
        "result",
    ] {
        let value = &found[name];
        let is_empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty) || *value == 0;
        if !is_empty {
            let shown = if name == "claim" { text(&value["name"]) } else { text(value) };
            lines.push(format!("  {name}: {shown}"));
        }
    }
    lines.extend(found["body"].as_str().filter(|body| !body.is_empty()).map(|body| format!("\n{body}")));
    lines.extend(notes.iter().map(|note| {
        format!("\n{} {}: {}", text(&note["created_at"]), text(&note["author"]), text(&note["text"]))
    }));
    context.output.line(lines.join("\n"))
}

/// Every task of a project.
fn all(context: &Context, project: &str) -> Result<Vec<Value>, Failure> {
    let mut tasks: Vec<Value> = Vec::new();
    loop {
        let after = tasks.last().and_then(|task| task["number"].as_u64()).unwrap_or(0);
        let page = context.client.get("/api/tasks").segment(project).query("limit", 1_000);
        let page: Vec<Value> = page.query("after_number", after).send()?.json()?;
        if page.is_empty() {
            return Ok(tasks);
        }
        tasks.extend(page);
    }
}

/// The tasks of a file, one a line.
fn lines(path: &str) -> Result<Vec<Value>, Failure> {
    let text = input::read(path)?;
    let text = String::from_utf8(text).map_err(|_| Failure::usage(format_args!("{path} is not UTF-8")))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let tasks = lines.map(|(index, line)| {
        serde_json::from_str(line)
            .map_err(|error| Failure::usage(format_args!("{path}, line {}: {error}", index + 1)))
    });
    tasks.collect()
}
