//! The live end of the event log.
//!
//! The log is the truth. The hub keeps its newest events in memory and says when there are more, so that a subscriber
//! that is up to date never asks the store, and one that has fallen behind reads the log until it is.

use std::{
    collections::VecDeque,
    ops::ControlFlow,
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::watch;

use crate::{
    cpu_limiter::CpuLimiter,
    domain::events::{Event, EventFilter, EventPage, LogBounds},
    error::Error,
    ids::{Cursor, Topic},
    pattern::TopicFilter,
    ports::{Store, StoreError},
};

/// An event on its way to subscribers: written as JSON once, for all of them.
#[derive(Debug)]
pub struct Frame {
    event: Event,
    json: OnceLock<Bytes>,
}

impl Frame {
    pub(crate) fn new(event: Event) -> Self {
        Self { event, json: OnceLock::new() }
    }

    /// The event.
    #[must_use]
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// The event as JSON.
    #[must_use]
    pub fn json(&self) -> &Bytes {
        self.json.get_or_init(|| {
            // An event has only strings, numbers and JSON in it: writing it cannot fail.
            serde_json::to_vec(&self.event).unwrap_or_default().into()
        })
    }

    fn weight(&self) -> usize {
        // Twice the data: once in the event, once in its JSON.
        256 + 2 * self.event.data.as_str().len()
    }
}

/// What a subscriber did not see, because it left the log too early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "gap")]
pub struct Gap {
    /// How many ids of the log went unseen, whatever their topic.
    pub missed: u64,
    /// The oldest id that is still kept, from which on the subscriber is told everything.
    pub resume_from: u64,
}

/// What a subscriber is told.
#[derive(Debug, Clone)]
pub enum Delivery {
    /// An event.
    Event(Arc<Frame>),
    /// That it missed some.
    Gap(Gap),
}

/// What a subscriber is told, lent to it.
#[derive(Debug)]
pub enum Told<'a> {
    /// An event.
    Event(&'a Arc<Frame>),
    /// That it missed some.
    Gap(Gap),
}

impl Told<'_> {
    fn keep(self) -> Delivery {
        match self {
            Told::Event(frame) => Delivery::Event(Arc::clone(frame)),
            Told::Gap(gap) => Delivery::Gap(gap),
        }
    }
}

/// Where the log ends, and whether anything will follow.
#[derive(Debug, Clone, Copy)]
struct Head {
    last: Cursor,
    closed: bool,
    /// Counts the logs: another one when the log has gone back.
    log: u64,
}

pub(crate) struct Hub {
    tail: RwLock<Tail>,
    head: watch::Sender<Head>,
    /// Says that there was an event about webhooks, to those who wait for nothing else and need not be woken by all of
    /// them; true when nothing will follow.
    webhooks: watch::Sender<bool>,
    /// Shared with every subscription that counts.
    audience: Arc<()>,
}

/// The newest events: all of them after `before`, without a hole.
struct Tail {
    frames: VecDeque<Arc<Frame>>,
    before: Cursor,
    weight: usize,
    most_events: usize,
    most_weight: usize,
}

impl Tail {
    fn push(&mut self, frame: Arc<Frame>) {
        self.weight += frame.weight();
        self.frames.push_back(frame);
        while self.frames.len() > self.most_events || self.weight > self.most_weight {
            let Some(gone) = self.frames.pop_front() else { break };
            self.weight -= gone.weight();
            self.before = gone.event.id.into();
        }
    }

