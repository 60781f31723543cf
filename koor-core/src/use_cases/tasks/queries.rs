//! What is asked about tasks, and waiting for them.

use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::select;

use super::{ClaimRequest, Claimed, TaskSummary, TaskView, claim::ClaimTask};
use crate::{
    announcement::SystemTopic,
    app::Koor,
    caller::Caller,
    command::Committed,
    domain::tasks::{ReadyQuery, Task, TaskFilter, TaskId, TaskNote, TaskOrder},
    error::{Error, Invalid},
    hub::Subscription,
    ids::ProjectName,
    page::Limit,
    pattern::{Pattern, TopicFilter},
    use_cases::state::check_wait,
};

/// How many notes are read at a time.
const NOTES: usize = 1_000;

/// How many due tasks are counted: they are announced within a second, so there are few.
const MOST_DUE: usize = 10_000;

impl Koor {
    /// A task as clients see it now.
    #[must_use]
    pub fn task_view(&self, task: &Task) -> TaskView {
        let holder = task.claim.as_ref().map(|claim| claim.instance_id);
        let last_seen = holder.and_then(|id| self.inner.activity.last_seen(id));
        TaskView::new(task, self.now(), last_seen)
    }

    /// The task of that number.
    ///
    /// # Errors
    /// When there is none.
    pub async fn task(&self, id: &TaskId) -> Result<Arc<Task>, Error> {
        let wanted = id.clone();
        self.read(move |tx| tx.task(&wanted)).await?.ok_or_else(|| Error::not_found("task", id))
    }

    /// Matching tasks of a project.
    ///
    /// # Errors
    /// When they are to be listed by priority after a number, or the store can't be read.
    pub async fn tasks(
        &self,
        project: ProjectName,
        filter: TaskFilter,
        order: TaskOrder,
        limit: Limit,
    ) -> Result<Vec<Arc<Task>>, Error> {
        if order == TaskOrder::Priority && filter.after_number > 0 {
            return Err(Invalid::new("after_number can only be used with order=number").into());
        }
        self.read(move |tx| tx.tasks(&project, &filter, order, limit.get())).await
    }

    /// How many tasks each project has, by project.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn task_summaries(&self) -> Result<Vec<TaskSummary>, Error> {
        let now = self.now();
        self.read(move |tx| {
            let due = tx.due_tasks(None, now, MOST_DUE)?;
            let due_of =
                |project: &ProjectName| due.iter().filter(|task| task.project == *project).count() as u64;
            let counts = tx.all_task_counts()?;
            Ok(counts.iter().map(|counts| TaskSummary::new(counts, due_of(&counts.project))).collect())
        })
        .await
    }

    /// The notes of a task, oldest first.
    ///
    /// # Errors
    /// When there is no such task.
    pub async fn task_notes(&self, id: &TaskId) -> Result<Vec<TaskNote>, Error> {
        let wanted = id.clone();
        let found = self.read(move |tx| {
            if tx.task(&wanted)?.is_none() {
                return Ok(None);
            }
            let mut notes: Vec<TaskNote> = Vec::new();
            loop {
                let page = tx.task_notes(&wanted, notes.last().map_or(0, |note| note.id), NOTES)?;
                if page.is_empty() {
                    return Ok(Some(notes));
                }
                notes.extend(page);
            }
        });
        found.await?.ok_or_else(|| Error::not_found("task", id))
    }

    /// The tasks that an instance holds.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn held_tasks(&self, holder: crate::ids::InstanceId) -> Result<Vec<Arc<Task>>, Error> {
        self.read(move |tx| tx.held_tasks(holder)).await
    }

    /// The first tasks of a project that the agent could claim.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn ready_tasks(&self, queries: [ReadyQuery; 2], limit: usize) -> Result<Vec<Arc<Task>>, Error> {
        let [unassigned, own] = queries;
        self.read(move |tx| {
            let mut found = tx.ready_tasks(&unassigned, limit)?;
            found.extend(tx.ready_tasks(&own, limit)?);
            found.sort_by_key(|task| (task.priority, task.number));
            found.truncate(limit);
            Ok(found)
        })
        .await
    }

    /// Waits until a task is past that version (without one: past the version it has now), at most so long. `None` when
    /// the time is up.
    ///
    /// # Errors
    /// When there is no such task, or the wait is too long to ask for.
    pub async fn wait_for_task(
        &self,
        id: &TaskId,
        past: Option<u64>,
        wait: Duration,
    ) -> Result<Option<Arc<Task>>, Error> {
        let mut time_is_up = pin!(self.inner.clock.sleep(check_wait("wait", wait)?));
        // Before the first look: what changes after it is heard of.
        let mut changes = self.task_changes()?;
        let mut past = past;
        loop {
            let task = self.task(id).await?;
            let version = task.version.get();
            if version > *past.get_or_insert(version) {
                return Ok(Some(task));
            }
            let heard = select! {
                heard = changes.next(1024) => heard?,
                () = &mut time_is_up => return Ok(None),
            };
            if heard.is_empty() {
                return Ok(None);
            }
        }
    }

    /// Claims a task for the calling agent: the next that suits it, or the one it names. Where there is none, it waits at
    /// most so long for one. A caller that goes away while it waits never gets one.
    ///
    /// # Errors
    /// When the caller has no instance, works elsewhere, or cannot have the task it names.
    pub async fn claim_task(
        &self,
        caller: &Caller,
        project: ProjectName,
        request: ClaimRequest,
        wait: Duration,
    ) -> Result<Committed<Claimed>, Error> {
        let mut time_is_up = pin!(self.inner.clock.sleep(check_wait("wait", wait)?));
        let mut changes = if wait.is_zero() {
            None
        } else {
            Some(self.subscribe(topics(&[SystemTopic::TaskReady])?, None))
        };
        loop {
            let known = self.calling_agent(caller).await?;
            let claim = ClaimTask::new(self, project.clone(), request.clone(), known);
            let asked_at = self.now();
            let claimed = self.execute(caller, claim).await;
            if let Ok(Committed { output: Claimed::Task(task), .. }) = &claimed
                // Not one that it had already.
                && task.claim.as_ref().is_some_and(|claim| claim.claimed_at >= asked_at)
            {
                self.inner.activity.claims.fetch_add(1, Relaxed);
            }
            let waits = match &claimed {
                Ok(Committed { output: Claimed::Nothing(_), .. }) => true,
                Err(Error::Conflict(_)) => request.number.is_some(),
                Ok(_) | Err(_) => false,
            };
            let Some(changes) = changes.as_mut().filter(|_| waits) else { return claimed };
            let heard = select! {
                heard = changes.next(1024) => heard?,
                () = &mut time_is_up => return claimed,
            };
            if heard.is_empty() {
                return claimed;
            }
        }
    }

    fn task_changes(&self) -> Result<Subscription, Error> {
        Ok(self.subscribe(TopicFilter::new(vec![Pattern::new("$task.*")?]), None))
    }
}

fn topics(topics: &[SystemTopic]) -> Result<TopicFilter, Error> {
    let patterns: Result<Vec<Pattern>, Invalid> =
        topics.iter().map(|topic| Pattern::new(topic.as_str())).collect();
    Ok(TopicFilter::new(patterns?))
}
