//! The leases on paths.

use crate::{
    clock::Timestamp,
    domain::leases::{HeldLease, Lease},
    ids::{AgentName, InstanceId, LeaseId, ProjectName, TaskNumber},
    ports::StoreResult,
};

/// The leases.
pub trait LeaseBook {
    /// The lease of that number.
    fn lease(&mut self, project: &ProjectName, id: LeaseId) -> StoreResult<Option<HeldLease>>;

    /// The leases of a project, or those of the agents with that name, by number.
    fn leases(&mut self, project: &ProjectName, name: Option<&AgentName>) -> StoreResult<Vec<HeldLease>>;

    /// The leases of a project that can overlap a path with that
    /// [`literal_beginning`](crate::paths::PathPattern::literal_beginning), by number.
    fn leases_near(&mut self, project: &ProjectName, beginning: &str) -> StoreResult<Vec<HeldLease>>;

    /// The leases that an instance holds, by project and number.
    fn leases_of_instance(&mut self, instance: InstanceId) -> StoreResult<Vec<HeldLease>>;

    /// The leases that are bound to a task, by number.
    fn leases_of_task(&mut self, project: &ProjectName, task: TaskNumber) -> StoreResult<Vec<HeldLease>>;

    /// Leases whose `expires_at` is not after that time, the earliest first. Their holders may have been heard of since.
    fn leases_due(&mut self, until: Timestamp, limit: usize) -> StoreResult<Vec<HeldLease>>;

    /// How many leases there are, or how many that instance holds.
    fn lease_count(&mut self, holder: Option<InstanceId>) -> StoreResult<u64>;

    /// The last number that was given in a project.
    fn last_lease(&mut self, project: &ProjectName) -> StoreResult<Option<LeaseId>>;

    /// The last number that was given in each project, by project.
    fn last_leases(&mut self) -> StoreResult<Vec<(ProjectName, LeaseId)>>;
}

/// A change of the leases.
#[derive(Debug, Clone, PartialEq)]
pub enum LeaseChange {
    /// Keep a lease under its project and number, new or changed. Of a change, the paths stay the same.
    Put(Lease),
    /// Forget a lease.
    Remove {
        /// Of which project.
        project: ProjectName,
        /// Which lease.
        id: LeaseId,
    },
    /// Keep the last number that was given in a project.
    SetLast {
        /// The project.
        project: ProjectName,
        /// The number.
        last: LeaseId,
    },
}
