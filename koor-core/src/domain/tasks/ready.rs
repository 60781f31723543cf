//! Which tasks an agent can claim.

use crate::{
    domain::tasks::Task,
    ids::{AgentName, ProjectName},
};

/// Asks for the tasks that can be claimed, the most urgent first: those without an assignee, or those assigned to one agent.
/// A store answers it by one span of an index.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReadyQuery {
    /// In this project.
    pub project: ProjectName,
    /// The assignee; `None` asks for tasks without one.
    pub assignee: Option<AgentName>,
    /// With all of these labels, in order.
    pub labels: Vec<String>,
    /// That need nothing beyond these capabilities, in order.
    pub capabilities: Vec<String>,
}

impl ReadyQuery {
    /// The two questions that find what an agent can claim.
    #[must_use]
    pub fn of(
        project: &ProjectName,
        agent: &AgentName,
        capabilities: &[String],
        labels: &[String],
    ) -> [Self; 2] {
        let sorted = |words: &[String]| {
            let mut words = words.to_vec();
            words.sort();
            words.dedup();
            words
        };
        let (labels, capabilities) = (sorted(labels), sorted(capabilities));
        [None, Some(agent.clone())].map(|assignee| Self {
            project: project.clone(),
            assignee,
            labels: labels.clone(),
            capabilities: capabilities.clone(),
        })
    }

    /// Whether the task is one of those asked for.
    #[must_use]
    pub fn matches(&self, task: &Task) -> bool {
        task.claimable
            && task.project == self.project
            && task.assignee == self.assignee
            && self.labels.iter().all(|label| task.labels.contains(label))
            && task.needs.iter().all(|need| self.capabilities.contains(need))
    }
}
