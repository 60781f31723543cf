//! Tasks: what there is to do in a project, who does it, and what waits for it.

mod draft;
mod graph;
mod lifecycle;
mod ready;
mod saved;

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::{
    draft::{MAX_RESULT, TaskDraft, TaskEdit, TaskEditFields, TaskFields, TaskReference},
    graph::{TaskGraph, TaskLinks},
    lifecycle::Setback,
    ready::{NextFit, ReadyQuery, needs_key},
    saved::SavedTask,
};
pub(crate) use self::{
    draft::{checked_result, remark, tidy_after},
    graph::show as show_cycle,
    saved::check_saved,
};
use crate::{
    clock::Timestamp,
    domain::{LeaseTime, RawJson, agents::CallingAgent, string_enum},
    error::Invalid,
    ids::{AgentName, InstanceId, ProjectName, TaskNumber, Version},
    schema::describe,
};

string_enum! {
    /// Where a task stands.
    TaskStatus, "status", {
        /// To be done.
        Open = "open",
        /// An agent is doing it.
        Claimed = "claimed",
        /// Done, and waiting for another agent's approval.
        Review = "review",
        /// Done.
        Done = "done",
        /// Given up: its attempts are used up, or it was not to be tried again.
        Failed = "failed",
        /// Not to be done any more.
        Cancelled = "cancelled",
    }, "open, claimed, review, done, failed, or cancelled"
}

/// A task's place: the project, and the number there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskId {
    /// The project.
    pub project: ProjectName,
    /// The number, which is never used again.
    pub number: TaskNumber,
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.project, self.number)
    }
}

impl FromStr for TaskId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let parts = text.rsplit_once('/').and_then(|(project, number)| {
            let number = TaskNumber::new(number.parse().ok()?)?;
            Some(Self { project: ProjectName::new(project).ok()?, number })
        });
        parts.ok_or_else(|| {
            Invalid::new(format!("invalid task {text:?}: use a project and a number, as Truck-Wash/12"))
        })
    }
}

/// How urgent a task is: 0 comes first, 4 last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Priority(u8);

describe!(Priority: {"type": "integer", "minimum": 0, "maximum": 4});

impl Priority {
    /// As a plain number.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self(2)
    }
}

impl TryFrom<u64> for Priority {
    type Error = Invalid;

    fn try_from(number: u64) -> Result<Self, Invalid> {
        match u8::try_from(number) {
            Ok(priority @ 0..=4) => Ok(Self(priority)),
            _ => Err(Invalid::new(format!("priority must be between 0 and 4, got {number}"))),
        }
    }
}

impl From<Priority> for u64 {
    fn from(priority: Priority) -> Self {
        Self::from(priority.0)
    }
}

/// A number that grows each time a task changes hands: who writes with an old one has lost its claim.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Fence(pub u64);

impl Fence {
    /// The one after this.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who has a task, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The instance that holds it.
    pub instance_id: InstanceId,
    /// The name of its agent.
    pub name: AgentName,
    /// The fence of the task since it was claimed.
    pub fence: Fence,
    /// When it was claimed.
    pub claimed_at: Timestamp,
    /// When it ends, unless the holder makes a call before.
    pub expires_at: Timestamp,
    /// For how long each call of the holder renews it.
    pub lease: LeaseTime,
}

impl Claim {
    /// When it ends if its holder was last heard of at that moment: every call of the holder renews it.
    #[must_use]
    pub fn ends_at(&self, last_seen: Option<Timestamp>) -> Timestamp {
        let renewed = last_seen.map_or(Timestamp::EPOCH, |seen| seen.plus(self.lease.get()));
        self.expires_at.max(renewed)
    }
}

/// A claim that has ended: which instance held a task, from when to when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskHold {
    /// The fence that the task had meanwhile.
    pub fence: Fence,
    /// The instance.
    pub instance_id: InstanceId,
    /// When it claimed the task.
    pub claimed_at: Timestamp,
    /// When its claim ended.
    pub ended_at: Timestamp,
}

impl TaskHold {
    /// Whether the task was held at that moment.
    #[must_use]
    pub fn covers(&self, at: Timestamp) -> bool {
        self.claimed_at <= at && at < self.ended_at
    }
}

