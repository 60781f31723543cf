//! What a project is: checked names, known stacks, no two agents of one name.

use std::{fmt, str::FromStr};

use thiserror::Error;
use url::Url;

use crate::loopback::is_loopback;

/// Names become folders, topics and keys: this leaves room in each of them.
const MAX_NAME: usize = 64;

/// More agents than this, and one controller reads reports all day.
const MAX_AGENTS: usize = 50;

/// The name of the controller's workspace.
pub(crate) const CONTROLLER: &str = "controller";

/// What is wrong with the description of a project.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum Wrong {
    #[error("a name is needed")]
    EmptyName,
    #[error("{0:?} has a {1} in it: a name is made of letters, digits, '-', '_' and '.'")]
    Character(String, &'static str),
    #[error("{0:?} must begin with a letter or a digit, and not end in '.'")]
    Edge(String),
    #[error("{0:?} is longer than {MAX_NAME} characters")]
    LongName(String),
    #[error("\"{CONTROLLER}\" is the name of the workspace that plans: name the agent otherwise")]
    Reserved,
    #[error("there is an agent {0:?} already")]
    Twice(String),
    #[error("at least one agent is needed: --agent NAME:STACK")]
    NoAgent,
    #[error("at most {MAX_AGENTS} agents are possible")]
    TooMany,
    #[error("{0:?} is not NAME:STACK or NAME:STACK:DATABASE, as in backend:go-api:postgres")]
    Shape(String),
    #[error("stack {0} takes no database: leave {1:?} away")]
    NoDatabase(&'static str, String),
    #[error("unknown database {0:?}: use sqlite, postgres or memory")]
    Database(String),
}

/// The name of a project or an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name(String);

impl Name {
    /// As it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// As it is written in folders and topics.
    pub(crate) fn slug(&self) -> String {
        self.0.to_lowercase()
    }
}

impl FromStr for Name {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        if text.is_empty() {
            return Err(Wrong::EmptyName);
        }
        // A name stands in commands that a shell reads: what a shell knows another meaning for stays out.
        let odd = text.chars().find(|c| !c.is_alphanumeric() && !matches!(c, '-' | '_' | '.'));
        if let Some(odd) = odd {
            let what = match odd {
                '/' | '\\' => "slash",
                c if c.is_whitespace() => "space",
                _ => "sign",
            };
            return Err(Wrong::Character(text.to_owned(), what));
        }
        if !text.starts_with(char::is_alphanumeric) || text.ends_with('.') || text.contains("..") {
            return Err(Wrong::Edge(text.to_owned()));
        }
        if text.chars().count() > MAX_NAME {
            return Err(Wrong::LongName(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a Go API keeps its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Database {
    #[default]
    Sqlite,
    Postgres,
    Memory,
}

impl Database {
    /// Every one, in the order in which they are offered.
    pub(crate) const ALL: [Self; 3] = [Self::Sqlite, Self::Postgres, Self::Memory];

    /// As it is written in a flag.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Memory => "memory",
        }
    }

    /// In words, for a list.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Sqlite => "a file, no server",
            Self::Postgres => "PostgreSQL, at $DATABASE_URL",
            Self::Memory => "gone when it ends",
        }
    }
}

impl FromStr for Database {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let known = Self::ALL.into_iter().find(|one| one.as_str() == text.trim().to_ascii_lowercase());
        known.ok_or_else(|| Wrong::Database(text.to_owned()))
    }
}

/// What an agent builds with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stack {
    Goth,
    GoApi(Database),
    React,
    Flutter,
    C,
    Rust,
    Python,
    Node,
    Generic,
}

impl Stack {
    /// Every one, in the order in which they are offered; the Go API with its first database.
    pub(crate) const ALL: [Self; 9] = [
        Self::Goth,
        Self::GoApi(Database::Sqlite),
        Self::React,
        Self::Flutter,
        Self::C,
        Self::Rust,
        Self::Python,
        Self::Node,
        Self::Generic,
    ];

    /// As it is written in a flag, and in `stack` of instances and rules.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Goth => "goth",
            Self::GoApi(_) => "go-api",
            Self::React => "react",
            Self::Flutter => "flutter",
            Self::C => "c",
            Self::Rust => "rust",
            Self::Python => "python",
            Self::Node => "node",
            Self::Generic => "generic",
        }
    }

    /// In words, for a list.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Goth => "GOTH: Go, templ, htmx, Tailwind",
            Self::GoApi(_) => "Go API, with SQLite, PostgreSQL or in memory",
            Self::React => "React with TypeScript",
            Self::Flutter => "Flutter",
            Self::C => "C",
            Self::Rust => "Rust",
            Self::Python => "Python",
            Self::Node => "Node.js",
            Self::Generic => "anything else",
        }
    }

    /// The database it was given, if it takes one.
    pub(crate) fn database(self) -> Option<Database> {
        match self {
            Self::GoApi(database) => Some(database),
            Self::Goth
            | Self::React
            | Self::Flutter
            | Self::C
            | Self::Rust
            | Self::Python
            | Self::Node
            | Self::Generic => None,
        }
    }

    /// The one of that name.
    fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text.trim().to_ascii_lowercase())
    }
}

