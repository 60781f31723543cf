//! Compliance: whether the contracts of an agent's project are sound, run by run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    domain::contracts::Violation,
    ids::{InstanceId, ProjectName, RunId, SpecName},
};

/// One contract checked for one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ComplianceRun {
    /// Its id.
    pub id: RunId,
    /// Whose project it was checked for.
    pub instance_id: InstanceId,
    /// The project.
    pub project: ProjectName,
    /// The contract.
    pub contract: SpecName,
    /// Whether nothing was found.
    pub pass: bool,
    /// What was found.
    pub violations: Vec<Violation>,
    /// When.
    pub run_at: Timestamp,
}

/// A filter of runs; all given conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Of this instance.
    pub instance_id: Option<InstanceId>,
    /// Of this project.
    pub project: Option<ProjectName>,
    /// That passed, or that did not.
    pub pass: Option<bool>,
}

impl RunFilter {
    /// Whether the run is one of those looked for.
    #[must_use]
    pub fn matches(&self, run: &ComplianceRun) -> bool {
        self.instance_id.is_none_or(|wanted| wanted == run.instance_id)
            && self.project.as_ref().is_none_or(|wanted| *wanted == run.project)
            && self.pass.is_none_or(|wanted| wanted == run.pass)
    }
}

/// The names a workspace's project can have: the whole of it, or its last path segment.
#[must_use]
pub fn project_names(workspace: &str) -> Vec<ProjectName> {
    let last = workspace.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or_default();
    let mut names: Vec<ProjectName> =
        [workspace, last].into_iter().filter_map(|name| ProjectName::new(name).ok()).collect();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_named_as_the_workspace_or_its_last_segment() {
        let names =
            |workspace| -> Vec<String> { project_names(workspace).iter().map(ToString::to_string).collect() };
        assert_eq!(names("Truck-Wash"), ["Truck-Wash"]);
        assert_eq!(names("/home/me/Truck-Wash/"), ["Truck-Wash"]);
        assert_eq!(names("C:\\work\\Truck-Wash"), ["C:\\work\\Truck-Wash", "Truck-Wash"]);
        assert_eq!(names(""), [""; 0]);
    }
}