/// Who finished a task, with which claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finisher {
    /// The instance.
    pub instance_id: InstanceId,
    /// The name of its agent.
    pub name: AgentName,
}

/// A task, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its project.
    pub project: ProjectName,
    /// Its number there.
    pub number: TaskNumber,
    /// What is to be done, in a line.
    pub title: String,
    /// What is to be done, at length.
    pub body: String,
    /// Where it stands.
    pub status: TaskStatus,
    /// Which of the tasks it comes after are not done.
    pub blocked_by: Vec<TaskNumber>,
    /// Whether it has been announced that it can be claimed. It lags behind [`is_ready`](Self::is_ready) until the next claim
    /// in the project, or the next round of the task monitor.
    pub claimable: bool,
    /// How urgent it is.
    pub priority: Priority,
    /// Free labels.
    pub labels: Vec<String>,
    /// Capabilities that an agent must have to claim it, all of them.
    pub needs: Vec<String>,
    /// The tasks that must be done before.
    pub after: Vec<TaskNumber>,
    /// The task that this one is a part of.
    pub parent: Option<TaskNumber>,
    /// The only agent that can claim it.
    pub assignee: Option<AgentName>,
    /// Whether another agent must approve it.
    pub review: bool,
    /// Who has it.
    pub claim: Option<Claim>,
    /// Grows each time it changes hands.
    pub fence: Fence,
    /// How many claims ended by failure or expiry.
    pub attempts: u32,
    /// How many may.
    pub max_attempts: u32,
    /// It cannot be claimed before.
    pub not_before: Option<Timestamp>,
    /// What the agent left.
    pub result: Option<RawJson>,
    /// Why it failed, was rejected or cancelled.
    pub reason: Option<String>,
    /// The key under which its creator made it.
    pub key: Option<String>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed.
    pub updated_at: Timestamp,
    /// Grows with every change but renewals and readiness.
    pub version: Version,
    /// Grows with every change that an answer shows, readiness included.
    pub revision: u64,
    /// Who did it last.
    pub done_by: Option<Finisher>,
    /// How many notes it has.
    pub notes: u64,
}

impl Task {
    /// Its place.
    #[must_use]
    pub fn id(&self) -> TaskId {
        TaskId { project: self.project.clone(), number: self.number }
    }

    /// Whether it can be claimed now: open, every task before it done, its time come.
    #[must_use]
    pub fn is_ready(&self, now: Timestamp) -> bool {
        self.status == TaskStatus::Open
            && self.blocked_by.is_empty()
            && self.not_before.is_none_or(|not_before| not_before <= now)
    }

    /// Whether it waits for nothing but its time.
    #[must_use]
    pub fn is_delayed(&self) -> bool {
        self.status == TaskStatus::Open && self.blocked_by.is_empty() && !self.claimable
    }

    /// Whether the agent may claim it: it has all that the task needs, and the task is not assigned to another agent.
    #[must_use]
    pub fn suits(&self, agent: &CallingAgent) -> bool {
        self.assignee.as_ref().is_none_or(|assignee| *assignee == agent.name)
            && self.missing(agent).next().is_none()
    }

    /// What the task needs and the agent does not have.
    fn missing<'t>(&'t self, agent: &CallingAgent) -> impl Iterator<Item = &'t str> {
        self.needs.iter().filter(|need| !agent.capabilities.contains(need)).map(String::as_str)
    }

    /// Where it is counted.
    #[must_use]
    pub fn column(&self) -> TaskColumn {
        match self.status {
            TaskStatus::Open if self.claimable => TaskColumn::Claimable,
            TaskStatus::Open if self.blocked_by.is_empty() => TaskColumn::Delayed,
            TaskStatus::Open => TaskColumn::Blocked,
            TaskStatus::Claimed => TaskColumn::Claimed,
            TaskStatus::Review => TaskColumn::Review,
            TaskStatus::Done => TaskColumn::Done,
            TaskStatus::Failed => TaskColumn::Failed,
            TaskStatus::Cancelled => TaskColumn::Cancelled,
        }
    }

    /// What other tasks it is linked with.
    #[must_use]
    pub fn links(&self) -> TaskLinks {
        TaskLinks { number: self.number, after: self.after.clone(), parent: self.parent }
    }
}