    /// Lends up to `most` matching events after the cursor, which moves on to the last one looked at, while more are
    /// wanted and so many can be looked at in one go; answers whether there were any, or `None` if some of those after it
    /// are no longer here.
    fn after(
        &self,
        cursor: &mut Cursor,
        topics: &TopicFilter,
        most: usize,
        each: &mut impl FnMut(Told<'_>) -> ControlFlow<()>,
    ) -> Option<bool> {
        if *cursor < self.before {
            return None;
        }
        let from = self.frames.partition_point(|frame| Cursor::from(frame.event.id) <= *cursor);
        let mut lent = 0;
        for frame in self.frames.range(from..).take(topics.most_at_once()) {
            if lent == most {
                break;
            }
            *cursor = frame.event.id.into();
            if topics.matches(&frame.event.topic) {
                lent += 1;
                if each(Told::Event(frame)).is_break() {
                    break;
                }
            }
        }
        Some(lent > 0)
    }

    /// As many of the events after the cursor as may be held against costly patterns in one go, matching or not; `None`
    /// if some are no longer here.
    fn unmatched(&self, cursor: Cursor, topics: &TopicFilter) -> Option<Vec<Arc<Frame>>> {
        if cursor < self.before {
            return None;
        }
        let from = self.frames.partition_point(|frame| Cursor::from(frame.event.id) <= cursor);
        Some(self.frames.range(from..).take(topics.most_at_once()).cloned().collect())
    }
}

impl Hub {
    /// A hub for a log that ends at `last`.
    pub(crate) fn new(last: Cursor, most_events: usize, most_weight: usize) -> Self {
        let tail = Tail { frames: VecDeque::new(), before: last, weight: 0, most_events, most_weight };
        Self {
            tail: RwLock::new(tail),
            head: watch::Sender::new(Head { last, closed: false, log: 0 }),
            webhooks: watch::Sender::new(false),
            audience: Arc::default(),
        }
    }

    /// Takes events that are durable, in the order of ids.
    pub(crate) fn announce(&self, events: &[Event]) {
        let Some(last) = events.last() else { return };
        {
            let mut tail = self.tail.write().unwrap_or_else(PoisonError::into_inner);
            for event in events {
                tail.push(Arc::new(Frame::new(event.clone())));
            }
        }
        // After the tail: a subscriber that this wakes finds them there.
        self.head.send_modify(|head| head.last = last.id.into());
        if events.iter().any(|event| about_webhooks(&event.topic)) {
            self.webhooks.send_modify(|_| ());
        }
    }

    /// Forgets what is held: the log is another one now, and ends there.
    pub(crate) fn reset(&self, last: Cursor) {
        {
            let mut tail = self.tail.write().unwrap_or_else(PoisonError::into_inner);
            tail.frames.clear();
            (tail.weight, tail.before) = (0, last);
        }
        self.head.send_modify(|head| {
            head.last = last;
            head.log += 1;
        });
        self.webhooks.send_modify(|_| ());
    }

    /// Tells every subscriber that nothing will follow.
    pub(crate) fn close(&self) {
        self.head.send_modify(|head| head.closed = true);
        self.webhooks.send_replace(true);
    }

    /// Where the log ends, as far as subscribers know.
    pub(crate) fn last(&self) -> Cursor {
        self.head.borrow().last
    }

    /// Changes of webhooks, from now on.
    pub(crate) fn webhook_signs(&self) -> WebhookSigns {
        WebhookSigns(self.webhooks.subscribe())
    }

    /// How many subscribers there are, apart from the server's own jobs.
    pub(crate) fn subscribers(&self) -> usize {
        Arc::strong_count(&self.audience) - 1
    }
}

/// Whether webhooks may have come, gone, or been switched.
fn about_webhooks(topic: &Topic) -> bool {
    topic.as_str().starts_with("$webhook.") || topic.as_str() == "$backup.restored"
}

/// Waits for changes of webhooks.
pub(crate) struct WebhookSigns(watch::Receiver<bool>);

impl WebhookSigns {
    /// Answers when there may have been a change since the last call, or since this was made: true while more may
    /// follow. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> bool {
        // The sender goes with the core, and so does everything that webhooks could be told.
        !*self.0.borrow() && self.0.changed().await.is_ok() && !*self.0.borrow_and_update()
    }
}

/// Reads the event log from a place on, and then live, without hole or repeat.
pub struct Subscription {
    store: Arc<dyn Store>,
    hub: Arc<Hub>,
    head: watch::Receiver<Head>,
    topics: TopicFilter,
    cursor: Cursor,
    /// Up to here, the subscriber knows what it missed.
    told: Cursor,
    /// How many events of the log it takes at a time, as far as is known.
    takes: usize,
    cpu: CpuLimiter,
    /// The log that the cursor is known to be a place of; `None` while that has to be asked.
    log: Option<u64>,
    /// Where the log ended when this began.
    began: Cursor,
    /// Its place among those who are counted.
    _guard: Option<Arc<()>>,
}

