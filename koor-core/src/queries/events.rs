//! The event log: its history, and waiting for what comes next.

use std::time::Duration;

use serde::Serialize;
use tokio::select;

use crate::{
    app::Koor,
    domain::events::{Event, EventFilter},
    error::Error,
    hub::Delivery,
    ids::Cursor,
    page::Limit,
    pattern::{Class, TopicFilter},
    queries::state::check_wait,
};

/// Which part of the log somebody wants.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// Those that match.
    pub filter: EventFilter,
    /// Those after this place, oldest first; without it, the newest first.
    pub after: Option<Cursor>,
    /// So many, counted after filtering.
    pub limit: Limit,
}

/// What came while somebody waited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waited {
    /// The events, oldest first.
    pub events: Vec<Event>,
    /// Where to wait from the next time.
    pub cursor: Cursor,
    /// Whether there is more right now.
    pub more: bool,
}

impl Koor {
    /// Events of the log.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn event_history(&self, history: History) -> Result<Vec<Event>, Error> {
        let History { filter, after, limit } = history;
        self.read(move |tx| {
            let Some(mut after) = after else { return tx.events_newest(&filter, limit.get()) };
            let last = tx.log_bounds()?.last;
            let mut found = Vec::new();
            while found.len() < limit.get() && after < last {
                let page = tx.events_after(after, &filter, limit.get() - found.len())?;
                found.extend(page.events);
                after = page.through;
            }
            Ok(found)
        })
        .await
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
        let time_is_up = self.inner.clock.sleep(check_wait(wait)?);
        let class = topics.class();
        if let Some(since) = since {
            let bounds = self.read(|tx| tx.log_bounds()).await?;
            let pruned = bounds.pruned(class);
            if since < pruned || since > bounds.last {
                return Err(Error::CursorExpired { oldest: pruned.next() });
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
        let mut events = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            match delivery {
                Delivery::Event(frame) => events.push(frame.event().clone()),
                Delivery::Gap(_) => {
                    let bounds = self.read(|tx| tx.log_bounds()).await?;
                    return Err(Error::CursorExpired { oldest: bounds.pruned(class).next() });
                }
            }
        }
        let more = events.len() > limit.get();
        events.truncate(limit.get());
        // Full: the next wait goes on behind the last one answered. Else: behind everything that was looked at.
        let cursor = match events.last() {
            Some(last) if more => last.id.into(),
            _ => subscription.cursor(),
        };
        Ok(Waited { events, cursor, more })
    }

    /// Forgets the events that retention no longer covers, oldest first; answers how many went.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn prune_events(&self) -> Result<u64, Error> {
        self.housekeep("event-pruner", |work| {
            let (user, system) = (work.settings.event_retention, work.settings.change_retention);
            let pruned = work.tx.prune_events(Class::User, user)?;
            Ok(pruned + work.tx.prune_events(Class::System, system)?)
        })
        .await
    }
}
