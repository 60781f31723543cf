//! Changing tasks, and noting something on them.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    create::{cycle_conflict, unknown},
    keep::{Touch, detail},
};
use crate::{
    announcement::SystemTopic,
    caller::{Access, Caller},
    command::{Applied, Command, CommandContext, Operation},
    domain::{
        audit::Action,
        tasks::{Task, TaskEdit, TaskGraph, TaskId, TaskLinks, TaskNote, TaskStatus, remark},
    },
    error::{Error, Invalid},
    ids::{InstanceId, TaskNumber},
    ports::FactSet,
    use_cases::identity::want_caller,
};

/// Changes a task.
#[derive(Debug)]
pub struct EditTask {
    id: TaskId,
    edit: TaskEdit,
    if_version: Option<u64>,
    caller: Option<InstanceId>,
}

impl EditTask {
    /// To make these changes, if the task is at that version.
    #[must_use]
    pub fn new(caller: &Caller, id: TaskId, edit: TaskEdit, if_version: Option<u64>) -> Self {
        Self { id, edit, if_version, caller: caller.as_instance().map(|instance| instance.id) }
    }

    fn other(&self, number: TaskNumber) -> TaskId {
        TaskId { project: self.id.project.clone(), number }
    }

    fn named(&self) -> impl Iterator<Item = (&'static str, TaskNumber)> + '_ {
        let after = self.edit.after.iter().flatten().map(|number| ("after", *number));
        after.chain(self.edit.parent.flatten().map(|number| ("parent", number)))
    }

    fn relinks(&self) -> bool {
        self.edit.after.is_some() || self.edit.parent.is_some()
    }

    fn change(&self, task: &mut Task) {
        let TaskEdit {
            title,
            body,
            priority,
            labels,
            needs,
            after,
            parent,
            assignee,
            review,
            max_attempts,
            not_before,
        } = self.edit.clone();
        set(&mut task.title, title);
        set(&mut task.body, body);
        set(&mut task.priority, priority);
        set(&mut task.labels, labels);
        set(&mut task.needs, needs);
        set(&mut task.after, after);
        set(&mut task.parent, parent);
        set(&mut task.assignee, assignee);
        set(&mut task.review, review);
        set(&mut task.max_attempts, max_attempts);
        set(&mut task.not_before, not_before);
    }

    /// Checks the tasks that it is linked with from now on, and finds out which of them are not done.
    fn relink(&self, cx: &mut CommandContext<'_>, task: &mut Task) -> Result<(), Error> {
        for (field, number) in self.named() {
            if cx.task_if_any(&self.other(number))?.is_none() {
                return Err(unknown(field, number, &self.id.project));
            }
        }
        let mut links: BTreeMap<TaskNumber, TaskLinks> = BTreeMap::from([(task.number, task.links())]);
        let starts = std::iter::once(self.id.number).chain(self.edit.after.iter().flatten().copied());
        for number in starts.collect::<Vec<_>>() {
            for of in cx.task_links(&self.other(number))? {
                links.entry(of.number).or_insert(of);
            }
        }
        if let Some(cycle) = TaskGraph::new(links.values()).find_cycle(task.number) {
            return Err(cycle_conflict(&cycle));
        }
        let Some(after) = &self.edit.after else { return Ok(()) };
        task.blocked_by.clear();
        for number in after {
            let done = cx.task(&self.other(*number))?.status == TaskStatus::Done;
            if !done {
                task.blocked_by.push(*number);
            }
        }
        Ok(())
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

impl Command for EditTask {
    type Output = Arc<Task>;

    fn operation(&self) -> Operation {
        Operation::to(Action::TaskUpdate, &self.id, Access::Anyone)
    }

    fn reads(&self, wanted: &mut FactSet) {
        want_caller(wanted, self.caller);
        wanted.tasks.insert(self.id.clone());
        wanted.tasks.extend(self.named().map(|(_, number)| self.other(number)));
        if self.relinks() {
            wanted.task_links.insert(self.id.clone());
            let after = self.edit.after.iter().flatten();
            wanted.task_links.extend(after.map(|number| self.other(*number)));
        }
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Arc<Task>>, Error> {
        cx.check_project(&self.id.project)?;
        let before = cx.task(&self.id)?;
        if self.if_version.is_some_and(|version| version != before.version.get()) {
            return Err(Error::VersionConflict {
                name: self.id.to_string(),
                version: Some(before.version),
                hash: None,
            });
        }
        let mut task = (*before).clone();
        self.change(&mut task);
        if task == *before {
            return Ok(Applied::unrecorded(before));
        }
        if self.relinks() {
            self.relink(cx, &mut task)?;
        }
        let author = cx.caller.author().to_owned();
        let mut topics = vec![SystemTopic::TaskUpdated];
        if task.assignee != before.assignee && task.status == TaskStatus::Claimed {
            // It is another agent's now: the one who has it must not finish it.
            let not_before = task.not_before;
            task.open(not_before);
            topics.push(SystemTopic::TaskReleased);
        } else if task.assignee != before.assignee {
            task.fence = task.fence.next();
        }
        let task = cx.keep_task(Some(&before), task, Touch::Version, &topics, &author)?;
        let detail = detail(&task);
        Ok(Applied::with(task, detail))
    }
}

/// Notes something on a task.
#[derive(Debug)]
pub struct AddTaskNote {
    id: TaskId,
    text: String,
    caller: Option<InstanceId>,
}

impl AddTaskNote {
    /// To note that.
    ///
    /// # Errors
    /// When there is no text, or it is no good.
    pub fn new(caller: &Caller, id: TaskId, text: Option<String>) -> Result<Self, Invalid> {
        let text = remark("text", text)?.ok_or_else(|| Invalid::new("text is required"))?;
        Ok(Self { id, text, caller: caller.as_instance().map(|instance| instance.id) })
    }
}

impl Command for AddTaskNote {
    type Output = TaskNote;

    fn operation(&self) -> Operation {
        Operation::to(Action::TaskNote, &self.id, Access::Anyone)
    }

    fn reads(&self, wanted: &mut FactSet) {
        want_caller(wanted, self.caller);
        wanted.tasks.insert(self.id.clone());
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<TaskNote>, Error> {
        cx.check_project(&self.id.project)?;
        let before = cx.task(&self.id)?;
        let mut task = (*before).clone();
        let note = cx.add_note(&mut task, self.text.clone());
        let author = cx.caller.author().to_owned();
        cx.keep_task(Some(&before), task, Touch::Version, &[SystemTopic::TaskNoted], &author)?;
        Ok(Applied::new(note))
    }
}
