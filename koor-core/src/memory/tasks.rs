//! Tasks, in memory.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque, btree_map::Entry},
    ops::Bound::{Excluded, Unbounded},
    sync::Arc,
};

use super::{Data, Snapshot};
use crate::{
    clock::Timestamp,
    domain::tasks::{
        Priority, ReadyQuery, Task, TaskCounts, TaskFilter, TaskHold, TaskId, TaskLinks, TaskNote, TaskOrder,
    },
    ids::{AgentName, InstanceId, ProjectName, TaskNumber},
    ports::{StoreResult, TaskChange, TaskRepo},
};

/// Everything that is kept of tasks.
#[derive(Debug, Default, Clone)]
pub(super) struct Tasks {
    by_id: BTreeMap<TaskId, Arc<Task>>,
    notes: BTreeMap<TaskId, Vec<TaskNote>>,
    holds: BTreeMap<TaskId, Vec<TaskHold>>,
    counts: BTreeMap<ProjectName, TaskCounts>,
    /// What can be claimed, by project and assignee: in the order in which it is claimed.
    claimable: BTreeMap<ForAgent, BTreeSet<(Priority, TaskNumber)>>,
}

/// A project, and the assignee of tasks there.
type ForAgent = (ProjectName, Option<AgentName>);

impl Tasks {
    pub(super) fn apply(&mut self, change: &TaskChange) {
        match change {
            TaskChange::Put(task) => {
                if let Some(before) =
                    self.by_id.insert(task.id(), Arc::clone(task)).filter(|task| task.claimable)
                {
                    let place = (before.project.clone(), before.assignee.clone());
                    if let Entry::Occupied(mut tasks) = self.claimable.entry(place) {
                        tasks.get_mut().remove(&(before.priority, before.number));
                        if tasks.get().is_empty() {
                            tasks.remove();
                        }
                    }
                }
                if task.claimable {
                    let place = (task.project.clone(), task.assignee.clone());
                    self.claimable.entry(place).or_default().insert((task.priority, task.number));
                }
            }
            // Found by the tasks themselves.
            TaskChange::Link { .. } => {}
            TaskChange::Count(moved) => {
                let project = moved.id.project.clone();
                let counts = self.counts.entry(project.clone());
                counts.or_insert_with(|| TaskCounts::none(project)).count(moved);
            }
            TaskChange::AppendNote { id, note } => {
                self.notes.entry(id.clone()).or_default().push(note.clone());
            }
            TaskChange::AppendHold { id, hold } => {
                self.holds.entry(id.clone()).or_default().push(hold.clone());
            }
        }
    }

    pub(super) fn contains(&self, id: &TaskId) -> bool {
        self.by_id.contains_key(id)
    }

    fn of<'t>(&'t self, project: &'t ProjectName) -> impl Iterator<Item = &'t Arc<Task>> {
        let first = TaskId { project: project.clone(), number: TaskNumber::FIRST };
        self.by_id.range(first..).map(|(_, task)| task).take_while(move |task| task.project == *project)
    }
}

impl Data {
    fn matching(&self, wanted: impl Fn(&Task) -> bool) -> Vec<Arc<Task>> {
        self.tasks.by_id.values().filter(|task| wanted(task)).cloned().collect()
    }
}

/// The first tasks in some order.
fn first<K: Ord>(mut tasks: Vec<Arc<Task>>, limit: usize, by: impl Fn(&Task) -> K) -> Vec<Arc<Task>> {
    tasks.sort_by_key(|task| by(task));
    tasks.truncate(limit);
    tasks
}

