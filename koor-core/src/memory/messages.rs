//! The messages, in memory.

use super::Snapshot;
use crate::{
    clock::Timestamp,
    domain::{
        agents::AgentAddress,
        messages::{Delivered, GoneAgent, Listed, Mailbox, MessageFilter, Receipt},
    },
    ids::{Cursor, EventId, ProjectName},
    ports::{MessageBook, StoreResult},
};

fn listed(delivered: &Delivered, receipt: &Receipt) -> Listed {
    Listed {
        message: delivered.message.clone(),
        surfaced_at: receipt.surfaced_at,
        read_at: receipt.read_at,
        acked_at: receipt.acked_at,
    }
}

fn gone((address, gone_at): (&AgentAddress, &Timestamp)) -> GoneAgent {
    GoneAgent { address: address.clone(), gone_at: *gone_at }
}

impl Snapshot<'_> {
    fn all_in(&self, of: &Mailbox) -> impl Iterator<Item = Listed> {
        self.0.messages.values().flat_map(|delivered| {
            let own = delivered.receipts.iter().filter(|receipt| of.takes(&receipt.of));
            own.map(|receipt| listed(delivered, receipt))
        })
    }
}

impl MessageBook for Snapshot<'_> {
    fn message(&mut self, id: EventId) -> StoreResult<Option<Delivered>> {
        Ok(self.0.messages.get(&id).cloned())
    }

    fn inbox(&mut self, of: &Mailbox, filter: &MessageFilter, limit: usize) -> StoreResult<Vec<Listed>> {
        Ok(self.all_in(of).filter(|listed| filter.matches(listed)).take(limit).collect())
    }

    fn unread(&mut self, of: &Mailbox) -> StoreResult<u64> {
        Ok(self.all_in(of).filter(|listed| listed.read_at.is_none()).count() as u64)
    }

    fn all_unread(&mut self) -> StoreResult<u64> {
        let receipts = self.0.messages.values().flat_map(|delivered| &delivered.receipts);
        Ok(receipts.filter(|receipt| receipt.read_at.is_none()).count() as u64)
    }

    fn sent(&mut self, from: &str, filter: &MessageFilter, limit: usize) -> StoreResult<Vec<Listed>> {
        let own = self.0.messages.values().filter(|delivered| delivered.message.from == from);
        let listed = own.cloned().map(Delivered::into_sent);
        Ok(listed.filter(|listed| filter.matches(listed)).take(limit).collect())
    }

    fn messages_after(&mut self, after: u64, limit: usize) -> StoreResult<Vec<Delivered>> {
        let later = self.0.messages.values().filter(|delivered| delivered.message.id.get() > after);
        Ok(later.take(limit).cloned().collect())
    }

    fn messages_done(&mut self, until: Timestamp, limit: usize) -> StoreResult<Vec<EventId>> {
        let done = self.0.messages.values().filter_map(|delivered| {
            let at = delivered.done_at().filter(|at| *at <= until)?;
            Some((at, delivered.message.id))
        });
        let mut done: Vec<_> = done.collect();
        done.sort_unstable();
        Ok(done.into_iter().take(limit).map(|(_, id)| id).collect())
    }

    fn gone_agents(&mut self, project: &ProjectName) -> StoreResult<Vec<GoneAgent>> {
        Ok(self.0.gone_agents.iter().filter(|(address, _)| address.project == *project).map(gone).collect())
    }

    fn agents_gone_by(&mut self, until: Timestamp) -> StoreResult<Vec<GoneAgent>> {
        Ok(self.0.gone_agents.iter().filter(|(_, at)| **at <= until).map(gone).collect())
    }

    fn all_briefed(&mut self) -> StoreResult<Vec<(Mailbox, Cursor)>> {
        let all = self.0.briefed.iter().map(|((project, name), cursor)| {
            (Mailbox { project: project.clone(), name: name.clone() }, *cursor)
        });
        Ok(all.collect())
    }

    fn briefed(&mut self, agent: &Mailbox) -> StoreResult<Option<Cursor>> {
        Ok(self.0.briefed.get(&(agent.project.clone(), agent.name.clone())).copied())
    }
}
