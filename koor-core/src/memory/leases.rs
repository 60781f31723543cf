//! The leases, in memory.

use super::Snapshot;
use crate::{
    clock::Timestamp,
    domain::leases::{HeldLease, Lease},
    ids::{AgentName, InstanceId, LeaseId, ProjectName, TaskNumber},
    paths::PathPattern,
    ports::{LeaseBook, StoreResult},
};

impl Snapshot<'_> {
    fn held(&self, lease: &Lease) -> HeldLease {
        let last_seen = self.0.instances.get(&lease.instance_id).map(|instance| instance.last_seen);
        HeldLease { lease: lease.clone(), last_seen }
    }

    fn held_leases(&self, wanted: impl Fn(&Lease) -> bool) -> Vec<HeldLease> {
        let all = self.0.leases.values();
        all.filter(|lease| wanted(lease)).map(|lease| self.held(lease)).collect()
    }
}

impl LeaseBook for Snapshot<'_> {
    fn lease(&mut self, project: &ProjectName, id: LeaseId) -> StoreResult<Option<HeldLease>> {
        let found = self.0.leases.get(&(project.clone(), id));
        Ok(found.map(|lease| self.held(lease)))
    }

    fn leases(&mut self, project: &ProjectName, name: Option<&AgentName>) -> StoreResult<Vec<HeldLease>> {
        Ok(self.held_leases(|lease| {
            lease.project == *project && name.is_none_or(|wanted| *wanted == lease.name)
        }))
    }

    fn leases_near(&mut self, project: &ProjectName, beginning: &str) -> StoreResult<Vec<HeldLease>> {
        let is_near = |path: &PathPattern| {
            let own = path.literal_beginning();
            own.starts_with(beginning) || beginning.starts_with(&own)
        };
        Ok(self.held_leases(|lease| lease.project == *project && lease.held.paths.iter().any(is_near)))
    }

    fn leases_of_instance(&mut self, instance: InstanceId) -> StoreResult<Vec<HeldLease>> {
        Ok(self.held_leases(|lease| lease.instance_id == instance))
    }

    fn leases_of_task(&mut self, project: &ProjectName, task: TaskNumber) -> StoreResult<Vec<HeldLease>> {
        Ok(self.held_leases(|lease| lease.project == *project && lease.task == Some(task)))
    }

    fn leases_due(&mut self, until: Timestamp, limit: usize) -> StoreResult<Vec<HeldLease>> {
        let mut due = self.held_leases(|lease| lease.expires_at <= until);
        due.sort_by_key(|held| held.lease.expires_at);
        due.truncate(limit);
        Ok(due)
    }

    fn lease_count(&mut self, holder: Option<InstanceId>) -> StoreResult<u64> {
        let held = |lease: &&Lease| holder.is_none_or(|holder| lease.instance_id == holder);
        Ok(self.0.leases.values().filter(held).count() as u64)
    }

    fn last_lease(&mut self, project: &ProjectName) -> StoreResult<Option<LeaseId>> {
        Ok(self.0.last_leases.get(project).copied())
    }

    fn last_leases(&mut self) -> StoreResult<Vec<(ProjectName, LeaseId)>> {
        Ok(self.0.last_leases.iter().map(|(project, last)| (project.clone(), *last)).collect())
    }
}
