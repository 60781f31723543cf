//! Inboxes, what was sent, and what is no longer kept.

use std::{pin::pin, time::Duration};

use tokio::select;

use crate::{
    announcement::SystemTopic,
    app::Koor,
    caller::{Caller, Role},
    domain::{
        agents::AgentAddress,
        messages::{Delivered, Listed, Mailbox, MessageFilter},
    },
    error::Error,
    ids::{EventId, ProjectName},
    page::Limit,
    pattern::{Pattern, TopicFilter},
    ports::{Change, FactSet, MessageChange},
    use_cases::{identity::needs_instance, state::check_wait},
};

/// Messages that are forgotten in one commit.
const AT_ONCE: usize = 256;

/// Which messages of an agent are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageBox {
    /// Those that came.
    Inbox,
    /// Those that it sent.
    Sent,
}

impl Koor {
    /// The project of the caller, if it has one: that of names without a project.
    ///
    /// # Errors
    /// When its instance is no longer registered.
    pub async fn home_of(&self, caller: &Caller) -> Result<Option<ProjectName>, Error> {
        if caller.as_instance().is_none() {
            return Ok(None);
        }
        Ok(self.calling_agent(caller).await?.scope.project().cloned())
    }

    /// The mailbox of the calling agent; an admin may name another agent.
    ///
    /// # Errors
    /// When the caller is no agent, or names another one and is no admin.
    pub async fn mailbox(&self, caller: &Caller, of: Option<AgentAddress>) -> Result<Mailbox, Error> {
        if let Some(address) = of {
            if caller.role() != Role::Admin {
                return Err(Error::Forbidden("read another agent's messages"));
            }
            return Ok(address.into());
        }
        let agent = self.calling_agent(caller).await?;
        Ok(Mailbox::new(&agent.scope, agent.name))
    }

    /// Matching messages of an agent, by id; with `wait`, as soon as there are some, at most that long.
    ///
    /// # Errors
    /// When the wait is too long, or the store can't be read.
    pub async fn messages(
        &self,
        of: &Mailbox,
        which: MessageBox,
        filter: MessageFilter,
        limit: Limit,
        wait: Option<Duration>,
    ) -> Result<Vec<Listed>, Error> {
        let time_is_up = match wait {
            Some(wait) => Some(self.inner.clock.sleep(check_wait("wait", wait)?)),
            None => None,
        };
        // Before the first look: what is sent after it is heard of.
        let mut news = self.subscribe(sent_topic()?, None);
        let mut found = self.look_into(of, which, filter.clone(), limit).await?;
        let Some(time_is_up) = time_is_up else { return Ok(found) };
        let mut time_is_up = pin!(time_is_up);
        while found.is_empty() {
            let heard = select! {
                heard = news.next(1024) => heard?,
                () = &mut time_is_up => return Ok(found),
            };
            if heard.is_empty() {
                return Ok(found);
            }
            found = self.look_into(of, which, filter.clone(), limit).await?;
        }
        Ok(found)
    }

    async fn look_into(
        &self,
        of: &Mailbox,
        which: MessageBox,
        filter: MessageFilter,
        limit: Limit,
    ) -> Result<Vec<Listed>, Error> {
        let of = of.clone();
        self.read(move |tx| match which {
            MessageBox::Inbox => tx.inbox(&of, &filter, limit.get()),
            MessageBox::Sent => tx.sent(&of.signature(), &filter, limit.get()),
        })
        .await
    }

    /// A message with its receipts, for its sender, its recipients and admins.
    ///
    /// # Errors
    /// When there is none, or the caller is neither.
    pub async fn message(&self, caller: &Caller, id: EventId) -> Result<Delivered, Error> {
        let found = self.read(move |tx| tx.message(id)).await?;
        let found = found.ok_or_else(|| Error::not_found("message", id))?;
        if caller.role() == Role::Admin {
            return Ok(found);
        }
        if caller.as_instance().is_none() {
            return Err(needs_instance());
        }
        let own = self.mailbox(caller, None).await?;
        if found.message.from == own.signature() || found.receipts.iter().any(|one| own.takes(&one.of)) {
            return Ok(found);
        }
        Err(Error::NotAllowed(format!("message {id} is neither from {} nor to it", own.signature())))
    }

    /// Forgets messages that all recipients read long ago, and the names of agents that went long ago; says how many
    /// messages.
    ///
    /// # Errors
    /// When the store can't be read or written.
    pub async fn prune_messages(&self) -> Result<usize, Error> {
        let until = self.now().minus(self.settings().message_retention);
        let gone = self.read(move |tx| tx.agents_gone_by(until)).await?;
        if !gone.is_empty() {
            self.housekeep("message-pruning", FactSet::default(), move |cx| {
                for gone in &gone {
                    let address = gone.address.clone();
                    cx.push(Change::Message(MessageChange::RemoveGone(address)));
                }
                Ok(())
            })
            .await?;
        }
        let mut pruned = 0;
        loop {
            let done = self.read(move |tx| tx.messages_done(until, AT_ONCE)).await?;
            if done.is_empty() {
                return Ok(pruned);
            }
            let is_last = done.len() < AT_ONCE;
            pruned += done.len();
            self.housekeep("message-pruning", FactSet::default(), move |cx| {
                for id in &done {
                    cx.remove_message(*id);
                }
                Ok(())
            })
            .await?;
            if is_last {
                return Ok(pruned);
            }
        }
    }
}

/// What is published when a message has been sent.
pub(crate) fn sent_topic() -> Result<TopicFilter, Error> {
    Ok(TopicFilter::new(vec![Pattern::new(SystemTopic::MessageSent.as_str())?]))
}
