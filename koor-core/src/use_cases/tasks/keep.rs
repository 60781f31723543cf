//! What every command on tasks does: look tasks up, keep them, count them, announce them.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    announcement::SystemTopic,
    clock::Timestamp,
    command::CommandContext,
    domain::tasks::{ReadyQuery, Task, TaskCounts, TaskHold, TaskId, TaskLinks, TaskMove, TaskNote},
    error::Error,
    ids::{InstanceId, ProjectName},
    ports::{Change, TaskChange},
    use_cases::leases::release_leases_of_task,
};

/// What a change means for the version of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Touch {
    /// A change of the task itself.
    Version,
    /// Only what it waits for has changed.
    Readiness,
    /// Its claim was renewed.
    Renewal,
}

/// What the audit log says of a change of a task.
pub(super) fn detail(task: &Task) -> Value {
    json!({"title": task.title, "status": task.status, "fence": task.fence})
}

impl CommandContext<'_> {
    /// A task that must be there.
    ///
    /// # Errors
    /// When it is not there, or has not been fetched yet: pass the error on.
    pub(super) fn task(&mut self, id: &TaskId) -> Result<Arc<Task>, Error> {
        self.task_if_any(id)?.ok_or_else(|| Error::not_found("task", id))
    }

    pub(super) fn task_if_any(&mut self, id: &TaskId) -> Result<Option<Arc<Task>>, Error> {
        Ok(self.view().tasks(id)?)
    }

    pub(super) fn task_by_key(
        &mut self,
        project: &ProjectName,
        key: &str,
    ) -> Result<Option<Arc<Task>>, Error> {
        Ok(self.view().task_keys(&(project.clone(), key.to_owned()))?)
    }

    pub(crate) fn task_counts(&mut self, project: &ProjectName) -> Result<TaskCounts, Error> {
        Ok(self.view().task_counts(project)?)
    }

    pub(super) fn dependents(&mut self, id: &TaskId) -> Result<Vec<Arc<Task>>, Error> {
        Ok(self.view().dependents(id)?)
    }

    pub(super) fn children(&mut self, id: &TaskId) -> Result<Vec<Arc<Task>>, Error> {
        Ok(self.view().children(id)?)
    }

    pub(super) fn task_links(&mut self, id: &TaskId) -> Result<Vec<TaskLinks>, Error> {
        Ok(self.view().task_links(id)?)
    }

    pub(crate) fn held_tasks(&mut self, holder: InstanceId) -> Result<Vec<Arc<Task>>, Error> {
        Ok(self.view().held_tasks(holder)?)
    }

    pub(super) fn due_tasks(
        &mut self,
        project: &ProjectName,
        now: Timestamp,
    ) -> Result<Vec<Arc<Task>>, Error> {
        Ok(self.view().due_tasks(project, now)?)
    }

    pub(super) fn next_ready(&mut self, query: &ReadyQuery) -> Result<Option<Arc<Task>>, Error> {
        Ok(self.view().ready_tasks(query)?)
    }

    /// Keeps a task that was `before`, or is new, announces what happened to it and, where it can be claimed from now on,
    /// that too.
    pub(super) fn keep_task(
        &mut self,
        before: Option<&Task>,
        mut task: Task,
        touch: Touch,
        topics: &[SystemTopic],
        name: &str,
    ) -> Result<Arc<Task>, Error> {
        let now_ready = task.settle(self.now);
        if before.is_some() {
            task.revision += 1;
            if touch == Touch::Version {
                task.version = task.version.next();
                task.updated_at = self.now;
            }
        }
        let (from, to) = (before.map(Task::column), task.column());
        if from != Some(to) {
            self.push(Change::Task(TaskChange::Count(TaskMove { id: task.id(), from, to })));
        }
        let ended = before
            .and_then(|before| before.claim.as_ref())
            .filter(|claim| task.claim.as_ref().is_none_or(|now| now.fence != claim.fence));
        if let Some(claim) = ended {
            release_leases_of_task(self, &task.project, task.number)?;
            let hold = TaskHold {
                fence: claim.fence,
                instance_id: claim.instance_id,
                claimed_at: claim.claimed_at,
                ended_at: self.now,
            };
            self.push(Change::Task(TaskChange::AppendHold { id: task.id(), hold }));
        }
        let relinked = before.map_or(!task.after.is_empty(), |before| before.after != task.after);
        let task = Arc::new(task);
        self.push(Change::Task(TaskChange::Put(Arc::clone(&task))));
        if relinked {
            self.push(Change::Task(TaskChange::Link { id: task.id(), after: task.after.clone() }));
        }
        for topic in topics {
            self.announce_task(*topic, &task, name)?;
        }
        if now_ready {
            self.announce_task(SystemTopic::TaskReady, &task, "")?;
        }
        Ok(task)
    }

    /// Publishes what happened to a task.
    pub(super) fn announce_task(&mut self, topic: SystemTopic, task: &Task, name: &str) -> Result<(), Error> {
        let Task { project, number, title, status, assignee, fence, .. } = task;
        let data = json!({
            "project": project, "number": number, "title": title, "status": status, "assignee": assignee, "name": name,
            "fence": fence,
        });
        self.announce(topic, &data)
    }

    /// Appends a note to a task that is kept afterwards.
    pub(super) fn add_note(&mut self, task: &mut Task, text: String) -> TaskNote {
        task.notes += 1;
        let author = self.caller.author().to_owned();
        let note = TaskNote { id: task.notes, author, text, created_at: self.now };
        self.push(Change::Task(TaskChange::AppendNote { id: task.id(), note: note.clone() }));
        note
    }

    /// Tells the tasks that come after one that it is done, or is so no longer.
    pub(super) fn tell_dependents(&mut self, task: &Task, done: bool) -> Result<(), Error> {
        for before in self.dependents(&task.id())? {
            let mut dependent = (*before).clone();
            dependent.blocked_by.retain(|number| *number != task.number);
            if !done {
                dependent.blocked_by.push(task.number);
                dependent.blocked_by.sort_unstable();
            }
            if dependent.blocked_by != before.blocked_by {
                self.keep_task(Some(&before), dependent, Touch::Readiness, &[], "")?;
            }
        }
        Ok(())
    }
}
