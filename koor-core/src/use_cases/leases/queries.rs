//! Which paths are held, and by which agent.

use crate::{
    app::Koor,
    caller::Caller,
    command::Committed,
    domain::leases::{HeldLease, HeldPath, Lease, PathCheck, PathSet},
    error::{Error, Invalid},
    ids::{AgentName, LeaseId, ProjectName},
    paths::check_path,
    use_cases::leases::{
        commands::{BreakLease, ReleaseLease},
        taking::HeldPattern,
    },
};

impl Koor {
    /// The leases of a project by number: those that cover the path, and those of the agents with that name.
    ///
    /// # Errors
    /// When the path is not relative to the project's root, or the store can't be read.
    pub async fn leases(
        &self,
        project: ProjectName,
        path: Option<&str>,
        name: Option<AgentName>,
    ) -> Result<Vec<Lease>, Error> {
        path.map_or(Ok(()), check_path)?;
        let found = self.read(move |tx| tx.leases(&project, name.as_ref())).await?;
        let leases = self.up_to_date(found).into_iter().map(HeldLease::into_lease);
        let Some(path) = path else { return Ok(leases.collect()) };
        let mut covering = Vec::new();
        for lease in leases {
            let covers: Vec<bool> =
                lease.held.paths.iter().map(|own| own.matches(path)).collect::<Result<_, Invalid>>()?;
            if covers.contains(&true) {
                covering.push(lease);
            }
        }
        Ok(covering)
    }

    /// Which of the paths the caller could take now, and which leases hold the others. Takes nothing.
    ///
    /// # Errors
    /// When the caller is an agent of another project, or the store can't be read.
    pub async fn check_paths(
        &self,
        caller: &Caller,
        project: &ProjectName,
        wanted: &PathSet,
    ) -> Result<PathCheck, Error> {
        let instance = if caller.as_instance().is_some() {
            let agent = self.calling_agent(caller).await?;
            agent.check_project(project)?;
            Some(agent.instance_id)
        } else {
            None
        };
        let held = self.held_paths(project, instance, wanted).await?;
        let is_free = |path: &&_| held.iter().all(|held| held.path != **path);
        let free = wanted.paths.iter().filter(is_free).cloned().collect();
        let held = held.into_iter().map(|HeldPattern { path, lease, .. }| HeldPath { path, lease });
        Ok(PathCheck { free, held: held.collect() })
    }

    /// Gives a lease of the caller back, or ends that of another agent if the caller is an admin.
    ///
    /// # Errors
    /// When there is no such lease, or it is another agent's and the caller is no admin.
    pub async fn release_lease(
        &self,
        caller: &Caller,
        project: ProjectName,
        id: LeaseId,
    ) -> Result<Committed<LeaseId>, Error> {
        let (of, missing) = (project.clone(), Error::not_found("lease", format_args!("{project}/{id}")));
        let held = self.read(move |tx| tx.lease(&of, id)).await?.ok_or(missing)?;
        let instance = caller.as_instance().map(|instance| instance.id);
        match instance.filter(|own| *own == held.lease.instance_id) {
            Some(instance) => self.execute(caller, ReleaseLease { project, id, instance }).await,
            // Which only admins may: another caller is refused, and that is recorded.
            None => self.execute(caller, BreakLease { project, id }).await,
        }
    }

    /// Takes into account what has been noted of the holders since it was last written down.
    pub(crate) fn up_to_date(&self, mut leases: Vec<HeldLease>) -> Vec<HeldLease> {
        for held in &mut leases {
            let noted = self.inner.activity.last_seen(held.lease.instance_id);
            held.last_seen = held.last_seen.max(noted);
        }
        leases
    }
}
