//! Copying everything from one store into another, whatever technology either is of.

use std::{ops::ControlFlow, sync::Arc};

use serde::Serialize;
use tokio::sync::oneshot;

use crate::{
    caller::Caller,
    clock::{SystemClock, Timestamp},
    command::{CommandContext, Housekeeping},
    domain::{
        audit::AuditFilter,
        compliance::RunFilter,
        events::EventFilter,
        instances::InstanceFilter,
        metrics::MetricFilter,
        rules::RuleFilter,
        tasks::{TaskId, TaskMove},
    },
    error::Error,
    execute::execute,
    ids::{Cursor, DocumentKey, UsageId, Version},
    pattern::TopicFilter,
    ports::{
        BudgetChange, Change, DocumentChange, EventChange, EveryNoun, FactSet, InstanceChange, LeaseChange,
        MessageChange, ReadTx, RuleChange, RunChange, Store, StoreError, StoreResult, TaskChange,
        TemplateChange, WebhookChange,
    },
    settings::Settings,
};

/// Documents, entries and records are read so many at a time, at most.
const PAGE: usize = 1024;

/// Why a store was not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The target has something in it.
    #[error("the target is not empty: copy into a new database")]
    NotEmpty,
    /// What the target has is not what the source had.
    #[error("the copy differs from the source at item {at}: do not use it, and report this")]
    Differs {
        /// Which of the items it is.
        at: usize,
    },
    /// One of the stores failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The target refused.
    #[error(transparent)]
    Refused(#[from] Error),
}

/// What was copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "each counts what it is named for")]
pub struct Copied {
    pub document_versions: usize,
    pub events: usize,
    pub instances: usize,
    pub tasks: usize,
    pub messages: usize,
    pub audit: usize,
    /// Everything, these included.
    pub items: usize,
}

/// Copies everything in one commit, so that the target has all of it or nothing; then reads it back and compares. It is held in
/// memory meanwhile, once.
///
/// Versions, ids, tokens, secrets and the audit chain stay what they are. No server should write to the source.
///
/// # Errors
/// When the target is not empty, a store fails, or the copy differs from its source.
pub async fn copy_store(from: &dyn Store, to: &dyn Store) -> Result<Copied, CopyError> {
    let nothing = Change::Event(EventChange::SetPruned { user: Cursor::START, system: Cursor::START });
    if feed(to, Compared::with(Arc::new(vec![nothing]))).await?.difference().is_some() {
        return Err(CopyError::NotEmpty);
    }
    let changes = Arc::new(feed(from, Collected::default()).await?.0);
    let work = {
        let changes = Arc::clone(&changes);
        move |cx: &mut CommandContext<'_>| {
            for change in &*changes {
                cx.push(change.clone());
            }
            Ok(())
        }
    };
    let command = Housekeeping { reads: FactSet::default(), work };
    let (clock, settings) = (Arc::new(SystemClock), Arc::new(Settings::default()));
    execute(to.committer(), clock, settings, &Caller::server("copy"), command).await?;
    if let Some(at) = feed(to, Compared::with(Arc::clone(&changes))).await?.difference() {
        return Err(CopyError::Differs { at });
    }
    let count = |is: fn(&Change) -> bool| changes.iter().filter(|change| is(change)).count();
    Ok(Copied {
        document_versions: count(|change| matches!(change, Change::Document(_))),
        events: count(|change| matches!(change, Change::Event(EventChange::Restore(_)))),
        instances: count(|change| matches!(change, Change::Instance(InstanceChange::Put(_)))),
        tasks: count(|change| matches!(change, Change::Task(TaskChange::Put(_)))),
        messages: count(|change| matches!(change, Change::Message(MessageChange::Append(_)))),
        audit: count(|change| matches!(change, Change::AppendAudit(_))),
        items: changes.len(),
    })
}

/// Where everything that a store holds goes, item by item.
trait Sink: Send + 'static {
    /// Takes an item, and says whether more are wanted.
    fn take(&mut self, change: Change) -> ControlFlow<()>;
}

/// Keeps everything.
#[derive(Default)]
struct Collected(Vec<Change>);

impl Sink for Collected {
    fn take(&mut self, change: Change) -> ControlFlow<()> {
        self.0.push(change);
        ControlFlow::Continue(())
    }
}

/// Compares everything with a list, and keeps nothing.
struct Compared {
    with: Arc<Vec<Change>>,
    /// How many were equal.
    equal: usize,
    /// Whether one was not.
    differs: bool,
}

impl Compared {
    fn with(with: Arc<Vec<Change>>) -> Self {
        Self { with, equal: 0, differs: false }
    }

