//! The agent whose client calls a hook: its directory, its session, and the server that it asks.

use std::{
    env,
    path::{Path, PathBuf},
    time::Instant,
};

use koor_core::{
    clock::{Clock as _, SystemClock, Timestamp},
    domain::{agents::ProjectScope, hooks::HookPolicy},
};

use super::{
    clients::Translation,
    event::HookEvent,
    paths::Root,
    server::{DEADLINE, Server, Trouble},
    session::{Memory, Session, calling_process},
};
use crate::{
    global::Global,
    settings::{
        client::ClientSettings,
        origin::{Given, Origin},
        session::{Identity, SessionId},
    },
};

/// The session of a client that names none.
const UNNAMED: &str = "unnamed";

/// An agent at one moment.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) client: &'static Translation,
    pub(super) policy: HookPolicy,
    /// The `settings.json` that makes the directory an agent's.
    pub(super) file: PathBuf,
    /// Where the client works.
    pub(super) directory: PathBuf,
    pub(super) settings: ClientSettings,
    pub(super) session_id: SessionId,
    pub(super) session: Session,
    pub(super) server: Server,
    pub(super) now: Timestamp,
}

impl Agent {
    /// The agent whose directory the event is about; `None` outside of a directory with Koor's settings.
    pub(super) fn of(client: &'static Translation, policy: HookPolicy, event: &HookEvent) -> Option<Self> {
        let until = Instant::now() + DEADLINE;
        if let Some(directory) = &event.directory {
            env::set_current_dir(directory).ok()?;
        }
        let directory = env::current_dir().ok()?;
        // A file that is not Koor's may be anything.
        let settings = ClientSettings::resolve(&Global::default(), &|name| env::var(name).ok()).ok()?;
        let file = directory.join(settings.file.as_deref()?);
        let names_agent = settings.agent.is_some() && settings.workspace.is_some();
        if settings.instance_id.is_none() && !names_agent {
            return None;
        }
        let session_id = event.session.clone().or_else(|| SessionId::new(UNNAMED))?;
        let session = Session::open(&file, &session_id);
        let identity = session.memory.identity.clone().filter(|own| own.server == settings.server.value);
        let settings = identity.map_or_else(|| settings.clone(), |own| with_identity(&settings, &own));
        let server = Server::new(&settings, until);
        let now = SystemClock.now();
        Some(Self { client, policy, file, directory, settings, session_id, session, server, now })
    }

    /// Works as that instance from now on.
    pub(super) fn become_instance(&mut self, identity: &Identity) {
        self.settings = with_identity(&self.settings, identity);
        self.server = self.server.for_settings(&self.settings);
    }

    /// The project that the agent works in, if it is one.
    pub(super) fn project(&self) -> Option<String> {
        let Memory { project, .. } = &self.session.memory;
        if !project.is_empty() {
            return Some(project.clone());
        }
        let workspace = self.settings.workspace.as_deref().unwrap_or_default();
        ProjectScope::of_workspace(workspace).project().map(ToString::to_string)
    }

    /// Where the agent's files are, and how the project names them.
    pub(super) fn root(&self) -> Root {
        let directory = self.file.parent().unwrap_or(Path::new("."));
        Root::of(directory, self.settings.path_prefix.as_deref())
    }

    /// Tells the server that the client has taken the brief that it was answered before: it has gone on since.
    pub(super) fn confirm(&mut self) {
        let Some(shown) = self.session.memory.unconfirmed.clone() else { return };
        let body = serde_json::json!({"cursor": shown.cursor, "messages": shown.messages});
        let confirmed = self.server.ask(|client| client.post("/api/brief/seen").json(&body));
        // One that the server refuses will be refused again, as after a restore.
        if matches!(confirmed, Ok(_) | Err(Trouble::Refused(..))) {
            self.session.update(|memory| {
                if memory.unconfirmed.as_ref() == Some(&shown) {
                    memory.unconfirmed = None;
                }
            });
        }
    }

    /// Notes that a hook of the session has run, and whether the server has heard of the agent.
    pub(super) fn note(&mut self) {
        let heard = self.server.was_heard();
        let (now, client) = (self.now.millis(), self.client.name);
        let instance = self.settings.instance_id.clone().unwrap_or_default();
        let process = calling_process();
        self.session.update(|memory| {
            client.clone_into(&mut memory.client);
            instance.clone_into(&mut memory.instance_id);
            (memory.seen_at, memory.process) = (now, process);
            if heard {
                memory.renewed_at = now;
            }
        });
    }
}

fn with_identity(settings: &ClientSettings, own: &Identity) -> ClientSettings {
    let token = own.token.clone().map(|value| Given { value, origin: Origin::File });
    ClientSettings {
        instance_id: Some(own.instance_id.clone()),
        token: token.or_else(|| settings.token.clone()),
        ..settings.clone()
    }
}
