//! The event log: its history, and waiting for what comes next.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use tokio::select;

use crate::{
    app::Koor,
    command::CommandContext,
    domain::events::{Event, EventClass, PrunePlan},
    error::Error,
    hub::Delivery,
    ids::{Cursor, EventId},
    page::Limit,
    pattern::{Class, TopicFilter},
    ports::{Change, EVENT_PAGE_BYTES, EventChange, FactSet, Retention},
    settings::Settings,
    use_cases::{
        events::pages::{EventPages, History},
        state::check_wait,
    },
};

/// With more events in one transaction, everybody who writes would wait for it: after a minute of many changes there are
/// hundreds of thousands to forget.
const PRUNED_AT_ONCE: u64 = 2048;

/// The events that arrived during a wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Waited {
    /// The events, oldest first.
    pub events: Vec<Event>,
    /// Where to wait from the next time.
    pub cursor: Cursor,
    /// Whether there is more right now.
    pub more: bool,
}

impl Koor {
    /// Events of the log, however large they are together; [`event_history_json`](Self::event_history_json) holds no
    /// more than a page of them at a time.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn event_history(&self, history: History) -> Result<Vec<Event>, Error> {
        let mut pages = EventPages::new(self.clone(), history);
        let mut found = Vec::new();
        while let Some(page) = pages.next().await? {
            found.extend(page);
        }
        Ok(found)
    }

    /// Waits for matching events after `since` (without it: after now), at most so long; answers at once if there are
    /// some.
    ///
    /// # Errors
    /// [`Error::CursorExpired`] when events after `since` have left the log unseen, or it lies beyond the log's end;
    /// or when the wait is too long to ask for.
    pub async fn wait_for_events(
        &self,
        topics: TopicFilter,
        since: Option<Cursor>,
        wait: Duration,
        limit: Limit,
    ) -> Result<Waited, Error> {
        let time_is_up = self.inner.clock.sleep(check_wait("timeout", wait)?);
        let class = topics.class();
        if let Some(since) = since {
            let bounds = self.read(|tx| tx.log_bounds()).await?;
            if since < bounds.pruned(class) {
                return Err(self.expired(class).await?);
            }
            if since > bounds.last {
                let oldest = self.oldest(class).await?;
                return Err(Error::CursorBeyond { last: bounds.last, oldest });
            }
        }
        let mut subscription = self.subscribe(topics, since);
        // One more than asked for, to know whether there is more.
        let most = limit.get() + 1;
        let mut deliveries = subscription.now(most).await?;
        if deliveries.is_empty() {
            deliveries = select! {
                deliveries = subscription.next(most) => deliveries?,
                () = time_is_up => Vec::new(),
            };
        }
        let (mut events, mut bytes, mut more) = (Vec::new(), 0, false);
        while !deliveries.is_empty() && !more {
            for delivery in deliveries.drain(..) {
                let frame = match delivery {
                    Delivery::Event(frame) => frame,
                    Delivery::Gap(_) => return Err(self.expired(class).await?),
                };
                more = events.len() == limit.get() || bytes >= EVENT_PAGE_BYTES;
                if more {
                    break;
                }
                bytes += frame.event().data.as_str().len();
                events.push(frame.event().clone());
            }
            if !more {
                // The log is read in stretches: another may have more of what is asked for.
                let room = if bytes < EVENT_PAGE_BYTES { most - events.len() } else { 1 };
                deliveries = subscription.now(room).await?;
            }
        }
        // Full: the next wait goes on behind the last one answered. Else: behind everything that was looked at.
        let cursor = match events.last() {
            Some(last) if more => last.id.into(),
            _ => subscription.cursor(),
        };
        Ok(Waited { events, cursor, more })
    }

    /// The oldest event that is kept where those of that class have not been pruned; where there is none, the next to
    /// come.
    async fn oldest(&self, class: Class) -> Result<EventId, Error> {
        let oldest = self.read(move |tx| {
            let bounds = tx.log_bounds()?;
            Ok(tx.oldest_event(bounds.pruned(class))?.unwrap_or(bounds.last.next()))
        });
        oldest.await
    }

    async fn expired(&self, class: Class) -> Result<Error, Error> {
        Ok(Error::CursorExpired { oldest: self.oldest(class).await? })
    }

    /// Forgets the events that retention no longer covers, oldest first; answers how many went.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn prune_events(&self) -> Result<u64, Error> {
        let mut pruned = 0;
        let Settings { event_retention, change_retention, .. } = *self.settings();
        for (class, keep) in [(EventClass::User, event_retention), (EventClass::System, change_retention)] {
            loop {
                let gone = self.prune_some(Retention { class, keep, limit: PRUNED_AT_ONCE }).await?;
                pruned += gone;
                if gone < PRUNED_AT_ONCE {
                    break;
                }
            }
        }
        Ok(pruned)
    }

    /// Forgets events of one class in one commit; answers how many went.
    pub(crate) async fn prune_some(&self, retention: Retention) -> Result<u64, Error> {
        let reads = FactSet { prunable: [retention].into(), ..FactSet::default() };
        self.housekeep("event-pruner", reads, move |cx| {
            let Some(PrunePlan { through, count }) = cx.prunable(retention)? else { return Ok(0) };
            cx.prune_events(retention.class, through);
            Ok(count)
        })
        .await
    }
}

impl CommandContext<'_> {
    /// Which events retention no longer covers; `None` when it covers all.
    fn prunable(&mut self, retention: Retention) -> Result<Option<PrunePlan>, Error> {
        Ok(self.view().prunable(retention)?)
    }

    /// Forgets the events of a class up to an id, which is that of the last of them.
    fn prune_events(&mut self, class: EventClass, through: EventId) {
        self.push(Change::Event(EventChange::Prune { class, through }));
    }
}
