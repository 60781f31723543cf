//! How a claim ends: the task is done, it failed, or its holder went silent.

use std::sync::Arc;

use super::{
    claim::{Holding, keep},
    keep::{Touch, detail},
};
use crate::{
    announcement::SystemTopic,
    caller::Access,
    clock::Timestamp,
    command::{Applied, Command, CommandContext, Operation},
    domain::{
        RawJson,
        audit::Action,
        tasks::{Fence, Setback, Task, TaskId, TaskStatus, checked_result, remark},
    },
    error::{Conflict, Error, Invalid},
    ports::FactSet,
};

/// Finishes a task.
#[derive(Debug)]
pub struct FinishTask {
    holding: Holding,
    result: Option<RawJson>,
    note: Option<String>,
}

impl FinishTask {
    /// To finish it and leave a result.
    ///
    /// # Errors
    /// When the result is too large, or the note is no good.
    pub fn new(holding: Holding, result: Option<RawJson>, note: Option<String>) -> Result<Self, Invalid> {
        Ok(Self { holding, result: checked_result(result)?, note: remark("note", note)? })
    }
}

/// Lets a task become done once all its parts are.
pub(super) fn check_parts(cx: &mut CommandContext<'_>, id: &TaskId) -> Result<(), Error> {
    let parts = cx.children(id)?;
    let missing =
        parts.iter().filter(|part| !matches!(part.status, TaskStatus::Done | TaskStatus::Cancelled));
    let numbers: Vec<u64> = missing.map(|part| part.number.get()).collect();
    if numbers.is_empty() {
        return Ok(());
    }
    let shown: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    let text = format!("task {} has parts that are not done: {}", id.number, shown.join(", "));
    Err(Conflict::new(text).with("children", numbers.into()).into())
}

/// What a result and a note leave in the task's story.
fn story(note: Option<&str>, result: Option<&RawJson>) -> Option<String> {
    match (note, result) {
        (Some(note), Some(result)) => Some(format!("{note}\n\n{}", result.as_str())),
        (Some(note), None) => Some(note.to_owned()),
        (None, Some(result)) => Some(result.as_str().to_owned()),
        (None, None) => None,
    }
}

impl Command for FinishTask {
    type Output = Arc<Task>;

    fn operation(&self) -> Operation {
        self.holding.operation(Action::TaskDone)
    }

    fn reads(&self, wanted: &mut FactSet) {
        self.holding.reads(wanted);
        wanted.dependents.insert(self.holding.id.clone());
        wanted.children.insert(self.holding.id.clone());
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Arc<Task>>, Error> {
        let agent = cx.calling_agent(&self.holding.id.project)?;
        let before = cx.task(&self.holding.id)?;
        if before.is_finished_by(agent.instance_id, self.holding.fence) {
            return Ok(Applied::unrecorded(before));
        }
        before.check_holder(agent.instance_id, self.holding.fence)?;
        let mut task = (*before).clone();
        task.finish();
        let topic = if task.status == TaskStatus::Done {
            check_parts(cx, &self.holding.id)?;
            SystemTopic::TaskDone
        } else {
            SystemTopic::TaskReview
        };
        task.result.clone_from(&self.result);
        if let Some(text) = story(self.note.as_deref(), self.result.as_ref()) {
            cx.add_note(&mut task, text);
        }
        let task = keep(cx, &before, task, topic, agent.name.as_str())?;
        if task.status == TaskStatus::Done {
            cx.tell_dependents(&task, true)?;
        }
        let detail = detail(&task);
        Ok(Applied::with(task, detail))
    }
}

/// Says that a task could not be done.
#[derive(Debug)]
pub struct FailTask {
    holding: Holding,
    reason: String,
    retry: bool,
}

impl FailTask {
    /// To say so, and why; with `retry` it is tried again while there are attempts left.
    ///
    /// # Errors
    /// When there is no reason, or it is no good.
    pub fn new(holding: Holding, reason: Option<String>, retry: bool) -> Result<Self, Invalid> {
        let reason = remark("reason", reason)?.ok_or_else(|| Invalid::new("reason is required"))?;
        Ok(Self { holding, reason, retry })
    }
}

impl Command for FailTask {
    type Output = Arc<Task>;

    fn operation(&self) -> Operation {
        self.holding.operation(Action::TaskFail)
    }

    fn reads(&self, wanted: &mut FactSet) {
        self.holding.reads(wanted);
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Arc<Task>>, Error> {
        let (agent, before) = self.holding.held(cx)?;
        let mut task = (*before).clone();
        let topic = match task.set_back(self.retry, true, Some(self.reason.clone()), cx.now) {
            Setback::Retried => SystemTopic::TaskReleased,
            Setback::Failed => SystemTopic::TaskFailed,
        };
        cx.add_note(&mut task, self.reason.clone());
        let task = keep(cx, &before, task, topic, agent.name.as_str())?;
        let mut detail = detail(&task);
        detail["reason"] = self.reason.as_str().into();
        Ok(Applied::with(task, detail))
    }
}

/// Takes a task from a holder that has been silent for as long as its lease.
#[derive(Debug)]
pub(super) struct ExpireClaim {
    pub(super) id: TaskId,
    /// The claim that was seen to have ended: a later one is not meant.
    pub(super) fence: Fence,
    /// When its holder was last heard of.
    pub(super) last_seen: Option<Timestamp>,
}

impl Command for ExpireClaim {
    type Output = bool;

    fn operation(&self) -> Operation {
        Operation::to(Action::TaskExpire, &self.id, Access::Admin("expire claims"))
    }

    fn reads(&self, wanted: &mut FactSet) {
        wanted.tasks.insert(self.id.clone());
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<bool>, Error> {
        /// Why a task failed that was tried no more.
        const SILENT: &str = "its last claim expired";
        let before = cx.task(&self.id)?;
        let claim = before.claim.as_ref().filter(|claim| claim.fence == self.fence);
        let Some(claim) = claim.filter(|claim| claim.ends_at(self.last_seen) <= cx.now) else {
            return Ok(Applied::unrecorded(false));
        };
        let mut task = (*before).clone();
        let mut topics = vec![SystemTopic::TaskExpired];
        if task.set_back(true, false, Some(SILENT.to_owned()), cx.now) == Setback::Failed {
            topics.push(SystemTopic::TaskFailed);
            cx.add_note(&mut task, SILENT.to_owned());
        }
        let task = cx.keep_task(Some(&before), task, Touch::Version, &topics, claim.name.as_str())?;
        let mut detail = detail(&task);
        detail["name"] = claim.name.as_str().into();
        Ok(Applied::with(true, detail))
    }
}
