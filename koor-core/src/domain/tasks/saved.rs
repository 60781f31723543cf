//! Tasks in a backup.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Task, TaskGraph, TaskHold, TaskId, TaskLinks, TaskNote, TaskStatus, draft, show_cycle};
use crate::{
    domain::prose,
    error::Invalid,
    ids::{MAX_RESTORED, ProjectName, TaskNumber},
};

/// A task in a backup, with its notes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SavedTask {
    /// The task.
    pub task: Task,
    /// Its notes, oldest first.
    pub notes: Vec<TaskNote>,
    /// Its claims that have ended, by fence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<TaskHold>,
}

impl SavedTask {
    fn check(&self) -> Result<(), Invalid> {
        let task = &self.task;
        draft::check(task)?;
        for text in self.notes.iter().map(|note| &note.text) {
            prose("note", text)?;
        }
        if task.number.get() > MAX_RESTORED || task.fence.0 > MAX_RESTORED || task.revision > MAX_RESTORED {
            return Err(Invalid::new("a number in it is higher than any that was counted up to"));
        }
        if task.claim.is_some() != (task.status == TaskStatus::Claimed) {
            return Err(Invalid::new(format!("it is {}, which its claim contradicts", task.status)));
        }
        let in_order = self.holds.windows(2).all(|two| two[0].fence < two[1].fence);
        if !in_order || self.holds.last().is_some_and(|hold| hold.fence > task.fence) {
            return Err(Invalid::new("its claims are not in order"));
        }
        let numbered = self.notes.iter().zip(1..).all(|(note, number)| note.id == number);
        if !numbered || self.notes.len() as u64 != task.notes {
            return Err(Invalid::new("its notes are not all there"));
        }
        Ok(())
    }
}

/// Checks all tasks of a backup: each by itself, and what they are linked with. What blocks them is found out anew.
pub(crate) fn check_saved(mut saved: Vec<SavedTask>) -> Result<Vec<SavedTask>, Invalid> {
    let mut status: BTreeMap<TaskId, TaskStatus> = BTreeMap::new();
    let mut keys = BTreeSet::new();
    let mut links: BTreeMap<ProjectName, BTreeMap<TaskNumber, TaskLinks>> = BTreeMap::new();
    for SavedTask { task, .. } in &saved {
        let id = task.id();
        if status.insert(id.clone(), task.status).is_some() {
            return Err(Invalid::new(format!("task {id} is there twice")));
        }
        if let Some(key) = &task.key
            && !keys.insert((&task.project, key))
        {
            return Err(Invalid::new(format!("the key of task {id} is there twice")));
        }
        links.entry(task.project.clone()).or_default().insert(task.number, task.links());
    }
    let named = |project: &ProjectName, number| TaskId { project: project.clone(), number };
    for one in &mut saved {
        let id = one.task.id();
        one.check().map_err(|error| Invalid::new(format!("task {id}: {error}")))?;
        let task = &mut one.task;
        if let Some(missing) = task
            .after
            .iter()
            .chain(&task.parent)
            .find(|number| !status.contains_key(&named(&id.project, **number)))
        {
            return Err(Invalid::new(format!("task {id} names task {missing}, which is not there")));
        }
        let done =
            |number: &&TaskNumber| status.get(&named(&id.project, **number)) != Some(&TaskStatus::Done);
        task.blocked_by = task.after.iter().filter(done).copied().collect();
        task.claimable &= task.status == TaskStatus::Open && task.blocked_by.is_empty();
    }
    for (project, links) in &links {
        let graph = TaskGraph::new(links.values());
        // Most tasks are linked with none; only those that are can be on a cycle.
        for of in links.values().filter(|of| !of.after.is_empty() || of.parent.is_some()) {
            if let Some(cycle) = graph.find_cycle(of.number) {
                return Err(Invalid::new(format!("dependency cycle in {project}: {}", show_cycle(&cycle))));
            }
        }
    }
    Ok(saved)
}
