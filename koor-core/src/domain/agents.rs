//! Agents as they address each other: by name within a project. An agent that restarts registers a new instance and keeps its
//! address.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::{
    domain::instances::Instance,
    error::{Error, Invalid},
    ids::{AgentName, InstanceId, ProjectName},
    schema::describe,
};

/// The address of an agent, written `project/name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentAddress {
    /// The project that the agent works in.
    pub project: ProjectName,
    /// Its name there.
    pub name: AgentName,
}

impl AgentAddress {
    /// Reads `project/name`, split at the first slash, or `name` for an agent of the project `within`.
    ///
    /// # Errors
    /// When a part is no valid name, or there is no project.
    pub fn parse(text: &str, within: Option<&ProjectName>) -> Result<Self, Invalid> {
        if let Some((project, name)) = text.split_once('/') {
            return Ok(Self { project: ProjectName::new(project)?, name: AgentName::new(name)? });
        }
        let name = AgentName::new(text)?;
        match within {
            Some(project) => Ok(Self { project: project.clone(), name }),
            None => Err(Invalid::new(format!("{text:?} names no project: write project/{text}"))),
        }
    }
}

impl fmt::Display for AgentAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.project, self.name)
    }
}

describe!(AgentAddress: {"type": "string", "description": "project/name"});

impl Serialize for AgentAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// In which projects an instance works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProjectScope {
    /// In every project: an instance without a workspace.
    Every,
    /// In this one only.
    One(ProjectName),
    /// In none: its workspace names no project.
    None,
}

impl ProjectScope {
    /// The scope of an instance with that workspace: the workspace itself where that is a valid project name, else the last
    /// segment of its path.
    #[must_use]
    pub fn of_workspace(workspace: &str) -> Self {
        if workspace.is_empty() {
            return Self::Every;
        }
        let last = workspace.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        match ProjectName::new(workspace).or_else(|_| ProjectName::new(last)) {
            Ok(project) => Self::One(project),
            Err(_) => Self::None,
        }
    }

    /// The one project it is limited to.
    #[must_use]
    pub fn project(&self) -> Option<&ProjectName> {
        match self {
            Self::One(project) => Some(project),
            Self::Every | Self::None => None,
        }
    }

    /// Whether it includes the project.
    #[must_use]
    pub fn includes(&self, project: &ProjectName) -> bool {
        match self {
            Self::Every => true,
            Self::One(own) => own == project,
            Self::None => false,
        }
    }
}

/// The agent that calls: a registered instance, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallingAgent {
    /// Its instance.
    pub instance_id: InstanceId,
    /// The name it registered under.
    pub name: AgentName,
    /// Where it works.
    pub scope: ProjectScope,
    /// What it can be asked for.
    pub capabilities: Vec<String>,
}

impl CallingAgent {
    /// The agent that an instance is.
    ///
    /// # Errors
    /// When the instance's name cannot be the name of an agent.
    pub fn new(instance: &Instance) -> Result<Self, Invalid> {
        Ok(Self {
            instance_id: instance.id,
            name: AgentName::new(&instance.name)?,
            scope: ProjectScope::of_workspace(&instance.workspace),
            capabilities: instance.capabilities.clone(),
        })
    }

    /// Lets the agent work in its own project, and in no other.
    ///
    /// # Errors
    /// [`Error::NotAllowed`] for another project.
    pub fn check_project(&self, project: &ProjectName) -> Result<(), Error> {
        if self.scope.includes(project) {
            return Ok(());
        }
        let own = match self.scope.project() {
            Some(own) => format!("works in project {own}"),
            None => "has a workspace that names no project".to_owned(),
        };
        Err(Error::NotAllowed(format!("agent {} {own}, not in {project}", self.name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(name: &str) -> ProjectName {
        ProjectName::new(name).unwrap()
    }

    #[test]
    fn an_address_is_split_at_the_first_slash() {
        let own = project("Truck-Wash");
        let parse = |text| AgentAddress::parse(text, Some(&own)).map(|address| address.to_string());
        assert_eq!(parse("backend").as_deref(), Ok("Truck-Wash/backend"));
        assert_eq!(parse("Car-Park/backend").as_deref(), Ok("Car-Park/backend"));
        let odd = AgentAddress::parse("p/a/b", None).unwrap();
        assert_eq!((odd.project.as_str(), odd.name.as_str()), ("p", "a/b"));
        for bad in ["", "/backend", "p/", "a\nb"] {
            assert!(AgentAddress::parse(bad, Some(&own)).is_err(), "{bad:?}");
        }
        let refused = AgentAddress::parse("backend", None).unwrap_err().to_string();
        assert_eq!(refused, "\"backend\" names no project: write project/backend");
    }

    #[test]
    fn the_project_is_the_workspace_or_the_end_of_its_path() {
        for (workspace, expected) in [
            ("Truck-Wash", ProjectScope::One(project("Truck-Wash"))),
            ("/home/ann/Truck-Wash", ProjectScope::One(project("Truck-Wash"))),
            ("/home/ann/Truck-Wash/", ProjectScope::One(project("Truck-Wash"))),
            ("C:\\work\\Truck-Wash", ProjectScope::One(project("C:\\work\\Truck-Wash"))),
            ("", ProjectScope::Every),
            ("/", ProjectScope::None),
        ] {
            assert_eq!(ProjectScope::of_workspace(workspace), expected, "{workspace:?}");
        }
        assert!(ProjectScope::Every.includes(&project("p")));
        assert!(!ProjectScope::None.includes(&project("p")));
        assert!(!ProjectScope::One(project("q")).includes(&project("p")));
    }
}
