//! Which files a project is made of. Pure: it reads nothing and writes nothing.

use minijinja::{Error, Value, context};

use super::{
    project::{Agent, Project, Stack},
    rule_set_of,
    templates::fill,
};

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
    /// A text that is nobody else's business: only its owner may read it.
    Secret(String),
    /// A script: it can be started.
    Script(String),
    /// Settings that this program goes on writing to: one that names the same server stays as it is.
    Settings(String),
    /// Lines of which those that are missing are added to a file that is there.
    Lines(String),
    /// This program.
    Program,
}

/// The name of this program in a workspace.
pub(crate) const PROGRAM: &str = if cfg!(windows) { "koor-cli.exe" } else { "koor-cli" };

/// Where editors look for MCP servers, and the template of what they find.
const MCP_FILES: [(&str, &str); 6] = [
    (".mcp.json", "mcp/mcp-servers.json"),
    (".claude/mcp.json", "mcp/mcp-servers.json"),
    (".cursor/mcp.json", "mcp/mcp-servers.json"),
    (".vscode/mcp.json", "mcp/vscode.json"),
    (".kilocode/mcp.json", "mcp/kilocode.json"),
    (".kilo/kilo.json", "mcp/kilo.json"),
];

/// Everything that this project needs, in the order of its folders.
///
/// # Errors
/// When a template is broken.
pub(crate) fn plan(project: &Project) -> Result<Vec<Planned>, Error> {
    let mut files = Vec::new();
    if project.with_controller {
        let controller = Workspace { project, folder: project.controller_folder(), agent: None };
        files.extend(controller.files("controller/AGENTS.md")?);
        files.push(controller.text("plan/overview.md", "controller/overview.md")?);
        files.push(controller.text("plan/decisions/README.md", "controller/decisions.md")?);
        files.push(controller.text("status/README.md", "controller/status.md")?);
    }
    for agent in project.agents.iter() {
        let note = Workspace { project, folder: project.controller_folder(), agent: Some(agent) };
        files.push(note.text(&format!("agents/{}.md", agent.name), "controller/agent.md")?);
    }
    for agent in project.agents.iter() {
        let workspace = Workspace { project, folder: project.folder(agent), agent: Some(agent) };
        files.extend(workspace.files("agent/AGENTS.md")?);
    }
    Ok(files)
}

/// The project whose controller has these instructions.
pub(crate) fn project_of(instructions: &str) -> Option<&str> {
    instructions.lines().next()?.strip_prefix("# controller: the one that plans ")
}

/// One folder of a project.
struct Workspace<'a> {
    project: &'a Project,
    folder: String,
    agent: Option<&'a Agent>,
}

impl Workspace<'_> {
    /// What every workspace has.
    fn files(&self, instructions: &str) -> Result<Vec<Planned>, Error> {
        let mut files = vec![
            self.text("AGENTS.md", instructions)?,
            self.text("CLAUDE.md", "common/CLAUDE.md")?,
            self.text(".cursorrules", "common/cursorrules")?,
            self.text(".cursor/rules/koor.mdc", "common/koor.mdc")?,
            self.with(".gitignore", "common/gitignore", Content::Lines)?,
            self.with("settings.json", "common/settings.json", Content::Settings)?,
            self.at(PROGRAM, Content::Program),
        ];
        for (path, template) in MCP_FILES {
            let kind = if self.project.token.is_some() { Content::Secret } else { Content::Text };
            files.push(self.with(path, template, kind)?);
        }
        Ok(files)
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
            mcp_url => format!("{}/mcp", project.server),
            token => project.token.as_deref().unwrap_or_default(),
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
