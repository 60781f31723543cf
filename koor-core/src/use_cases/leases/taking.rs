//! Taking paths, at once or when they are free.

use std::{pin::pin, sync::Arc, time::Duration};

use serde_json::json;
use tokio::select;

use crate::{
    announcement::SystemTopic,
    app::Koor,
    caller::{Access, Caller},
    command::{Applied, Command, CommandContext, Committed, Operation},
    domain::{
        LeaseTime,
        audit::Action,
        leases::{HeldLease, Lease, PathSet, WaitingFor},
        prose,
        tasks::TaskId,
    },
    error::{Conflict, Error, Invalid},
    ids::{InstanceId, LeaseId, ProjectName, TaskNumber},
    lease_queue::{LeaseQueue, Ticket},
    paths::PathPattern,
    pattern::{Pattern, TopicFilter},
    ports::FactSet,
    use_cases::{identity::want_caller, state::check_wait},
};

/// The most conflicts that a refusal lists.
const MAX_LISTED: usize = 100;

/// What a caller asks for: paths of a project, for some time.
#[derive(Debug, Clone)]
pub struct LeaseRequest {
    project: ProjectName,
    wanted: PathSet,
    lease_time: Option<LeaseTime>,
    reason: String,
    task: Option<TaskNumber>,
}

impl LeaseRequest {
    /// To lease these paths. Without a time, as long as the settings say.
    ///
    /// # Errors
    /// When the reason is no valid text.
    pub fn new(
        project: ProjectName,
        wanted: PathSet,
        lease_time: Option<LeaseTime>,
        reason: &str,
        task: Option<TaskNumber>,
    ) -> Result<Self, Invalid> {
        Ok(Self { project, wanted, lease_time, reason: prose("reason", reason)?, task })
    }
}

/// Takes all paths of a request, or none.
struct TakeLease {
    request: LeaseRequest,
    /// The caller's, to be fetched.
    instance: Option<InstanceId>,
    queue: Arc<LeaseQueue>,
    /// The caller's place in the queue, if it waits.
    ticket: Option<Ticket>,
}

impl Command for TakeLease {
    type Output = Lease;

    fn operation(&self) -> Operation {
        Operation::to(Action::LeaseTake, &self.request.project, Access::Anyone)
    }

