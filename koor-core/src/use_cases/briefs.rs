//! What an agent has to know now, since it was last told.

use std::{pin::pin, time::Duration};

use serde_json::json;
use tokio::select;

use crate::{
    app::Koor,
    caller::Caller,
    command::{Applied, Command, CommandContext, Operation},
    domain::{
        agents::CallingAgent,
        briefs::{Brief, ReadyTasks, Tally},
        events::EventFilter,
        leases::HeldLease,
        messages::{Listed, Mailbox, MessageFilter, Step},
        tasks::{ReadyQuery, TaskFilter, TaskOrder, TaskStatus},
    },
    error::{Error, Invalid},
    hub::Delivery,
    ids::{Cursor, EventId},
    page::Limit,
    pattern::TopicFilter,
    ports::{Change, FactSet, MessageChange, ReadTx, StoreResult},
    use_cases::{messages::MarkMessages, state::check_wait},
};

/// The most unread messages of a brief.
const MAX_MESSAGES: usize = 50;

/// The most unread messages among which urgent ones are looked for.
const MAX_LOOKED_AT: usize = 200;

/// The most tasks of which a brief counts those that can be claimed, and how many it shows.
const MAX_READY: usize = 100;
const SHOWN: usize = 3;

/// The most tasks in review that a brief lists.
const MAX_REVIEW: u64 = 20;

/// The most events that a brief counts, and how many are read at a time.
const MAX_EVENTS: usize = 10_000;
const PAGE: usize = 1_000;

/// Notes how far an agent has been briefed: forward only.
struct MarkBriefed {
    agent: Mailbox,
    cursor: Cursor,
}

impl Command for MarkBriefed {
    type Output = ();

    fn operation(&self) -> Operation {
        Operation::unrecorded()
    }

    fn reads(&self, wanted: &mut FactSet) {
        wanted.briefed.insert(self.agent.clone());
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<()>, Error> {
        if cx.view().briefed(&self.agent)?.is_none_or(|before| before < self.cursor) {
            let (agent, cursor) = (self.agent.clone(), self.cursor);
            cx.push(Change::Message(MessageChange::SetBriefed { agent, cursor }));
        }
        Ok(Applied::new(()))
    }
}

impl Koor {
    /// What the calling agent has to know now, with the changes since that place: without one, since its last brief. With
    /// `wait`, as soon as there is something to know, at most that long. Moves nothing: see
    /// [`mark_briefed`](Self::mark_briefed).
    ///
    /// # Errors
    /// When the caller is no agent, the wait is too long, or the store can't be read.
    pub async fn brief(
        &self,
        caller: &Caller,
        since: Option<Cursor>,
        wait: Option<Duration>,
    ) -> Result<Brief, Error> {
        let time_is_up = match wait {
            Some(wait) => Some(self.inner.clock.sleep(check_wait("wait", wait)?)),
            None => None,
        };
        let agent = self.calling_agent(caller).await?;
        // Before the first look: what happens after it is heard of.
        let mut news = self.subscribe(TopicFilter::everything(), None);
        let mut arrivals = self.inner.lease_queue.arrivals();
        let mut brief = self.brief_now(&agent, since).await?;
        let Some(time_is_up) = time_is_up else { return Ok(brief) };
        let mut time_is_up = pin!(time_is_up);
        while brief.is_quiet() {
            select! {
                heard = news.next(1024) => {
                    let heard = heard?;
                    if heard.is_empty() {
                        break;
                    }
                    // Every event of the server comes by here; only few are a reason to look again.
                    let news = |delivery: &Delivery| match delivery {
                        Delivery::Event(frame) => {
                            let tally = Tally::new(&agent.scope, agent.instance_id, agent.name.as_str());
                            tally.may_be_news(frame.event())
                        }
                        Delivery::Gap(_) => true,
                    };
                    if !heard.iter().any(news) {
                        continue;
                    }
                }
                // The sender is in the queue, which outlives this.
                _ = arrivals.changed() => {}
                () = &mut time_is_up => break,
            }
            brief = self.brief_now(&agent, since).await?;
        }
        Ok(brief)
    }