/// The stack with its database, as in a flag.
impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.database() {
            Some(database) => write!(f, "{} ({})", self.as_str(), database.as_str()),
            None => f.write_str(self.as_str()),
        }
    }
}

/// One that builds a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Agent {
    /// Its name, in lower case: it stands in folders, topics and keys alike.
    pub(crate) name: String,
    pub(crate) stack: Stack,
}

impl Agent {
    /// An agent of that name.
    ///
    /// # Errors
    /// When the name is that of the controller.
    pub(crate) fn new(name: &Name, stack: Stack) -> Result<Self, Wrong> {
        let name = name.slug();
        if name == CONTROLLER { Err(Wrong::Reserved) } else { Ok(Self { name, stack }) }
    }

    /// As it is written in a flag.
    pub(crate) fn flag(&self) -> String {
        let database = self.stack.database().map(|database| format!(":{}", database.as_str()));
        format!("{}:{}{}", self.name, self.stack.as_str(), database.unwrap_or_default())
    }

    /// Reads `NAME:STACK[:DATABASE]`; a name alone has a generic stack. An unknown stack becomes the generic one, and
    /// is told in `warnings`.
    ///
    /// # Errors
    /// When it can't be meant.
    pub(crate) fn parse(text: &str, warnings: &mut Vec<String>) -> Result<Self, Wrong> {
        let parts: Vec<&str> = text.split(':').collect();
        let (name, stack, database) = match parts[..] {
            [name] => (name, None, None),
            [name, stack] => (name, Some(stack), None),
            [name, stack, database] => (name, Some(stack), Some(database)),
            _ => return Err(Wrong::Shape(text.to_owned())),
        };
        let name: Name = name.parse()?;
        let stack = match stack.map(|stack| (stack, Stack::named(stack))) {
            None => Stack::Generic,
            Some((_, Some(Stack::GoApi(first)))) => {
                Stack::GoApi(database.map_or(Ok(first), Database::from_str)?)
            }
            Some((_, Some(stack))) => match database {
                Some(database) => return Err(Wrong::NoDatabase(stack.as_str(), database.to_owned())),
                None => stack,
            },
            Some((unknown, None)) => {
                let known: Vec<&str> = Stack::ALL.iter().map(|one| one.as_str()).collect();
                warnings.push(format!(
                    "unknown stack {unknown:?} for {name}: it becomes generic (known: {})",
                    known.join(", ")
                ));
                Stack::Generic
            }
        };
        Self::new(&name, stack)
    }
}

/// The agents of a project: at least one, no two of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Agents(Vec<Agent>);

impl Agents {
    /// These agents.
    ///
    /// # Errors
    /// When there are none, too many, or two of one name.
    pub(crate) fn new(agents: Vec<Agent>) -> Result<Self, Wrong> {
        if agents.is_empty() {
            return Err(Wrong::NoAgent);
        }
        if agents.len() > MAX_AGENTS {
            return Err(Wrong::TooMany);
        }
        let twice =
            agents.iter().enumerate().find(|(n, one)| agents[..*n].iter().any(|a| a.name == one.name));
        match twice {
            Some((_, agent)) => Err(Wrong::Twice(agent.name.clone())),
            None => Ok(Self(agents)),
        }
    }

    /// Each of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Agent> {
        self.0.iter()
    }
}

/// What is to be made: workspaces for these agents, and one for the controller unless it is there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Project {
    pub(crate) name: Name,
    pub(crate) agents: Agents,
    pub(crate) with_controller: bool,
    /// Without a slash at its end.
    pub(crate) server: String,
    /// The server's own token; `None` when it asks for none. It registers the agents, and no workspace holds it.
    pub(crate) token: Option<String>,
    /// Whether Claude Code may run `koor` in the workspaces without asking.
    pub(crate) allows_koor: bool,
}

impl Project {
    /// The folder of the one that plans.
    pub(crate) fn controller_folder(&self) -> String {
        format!("{}-{CONTROLLER}", self.name.slug())
    }

    /// The folder of that agent.
    pub(crate) fn folder(&self, agent: &Agent) -> String {
        format!("{}-{}", self.name.slug(), agent.name)
    }

    /// Every workspace that is made: its folder, the name of its agent, and the agent's stack.
    pub(crate) fn workspaces(&self) -> impl Iterator<Item = (String, &str, Option<Stack>)> {
        let controller = self.with_controller.then(|| (self.controller_folder(), CONTROLLER, None));
        let agents = self.agents.iter();
        controller
            .into_iter()
            .chain(agents.map(|agent| (self.folder(agent), agent.name.as_str(), Some(agent.stack))))
    }

    /// `host:port` of the server, when it is one that this machine can start.
    pub(crate) fn on_loopback(&self) -> Option<String> {
        let url = Url::parse(&self.server).ok().filter(|url| url.scheme() == "http" && url.path() == "/")?;
        is_loopback(&url)
            .then(|| format!("{}:{}", url.host_str().unwrap_or_default(), url.port().unwrap_or(80)))
    }
}

#[cfg(test)]
mod tests;