    /// The first item that is not in both.
    fn difference(&self) -> Option<usize> {
        (self.differs || self.equal < self.with.len()).then_some(self.equal)
    }
}

impl Sink for Compared {
    fn take(&mut self, change: Change) -> ControlFlow<()> {
        if self.with.get(self.equal) == Some(&change) {
            self.equal += 1;
            return ControlFlow::Continue(());
        }
        self.differs = true;
        ControlFlow::Break(())
    }
}

/// Hands a sink everything that a store holds, as the changes that make it, in an order that is the same for every technology.
async fn feed<S: Sink>(store: &dyn Store, sink: S) -> StoreResult<S> {
    let (fed, answer) = oneshot::channel();
    let job = move |tx: &mut dyn ReadTx| {
        let mut changes = Changes(sink);
        if let Err(Early::Failed(error)) = changes.visit(tx) {
            return Err(error);
        }
        // A caller that has gone away does not need to know.
        let _ = fed.send(changes.0);
        Ok(())
    };
    store.read_detached(Box::new(job)).await?;
    answer.await.map_err(|_| StoreError::Closed)
}

/// Why not everything was handed out.
enum Early {
    /// The sink wanted no more.
    Enough,
    Failed(StoreError),
}

impl From<StoreError> for Early {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

struct Changes<S>(S);

impl<S: Sink> Changes<S> {
    fn add(&mut self, changes: impl IntoIterator<Item = Change>) -> Result<(), Early> {
        for change in changes {
            if self.0.take(change).is_break() {
                return Err(Early::Enough);
            }
        }
        Ok(())
    }
}

impl<S: Sink> EveryNoun for Changes<S> {
    type Error = Early;