impl Subscription {
    /// Reads on from `since`; from now on without it.
    pub(crate) fn new(
        store: Arc<dyn Store>,
        hub: Arc<Hub>,
        topics: TopicFilter,
        since: Option<Cursor>,
        cpu: CpuLimiter,
    ) -> Self {
        let head = hub.head.subscribe();
        let Head { last, log, .. } = *head.borrow();
        let cursor = since.unwrap_or(last);
        // A place beyond the end may be one that another server of the same store has announced already, or one of another
        // log.
        let log = (cursor <= last).then_some(log);
        let seat = Some(Arc::clone(&hub.audience));
        Self {
            store,
            hub,
            head,
            topics,
            cursor,
            told: Cursor::START,
            takes: usize::MAX,
            cpu,
            log,
            began: last,
            _guard: seat,
        }
    }

    /// The same, not counted as a subscriber: for the server's own jobs.
    pub(crate) fn uncounted(self) -> Self {
        Self { _guard: None, ..self }
    }

    /// Everything up to here has been told, or was not asked for.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// What comes next, at most `most` at a time: waits until there is something. Empty when the log is closed and
    /// everything has been told. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the log can't be read.
    pub async fn next(&mut self, most: usize) -> Result<Vec<Delivery>, Error> {
        let mut deliveries = Vec::new();
        self.lend_next(most, |told| {
            deliveries.push(told.keep());
            ControlFlow::Continue(())
        })
        .await?;
        Ok(deliveries)
    }

    /// The same, lent to `each` instead of kept, for those who copy what they need of it: many subscribers would
    /// contend for the counters of each event. Answers whether there was anything.
    ///
    /// While `each` runs, nothing new is told to anybody, so it should be quick. It may break off when it has enough, and
    /// is lent the rest with the next call.
    ///
    /// # Errors
    /// When the log can't be read.
    pub async fn lend_next(
        &mut self,
        most: usize,
        mut each: impl FnMut(Told<'_>) -> ControlFlow<()>,
    ) -> Result<bool, Error> {
        loop {
            let head = *self.head.borrow_and_update();
            let any = self.ready(most, &mut each).await?;
            if any || (head.closed && self.cursor >= head.last) {
                return Ok(any);
            }
            if self.cursor < head.last {
                // There may be much to look at and nothing to tell: others have a turn in between.
                tokio::task::yield_now().await;
                continue;
            }
            // The hub lives as long as this subscription, so the sender does too.
            if self.head.changed().await.is_err() {
                return Ok(false);
            }
        }
    }

    /// What is there now, at most `most`, without waiting for more.
    ///
    /// # Errors
    /// When the log can't be read.
    pub async fn now(&mut self, most: usize) -> Result<Vec<Delivery>, Error> {
        let mut deliveries = Vec::new();
        let mut keep = |told: Told<'_>| {
            deliveries.push(told.keep());
            ControlFlow::Continue(())
        };
        loop {
            let last = self.head.borrow().last;
            if self.ready(most, &mut keep).await? || self.cursor >= last {
                return Ok(deliveries);
            }
        }
    }

