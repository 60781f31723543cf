//! Who is there, and who this directory is.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    client::Answer,
    context::Context,
    exit::{self, Failure},
    output::{Column, Kind, Rows, Table},
    probe::{Probe, probe},
    settings::{
        client::{self, ClientSettings},
        file,
        origin::Origin,
    },
};

pub(crate) const REGISTER: &str = "\
The id is kept in ./settings.json, and every later command in this directory and below is that instance's. Where the
server asks for a token, the instance's own token is kept there, too, in place of the one that registered it; it is
shown this once.

In a directory that is an instance's already, the same name makes that instance heard of again, with the same id and token.
Another name, or --new, registers another one, whose directory this becomes.

Examples:
  koor register frontend --workspace Truck-Wash --stack react
  koor register backend --workspace Truck-Wash --intent 'the login API' --capabilities code-review,testing";

pub(crate) const ACTIVATE: &str = "\
The id is kept in ./settings.json, and a token that is given on the line as well.

Examples:
  koor activate
  koor activate 550e8400-e29b-41d4-a716-446655440000";

pub(crate) const HEARTBEAT: &str = "\
Every command that carries an identity says so anyway: this is for agents that do nothing else for minutes.

Example:
  koor heartbeat";

/// What is done with instances.
#[derive(Debug, Subcommand)]
pub(crate) enum InstancesCommand {
    /// List instances, last seen first
    #[command(
        after_help = "Examples:\n  koor instances list\n  koor instances list --stack react --status active"
    )]
    List(List),

    /// Print an instance
    #[command(after_help = "Example:\n  koor instances get 550e8400-e29b-41d4-a716-446655440000")]
    Get(Which),

    /// List stale instances
    #[command(after_help = "Example:\n  koor instances stale")]
    Stale,

    /// Deregister an instance
    #[command(after_help = "Example:\n  koor instances delete 550e8400-e29b-41d4-a716-446655440000")]
    Delete(Which),
}

/// Which instance.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Id of the instance
    id: String,
}

/// Which instance, if not one's own.
#[derive(Debug, Args)]
pub(crate) struct WhichOrOwn {
    /// Id of the instance [default: the one of this directory]
    id: Option<String>,
}

/// Which instances.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only with this name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Only in this workspace
    #[arg(long, value_name = "WORKSPACE")]
    workspace: Option<String>,
    /// Only with this stack
    #[arg(long, value_name = "STACK")]
    stack: Option<String>,
    /// Only with this capability
    #[arg(long, value_name = "WORD")]
    capability: Option<String>,
    /// Only with this status: pending, active or stale
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
}

/// Who is registered.
#[derive(Debug, Args, Serialize)]
pub(crate) struct Register {
    /// Name of the instance
    name: String,
    /// Workspace: a path, or a project
    #[arg(long, value_name = "WORKSPACE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    workspace: Option<String>,
    /// Current intent
    #[arg(long, value_name = "TEXT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    intent: Option<String>,
    /// Stack, such as react
    #[arg(long, value_name = "STACK")]
    #[serde(skip_serializing_if = "Option::is_none")]
    stack: Option<String>,
    /// Capabilities, separated by commas
    #[arg(long, value_name = "WORDS", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    capabilities: Vec<String>,
    /// Register another instance even if this directory has one of that name
    #[arg(long)]
    #[serde(skip)]
    new: bool,
}

/// An instance, as far as it is asked about here.
#[derive(Debug, Deserialize)]
struct Known {
    id: String,
    name: String,
    workspace: String,
    status: String,
}

/// What only the answer that issues a token has.
#[derive(Debug, Deserialize)]
struct Registered {
    id: String,
    token: String,
}

const TABLE: Table = Table {
    rows: Rows::Whole,
    columns: &[
        Column("ID", "/id", Kind::Name),
        Column("NAME", "/name", Kind::Name),
        Column("STATUS", "/status", Kind::State),
        Column("LAST SEEN", "/last_seen", Kind::Time),
        Column("WORKSPACE", "/workspace", Kind::Text),
        Column("STACK", "/stack", Kind::Text),
        Column("CAPABILITIES", "/capabilities", Kind::Text),
        Column("INTENT", "/intent", Kind::Text),
    ],
    empty: "no instances",
};

/// Does what was typed.
///
/// # Errors
/// When the server refuses, or can't be reached.
pub(crate) fn run(command: &InstancesCommand, context: &Context) -> Result<(), Failure> {
    let client = &context.client;
    match command {
        InstancesCommand::List(List { name, workspace, stack, capability, status }) => {
            let all = client.get("/api/instances").queries("name", name).queries("workspace", workspace);
            let all = all.queries("stack", stack).queries("capability", capability);
            context.table(all.queries("status", status), &TABLE)
        }
        InstancesCommand::Get(Which { id }) => context.show(client.get("/api/instances").segment(id)),
        InstancesCommand::Stale => context.table(client.get("/api/instances/stale"), &TABLE),
        InstancesCommand::Delete(Which { id }) => {
            context.show(client.delete("/api/instances").segment(id))?;
            // The directory has no identity any more.
            match &context.settings.file {
                Some(file) if context.settings.instance_id.as_ref() == Some(id) => {
                    client::save(file, &[("instance_id", None), ("workspace", None), ("agent", None)])
                }
                Some(_) | None => Ok(()),
            }
        }
    }
}

