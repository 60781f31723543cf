//! Tasks as clients see them.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    clock::Timestamp,
    domain::{
        RawJson,
        tasks::{Fence, Priority, Task, TaskCounts, TaskStatus},
    },
    ids::{AgentName, InstanceId, ProjectName, TaskNumber, Version},
};

/// A claim as clients see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Claim")]
#[expect(missing_docs, reason = "each field is that of the claim")]
pub struct ClaimView {
    pub instance_id: InstanceId,
    pub name: AgentName,
    pub fence: Fence,
    pub claimed_at: Timestamp,
    /// With what the holder's last call renewed.
    pub expires_at: Timestamp,
}

/// A task as clients see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Task")]
#[expect(missing_docs, reason = "each field is that of the task")]
pub struct TaskView {
    pub project: ProjectName,
    pub number: TaskNumber,
    pub title: String,
    pub body: String,
    pub status: TaskStatus,
    pub ready: bool,
    pub blocked_by: Vec<TaskNumber>,
    pub priority: Priority,
    pub labels: Vec<String>,
    pub needs: Vec<String>,
    pub after: Vec<TaskNumber>,
    pub parent: Option<TaskNumber>,
    pub assignee: Option<AgentName>,
    pub review: bool,
    pub claim: Option<ClaimView>,
    pub fence: Fence,
    pub attempts: u32,
    pub max_attempts: u32,
    pub not_before: Option<Timestamp>,
    pub result: Option<RawJson>,
    pub reason: Option<String>,
    pub key: Option<String>,
    pub created_by: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: Version,
    /// Tells answers apart that have one version: readiness changes none.
    #[serde(skip)]
    pub revision: u64,
}

impl TaskView {
    /// The task as it is at that moment, its holder last heard of at `last_seen`.
    pub(super) fn new(task: &Task, now: Timestamp, last_seen: Option<Timestamp>) -> Self {
        let ready = task.is_ready(now);
        let task = task.clone();
        Self {
            project: task.project,
            number: task.number,
            title: task.title,
            body: task.body,
            status: task.status,
            ready,
            blocked_by: task.blocked_by,
            priority: task.priority,
            labels: task.labels,
            needs: task.needs,
            after: task.after,
            parent: task.parent,
            assignee: task.assignee,
            review: task.review,
            claim: task.claim.map(|claim| ClaimView {
                expires_at: claim.ends_at(last_seen),
                instance_id: claim.instance_id,
                name: claim.name,
                fence: claim.fence,
                claimed_at: claim.claimed_at,
            }),
            fence: task.fence,
            attempts: task.attempts,
            max_attempts: task.max_attempts,
            not_before: task.not_before,
            result: task.result,
            reason: task.reason,
            key: task.key,
            created_by: task.created_by,
            created_at: task.created_at,
            updated_at: task.updated_at,
            version: task.version,
            revision: task.revision,
        }
    }
}

/// How many tasks a project has, as clients see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[expect(
    missing_docs,
    reason = "each field counts the tasks that stand there; `ready` are some of the open ones"
)]
pub struct TaskSummary {
    pub project: ProjectName,
    pub open: u64,
    pub ready: u64,
    pub claimed: u64,
    pub review: u64,
    pub done: u64,
    pub failed: u64,
    pub cancelled: u64,
}

impl TaskSummary {
    /// A summary of these counts; `due` more are ready whose time has come since they were counted.
    pub(super) fn new(counts: &TaskCounts, due: u64) -> Self {
        Self {
            project: counts.project.clone(),
            open: counts.open(),
            ready: counts.claimable + due,
            claimed: counts.claimed,
            review: counts.review,
            done: counts.done,
            failed: counts.failed,
            cancelled: counts.cancelled,
        }
    }
}