/// A note on a task; notes are never changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskNote {
    /// Its number within the task.
    pub id: u64,
    /// Who wrote it.
    pub author: String,
    /// What it says.
    pub text: String,
    /// When it was written.
    pub created_at: Timestamp,
}

/// How many tasks a project has, by what they wait for and where they stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskCounts {
    /// The project.
    pub project: ProjectName,
    /// The last number there.
    pub last: u64,
    /// Open, and waiting for other tasks.
    pub blocked: u64,
    /// Open, and waiting for a time.
    pub delayed: u64,
    /// Open, and waiting for nothing.
    pub claimable: u64,
    /// Claimed.
    pub claimed: u64,
    /// In review.
    pub review: u64,
    /// Done.
    pub done: u64,
    /// Failed.
    pub failed: u64,
    /// Cancelled.
    pub cancelled: u64,
}

impl TaskCounts {
    /// Those of a project without tasks.
    #[must_use]
    pub fn none(project: ProjectName) -> Self {
        Self {
            project,
            last: 0,
            blocked: 0,
            delayed: 0,
            claimable: 0,
            claimed: 0,
            review: 0,
            done: 0,
            failed: 0,
            cancelled: 0,
        }
    }

    /// How many are open.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.blocked + self.delayed + self.claimable
    }

    /// How many are in that column.
    pub fn of(&mut self, column: TaskColumn) -> &mut u64 {
        match column {
            TaskColumn::Blocked => &mut self.blocked,
            TaskColumn::Delayed => &mut self.delayed,
            TaskColumn::Claimable => &mut self.claimable,
            TaskColumn::Claimed => &mut self.claimed,
            TaskColumn::Review => &mut self.review,
            TaskColumn::Done => &mut self.done,
            TaskColumn::Failed => &mut self.failed,
            TaskColumn::Cancelled => &mut self.cancelled,
        }
    }

    /// Counts a move.
    pub fn count(&mut self, moved: &TaskMove) {
        if let Some(from) = moved.from {
            let count = self.of(from);
            *count = count.saturating_sub(1);
        }
        *self.of(moved.to) += 1;
        self.last = self.last.max(moved.id.number.get());
    }
}

/// Where a task is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is documented as a field of `TaskCounts`")]
pub enum TaskColumn {
    Blocked,
    Delayed,
    Claimable,
    Claimed,
    Review,
    Done,
    Failed,
    Cancelled,
}

/// A task that is counted elsewhere from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskMove {
    /// The task.
    pub id: TaskId,
    /// Where it was; nowhere, if it is new.
    pub from: Option<TaskColumn>,
    /// Where it is.
    pub to: TaskColumn,
}

string_enum! {
    /// In which order tasks are listed.
    TaskOrder, "order", {
        /// By number.
        Number = "number",
        /// The most urgent first, then by number.
        Priority = "priority",
    }, "number or priority"
}

/// Which tasks are looked for: all that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// With one of these statuses; any, where there is none.
    pub status: Vec<TaskStatus>,
    /// That are ready at that moment.
    pub ready_at: Option<Timestamp>,
    /// With this label.
    pub label: Option<String>,
    /// Assigned to this agent.
    pub assignee: Option<AgentName>,
    /// Claimed by this agent.
    pub claimed_by: Option<AgentName>,
    /// Part of this task.
    pub parent: Option<TaskNumber>,
    /// With a number after this one.
    pub after_number: u64,
}

impl TaskFilter {
    /// Whether the task is one of those looked for.
    #[must_use]
    pub fn matches(&self, task: &Task) -> bool {
        let held_by = task.claim.as_ref().map(|claim| &claim.name);
        (self.status.is_empty() || self.status.contains(&task.status))
            && self.ready_at.is_none_or(|now| task.is_ready(now))
            && self.label.as_ref().is_none_or(|label| task.labels.contains(label))
            && self.assignee.as_ref().is_none_or(|wanted| task.assignee.as_ref() == Some(wanted))
            && self.claimed_by.as_ref().is_none_or(|wanted| held_by == Some(wanted))
            && self.parent.is_none_or(|parent| task.parent == Some(parent))
            && task.number.get() > self.after_number
    }
}
