//! Leases end: by time, with the claim that they are bound to, and with the instance that holds them.

use crate::{
    announcement::SystemTopic,
    app::Koor,
    caller::{Access, Caller},
    clock::Timestamp,
    command::{Applied, Command, CommandContext, Operation},
    domain::{
        audit::Action,
        leases::{HeldLease, Lease},
    },
    error::{Error, Invalid},
    ids::{InstanceId, LeaseId, ProjectName, TaskNumber},
    ports::FactSet,
    use_cases::expiry::{Verdict, judge},
};

/// Leases that are looked at together when time ends them.
const AT_ONCE: usize = 256;

/// Wants the leases of an instance, for [`release_leases_of_instance`].
pub(crate) fn want_leases_of_instance(wanted: &mut FactSet, instance: InstanceId) {
    wanted.leases_of_instance.insert(instance);
}

/// Ends what an instance holds that goes.
pub(crate) fn release_leases_of_instance(
    cx: &mut CommandContext<'_>,
    instance: InstanceId,
) -> Result<(), Error> {
    for lease in cx.leases_of_instance(instance)? {
        cx.end_lease(lease, SystemTopic::LeaseReleased)?;
    }
    Ok(())
}

/// Ends what is bound to a task whose claim ends.
pub(crate) fn release_leases_of_task(
    cx: &mut CommandContext<'_>,
    project: &ProjectName,
    task: TaskNumber,
) -> Result<(), Error> {
    for lease in cx.leases_of_task(project, task)? {
        cx.end_lease(lease, SystemTopic::LeaseReleased)?;
    }
    Ok(())
}

/// Ends a lease whose holder has not been heard of for too long.
struct ExpireLease {
    project: ProjectName,
    id: LeaseId,
    holder: InstanceId,
    until: Timestamp,
}

impl Command for ExpireLease {
    type Output = ();

    fn operation(&self) -> Operation {
        let resource = format_args!("{}/{}", self.project, self.id);
        Operation::to(Action::LeaseExpire, resource, Access::Admin("expire leases"))
    }

    fn reads(&self, wanted: &mut FactSet) {
        wanted.leases.insert((self.project.clone(), self.id));
        wanted.instances.insert(self.holder);
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<()>, Error> {
        let lease = cx.lease_there(&self.project, self.id)?;
        let last_seen = cx.instance(self.holder)?.map(|instance| instance.last_seen);
        let held = HeldLease { lease, last_seen };
        if held.ends_at() > self.until {
            return Err(Invalid::new("the lease was renewed").into());
        }
        cx.end_lease(held.lease, SystemTopic::LeaseExpired)?;
        Ok(Applied::new(()))
    }
}

impl Koor {
    /// Ends the leases whose time is up, and says how many.
    ///
    /// # Errors
    /// When the store can't be read or written.
    pub async fn expire_leases(&self) -> Result<usize, Error> {
        // The time comes first: a call after it comes too late for what has ended by then.
        let until = self.now();
        let mut expired = 0;
        loop {
            if self.read(move |tx| tx.leases_due(until, 1)).await?.is_empty() {
                return Ok(expired);
            }
            // Every call before that time is written down before the leases are looked at.
            self.flush_activity().await?;
            let due = self.read(move |tx| tx.leases_due(until, AT_ONCE)).await?;
            let is_last = due.len() < AT_ONCE;
            let (mut alive, mut over) = (Vec::new(), Vec::new());
            for held in self.up_to_date(due) {
                match judge(held.ends_at(), held.last_seen, self.hears_all_since(), until) {
                    Verdict::Renewed(_) => alive.push(held),
                    // Looked at again in the next round.
                    Verdict::Uncertain => {}
                    Verdict::Ended => over.push(held),
                }
            }
            let moved = over.len() + alive.len();
            self.postpone(alive).await?;
            for held in over {
                let Lease { project, id, instance_id: holder, .. } = held.lease;
                let command = ExpireLease { project, id, holder, until };
                match self.execute(&Caller::server("task-monitor"), command).await {
                    Ok(_) => expired += 1,
                    // Renewed, or given back, in the meantime.
                    Err(Error::Invalid(_) | Error::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            if is_last || moved == 0 {
                return Ok(expired);
            }
        }
    }

    /// Writes down until when leases last whose holders were heard of, so that they are not looked at again before.
    async fn postpone(&self, alive: Vec<HeldLease>) -> Result<(), Error> {
        if alive.is_empty() {
            return Ok(());
        }
        let keys = alive.iter().map(|held| (held.lease.project.clone(), held.lease.id));
        let reads = FactSet { leases: keys.collect(), ..FactSet::default() };
        self.housekeep("task-monitor", reads, move |cx| {
            for held in &alive {
                let Some(lease) = cx.lease(&held.lease.project, held.lease.id)? else { continue };
                let expires_at = held.ends_at();
                if expires_at > lease.expires_at {
                    cx.put_lease(Lease { expires_at, ..lease });
                }
            }
            Ok(())
        })
        .await
    }
}
