//! The messages between agents.

use crate::{
    clock::Timestamp,
    domain::messages::{Delivered, GoneAgent, Listed, Mailbox, Message, MessageFilter, Receipt},
    ids::{Cursor, EventId, ProjectName},
    ports::StoreResult,
};

/// The messages, the names of agents that are gone, and how far each agent has been briefed.
pub trait MessageBook {
    /// A message with its receipts, which are in the order of project and name.
    fn message(&mut self, id: EventId) -> StoreResult<Option<Delivered>>;

    /// Matching messages in an inbox, by id.
    fn inbox(&mut self, of: &Mailbox, filter: &MessageFilter, limit: usize) -> StoreResult<Vec<Listed>>;

    /// How many messages in an inbox are unread.
    fn unread(&mut self, of: &Mailbox) -> StoreResult<u64>;

    /// How many entries of all inboxes are unread.
    fn all_unread(&mut self) -> StoreResult<u64>;

    /// Matching messages with that [`Message::from`], by id.
    fn sent(&mut self, from: &str, filter: &MessageFilter, limit: usize) -> StoreResult<Vec<Listed>>;

    /// Messages with a higher id, in order: all there are.
    fn messages_after(&mut self, after: u64, limit: usize) -> StoreResult<Vec<Delivered>>;

    /// Messages that all recipients have read by that time, those first that have been for longest.
    fn messages_done(&mut self, until: Timestamp, limit: usize) -> StoreResult<Vec<EventId>>;

    /// The agents of a project whose instances are gone, by name.
    fn gone_agents(&mut self, project: &ProjectName) -> StoreResult<Vec<GoneAgent>>;

    /// The agents of all projects whose instances have been gone since that time or longer, by project and name.
    fn agents_gone_by(&mut self, until: Timestamp) -> StoreResult<Vec<GoneAgent>>;

    /// How far in the event log each agent has been briefed, by project and name.
    fn all_briefed(&mut self) -> StoreResult<Vec<(Mailbox, Cursor)>>;

    /// How far in the event log an agent has been briefed.
    fn briefed(&mut self, agent: &Mailbox) -> StoreResult<Option<Cursor>>;
}

/// A change of the messages.
#[derive(Debug, Clone, PartialEq)]
pub enum MessageChange {
    /// Append a message with its receipts.
    Append(Delivered),
    /// Replace a receipt.
    SetReceipt {
        /// Of which message.
        id: EventId,
        /// The receipt of the same recipient.
        receipt: Receipt,
        /// When all recipients had read the message, if they have now.
        done_at: Option<Timestamp>,
    },
    /// Forget a message and its receipts.
    Remove(EventId),
    /// Keep the name of an agent that is gone.
    PutGone(GoneAgent),
    /// Forget the name of an agent that is gone, and how far it was briefed.
    RemoveGone(crate::domain::agents::AgentAddress),
    /// Keep how far in the event log an agent has been briefed.
    SetBriefed {
        /// The agent.
        agent: Mailbox,
        /// How far.
        cursor: Cursor,
    },
}

impl MessageChange {
    /// Roughly how many bytes it carries.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Append(Delivered { message: Message { body, subject, .. }, receipts }) => {
                body.len() + subject.len() + receipts.len() * size_of::<Receipt>()
            }
            Self::SetReceipt { .. }
            | Self::Remove(_)
            | Self::PutGone(_)
            | Self::RemoveGone(_)
            | Self::SetBriefed { .. } => 0,
        }
    }
}