    /// A page of what is there: may be nothing even though there is more further on.
    async fn ready(
        &mut self,
        most: usize,
        each: &mut impl FnMut(Told<'_>) -> ControlFlow<()>,
    ) -> Result<bool, Error> {
        let log = self.head.borrow().log;
        if self.log != Some(log)
            && let Some(gap) = self.check_place(log).await?
        {
            // There is nothing behind it to break off from.
            _ = each(Told::Gap(gap));
            return Ok(true);
        }
        if let Some(any) = self.read_tail(most, each).await? {
            return Ok(any);
        }
        let before = self.cursor;
        let deliveries = self.read_log(most.min(self.takes)).await?;
        let (mut taken, mut enough) = (0, false);
        for delivery in &deliveries {
            taken += 1;
            enough = each(match delivery {
                Delivery::Event(frame) => Told::Event(frame),
                Delivery::Gap(gap) => Told::Gap(*gap),
            })
            .is_break();
            if enough {
                break;
            }
        }
        // What is left is read again: held here, it would be held for each subscriber that does not read. So that it is not
        // much, no more is read than was taken the last time, and twice that when all was.
        if taken < deliveries.len() {
            self.cursor = match deliveries[..taken].last() {
                Some(Delivery::Event(last)) => last.event.id.into(),
                // It is told once, wherever the next reading begins.
                Some(Delivery::Gap(_)) | None => before,
            };
        }
        self.takes = if enough { taken } else { self.takes.saturating_mul(2) };
        Ok(!deliveries.is_empty())
    }

    /// Looks whether the cursor is a place of that log. If not, goes on from where the log ended: waiting for the ids to come round would
    /// lose everything in between without a word.
    async fn check_place(&mut self, log: u64) -> Result<Option<Gap>, Error> {
        let last = crate::execute::read(&*self.store, |tx| Ok(tx.log_bounds()?.last)).await?;
        let is_first_look = self.log.replace(log).is_none();
        // What came of a log that has gone back may differ from what is there now, even where the ids are the same.
        let resume_after = match is_first_look {
            true if self.cursor <= last => return Ok(None),
            true => self.began,
            false => last,
        };
        self.cursor = resume_after;
        self.told = self.told.min(resume_after);
        Ok(Some(Gap { missed: 0, resume_from: resume_after.next().get() }))
    }

    /// Lends what is in the tail; answers whether there was anything, or `None` if what comes next is no longer there.
    async fn read_tail(
        &mut self,
        most: usize,
        each: &mut impl FnMut(Told<'_>) -> ControlFlow<()>,
    ) -> Result<Option<bool>, Error> {
        let unmatched = {
            let tail = self.hub.tail.read().unwrap_or_else(PoisonError::into_inner);
            if !self.topics.is_costly() {
                return Ok(tail.after(&mut self.cursor, &self.topics, most, each));
            }
            tail.unmatched(self.cursor, &self.topics)
        };
        let Some(frames) = unmatched else { return Ok(None) };
        let Some(last) = frames.last().map(|last| last.event.id.into()) else { return Ok(Some(false)) };
        let topics = self.topics.clone();
        let matched = self.cpu.run_matching(move || {
            let matches = frames.into_iter().filter(|frame| topics.matches(&frame.event.topic));
            matches.take(most).collect::<Vec<_>>()
        });
        let matched = matched.await?;
        for frame in &matched {
            self.cursor = frame.event.id.into();
            if each(Told::Event(frame)).is_break() {
                return Ok(Some(true));
            }
        }
        if matched.len() < most {
            self.cursor = last;
        }
        Ok(Some(!matched.is_empty()))
    }

    async fn read_log(&mut self, most: usize) -> Result<Vec<Delivery>, Error> {
        let filter = EventFilter { topics: self.topics.clone(), ..EventFilter::default() };
        let (cursor, told) = (self.cursor, self.told);
        let class = self.topics.class();
        let _turn = self.cpu.reading_permit().await;
        let announced = self.hub.last();
        let (bounds, gap, page) = crate::execute::read(&*self.store, move |tx| {
            let bounds = tx.log_bounds()?;
            let pruned = bounds.pruned(class);
            let gap = if pruned > cursor.max(told) {
                let kept = tx.events_kept(cursor, pruned)?;
                let resume_from = tx.oldest_event(cursor)?.map_or(bounds.last.next(), |id| id).get();
                Some(Gap { missed: pruned.get() - cursor.get() - kept, resume_from })
            } else {
                None
            };
            Ok((bounds, gap, tx.events_after(cursor, &filter, most)?))
        })
        .await?;
        if bounds.last < announced {
            // Going on would ask for the missing events for ever.
            let place = format!("the event log: it ends at {}, and {announced} was committed", bounds.last);
            return Err(StoreError::Corrupt { place, source: None }.into());
        }
        Ok(self.take(bounds, gap, page, class))
    }

    /// Takes what was read in one step, so that a dropped future has taken nothing.
    fn take(
        &mut self,
        bounds: LogBounds,
        gap: Option<Gap>,
        page: EventPage,
        class: crate::pattern::Class,
    ) -> Vec<Delivery> {
        self.told = self.told.max(bounds.pruned(class));
        self.cursor = self.cursor.max(page.through);
        let events = page.events.into_iter().map(|event| Delivery::Event(Arc::new(Frame::new(event))));
        gap.map(Delivery::Gap).into_iter().chain(events).collect()
    }
}
