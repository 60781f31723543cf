//! What others decide on a task: approve it, send it back, cancel it, reopen it.

use std::sync::Arc;

use super::{claim::keep, finish::check_parts, keep::detail};
use crate::{
    announcement::SystemTopic,
    caller::{Access, Caller},
    command::{Applied, Command, CommandContext, Operation},
    domain::{
        audit::Action,
        tasks::{Task, TaskId, TaskStatus, remark},
    },
    error::{Conflict, Error, Invalid},
    ids::InstanceId,
    ports::FactSet,
    use_cases::identity::want_caller,
};

/// What is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Approve(Option<String>),
    Reject(String),
    Cancel(Option<String>),
    Reopen,
}

/// Decides on a task.
#[derive(Debug)]
pub struct DecideTask {
    id: TaskId,
    verdict: Verdict,
    caller: Option<InstanceId>,
}

impl DecideTask {
    fn new(caller: &Caller, id: TaskId, verdict: Verdict) -> Self {
        Self { id, verdict, caller: caller.as_instance().map(|instance| instance.id) }
    }

    /// To approve a task that is in review.
    ///
    /// # Errors
    /// When the note is no good.
    pub fn approve(caller: &Caller, id: TaskId, note: Option<String>) -> Result<Self, Invalid> {
        Ok(Self::new(caller, id, Verdict::Approve(remark("note", note)?)))
    }

    /// To send a task that is in review back to the agent who did it.
    ///
    /// # Errors
    /// When there is no note, or it is no good.
    pub fn reject(caller: &Caller, id: TaskId, note: Option<String>) -> Result<Self, Invalid> {
        let note =
            remark("note", note)?.ok_or_else(|| Invalid::new("note is required: say what is missing"))?;
        Ok(Self::new(caller, id, Verdict::Reject(note)))
    }

    /// To cancel a task, which ends a claim.
    ///
    /// # Errors
    /// When the reason is no good.
    pub fn cancel(caller: &Caller, id: TaskId, reason: Option<String>) -> Result<Self, Invalid> {
        Ok(Self::new(caller, id, Verdict::Cancel(remark("reason", reason)?)))
    }

    /// To open a finished task again.
    #[must_use]
    pub fn reopen(caller: &Caller, id: TaskId) -> Self {
        Self::new(caller, id, Verdict::Reopen)
    }

    /// Whether a task can be decided on so.
    fn check(&self, task: &Task) -> Result<(), Conflict> {
        use TaskStatus::{Cancelled, Done, Failed, Review};
        let (number, status) = (task.number, task.status);
        let fits = match self.verdict {
            Verdict::Approve(_) | Verdict::Reject(_) => status == Review,
            Verdict::Cancel(_) => !matches!(status, Done | Cancelled),
            Verdict::Reopen => matches!(status, Done | Failed | Cancelled),
        };
        if fits {
            return Ok(());
        }
        Err(Conflict::new(match self.verdict {
            Verdict::Approve(_) | Verdict::Reject(_) => format!("task {number} is {status}, not in review"),
            Verdict::Cancel(_) => format!("task {number} is {status} already"),
            Verdict::Reopen => {
                format!("task {number} is {status}: only done, failed and cancelled tasks are reopened")
            }
        }))
    }

    /// Changes the task, and says what to announce.
    fn decide(&self, cx: &mut CommandContext<'_>, task: &mut Task) -> SystemTopic {
        let (topic, remark) = match &self.verdict {
            Verdict::Approve(note) => {
                task.status = TaskStatus::Done;
                (SystemTopic::TaskDone, note.clone())
            }
            Verdict::Reject(note) => {
                task.send_back(note.clone());
                (SystemTopic::TaskRejected, Some(note.clone()))
            }
            Verdict::Cancel(reason) => {
                task.status = TaskStatus::Cancelled;
                task.claim = None;
                task.reason.clone_from(reason);
                (SystemTopic::TaskCancelled, reason.clone())
            }
            Verdict::Reopen => {
                task.reopen();
                (SystemTopic::TaskReopened, None)
            }
        };
        if let Some(remark) = remark {
            cx.add_note(task, remark);
        }
        topic
    }
}

impl Command for DecideTask {
    type Output = Arc<Task>;

    fn operation(&self) -> Operation {
        let action = match self.verdict {
            Verdict::Approve(_) => Action::TaskApprove,
            Verdict::Reject(_) => Action::TaskReject,
            Verdict::Cancel(_) => Action::TaskCancel,
            Verdict::Reopen => Action::TaskReopen,
        };
        Operation::to(action, &self.id, Access::Anyone)
    }

    fn reads(&self, wanted: &mut FactSet) {
        want_caller(wanted, self.caller);
        wanted.tasks.insert(self.id.clone());
        if matches!(self.verdict, Verdict::Approve(_) | Verdict::Reopen) {
            wanted.dependents.insert(self.id.clone());
        }
        if matches!(self.verdict, Verdict::Approve(_)) {
            wanted.children.insert(self.id.clone());
        }
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Arc<Task>>, Error> {
        let agent = cx.check_project(&self.id.project)?;
        let before = cx.task(&self.id)?;
        self.check(&before)?;
        let judges = matches!(self.verdict, Verdict::Approve(_) | Verdict::Reject(_));
        if judges && agent.is_some_and(|agent| before.was_done_by(&agent.name)) {
            return Err(Error::NotAllowed(format!(
                "task {} must be reviewed by another agent than the one who did it",
                before.number
            )));
        }
        if matches!(self.verdict, Verdict::Approve(_)) {
            check_parts(cx, &self.id)?;
        }
        let mut task = (*before).clone();
        let topic = self.decide(cx, &mut task);
        let author = cx.caller.author().to_owned();
        let task = keep(cx, &before, task, topic, &author)?;
        let was_done = before.status == TaskStatus::Done;
        let is_done = task.status == TaskStatus::Done;
        if was_done != is_done {
            cx.tell_dependents(&task, is_done)?;
        }
        let detail = detail(&task);
        Ok(Applied::with(task, detail))
    }
}
