//! Making tasks.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::keep::{Touch, detail};
use crate::{
    announcement::SystemTopic,
    caller::{Access, Caller},
    command::{Applied, Command, CommandContext, Operation},
    domain::{
        audit::Action,
        tasks::{
            Task, TaskDraft, TaskFields, TaskGraph, TaskId, TaskLinks, TaskReference, TaskStatus, show_cycle,
            tidy_after,
        },
    },
    error::{Conflict, Error, Invalid},
    ids::{InstanceId, ProjectName, TaskNumber},
    ports::FactSet,
    use_cases::identity::want_caller,
};

/// The most tasks that are made at once: all of them are one change, and others wait while it is made.
const MAX_TASKS: usize = 500;

/// Makes tasks, all of them or none. One whose key is there already is answered as it is.
#[derive(Debug)]
pub struct CreateTasks {
    project: ProjectName,
    drafts: Vec<TaskDraft>,
    caller: Option<InstanceId>,
}

/// A task that was made, or was there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The task.
    pub task: Arc<Task>,
    /// Whether it was made now.
    pub is_new: bool,
}

impl CreateTasks {
    /// To make these in that project.
    ///
    /// # Errors
    /// When one of them is no good; where there are several, the text says which.
    pub fn new(caller: &Caller, project: ProjectName, tasks: Vec<TaskFields>) -> Result<Self, Invalid> {
        if tasks.is_empty() {
            return Err(Invalid::new("empty tasks array"));
        }
        if tasks.len() > MAX_TASKS {
            return Err(Invalid::new(format!(
                "{} tasks were given, at most {MAX_TASKS} are allowed",
                tasks.len()
            )));
        }
        let several = tasks.len() > 1;
        let mut drafts: Vec<TaskDraft> = Vec::with_capacity(tasks.len());
        for (index, fields) in tasks.into_iter().enumerate() {
            let draft = TaskDraft::try_from(fields);
            let draft = draft.map_err(|error| {
                if several { Invalid::new(format!("task {index}: {error}")) } else { error }
            })?;
            drafts.push(draft);
        }
        let mut keys: HashMap<&str, usize> = HashMap::new();
        for (index, key) in
            drafts.iter().enumerate().filter_map(|(index, draft)| Some((index, draft.key.as_deref()?)))
        {
            if let Some(first) = keys.insert(key, index) {
                return Err(Invalid::new(format!(
                    "key {key:?} is given twice: by tasks {first} and {index}"
                )));
            }
        }
        let caller = caller.as_instance().map(|instance| instance.id);
        Ok(Self { project, drafts, caller })
    }

    fn numbers(&self) -> impl Iterator<Item = (TaskNumber, bool)> + '_ {
        let number = |reference: &TaskReference| match reference {
            TaskReference::Number(number) => Some(*number),
            TaskReference::Key(_) => None,
        };
        self.drafts.iter().flat_map(move |draft| {
            let after = draft.after.iter().filter_map(number).map(|number| (number, false));
            after.chain(draft.parent.iter().filter_map(number).map(|number| (number, true)))
        })
    }

    fn id(&self, number: TaskNumber) -> TaskId {
        TaskId { project: self.project.clone(), number }
    }

    /// Whether a task that is there could come to wait for a new one that waits for it: only if it becomes a parent.
    fn can_close_a_cycle(&self) -> bool {
        self.numbers().any(|(_, is_parent)| is_parent)
    }

    /// The number that each draft has: its own, or that of the task with its key.
    fn places(&self, cx: &mut CommandContext<'_>) -> Result<Vec<Place>, Error> {
        let mut last = TaskNumber::new(cx.task_counts(&self.project)?.last);
        let mut places = Vec::with_capacity(self.drafts.len());
        for draft in &self.drafts {
            let there = match &draft.key {
                Some(key) => cx.task_by_key(&self.project, key)?,
                None => None,
            };
            places.push(if let Some(task) = there {
                Place::There(task)
            } else {
                let number = TaskNumber::after(last);
                last = Some(number);
                Place::New(number)
            });
        }
        Ok(places)
    }

    /// The tasks that a draft names, by their numbers.
    fn resolve(
        &self,
        cx: &mut CommandContext<'_>,
        field: &str,
        named: &TaskReference,
        keys: &HashMap<&str, TaskNumber>,
    ) -> Result<TaskNumber, Error> {
        match named {
            TaskReference::Number(number) => match cx.task_if_any(&self.id(*number))? {
                Some(_) => Ok(*number),
                None => Err(unknown(field, *number, &self.project)),
            },
            TaskReference::Key(key) => keys.get(key.as_str()).copied().ok_or_else(|| {
                Invalid::new(format!("{field} names key {key:?}, which no task of the array has")).into()
            }),
        }
    }

    fn check_cycles(&self, cx: &mut CommandContext<'_>, new: &[Task]) -> Result<(), Error> {
        let mut links: BTreeMap<TaskNumber, TaskLinks> =
            new.iter().map(|task| (task.number, task.links())).collect();
        if self.can_close_a_cycle() {
            for (number, _) in self.numbers().filter(|(_, is_parent)| !is_parent) {
                for of in cx.task_links(&self.id(number))? {
                    links.entry(of.number).or_insert(of);
                }
            }
        }
        let graph = TaskGraph::new(links.values());
        for task in new {
            if let Some(cycle) = graph.find_cycle(task.number) {
                return Err(cycle_conflict(&cycle));
            }
        }
        Ok(())
    }
}