    fn reads(&self, wanted: &mut FactSet) {
        let project = &self.request.project;
        want_caller(wanted, self.instance);
        wanted.last_leases.insert(project.clone());
        wanted.lease_counts.extend(self.instance);
        wanted.tasks.extend(self.task_id());
        for path in &self.request.wanted.paths {
            wanted.leases_near.insert((project.clone(), path.literal_beginning()));
        }
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Lease>, Error> {
        let LeaseRequest { project, wanted, lease_time, reason, task } = &self.request;
        let agent = cx.calling_agent(project)?;
        if self.ticket.is_some_and(|ticket| !self.queue.is_waiting(ticket)) {
            return Err(Invalid::new("the caller no longer waits for these paths").into());
        }
        if let Some(id) = self.task_id() {
            check_claim(cx, &id, agent.instance_id)?;
        }
        check_count(cx, agent.instance_id)?;
        let mut near = Vec::new();
        for path in &wanted.paths {
            near.extend(cx.leases_near(project, &path.literal_beginning())?);
        }
        let held = held_paths(near, Some(agent.instance_id), wanted);
        let ahead = self.queue.ahead(self.ticket, project, agent.instance_id, wanted);
        if let Some(conflict) = conflict(&held, &ahead) {
            return Err(conflict.into());
        }
        let lease_time = lease_time.unwrap_or(cx.settings.path_lease);
        let lease = Lease {
            project: project.clone(),
            id: LeaseId::after(cx.last_lease(project)?),
            held: wanted.clone(),
            name: agent.name,
            instance_id: agent.instance_id,
            reason: reason.clone(),
            task: *task,
            created_at: cx.now,
            expires_at: cx.now.plus(lease_time.get()),
            lease_time,
        };
        cx.append_lease(lease.clone());
        cx.announce_lease(SystemTopic::LeaseTaken, &lease)?;
        let detail = json!({"id": lease.id, "paths": lease.held.paths, "mode": lease.held.mode});
        Ok(Applied::with(lease, detail))
    }
}

/// A lease is bound to a task that its holder has claimed: with the claim, it ends.
fn check_claim(cx: &mut CommandContext<'_>, id: &TaskId, instance: InstanceId) -> Result<(), Error> {
    let task = cx.view().tasks(id)?.ok_or_else(|| Error::not_found("task", id))?;
    if task.claim.as_ref().is_some_and(|claim| claim.instance_id == instance) {
        return Ok(());
    }
    Err(Conflict::new(format!("task {} is not claimed by this agent", id.number)).into())
}

/// Lets an agent hold another lease while it holds fewer than the most there can be.
fn check_count(cx: &mut CommandContext<'_>, holder: InstanceId) -> Result<(), Error> {
    let (held, most) = (cx.lease_count(holder)?, cx.settings.leases_per_agent);
    if held < most {
        return Ok(());
    }
    Err(Conflict::new(format!(
        "this agent holds {held} leases, at most {most} are allowed: give some back with `koor lease release`, or lease a \
         directory instead of its files"
    ))
    .into())
}

/// A path that is wanted, the pattern that holds it, and the lease.
pub(super) struct HeldPattern {
    pub(super) path: PathPattern,
    theirs: PathPattern,
    pub(super) lease: Lease,
}

/// Which of the paths are held, by which of these leases.
pub(super) fn held_paths(
    mut near: Vec<HeldLease>,
    instance: Option<InstanceId>,
    wanted: &PathSet,
) -> Vec<HeldPattern> {
    near.sort_by_key(|held| held.lease.id);
    near.dedup_by_key(|held| held.lease.id);
    let mut found = Vec::new();
    for held in near {
        let lease = held.into_lease();
        found.extend(lease.conflicts(instance, wanted).map(|(path, theirs)| HeldPattern {
            path: path.clone(),
            theirs: theirs.clone(),
            lease: lease.clone(),
        }));
    }
    found
}

/// Why the paths cannot be taken now; `None` if they can.
fn conflict(held: &[HeldPattern], ahead: &[WaitingFor]) -> Option<Conflict> {
    let text = match (held.first(), ahead.first()) {
        (Some(HeldPattern { path, lease, .. }), _) => {
            format!("{path} is held by {} until {}", lease.name, lease.expires_at)
        }
        (None, Some(WaitingFor { path, name })) => format!("{name} waits for {path} and came first"),
        (None, None) => return None,
    };
    let conflicts = held.iter().take(MAX_LISTED).map(|held| {
        let HeldPattern { path, theirs, lease } = held;
        json!({"path": path, "theirs": theirs, "lease": lease})
    });
    let conflict = Conflict::new(text).with("conflicts", conflicts.collect());
    Some(if ahead.is_empty() {
        conflict
    } else {
        conflict.with("waiting", ahead.iter().take(MAX_LISTED).map(|waiting| json!(waiting)).collect())
    })
}

impl Koor {
    /// Takes all paths of a request, or none. With `wait`, waits for them at most that long: first come, first served.
    ///
    /// Dropping the future ends the wait, and a caller that no longer waits takes nothing.
    ///
    /// # Errors
    /// A conflict that says who holds the paths, or who waits for them; or the caller is no agent of the project.
    pub async fn take_lease(
        &self,
        caller: &Caller,
        request: LeaseRequest,
        wait: Option<Duration>,
    ) -> Result<Committed<Lease>, Error> {
        let queue = Arc::clone(&self.inner.lease_queue);
        let instance = caller.as_instance().map(|instance| instance.id);
        let mut take = TakeLease { request, instance, queue, ticket: None };
        let Some(wait) = wait else { return self.execute(caller, take).await };
        let mut time_is_up = pin!(self.inner.clock.sleep(check_wait("wait", wait)?));
        let agent = self.calling_agent(caller).await?;
        agent.check_project(&take.request.project)?;
        // Both before the first look: what changes after it is heard of.
        let mut freed = self.subscribe(freeing_topics()?, None);
        let mut departures = take.queue.departures();
        let (project, wanted) = (take.request.project.clone(), take.request.wanted.clone());
        let place = take.queue.join(project, agent.instance_id, agent.name, wanted);
        take.ticket = Some(place.ticket());
        loop {
            departures.mark_unchanged();
            if self.could_take(&take, agent.instance_id).await? {
                match self.execute(caller, take.again()).await {
                    // Another caller was faster.
                    Err(Error::Conflict(_)) => {}
                    taken => return taken,
                }
            }
            select! {
                heard = freed.next(1024) => if heard?.is_empty() { break },
                // The sender is in the queue, which this future holds.
                _ = departures.changed() => {}
                () = &mut time_is_up => break,
            }
        }
        self.execute(caller, take).await
    }

    /// Whether the paths look free. Asked before each try, so that the audit log has no entry for each look.
    async fn could_take(&self, take: &TakeLease, instance: InstanceId) -> Result<bool, Error> {
        let TakeLease { request, queue, ticket, .. } = take;
        if !queue.ahead(*ticket, &request.project, instance, &request.wanted).is_empty() {
            return Ok(false);
        }
        let held = self.held_paths(&request.project, Some(instance), &request.wanted).await?;
        Ok(held.is_empty())
    }

    /// Which of the paths others hold.
    pub(super) async fn held_paths(
        &self,
        project: &ProjectName,
        instance: Option<InstanceId>,
        wanted: &PathSet,
    ) -> Result<Vec<HeldPattern>, Error> {
        let beginnings: Vec<String> = wanted.paths.iter().map(PathPattern::literal_beginning).collect();
        let project = project.clone();
        let near = self
            .read(move |tx| {
                let mut near = Vec::new();
                for beginning in &beginnings {
                    near.extend(tx.leases_near(&project, beginning)?);
                }
                Ok(near)
            })
            .await?;
        Ok(held_paths(self.up_to_date(near), instance, wanted))
    }
}

impl TakeLease {
    fn task_id(&self) -> Option<TaskId> {
        let project = self.request.project.clone();
        self.request.task.map(|number| TaskId { project, number })
    }

    fn again(&self) -> Self {
        let Self { request, instance, queue, ticket } = self;
        Self { request: request.clone(), instance: *instance, queue: Arc::clone(queue), ticket: *ticket }
    }
}

fn freeing_topics() -> Result<TopicFilter, Invalid> {
    let topics = [SystemTopic::LeaseReleased, SystemTopic::LeaseExpired, SystemTopic::LeaseBroken];
    let patterns = topics.into_iter().map(|topic| Pattern::new(topic.as_str()));
    Ok(TopicFilter::new(patterns.collect::<Result<_, _>>()?))
}
