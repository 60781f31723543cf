//! What a command sees of tasks: the facts, under the changes of its batch, under its own.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::view::View;
use crate::{
    clock::Timestamp,
    domain::tasks::{ReadyQuery, Task, TaskCounts, TaskId, TaskLinks},
    ids::{InstanceId, ProjectName, TaskNumber},
    ports::{Change, Page, StoreError, StoreResult, TaskChange},
};

impl View {
    /// The changed tasks, older changes first.
    fn changed_tasks(&self) -> impl Iterator<Item = (&TaskId, &Arc<Task>)> {
        let layers = self.changed_records().into_iter().map(|records| &records.tasks);
        layers.flatten().filter_map(|(id, task)| Some((id, task.as_ref()?)))
    }

    /// The tasks that a scan found, with those that have changed since: in or out.
    fn with_changes<'t>(&'t self, found: &'t [Arc<Task>], wanted: impl Fn(&Task) -> bool) -> Vec<Arc<Task>> {
        let mut tasks: BTreeMap<TaskId, &Arc<Task>> = found.iter().map(|task| (task.id(), task)).collect();
        for (id, task) in self.changed_tasks() {
            if wanted(task) {
                tasks.insert(id.clone(), task);
            } else {
                tasks.remove(id);
            }
        }
        tasks.into_values().cloned().collect()
    }

    /// The tasks that come directly after a task.
    pub(crate) fn dependents(&mut self, id: &TaskId) -> StoreResult<Vec<Arc<Task>>> {
        let Some(found) = self.scans().dependents.get(id) else {
            self.missing().dependents.insert(id.clone());
            return Err(StoreError::NotFetched);
        };
        Ok(self.with_changes(found, |task| task.project == id.project && task.after.contains(&id.number)))
    }

    /// The parts of a task.
    pub(crate) fn children(&mut self, id: &TaskId) -> StoreResult<Vec<Arc<Task>>> {
        let Some(found) = self.scans().children.get(id) else {
            self.missing().children.insert(id.clone());
            return Err(StoreError::NotFetched);
        };
        Ok(self.with_changes(found, |task| task.project == id.project && task.parent == Some(id.number)))
    }

    /// The tasks that an instance holds.
    pub(crate) fn held_tasks(&mut self, holder: InstanceId) -> StoreResult<Vec<Arc<Task>>> {
        let Some(found) = self.scans().held_tasks.get(&holder) else {
            self.missing().held_tasks.insert(holder);
            return Err(StoreError::NotFetched);
        };
        Ok(self
            .with_changes(found, |task| task.claim.as_ref().is_some_and(|claim| claim.instance_id == holder)))
    }

    /// The tasks of a project whose time has come.
    pub(crate) fn due_tasks(&mut self, project: &ProjectName, now: Timestamp) -> StoreResult<Vec<Arc<Task>>> {
        let wanted = (project.clone(), now);
        let Some(found) = self.scans().due_tasks.get(&wanted) else {
            self.missing().due_tasks.insert(wanted);
            return Err(StoreError::NotFetched);
        };
        Ok(self
            .with_changes(found, |task| task.project == *project && task.is_delayed() && task.is_ready(now)))
    }

    /// The links of a task and of all it waits for. Those that this batch has changed are looked through too.
    pub(crate) fn task_links(&mut self, id: &TaskId) -> StoreResult<Vec<TaskLinks>> {
        let fetched = self.scans().task_links.iter().filter(|(start, _)| start.project == id.project);
        let mut links: HashMap<TaskNumber, TaskLinks> =
            fetched.flat_map(|(_, found)| found.iter().map(|of| (of.number, of.clone()))).collect();
        let is_fetched = self.scans().task_links.contains_key(id);
        let changed = self.changed_tasks().filter(|(changed, _)| changed.project == id.project);
        links.extend(changed.map(|(_, task)| (task.number, task.links())));
        let named = links.values().flat_map(|of| of.after.iter().chain(&of.parent));
        // A link that this batch has made may lead to where nothing has been fetched.
        let unknown = named.copied().find(|number| {
            !links.contains_key(number)
                && self
                    .changed_tasks()
                    .any(|(_, task)| task.project == id.project && task.after.contains(number))
        });
        if let Some(missing) = (!is_fetched).then_some(id.number).or(unknown) {
            self.missing().task_links.insert(TaskId { project: id.project.clone(), number: missing });
            return Err(StoreError::NotFetched);
        }
        Ok(links.into_values().collect())
    }

    /// How many tasks a project has.
    pub(crate) fn task_counts(&mut self, project: &ProjectName) -> StoreResult<TaskCounts> {
        let Some(found) = self.fetched_records().task_counts.get(project) else {
            self.missing().task_counts.insert(project.clone());
            return Err(StoreError::NotFetched);
        };
        let mut counts = found.clone().unwrap_or_else(|| TaskCounts::none(project.clone()));
        for change in self.changes() {
            if let Change::Task(TaskChange::Count(moved)) = change
                && moved.id.project == *project
            {
                counts.count(moved);
            }
        }
        Ok(counts)
    }

    /// The first task that can be claimed.
    pub(crate) fn ready_tasks(&mut self, query: &ReadyQuery) -> StoreResult<Option<Arc<Task>>> {
        let place = |task: &Arc<Task>| (task.priority, task.number);
        let Some(Page { found, complete }) = self.pages().ready_tasks.get(query) else {
            self.missing().ready_tasks.insert(query.clone(), 1);
            return Err(StoreError::NotFetched);
        };
        let changed: HashMap<&TaskId, &Arc<Task>> = self.changed_tasks().collect();
        let untouched = found.iter().find(|task| !changed.contains_key(&task.id()));
        let now_ready =
            changed.into_values().filter(|task| query.matches(task)).min_by_key(|task| place(task));
        // Beyond the end of an incomplete page there may be tasks that come before one that this batch has made ready.
        let end = found.last().filter(|_| !complete).map(place);
        let now_ready = now_ready.filter(|task| *complete || end.is_some_and(|end| place(task) <= end));
        let first = untouched.into_iter().chain(now_ready).min_by_key(|task| place(task)).cloned();
        if first.is_none() && !complete {
            let more = 2 * found.len().max(1);
            self.missing().ready_tasks.insert(query.clone(), more);
            return Err(StoreError::NotFetched);
        }
        Ok(first)
    }
}
