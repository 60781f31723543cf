//! The tasks of each project.

use std::sync::Arc;

use crate::{
    clock::Timestamp,
    domain::tasks::{
        ReadyQuery, Task, TaskCounts, TaskFilter, TaskHold, TaskId, TaskLinks, TaskMove, TaskNote, TaskOrder,
    },
    ids::{InstanceId, ProjectName, TaskNumber},
    ports::StoreResult,
};

/// The tasks.
pub trait TaskRepo {
    /// The task of that number.
    fn task(&mut self, id: &TaskId) -> StoreResult<Option<Arc<Task>>>;

    /// The task that was made under that key.
    fn task_by_key(&mut self, project: &ProjectName, key: &str) -> StoreResult<Option<Arc<Task>>>;

    /// Matching tasks of a project, in that order.
    fn tasks(
        &mut self,
        project: &ProjectName,
        filter: &TaskFilter,
        order: TaskOrder,
        limit: usize,
    ) -> StoreResult<Vec<Arc<Task>>>;

    /// Tasks of all projects in the order of their places, after that one.
    fn tasks_after(&mut self, after: Option<&TaskId>, limit: usize) -> StoreResult<Vec<Arc<Task>>>;

    /// The notes of a task after that one, oldest first.
    fn task_notes(&mut self, id: &TaskId, after: u64, limit: usize) -> StoreResult<Vec<TaskNote>>;

    /// How many tasks a project has; `None` where it never had one.
    fn task_counts(&mut self, project: &ProjectName) -> StoreResult<Option<TaskCounts>>;

    /// How many tasks each project has, by project.
    fn all_task_counts(&mut self) -> StoreResult<Vec<TaskCounts>>;

    /// The first tasks that can be claimed, by priority and number.
    fn ready_tasks(&mut self, query: &ReadyQuery, limit: usize) -> StoreResult<Vec<Arc<Task>>>;

    /// Tasks that wait for a time which has come by `now`, of one project or of all, the earliest first.
    fn due_tasks(
        &mut self,
        project: Option<&ProjectName>,
        now: Timestamp,
        limit: usize,
    ) -> StoreResult<Vec<Arc<Task>>>;

    /// Tasks whose claim is stored to end by `now`, the earliest first.
    fn ending_claims(&mut self, now: Timestamp, limit: usize) -> StoreResult<Vec<Arc<Task>>>;

    /// The tasks that an instance holds, by place.
    fn held_tasks(&mut self, holder: InstanceId) -> StoreResult<Vec<Arc<Task>>>;

    /// The tasks that come directly after a task, by number.
    fn dependents(&mut self, id: &TaskId) -> StoreResult<Vec<Arc<Task>>>;

    /// The parts of a task, by number.
    fn children(&mut self, id: &TaskId) -> StoreResult<Vec<Arc<Task>>>;

    /// The links of a task and of all it waits for, directly or not: those it comes after, and its parts.
    fn task_links(&mut self, id: &TaskId) -> StoreResult<Vec<TaskLinks>>;

    /// The claims on a task that have ended, by fence.
    fn task_holds(&mut self, id: &TaskId) -> StoreResult<Vec<TaskHold>>;

    /// The claims of an instance that ended after a moment, by task and fence.
    fn holds_after(&mut self, holder: InstanceId, after: Timestamp) -> StoreResult<Vec<(TaskId, TaskHold)>>;
}

/// A change of the tasks.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskChange {
    /// Keep a task under its number, new or changed.
    Put(Arc<Task>),
    /// Keep which tasks a task that is there comes after, so that it is found by them.
    Link {
        /// Which task.
        id: TaskId,
        /// The tasks it comes after, instead of those before.
        after: Vec<TaskNumber>,
    },
    /// Count a task elsewhere.
    Count(TaskMove),
    /// Append a note to a task that is there. Its number is the one after the last.
    AppendNote {
        /// To which task.
        id: TaskId,
        /// The note.
        note: TaskNote,
    },
    /// Note a claim that has ended on a task that is there.
    AppendHold {
        /// On which task.
        id: TaskId,
        /// The claim.
        hold: TaskHold,
    },
}