enum Place {
    There(Arc<Task>),
    New(TaskNumber),
}

/// Says that a task that is named is not there.
pub(super) fn unknown(field: &str, number: TaskNumber, project: &ProjectName) -> Error {
    Invalid::new(format!("{field} names task {number}, which project {project} does not have")).into()
}

/// Says which tasks would wait for each other.
pub(super) fn cycle_conflict(cycle: &[TaskNumber]) -> Error {
    Conflict::new(format!("dependency cycle: {}", show_cycle(cycle))).into()
}

impl Command for CreateTasks {
    type Output = Vec<Created>;

    fn operation(&self) -> Operation {
        Operation::to(Action::TaskCreate, &self.project, Access::Anyone)
    }

    fn reads(&self, wanted: &mut FactSet) {
        want_caller(wanted, self.caller);
        wanted.task_counts.insert(self.project.clone());
        let keys = self.drafts.iter().filter_map(|draft| draft.key.clone());
        wanted.task_keys.extend(keys.map(|key| (self.project.clone(), key)));
        let can_close_a_cycle = self.can_close_a_cycle();
        for (number, is_parent) in self.numbers() {
            wanted.tasks.insert(self.id(number));
            if can_close_a_cycle && !is_parent {
                wanted.task_links.insert(self.id(number));
            }
        }
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Vec<Created>>, Error> {
        cx.check_project(&self.project)?;
        let places = self.places(cx)?;
        let keys = self.drafts.iter().zip(&places).filter_map(|(draft, place)| {
            let number = match place {
                Place::There(task) => task.number,
                Place::New(number) => *number,
            };
            Some((draft.key.as_deref()?, number))
        });
        let keys: HashMap<&str, TaskNumber> = keys.collect();
        let author = cx.caller.author().to_owned();
        let mut new = Vec::new();
        for (draft, place) in self.drafts.iter().zip(&places) {
            let Place::New(number) = place else { continue };
            let mut task = draft.clone().into_task(self.project.clone(), *number, &author, cx.now);
            let after: Result<Vec<TaskNumber>, Error> =
                draft.after.iter().map(|named| self.resolve(cx, "after", named, &keys)).collect();
            task.after = tidy_after(after?);
            task.parent =
                draft.parent.as_ref().map(|named| self.resolve(cx, "parent", named, &keys)).transpose()?;
            new.push(task);
        }
        self.check_cycles(cx, &new)?;
        let mut made: HashMap<TaskNumber, Arc<Task>> = HashMap::new();
        let mut entries = Vec::new();
        let numbers: std::collections::HashSet<TaskNumber> = new.iter().map(|task| task.number).collect();
        for mut task in new {
            let mut undone = Vec::new();
            for number in task.after.iter().copied() {
                // One that is made with it cannot be done yet; one that its key named may be.
                let done = !numbers.contains(&number) && self.is_done(cx, number, &places)?;
                if !done {
                    undone.push(number);
                }
            }
            task.blocked_by = undone;
            let task = cx.keep_task(None, task, Touch::Version, &[SystemTopic::TaskCreated], &author)?;
            entries.push((task.id().to_string(), detail(&task)));
            made.insert(task.number, task);
        }
        let created = places.into_iter().filter_map(|place| match place {
            Place::There(task) => Some(Created { task, is_new: false }),
            Place::New(number) => made.remove(&number).map(|task| Created { task, is_new: true }),
        });
        Ok(Applied::each(created.collect(), entries))
    }
}

impl CreateTasks {
    fn is_done(
        &self,
        cx: &mut CommandContext<'_>,
        number: TaskNumber,
        places: &[Place],
    ) -> Result<bool, Error> {
        let by_key = places.iter().find_map(|place| match place {
            Place::There(task) if task.number == number => Some(Arc::clone(task)),
            Place::There(_) | Place::New(_) => None,
        });
        let task = match by_key {
            Some(task) => Some(task),
            None => cx.task_if_any(&self.id(number))?,
        };
        Ok(task.is_some_and(|task| task.status == TaskStatus::Done))
    }
}
