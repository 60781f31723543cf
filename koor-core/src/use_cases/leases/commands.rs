//! Leases are renewed and given back.

use serde_json::json;

use crate::{
    announcement::SystemTopic,
    caller::{Access, Caller},
    command::{Applied, Command, CommandContext, Operation},
    domain::{
        LeaseTime,
        audit::Action,
        leases::{HeldLease, Lease},
    },
    error::Error,
    ids::{InstanceId, LeaseId, ProjectName, TaskNumber},
    ports::{Change, FactSet, LeaseChange},
    use_cases::identity::want_caller,
};

/// Renews a lease of the calling agent.
#[derive(Debug)]
pub struct RenewLease {
    project: ProjectName,
    id: LeaseId,
    lease_time: Option<LeaseTime>,
    instance: Option<InstanceId>,
}

impl RenewLease {
    /// To renew that lease, for as long as before or for that time.
    #[must_use]
    pub fn new(caller: &Caller, project: ProjectName, id: LeaseId, lease_time: Option<LeaseTime>) -> Self {
        let instance = caller.as_instance().map(|instance| instance.id);
        Self { project, id, lease_time, instance }
    }
}

impl Command for RenewLease {
    type Output = Lease;

    fn operation(&self) -> Operation {
        Operation::unrecorded()
    }

    fn reads(&self, wanted: &mut FactSet) {
        want_caller(wanted, self.instance);
        wanted.leases.insert((self.project.clone(), self.id));
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Lease>, Error> {
        let agent = cx.calling_agent(&self.project)?;
        let lease = cx.lease_there(&self.project, self.id)?;
        if lease.instance_id != agent.instance_id {
            return Err(held_by_another(&lease));
        }
        let lease_time = self.lease_time.unwrap_or(lease.lease_time);
        let renewed = lease.renewed(cx.now, lease_time);
        cx.put_lease(renewed.clone());
        Ok(Applied::new(renewed))
    }
}

fn held_by_another(lease: &Lease) -> Error {
    Error::NotAllowed(format!("lease {} is held by {}", lease.id, lease.name))
}

/// Gives a lease of the calling agent back.
pub(super) struct ReleaseLease {
    pub(super) project: ProjectName,
    pub(super) id: LeaseId,
    pub(super) instance: InstanceId,
}

impl Command for ReleaseLease {
    type Output = LeaseId;

    fn operation(&self) -> Operation {
        Operation::to(Action::LeaseRelease, format_args!("{}/{}", self.project, self.id), Access::Anyone)
    }

    fn reads(&self, wanted: &mut FactSet) {
        wanted.leases.insert((self.project.clone(), self.id));
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<LeaseId>, Error> {
        let lease = cx.lease_there(&self.project, self.id)?;
        if lease.instance_id != self.instance {
            return Err(held_by_another(&lease));
        }
        cx.end_lease(lease, SystemTopic::LeaseReleased)?;
        Ok(Applied::new(self.id))
    }
}

/// Ends a lease of another agent.
pub(super) struct BreakLease {
    pub(super) project: ProjectName,
    pub(super) id: LeaseId,
}

impl Command for BreakLease {
    type Output = LeaseId;

    fn operation(&self) -> Operation {
        let resource = format_args!("{}/{}", self.project, self.id);
        Operation::to(Action::LeaseBreak, resource, Access::Admin("break another agent's lease"))
    }

    fn reads(&self, wanted: &mut FactSet) {
        wanted.leases.insert((self.project.clone(), self.id));
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<LeaseId>, Error> {
        let lease = cx.lease_there(&self.project, self.id)?;
        let detail = json!({"name": lease.name, "paths": lease.held.paths});
        cx.end_lease(lease, SystemTopic::LeaseBroken)?;
        Ok(Applied::with(self.id, detail))
    }
}

impl CommandContext<'_> {
    /// A lease.
    ///
    /// # Errors
    /// When it has not been fetched yet: pass the error on.
    pub fn lease(&mut self, project: &ProjectName, id: LeaseId) -> Result<Option<Lease>, Error> {
        Ok(self.view().leases(project, id)?)
    }

    pub(super) fn lease_there(&mut self, project: &ProjectName, id: LeaseId) -> Result<Lease, Error> {
        let found = self.lease(project, id)?;
        found.ok_or_else(|| Error::not_found("lease", format_args!("{project}/{id}")))
    }

    /// The last number of a lease in a project.
    ///
    /// # Errors
    /// When it has not been fetched yet: pass the error on.
    pub fn last_lease(&mut self, project: &ProjectName) -> Result<Option<LeaseId>, Error> {
        Ok(self.view().last_leases(project)?)
    }

    /// How many leases an instance holds; of those that end in the same batch, some may still be counted.
    ///
    /// # Errors
    /// When it has not been fetched yet: pass the error on.
    pub(super) fn lease_count(&mut self, holder: InstanceId) -> Result<u64, Error> {
        Ok(self.view().lease_count(holder)?)
    }

    /// The leases that can overlap paths with that literal beginning, and perhaps others of the project.
    ///
    /// # Errors
    /// When they have not been fetched yet: pass the error on.
    pub fn leases_near(&mut self, project: &ProjectName, beginning: &str) -> Result<Vec<HeldLease>, Error> {
        Ok(self.view().leases_near(project, beginning)?)
    }

    /// The leases of an instance.
    ///
    /// # Errors
    /// When they have not been fetched yet: pass the error on.
    pub fn leases_of_instance(&mut self, instance: InstanceId) -> Result<Vec<Lease>, Error> {
        Ok(self.view().leases_of_instance(instance)?)
    }

    /// The leases that are bound to a task.
    ///
    /// # Errors
    /// When they have not been fetched yet: pass the error on.
    pub fn leases_of_task(&mut self, project: &ProjectName, task: TaskNumber) -> Result<Vec<Lease>, Error> {
        Ok(self.view().leases_of_task(project, task)?)
    }

    /// Keeps a new lease, whose number is the one after the last of its project.
    pub fn append_lease(&mut self, lease: Lease) {
        self.set_last_lease(lease.project.clone(), lease.id);
        self.put_lease(lease);
    }

    /// Keeps the last number that was given in a project: a higher one than before.
    pub fn set_last_lease(&mut self, project: ProjectName, last: LeaseId) {
        self.push(Change::Lease(LeaseChange::SetLast { project, last }));
    }

    /// Keeps a lease, with the paths that it has.
    pub fn put_lease(&mut self, lease: Lease) {
        self.push(Change::Lease(LeaseChange::Put(lease)));
    }

    /// Forgets a lease.
    pub fn remove_lease(&mut self, project: ProjectName, id: LeaseId) {
        self.push(Change::Lease(LeaseChange::Remove { project, id }));
    }

    /// Forgets a lease and says how it ended.
    pub(super) fn end_lease(&mut self, lease: Lease, how: SystemTopic) -> Result<(), Error> {
        self.announce_lease(how, &lease)?;
        self.remove_lease(lease.project, lease.id);
        Ok(())
    }

    pub(super) fn announce_lease(&mut self, topic: SystemTopic, lease: &Lease) -> Result<(), Error> {
        let Lease { project, id, held, name, task, .. } = lease;
        let data = json!({
            "project": project, "id": id, "paths": held.paths, "mode": held.mode, "name": name, "fence": id,
            "task": task,
        });
        self.announce(topic, &data)
    }
}
