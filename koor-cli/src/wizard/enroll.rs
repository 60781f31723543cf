//! Registers the agents of a project with its server, so that each workspace has an identity and a token of its own.
//!
//! Only the person who calls the wizard has the server's own token. No workspace holds it.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    gather::Wanted,
    identities::{Identities, Identity},
    project::{CONTROLLER, Project},
    rule_set_of,
};
use crate::{
    client::Client,
    exit::{self, Failure},
    probe::Probe,
    rule_sets,
    settings::{
        client::{ClientSettings, server_url},
        file,
    },
};

/// What stands for an id and a token that are not known yet.
const NOT_YET: &str = "(new)";

#[derive(Deserialize)]
struct Registered {
    id: String,
    token: String,
}

/// Whether the server can register agents now.
pub(crate) fn is_possible(probe: Probe) -> bool {
    match probe {
        Probe::Open | Probe::Accepts => true,
        Probe::OnlyAnAgent | Probe::NeedsToken | Probe::Silent => false,
    }
}

/// The identities that workspaces have already, at this server.
pub(crate) fn known(project: &Project, base: &Path) -> Identities {
    let mut known = Identities::new();
    for (folder, ..) in project.workspaces() {
        let path = base.join(&folder).join(file::NAME);
        // What is in the way is found by the survey.
        let Ok(settings) = file::read_if_there(&path) else { continue };
        let text = |key: &str| settings.get(key).and_then(Value::as_str).map(str::to_owned);
        let here =
            text("server").and_then(|url| server_url(&url).ok()).is_some_and(|url| url == project.server);
        if let (true, Some(id)) = (here, text("instance_id")) {
            // Earlier versions wrote the server's own token into workspaces.
            let token = text("token").filter(|token| Some(token) != project.token.as_ref());
            known.insert(folder, Identity { id, token });
        }
    }
    known
}

/// The identities as they will look: for a list of what becomes of each file, before anything is registered.
pub(crate) fn expected(wanted: &Wanted, known: &Identities) -> Identities {
    let mut expected = known.clone();
    if is_possible(wanted.probe) {
        let needs_token = wanted.probe == Probe::Accepts;
        for (folder, ..) in wanted.project.workspaces() {
            let identity =
                expected.entry(folder).or_insert_with(|| Identity { id: NOT_YET.to_owned(), token: None });
            if needs_token {
                identity.token.get_or_insert_with(|| NOT_YET.to_owned());
            }
        }
    }
    expected
}

/// Agents that were registered.
#[derive(Debug)]
pub(crate) struct Enrolled {
    pub(crate) identities: Identities,
    /// The ids of the new ones.
    new: Vec<String>,
    client: Client,
}

/// Registers each workspace that the server does not know.
///
/// # Errors
/// When the server refuses, or goes away: then those that were registered are deregistered.
pub(crate) fn enroll(wanted: &Wanted, known: &Identities) -> Result<Option<Enrolled>, Failure> {
    if !is_possible(wanted.probe) {
        return Ok(None);
    }
    let project = &wanted.project;
    let needs_token = wanted.probe == Probe::Accepts;
    let client = Client::new(&ClientSettings::of(&project.server, project.token.as_deref()));
    let mut enrolled = Enrolled { identities: known.clone(), new: Vec::new(), client };
    let mut sets = Vec::new();
    for (folder, name, stack) in project.workspaces() {
        match enrolled.revive(project, &folder, needs_token) {
            Ok(true) => continue,
            Ok(false) => {}
            Err(failure) => return Err(enrolled.failed(&failure)),
        }
        let who = json!({"name": name, "workspace": project.name.as_str(), "stack": stack.map_or("", |one| one.as_str())});
        let request = enrolled.client.post("/api/instances/register").json(&who);
        let answer = request.and_then(|request| request.send()?.json::<Registered>());
        match answer {
            Ok(Registered { id, token }) => {
                enrolled.new.push(id.clone());
                let token = needs_token.then_some(token);
                enrolled.identities.insert(folder, Identity { id, token });
            }
            Err(failure) => return Err(enrolled.failed(&failure)),
        }
        sets.extend(if name == CONTROLLER { Some("_global") } else { stack.and_then(rule_set_of) });
    }
    sets.dedup();
    enrolled.import_rules(project, &sets);
    Ok(Some(enrolled))
}

impl Enrolled {
    /// How many were registered.
    pub(crate) fn count(&self) -> usize {
        self.new.len()
    }

    /// Whether the server knows the instance of a workspace; it gets a new token if its own does not work.
    fn revive(&mut self, project: &Project, folder: &str, needs_token: bool) -> Result<bool, Failure> {
        let Some(identity) = self.identities.get_mut(folder) else { return Ok(false) };
        match self.client.get("/api/instances").segment(&identity.id).send() {
            Ok(_) => {}
            Err(failure) if failure.status() == Some(404) => return Ok(false),
            Err(failure) => return Err(failure),
        }
        if !needs_token {
            identity.token = None;
            return Ok(true);
        }
        let works = identity.token.as_deref().is_some_and(|token| {
            let own = Client::new(&ClientSettings::of(&project.server, Some(token)));
            own.get("/api/instances").segment(&identity.id).send().is_ok()
        });
        if !works {
            let renewed = self.client.post("/api/instances").segment(&identity.id).segment("token");
            identity.token = Some(renewed.send()?.json::<Registered>()?.token);
        }
        Ok(true)
    }

    /// Gives the project the rules of its new stacks: an agent may not. What an administrator has changed is not touched,
    /// because only new agents bring rules.
    fn import_rules(&self, project: &Project, sets: &[&str]) {
        for set in sets {
            let imported = rule_sets::for_project(set, project.name.as_str()).and_then(|rules| {
                self.client.post("/api/rules/import").bytes(rules, "application/json").send()
            });
            if let Err(failure) = imported {
                exit::warn(format_args!(
                    "the rules {set} were not imported: {}. Later: koor rules import --set {set} --project {}",
                    failure.text(),
                    project.name
                ));
            }
        }
    }

    /// Deregisters those that were registered: nothing was written for them.
    pub(crate) fn undo(self) {
        for id in &self.new {
            if let Err(failure) = self.client.delete("/api/instances").segment(id).send() {
                exit::warn(format_args!("cannot deregister {id} again: {}", failure.text()));
            }
        }
    }

    fn failed(self, failure: &Failure) -> Failure {
        let text = failure.text();
        self.undo();
        Failure::refused(format_args!("cannot register the agents: {text}; nothing was written"))
    }
}
