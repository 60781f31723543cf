//! Which files a project is made of. Pure: it reads nothing and writes nothing.

use minijinja::{Error, Value, context};
use serde_json::{Map, Value as Json};

use super::{
    identities::{Identities, Identity},
    project::{Agent, CONTROLLER, Project, Stack},
    rule_set_of,
    templates::fill,
};
use crate::{mcp_files::clients::OF_WORKSPACES, skill_files};

/// What is to be where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planned {
    /// Below the directory in which the project is made, with `/`.
    pub(crate) path: String,
    pub(crate) content: Content,
}

/// What a file holds, and what becomes of one that is there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// A text.
    Text(String),
    /// A script: it can be started.
    Script(String),
    /// Settings that this program goes on writing to: a file that names the same server keeps what else it says.
    Settings(Map<String, Json>),
    /// A block between markers in a text that may be someone else's: it is appended, and later updated in place.
    Block(String),
    /// An entry in a client's file: one that is there keeps what else it says.
    Entry { list: &'static str, entry: Map<String, Json> },
    /// Texts in a list of a client's file, at `object.list`; those that are missing are added.
    Listed { object: &'static str, list: &'static str, texts: &'static [&'static str] },
    /// Lines of which those that are missing are added to a file that is there.
    Lines(String),
    /// This program.
    Program,
}

/// The commands that Claude Code may run without asking, in the form of its permission rules.
const ALLOWED: &[&str] = &["Bash(koor:*)", "Bash(koor-cli:*)", "Bash(./koor-cli:*)"];

/// The name of this program in a workspace.
pub(crate) const PROGRAM: &str = if cfg!(windows) { "koor-cli.exe" } else { "koor-cli" };

/// Everything that this project needs, in the order of its folders.
///
/// # Errors
/// When a template is broken.
pub(crate) fn plan(project: &Project, identities: &Identities) -> Result<Vec<Planned>, Error> {
    let workspace = |folder: String, agent| {
        let identity = identities.get(&folder);
        Workspace { project, folder, agent, identity }
    };
    let mut files = Vec::new();
    if project.with_controller {
        let controller = workspace(project.controller_folder(), None);
        files.extend(controller.files("controller/AGENTS.md")?);
        files.push(controller.text("plan/overview.md", "controller/overview.md")?);
        files.push(controller.text("plan/decisions/README.md", "controller/decisions.md")?);
        files.push(controller.text("status/README.md", "controller/status.md")?);
    }
    for agent in project.agents.iter() {
        let note = workspace(project.controller_folder(), Some(agent));
        files.push(note.text(&format!("agents/{}.md", agent.name), "controller/agent.md")?);
    }
    for agent in project.agents.iter() {
        let own = workspace(project.folder(agent), Some(agent));
        files.extend(own.files("agent/AGENTS.md")?);
    }
    Ok(files)
}

/// The project whose controller has these instructions.
pub(crate) fn project_of(instructions: &str) -> Option<&str> {
    instructions.lines().find_map(|line| line.strip_prefix("# controller: the one that plans "))
}

/// One folder of a project.
struct Workspace<'a> {
    project: &'a Project,
    folder: String,
    agent: Option<&'a Agent>,
    /// `None` as long as the server has not registered it.
    identity: Option<&'a Identity>,
}

impl Workspace<'_> {
    /// What every workspace has.
    fn files(&self, instructions: &str) -> Result<Vec<Planned>, Error> {
        let mut files = vec![
            self.with("AGENTS.md", instructions, Content::Block)?,
            self.with("CLAUDE.md", "common/CLAUDE.md", Content::Block)?,
            self.with(".cursorrules", "common/cursorrules", Content::Block)?,
            self.text(".cursor/rules/koor.mdc", "common/koor.mdc")?,
            self.with(".gitignore", "common/gitignore", Content::Lines)?,
            self.at("settings.json", Content::Settings(self.settings())),
            self.at(PROGRAM, Content::Program),
        ];
        for path in skill_files::PATHS {
            files.push(self.at(path, Content::Text(skill_files::TEXT.to_owned())));
        }
        for file in OF_WORKSPACES {
            let entry = file.entry(&self.project.server, self.token());
            files.push(self.at(file.path, Content::Entry { list: file.list, entry }));
        }
        if self.project.allows_koor {
            let content = Content::Listed { object: "permissions", list: "allow", texts: ALLOWED };
            files.push(self.at(".claude/settings.json", content));
        }
        Ok(files)
    }

    /// The token of the workspace's own instance.
    fn token(&self) -> Option<&str> {
        self.identity?.token.as_deref()
    }

    fn settings(&self) -> Map<String, Json> {
        let mut settings = Map::new();
        settings.insert("server".to_owned(), self.project.server.as_str().into());
        let id = self.identity.map(|identity| identity.id.as_str());
        let workspace = Some(self.project.name.as_str());
        let agent = Some(self.agent.map_or(CONTROLLER, |agent| agent.name.as_str()));
        let known = [
            ("instance_id", id),
            ("token", self.token()),
            ("workspace", workspace),
            ("agent", agent),
            ("path_prefix", Some(&*self.folder)),
        ];
        for (key, value) in known {
            settings.extend(value.map(|value| (key.to_owned(), value.into())));
        }
        settings
    }

    fn at(&self, path: &str, content: Content) -> Planned {
        Planned { path: format!("{}/{path}", self.folder), content }
    }

    fn text(&self, path: &str, template: &str) -> Result<Planned, Error> {
        self.with(path, template, Content::Text)
    }

    fn with(&self, path: &str, template: &str, kind: fn(String) -> Content) -> Result<Planned, Error> {
        Ok(self.at(path, kind(fill(template, &self.values())?)))
    }

    /// What the templates can ask for.
    fn values(&self) -> Value {
        let project = self.project;
        let stack = self.agent.map_or(Stack::Generic, |agent| agent.stack);
        let slug = project.name.slug();
        let agent = self.agent.map_or("", |agent| agent.name.as_str());
        let package: String = format!("{slug}_{agent}")
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        context! {
            project => project.name.as_str(),
            slug => slug,
            agent => agent,
            package => package,
            server => &project.server,
            token => self.token().unwrap_or_default(),
            stack => stack.as_str(),
            stack_title => stack.to_string(),
            stack_template => format!("stacks/{}.md", stack.as_str()),
            database => stack.database().map_or("", |database| database.as_str()),
            rule_set => rule_set_of(stack).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests;
