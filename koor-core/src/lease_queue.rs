//! Which callers wait for paths, in the order in which they came.
//!
//! It is kept in memory: a caller waits on a connection to this server, and when that ends, so does the wait.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::{
    domain::leases::{Lease, PathSet, WaitingFor},
    ids::{AgentName, InstanceId, ProjectName},
};

/// All callers that wait.
#[derive(Debug, Default)]
pub(crate) struct LeaseQueue {
    entries: Mutex<Entries>,
    /// Counts callers that no longer wait.
    left: watch::Sender<u64>,
    /// Counts callers that began to wait.
    joined: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Entries {
    /// In the order of their tickets.
    waiting: Vec<Waiting>,
    last: Ticket,
}

#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    project: ProjectName,
    instance: InstanceId,
    name: AgentName,
    wanted: PathSet,
}

/// The number of a caller in the queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

impl LeaseQueue {
    /// Lets a caller wait until the answer is dropped.
    pub(crate) fn join(
        self: &Arc<Self>,
        project: ProjectName,
        instance: InstanceId,
        name: AgentName,
        wanted: PathSet,
    ) -> Place {
        let ticket = {
            let mut entries = self.lock();
            entries.last = Ticket(entries.last.0 + 1);
            let ticket = entries.last;
            entries.waiting.push(Waiting { ticket, project, instance, name, wanted });
            ticket
        };
        self.joined.send_modify(|joined| *joined += 1);
        Place { queue: Arc::clone(self), ticket }
    }

    /// Whether the caller still waits: one that hung up must not win.
    pub(crate) fn is_waiting(&self, ticket: Ticket) -> bool {
        self.lock().waiting.iter().any(|waiting| waiting.ticket == ticket)
    }

    /// Who waits for paths that conflict with these and came before that ticket; without one, all who wait did.
    pub(crate) fn ahead(
        &self,
        ticket: Option<Ticket>,
        project: &ProjectName,
        instance: InstanceId,
        wanted: &PathSet,
    ) -> Vec<WaitingFor> {
        let entries = self.lock();
        let before = entries.waiting.iter().filter(|waiting| ticket.is_none_or(|own| waiting.ticket < own));
        before
            .filter(|waiting| waiting.project == *project && waiting.instance != instance)
            .flat_map(|waiting| {
                wanted
                    .conflicts(&waiting.wanted)
                    .map(|(_, theirs)| WaitingFor { path: theirs.clone(), name: waiting.name.clone() })
            })
            .collect()
    }

    /// Who waits for paths that one of these leases holds.
    pub(crate) fn waiting_for(&self, leases: &[Lease]) -> Vec<WaitingFor> {
        let entries = self.lock();
        let of_lease = leases.iter().flat_map(|lease| {
            let others = entries.waiting.iter().filter(|waiting| waiting.project == lease.project);
            others.flat_map(|waiting| {
                lease
                    .conflicts(Some(waiting.instance), &waiting.wanted)
                    .map(|(path, _)| WaitingFor { path: path.clone(), name: waiting.name.clone() })
            })
        });
        of_lease.collect()
    }

    /// How many callers wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Wakes when a caller no longer waits.
    pub(crate) fn departures(&self) -> watch::Receiver<u64> {
        self.left.subscribe()
    }

    /// Wakes when a caller begins to wait.
    pub(crate) fn arrivals(&self) -> watch::Receiver<u64> {
        self.joined.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the queue: dropping it ends the wait.
#[derive(Debug)]
pub(crate) struct Place {
    queue: Arc<LeaseQueue>,
    ticket: Ticket,
}

impl Place {
    pub(crate) fn ticket(&self) -> Ticket {
        self.ticket
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.queue.lock().waiting.retain(|waiting| waiting.ticket != self.ticket);
        self.queue.left.send_modify(|left| *left += 1);
    }
}
