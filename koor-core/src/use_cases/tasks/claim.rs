//! Claiming tasks, renewing claims and giving them up.

use std::{sync::Arc, time::Duration};

use super::keep::{Touch, detail};
use crate::{
    announcement::SystemTopic,
    app::Koor,
    caller::{Access, Caller},
    clock::Timestamp,
    command::{Applied, Command, CommandContext, Operation},
    domain::{
        LeaseTime,
        agents::CallingAgent,
        audit::Action,
        tasks::{Fence, ReadyQuery, Task, TaskCounts, TaskId, remark},
    },
    error::{Error, Invalid},
    ids::{InstanceId, ProjectName, TaskNumber},
    ports::FactSet,
    use_cases::{budgets::check_budget, identity::want_caller},
};

/// What an agent wants to claim.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClaimRequest {
    /// This very task; without it, the next one.
    pub number: Option<TaskNumber>,
    /// Only a task with all of these labels.
    pub labels: Vec<String>,
    /// For how long; as the server is set, unless told.
    pub lease: Option<LeaseTime>,
}

/// Gives the calling agent a task: the next that suits it, or the one it names.
pub(crate) struct ClaimTask {
    project: ProjectName,
    request: ClaimRequest,
    /// The agent as it was known before: a hint for what to look up. What counts is what is registered.
    known: CallingAgent,
    now: Timestamp,
    koor: Koor,
}

/// What came of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// The task, with the claim.
    Task(Arc<Task>),
    /// There is none that suits; how many tasks the project has.
    Nothing(TaskCounts),
}

impl ClaimTask {
    pub(super) fn new(koor: &Koor, project: ProjectName, request: ClaimRequest, known: CallingAgent) -> Self {
        Self { project, request, known, now: koor.now(), koor: koor.clone() }
    }

    /// The task with its claim as the holder's last call has renewed it: what is stored may lag behind.
    fn with_activity(&self, task: &Task) -> Task {
        let mut task = task.clone();
        if let Some(claim) = &mut task.claim {
            claim.expires_at = claim.ends_at(self.koor.inner.activity.last_seen(claim.instance_id));
        }
        task
    }

    fn queries(&self, agent: &CallingAgent) -> [ReadyQuery; 2] {
        ReadyQuery::of(&self.project, &agent.name, &agent.capabilities, &self.request.labels)
    }

    fn named(&self) -> Option<TaskId> {
        Some(TaskId { project: self.project.clone(), number: self.request.number? })
    }

    fn next(&self, cx: &mut CommandContext<'_>, agent: &CallingAgent) -> Result<Option<Arc<Task>>, Error> {
        for task in cx.due_tasks(&self.project, self.now)? {
            cx.keep_task(Some(&task), (*task).clone(), Touch::Readiness, &[], "")?;
        }
        let [unassigned, own] = self.queries(agent);
        let found = [cx.next_ready(&unassigned)?, cx.next_ready(&own)?];
        Ok(found.into_iter().flatten().min_by_key(|task| (task.priority, task.number)))
    }
}

impl Command for ClaimTask {
    type Output = Claimed;

    fn operation(&self) -> Operation {
        let resource = self.named().map_or_else(|| self.project.to_string(), |id| id.to_string());
        Operation::to(Action::TaskClaim, resource, Access::Anyone)
    }

    fn reads(&self, wanted: &mut FactSet) {
        want_caller(wanted, Some(self.known.instance_id));
        wanted.budgets.insert(());
        if let Some(id) = self.named() {
            wanted.tasks.insert(id);
            return;
        }
        wanted.due_tasks.insert((self.project.clone(), self.now));
        wanted.task_counts.insert(self.project.clone());
        for query in self.queries(&self.known) {
            *wanted.ready_tasks.entry(query).or_default() += 1;
        }
    }

    fn only_while_awaited(&self) -> bool {
        true
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Claimed>, Error> {
        let agent = cx.calling_agent(&self.project)?;
        let lease = self.request.lease.unwrap_or(cx.settings.task_lease);
        let task = if let Some(id) = self.named() {
            let task = cx.task(&id)?;
            if task.check_holder(agent.instance_id, None).is_ok() {
                let renewed = renew(cx, &task, self.request.lease)?;
                return Ok(Applied::unrecorded(Claimed::Task(renewed)));
            }
            self.with_activity(&task).check_claim(&agent, cx.now)?;
            task
        } else {
            let Some(task) = self.next(cx, &agent)? else {
                // Where no work may begin, it is no use to wait for some.
                check_budget(cx, &self.project, None)?;
                return Ok(Applied::unrecorded(Claimed::Nothing(cx.task_counts(&self.project)?)));
            };
            task
        };
        check_budget(cx, &self.project, Some(&task.id()))?;
        let mut claimed = (*task).clone();
        claimed.take(&agent, lease, cx.now);
        let claimed = keep(cx, &task, claimed, SystemTopic::TaskClaimed, agent.name.as_str())?;
        Ok(Applied::each(
            Claimed::Task(Arc::clone(&claimed)),
            vec![(claimed.id().to_string(), detail(&claimed))],
        ))
    }
}

/// Keeps a task that was changed itself.
pub(super) fn keep(
    cx: &mut CommandContext<'_>,
    before: &Task,
    task: Task,
    topic: SystemTopic,
    name: &str,
) -> Result<Arc<Task>, Error> {
    cx.keep_task(Some(before), task, Touch::Version, &[topic], name)
}

fn renew(
    cx: &mut CommandContext<'_>,
    task: &Arc<Task>,
    lease: Option<LeaseTime>,
) -> Result<Arc<Task>, Error> {
    let mut renewed = (**task).clone();
    renewed.renew(lease, cx.now);
    if renewed == **task {
        return Ok(Arc::clone(task));
    }
    cx.keep_task(Some(task), renewed, Touch::Renewal, &[], "")
}

/// What the holder of a task does with it names the task and, to be sure, the fence of its claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// The task.
    pub id: TaskId,
    /// The fence that its claim must have.
    pub fence: Option<Fence>,
    caller: Option<InstanceId>,
}