    fn documents(&mut self, tx: &mut dyn ReadTx) -> Result<(), Early> {
        let mut after: Option<(DocumentKey, Version)> = None;
        loop {
            let place = after.as_ref().map(|(key, version)| (key, *version));
            let page = tx.documents_after(place, PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some((last.key.clone(), last.revision.version));
            self.add(
                page.into_iter().map(|document| Change::Document(DocumentChange::Append(Arc::new(document)))),
            )?;
        }
    }

    fn events(&mut self, tx: &mut dyn ReadTx) -> Result<(), Early> {
        let bounds = tx.log_bounds()?;
        let everything = EventFilter { topics: TopicFilter::everything(), ..EventFilter::default() };
        let mut after = Cursor::START;
        while after < bounds.last {
            let page = tx.events_after(after, &everything, PAGE)?;
            after = page.through;
            self.add(page.events.into_iter().map(|event| Change::Event(EventChange::Restore(event))))?;
        }
        // Last: the end of the log moves to what was pruned, and never back.
        let (user, system) = (bounds.pruned_user, bounds.pruned_system);
        self.add([Change::Event(EventChange::SetPruned { user, system })])?;
        Ok(())
    }

    fn instances(&mut self, tx: &mut dyn ReadTx) -> Result<(), Early> {
        let instances = tx.instances(&InstanceFilter::default())?.into_iter();
        self.add(instances.map(|instance| Change::Instance(InstanceChange::Put(instance))))?;
        let tokens = tx.instance_tokens()?.into_iter();
        self.add(tokens.map(|(id, token)| Change::Instance(InstanceChange::SetToken { id, token })))?;
        Ok(())
    }

    fn rules(&mut self, tx: &mut dyn ReadTx) -> Result<(), Early> {
        let rules = tx.rules(&RuleFilter::default())?.into_iter();
        self.add(rules.map(|rule| Change::Rule(RuleChange::Put(rule))))?;
        Ok(())
    }

    fn webhooks(&mut self, tx: &mut dyn ReadTx) -> Result<(), Early> {
        for webhook in tx.webhooks()? {
            let id = webhook.id.clone();
            let deliveries = tx.deliveries(&id)?;
            self.add([Change::Webhook(WebhookChange::Put(webhook))])?;
            self.add(deliveries.into_iter().rev().map(|delivery| {
                Change::Webhook(WebhookChange::AppendDelivery { id: id.clone(), delivery })
            }))?;
        }
        Ok(())
    }

    fn compliance(&mut self, tx: &mut dyn ReadTx) -> Result<(), Early> {
        let runs = tx.runs(&RunFilter::default(), usize::MAX)?;
        self.add(runs.into_iter().rev().map(|run| Change::Run(RunChange::Append(run))))?;
        Ok(())
    }

    fn templates(&mut self, tx: &mut dyn ReadTx) -> Result<(), Early> {
        for listed in tx.templates(None, None)? {
            let template = tx.template(&listed.id)?;
            self.add(template.map(|template| Change::Template(TemplateChange::Put(template))))?;
        }
        Ok(())
    }

    fn tasks(&mut self, tx: &mut dyn ReadTx) -> Result<(), Early> {
        let mut after = None;
        loop {
            let page = tx.tasks_after(after.as_ref(), PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id());
            for task in page {
                let id = task.id();
                let (links, moved) =
                    (task.after.clone(), TaskMove { id: id.clone(), from: None, to: task.column() });
                let notes = tx.task_notes(&id, 0, usize::MAX)?;
                self.add(
                    [
                        TaskChange::Put(task),
                        TaskChange::Link { id: id.clone(), after: links },
                        TaskChange::Count(moved),
                    ]
                    .map(Change::Task),
                )?;
                self.add(
                    notes
                        .into_iter()
                        .map(|note| Change::Task(TaskChange::AppendNote { id: id.clone(), note })),
                )?;
                let holds = tx.task_holds(&id)?.into_iter();
                self.add(holds.map(|hold| Change::Task(TaskChange::AppendHold { id: id.clone(), hold })))?;
            }
        }
    }

    fn audit(&mut self, tx: &mut dyn ReadTx) -> Result<(), Early> {
        let mut filter = AuditFilter { after: Some(0), ..AuditFilter::default() };
        loop {
            let page = tx.audit(&filter, PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            filter.after = Some(last.entry.id.get());
            self.add(page.into_iter().map(Change::AppendAudit))?;
        }
    }

    fn metrics(&mut self, tx: &mut dyn ReadTx) -> Result<(), Early> {
        let rows = tx.metrics(&MetricFilter::default())?;
        self.add(rows.into_iter().map(Change::AddMetric))?;
        Ok(())
    }

    fn usage(&mut self, tx: &mut dyn ReadTx) -> Result<(), Early> {
        let mut after: Option<UsageId> = None;
        loop {
            let page = tx.usage_after(after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            self.add(page.into_iter().map(Change::AppendUsage))?;
        }
        self.add(tx.sessions()?.into_iter().map(Change::PutSession))?;
        Ok(())
    }

    fn budgets(&mut self, tx: &mut dyn ReadTx) -> Result<(), Early> {
        let budgets = tx.budgets()?.into_iter();
        self.add(budgets.map(|budget| Change::Budget(BudgetChange::Put(budget))))?;
        let mut after: Option<TaskId> = None;
        loop {
            let page = tx.task_costs_after(after.as_ref(), PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.task.clone());
            self.add(page.into_iter().map(|cost| Change::Budget(BudgetChange::PutTaskCost(cost))))?;
        }
    }

    fn leases(&mut self, tx: &mut dyn ReadTx) -> Result<(), Early> {
        for (project, last) in tx.last_leases()? {
            let held = tx.leases(&project, None)?.into_iter();
            self.add(held.map(|held| Change::Lease(LeaseChange::Put(held.lease))))?;
            self.add([Change::Lease(LeaseChange::SetLast { project, last })])?;
        }
        Ok(())
    }

    fn messages(&mut self, tx: &mut dyn ReadTx) -> Result<(), Early> {
        let mut after = 0;
        loop {
            let page = tx.messages_after(after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.message.id.get();
            self.add(page.into_iter().map(|delivered| Change::Message(MessageChange::Append(delivered))))?;
        }
        let gone = tx.agents_gone_by(Timestamp::LAST)?.into_iter();
        self.add(gone.map(|gone| Change::Message(MessageChange::PutGone(gone))))?;
        let briefed = tx.all_briefed()?.into_iter();
        self.add(
            briefed.map(|(agent, cursor)| Change::Message(MessageChange::SetBriefed { agent, cursor })),
        )?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pruned(user: u64) -> Change {
        Change::Event(EventChange::SetPruned { user: Cursor::new(user), system: Cursor::START })
    }

    #[test]
    fn a_comparison_names_the_first_item_that_is_not_in_both() {
        let mut compared = Compared::with(Arc::new(vec![pruned(1), pruned(2)]));
        let mut take = |change| (compared.take(change).is_break(), compared.difference());
        assert_eq!(take(pruned(1)), (false, Some(1)), "one is missing");
        assert_eq!(take(pruned(2)), (false, None));
        assert_eq!(take(pruned(3)), (true, Some(2)), "one is too many");
        let mut compared = Compared::with(Arc::new(vec![pruned(1)]));
        assert!(compared.take(pruned(2)).is_break());
        assert_eq!(compared.difference(), Some(0));
    }
}