/// Registers an instance, prints it, and makes this directory its own. The instance that this directory has by that name
/// is revived instead.
///
/// # Errors
/// When the server refuses, or can't be reached, or `./settings.json` can't be written.
pub(crate) fn register(who: &Register, context: &Context) -> Result<(), Failure> {
    if let Some(id) = own_of_that_name(who, context)? {
        return revive(who, &id, context);
    }
    warn_of_namesakes(who, context);
    let answer = context.client.post("/api/instances/register").json(who)?.send()?.bytes()?;
    // First: its token is shown this once.
    context.output.json(&answer)?;
    let Registered { id, token } = serde_json::from_slice(&answer)
        .map_err(|error| Failure::refused(format_args!("cannot understand the server's answer: {error}")))?;
    // Where a token is needed, the directory has the instance's own from now on: only an admin registers others, and
    // no agent's directory should hold an admin's token.
    let token = context.settings.token.is_some().then_some(token.as_str());
    adopt(&context.settings, &id, token, Some(who))
}

/// The id of the instance that this directory has, if it goes by that name and the server knows it.
fn own_of_that_name(who: &Register, context: &Context) -> Result<Option<String>, Failure> {
    let Some(id) = context.settings.instance_id.as_ref().filter(|_| !who.new) else { return Ok(None) };
    let known = context.client.get("/api/instances").segment(id).send();
    match known.and_then(Answer::json::<Known>) {
        Ok(Known { id, name, workspace, .. }) => {
            let same = name == who.name && who.workspace.as_ref().is_none_or(|wanted| *wanted == workspace);
            Ok(same.then_some(id))
        }
        // Whether others can be registered is for the server to say.
        Err(failure) if failure.status().is_some() => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Makes an instance heard of again, with what is said of it now. It keeps its token if that is its own.
fn revive(who: &Register, id: &str, context: &Context) -> Result<(), Failure> {
    let instance = || context.client.post("/api/instances").segment(id);
    instance().segment("heartbeat").send()?;
    if let Some(intent) = &who.intent {
        instance().segment("intent").json(&json!({"intent": intent}))?.send()?;
    }
    if !who.capabilities.is_empty() {
        let capabilities = json!({"capabilities": who.capabilities});
        instance().segment("capabilities").json(&capabilities)?.send()?;
    }
    if let Some(token) = &context.settings.token
        && (token.origin != Origin::File
            || probe(context.client.server(), Some(&token.value)) == Probe::Accepts)
    {
        let Registered { token, .. } = instance().segment("token").send()?.json()?;
        adopt(&context.settings, id, Some(&token), Some(who))?;
    }
    context.show(context.client.get("/api/instances").segment(id))
}

/// Says on stderr which active instances of the workspace have that name.
fn warn_of_namesakes(who: &Register, context: &Context) {
    let all = context.client.get("/api/instances").query("name", &who.name).query("status", "active");
    let all: Vec<Known> = all.send().and_then(Answer::json).unwrap_or_default();
    let workspace = who.workspace.as_deref().unwrap_or_default();
    for other in all.iter().filter(|one| one.workspace == workspace && one.status == "active") {
        exit::warn(format_args!(
            "another instance of that workspace is called {} and active: {}. Events of both have the same source",
            other.name, other.id
        ));
    }
}

/// Makes a directory an instance's own: this one, or the one whose file says so already.
fn adopt(
    settings: &ClientSettings,
    id: &str,
    token: Option<&str>,
    who: Option<&Register>,
) -> Result<(), Failure> {
    let here = Path::new(file::NAME);
    let place = match &settings.file {
        Some(path) if path == here || settings.instance_id.as_deref() == Some(id) => path.clone(),
        Some(_) | None => PathBuf::from(file::NAME),
    };
    let mut changes = vec![("instance_id", Some(id))];
    changes.extend(token.map(|token| ("token", Some(token))));
    changes.extend(who.map(|who| ("agent", Some(who.name.as_str()))));
    let workspace = who.and_then(|who| who.workspace.as_deref());
    changes.extend(workspace.map(|workspace| ("workspace", Some(workspace))));
    // A token stands beside the server it is for; and a new file hides the one above that named the server.
    let is_named = settings.server.origin == Origin::File && settings.file.as_ref() == Some(&place);
    let hides = settings.server.origin == Origin::File && !is_named;
    if (token.is_some() && !is_named) || hides {
        changes.push(("server", Some(settings.server.value.as_str())));
    }
    client::save(&place, &changes)
}

/// Makes an instance active, and this directory its own.
///
/// # Errors
/// As [`register`].
pub(crate) fn activate(which: &WhichOrOwn, context: &Context) -> Result<(), Failure> {
    let id = which.id(context)?;
    context.show(context.client.post("/api/instances").segment(id).segment("activate"))?;
    let typed = context.settings.token.as_ref().filter(|token| token.origin == Origin::Flag);
    adopt(&context.settings, id, typed.map(|token| token.value.as_str()), None)
}

/// Says that an instance is alive.
///
/// # Errors
/// When the server refuses, or can't be reached, or it is not said which instance.
pub(crate) fn heartbeat(which: &WhichOrOwn, context: &Context) -> Result<(), Failure> {
    let id = which.id(context)?;
    context.show(context.client.post("/api/instances").segment(id).segment("heartbeat"))
}

impl WhichOrOwn {
    fn id<'a>(&'a self, context: &'a Context) -> Result<&'a str, Failure> {
        let id = self.id.as_ref().or(context.settings.instance_id.as_ref());
        id.map(String::as_str).ok_or_else(|| {
            Failure::usage(
                "this directory belongs to no instance: give an id, or begin with `koor register NAME`",
            )
        })
    }
}