    async fn brief_now(&self, agent: &CallingAgent, since: Option<Cursor>) -> Result<Brief, Error> {
        let asked = agent.clone();
        let (mut brief, leases) = self.read(move |tx| gather(tx, &asked, since)).await?;
        brief.leases = self.up_to_date(leases).into_iter().map(HeldLease::into_lease).collect();
        brief.waiting = self.inner.lease_queue.waiting_for(&brief.leases);
        let held = self.held_tasks(agent.instance_id).await?;
        brief.claims = held.iter().map(|task| json!(self.task_view(task))).collect();
        let Some(project) = agent.scope.project() else { return Ok(brief) };
        brief.budget = self.budget_with(project, held.iter().map(|task| task.id()).collect()).await?;
        let fitting = ReadyQuery::of(project, &agent.name, &agent.capabilities, &[]);
        let ready = self.ready_tasks(fitting, MAX_READY).await?;
        brief.ready.count = ready.len() as u64;
        brief.ready.next = ready.iter().take(SHOWN).map(|task| json!(self.task_view(task))).collect();
        let limit = Limit::new("limit", MAX_REVIEW)?;
        let in_review = TaskFilter { status: vec![TaskStatus::Review], ..TaskFilter::default() };
        let in_review = self.tasks(project.clone(), in_review, TaskOrder::Priority, limit).await?;
        brief.review = in_review.iter().map(|task| json!(self.task_view(task))).collect();
        Ok(brief)
    }

    /// Notes that a model was shown a brief that was asked for without moving anything: a hook says so once its client has taken
    /// the answer.
    ///
    /// # Errors
    /// When the caller is no agent, the place lies beyond the log, a message is not one of its own, or the store can't be
    /// written.
    pub async fn confirm_brief(
        &self,
        caller: &Caller,
        cursor: Cursor,
        shown: Vec<EventId>,
    ) -> Result<(), Error> {
        let last = self.read(|tx| Ok(tx.log_bounds()?.last)).await?;
        if cursor > last {
            return Err(Invalid::new(format!("cursor {cursor} lies beyond the last event, {last}")).into());
        }
        self.mark_briefed(caller, cursor, shown).await
    }

    /// Notes that the calling agent has seen a brief, and which of its messages it was shown.
    ///
    /// # Errors
    /// When the caller is no agent, or the store can't be written.
    pub async fn mark_briefed(
        &self,
        caller: &Caller,
        cursor: Cursor,
        shown: Vec<EventId>,
    ) -> Result<(), Error> {
        let agent = self.calling_agent(caller).await?;
        let agent = Mailbox::new(&agent.scope, agent.name);
        self.execute(caller, MarkBriefed { agent, cursor }).await?;
        if !shown.is_empty() {
            self.execute(caller, MarkMessages::new(caller, shown, Step::Surfaced)?).await?;
        }
        Ok(())
    }
}

fn gather(
    tx: &mut dyn ReadTx,
    agent: &CallingAgent,
    since: Option<Cursor>,
) -> StoreResult<(Brief, Vec<HeldLease>)> {
    let mailbox = Mailbox::new(&agent.scope, agent.name.clone());
    let last = tx.log_bounds()?.last;
    let since = match since {
        Some(since) => since,
        // The first brief has no changes.
        None => tx.briefed(&mailbox)?.unwrap_or(last),
    };
    let mut tally = Tally::new(&agent.scope, agent.instance_id, agent.name.as_str());
    let everything = EventFilter { topics: TopicFilter::everything(), ..EventFilter::default() };
    let (mut after, mut looked_at) = (since, 0);
    while after < last && looked_at < MAX_EVENTS {
        let page = tx.events_after(after, &everything, PAGE)?;
        page.events.iter().for_each(|event| tally.add(event));
        looked_at += page.events.len().max(1);
        after = page.through;
    }
    let (changes, rules_changed, violations) = tally.finish();
    let unread = MessageFilter { unread: true, ..MessageFilter::default() };
    let mut messages: Vec<Listed> = tx.inbox(&mailbox, &unread, MAX_LOOKED_AT)?;
    messages.sort_by_key(|listed| !listed.message.urgent);
    messages.truncate(MAX_MESSAGES);
    let brief = Brief {
        cursor: last,
        agent: mailbox.signature(),
        messages,
        claims: Vec::new(),
        ready: ReadyTasks::default(),
        review: Vec::new(),
        leases: Vec::new(),
        waiting: Vec::new(),
        changes,
        rules_changed,
        violations,
        budget: None,
        unread: tx.unread(&mailbox)?,
    };
    Ok((brief, tx.leases_of_instance(agent.instance_id)?))
}