impl TaskRepo for Snapshot<'_> {
    fn task(&mut self, id: &TaskId) -> StoreResult<Option<Arc<Task>>> {
        Ok(self.0.tasks.by_id.get(id).cloned())
    }

    fn task_by_key(&mut self, project: &ProjectName, key: &str) -> StoreResult<Option<Arc<Task>>> {
        Ok(self.0.tasks.of(project).find(|task| task.key.as_deref() == Some(key)).cloned())
    }

    fn tasks(
        &mut self,
        project: &ProjectName,
        filter: &TaskFilter,
        order: TaskOrder,
        limit: usize,
    ) -> StoreResult<Vec<Arc<Task>>> {
        let found = self.0.tasks.of(project).filter(|task| filter.matches(task)).cloned().collect();
        Ok(first(found, limit, |task| match order {
            TaskOrder::Number => (None, task.number),
            TaskOrder::Priority => (Some(task.priority), task.number),
        }))
    }

    fn tasks_after(&mut self, after: Option<&TaskId>, limit: usize) -> StoreResult<Vec<Arc<Task>>> {
        let from = after.map_or(Unbounded, Excluded);
        let tasks = self.0.tasks.by_id.range::<TaskId, _>((from, Unbounded));
        Ok(tasks.take(limit).map(|(_, task)| Arc::clone(task)).collect())
    }

    fn task_notes(&mut self, id: &TaskId, after: u64, limit: usize) -> StoreResult<Vec<TaskNote>> {
        let notes = self.0.tasks.notes.get(id).into_iter().flatten();
        Ok(notes.filter(|note| note.id > after).take(limit).cloned().collect())
    }

    fn task_counts(&mut self, project: &ProjectName) -> StoreResult<Option<TaskCounts>> {
        Ok(self.0.tasks.counts.get(project).cloned())
    }

    fn all_task_counts(&mut self) -> StoreResult<Vec<TaskCounts>> {
        Ok(self.0.tasks.counts.values().cloned().collect())
    }

    fn ready_tasks(&mut self, query: &ReadyQuery, limit: usize) -> StoreResult<Vec<Arc<Task>>> {
        let Tasks { claimable, by_id, .. } = &self.0.tasks;
        let places = claimable.get(&(query.project.clone(), query.assignee.clone()));
        let tasks = places
            .into_iter()
            .flatten()
            .filter_map(|(_, number)| by_id.get(&TaskId { project: query.project.clone(), number: *number }));
        Ok(tasks.filter(|task| query.matches(task)).take(limit).cloned().collect())
    }

    fn due_tasks(
        &mut self,
        project: Option<&ProjectName>,
        now: Timestamp,
        limit: usize,
    ) -> StoreResult<Vec<Arc<Task>>> {
        let found = self.0.matching(|task| {
            project.is_none_or(|project| task.project == *project) && task.is_delayed() && task.is_ready(now)
        });
        Ok(first(found, limit, |task| (task.not_before, task.id())))
    }

    fn ending_claims(&mut self, now: Timestamp, limit: usize) -> StoreResult<Vec<Arc<Task>>> {
        let ends = |task: &Task| task.claim.as_ref().map(|claim| claim.expires_at);
        let found = self.0.matching(|task| ends(task).is_some_and(|ends| ends <= now));
        Ok(first(found, limit, |task| (ends(task), task.id())))
    }

    fn held_tasks(&mut self, holder: InstanceId) -> StoreResult<Vec<Arc<Task>>> {
        Ok(self.0.matching(|task| task.claim.as_ref().is_some_and(|claim| claim.instance_id == holder)))
    }

    fn dependents(&mut self, id: &TaskId) -> StoreResult<Vec<Arc<Task>>> {
        let tasks = self.0.tasks.of(&id.project);
        Ok(tasks.filter(|task| task.after.contains(&id.number)).cloned().collect())
    }

    fn children(&mut self, id: &TaskId) -> StoreResult<Vec<Arc<Task>>> {
        Ok(self.0.tasks.of(&id.project).filter(|task| task.parent == Some(id.number)).cloned().collect())
    }

    fn task_links(&mut self, id: &TaskId) -> StoreResult<Vec<TaskLinks>> {
        let (mut found, mut seen) = (Vec::new(), BTreeSet::from([id.number]));
        let mut next = VecDeque::from([id.clone()]);
        while let Some(id) = next.pop_front() {
            let Some(task) = self.0.tasks.by_id.get(&id) else { continue };
            let parts = self.children(&id)?;
            let waits_for = task.after.iter().copied().chain(parts.iter().map(|part| part.number));
            for number in waits_for.filter(|number| seen.insert(*number)) {
                next.push_back(TaskId { number, ..id.clone() });
            }
            found.push(task.links());
        }
        Ok(found)
    }

    fn task_holds(&mut self, id: &TaskId) -> StoreResult<Vec<TaskHold>> {
        Ok(self.0.tasks.holds.get(id).cloned().unwrap_or_default())
    }

    fn holds_after(&mut self, holder: InstanceId, after: Timestamp) -> StoreResult<Vec<(TaskId, TaskHold)>> {
        let all = self.0.tasks.holds.iter().flat_map(|(id, holds)| holds.iter().map(move |hold| (id, hold)));
        let wanted = all.filter(|(_, hold)| hold.instance_id == holder && hold.ended_at > after);
        Ok(wanted.map(|(id, hold)| (id.clone(), hold.clone())).collect())
    }
}