impl Holding {
    /// The claim of that caller on that task.
    #[must_use]
    pub fn new(caller: &Caller, id: TaskId, fence: Option<Fence>) -> Self {
        Self { id, fence, caller: caller.as_instance().map(|instance| instance.id) }
    }

    pub(super) fn operation(&self, action: Action) -> Operation {
        Operation::to(action, &self.id, Access::Anyone)
    }

    pub(super) fn reads(&self, wanted: &mut FactSet) {
        want_caller(wanted, self.caller);
        wanted.tasks.insert(self.id.clone());
    }

    /// The task and the agent that holds it, which is the caller.
    pub(super) fn held(&self, cx: &mut CommandContext<'_>) -> Result<(CallingAgent, Arc<Task>), Error> {
        let agent = cx.calling_agent(&self.id.project)?;
        let task = cx.task(&self.id)?;
        task.check_holder(agent.instance_id, self.fence)?;
        Ok((agent, task))
    }
}

/// Renews a claim.
#[derive(Debug)]
pub struct RenewClaim {
    /// Which.
    pub holding: Holding,
    /// For how long from now on; as before, unless told.
    pub lease: Option<LeaseTime>,
}

impl Command for RenewClaim {
    type Output = Arc<Task>;

    fn operation(&self) -> Operation {
        self.holding.operation(Action::TaskClaim)
    }

    fn reads(&self, wanted: &mut FactSet) {
        self.holding.reads(wanted);
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Arc<Task>>, Error> {
        let (_, task) = self.holding.held(cx)?;
        Ok(Applied::unrecorded(renew(cx, &task, self.lease)?))
    }
}

/// Gives a task back.
#[derive(Debug)]
pub struct ReleaseTask {
    holding: Holding,
    note: Option<String>,
    delay: Option<Duration>,
}

/// The longest that a released task can be kept from being claimed.
const LONGEST_DELAY: Duration = Duration::from_hours(365 * 24);

impl ReleaseTask {
    /// To give it back, not to be claimed before the delay has passed.
    ///
    /// # Errors
    /// When the note is no good, or the delay too long.
    pub fn new(holding: Holding, note: Option<String>, delay: Option<Duration>) -> Result<Self, Invalid> {
        if delay.is_some_and(|delay| delay > LONGEST_DELAY) {
            return Err(Invalid::new("delay must be at most 365 days"));
        }
        let delay = delay.filter(|delay| !delay.is_zero());
        Ok(Self { holding, note: remark("note", note)?, delay })
    }
}

impl Command for ReleaseTask {
    type Output = Arc<Task>;

    fn operation(&self) -> Operation {
        self.holding.operation(Action::TaskRelease)
    }

    fn reads(&self, wanted: &mut FactSet) {
        self.holding.reads(wanted);
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Arc<Task>>, Error> {
        let (agent, before) = self.holding.held(cx)?;
        let mut task = (*before).clone();
        let not_before = self.delay.map(|delay| cx.now.plus(delay));
        task.open(not_before);
        if let Some(note) = &self.note {
            cx.add_note(&mut task, note.clone());
        }
        let task = keep(cx, &before, task, SystemTopic::TaskReleased, agent.name.as_str())?;
        let detail = detail(&task);
        Ok(Applied::with(task, detail))
    }
}

/// Gives back everything that an instance holds: it is deregistered.
pub(crate) fn release_all(cx: &mut CommandContext<'_>, holder: InstanceId) -> Result<(), Error> {
    for before in cx.held_tasks(holder)? {
        let mut task = (*before).clone();
        let name = before.claim.as_ref().map(|claim| claim.name.to_string()).unwrap_or_default();
        task.open(None);
        let task = keep(cx, &before, task, SystemTopic::TaskReleased, &name)?;
        let operation = Operation::to(Action::TaskRelease, task.id(), Access::Anyone);
        cx.record(&operation, None, &detail(&task), crate::domain::audit::Outcome::Success);
    }
    Ok(())
}
