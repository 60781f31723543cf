//! What time does to tasks: claims end, and pauses.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use super::{finish::ExpireClaim, keep::Touch};
use crate::{
    app::Koor,
    caller::Caller,
    clock::Timestamp,
    domain::tasks::{Task, TaskId},
    error::Error,
    ids::InstanceId,
    ports::FactSet,
    use_cases::expiry::{Verdict, judge},
};

/// Under which name claims expire.
const MONITOR: &str = "task-monitor";

/// How many tasks are looked at together: each page is one commit, and others wait while it is made.
const PAGE: usize = 256;

impl Koor {
    /// Announces the tasks whose pause is over, and takes tasks from holders that have been silent for as long as their
    /// lease. Answers how many claims have expired.
    ///
    /// # Errors
    /// When the store can't be read or written.
    pub async fn watch_tasks(&self) -> Result<usize, Error> {
        self.announce_due_tasks().await?;
        let mut expired = 0;
        loop {
            let now = self.now();
            let ending = self.read(move |tx| {
                let claims = tx.ending_claims(now, PAGE)?;
                let mut seen = HashMap::new();
                for holder in claims.iter().filter_map(|task| Some(task.claim.as_ref()?.instance_id)) {
                    if let Some(instance) = tx.instance(holder)? {
                        seen.insert(holder, instance.last_seen);
                    }
                }
                Ok((claims, seen))
            });
            let (claims, stored) = ending.await?;
            let is_last = claims.len() < PAGE;
            let settled = self.settle_claims(claims, &stored, now).await?;
            expired += settled.expired;
            self.inner.activity.expirations.fetch_add(settled.expired as u64, Relaxed);
            // Claims that remain uncertain are looked at again in the next round.
            if is_last || settled.changed == 0 {
                return Ok(expired);
            }
        }
    }

    async fn settle_claims(
        &self,
        claims: Vec<Arc<Task>>,
        stored: &HashMap<InstanceId, Timestamp>,
        now: Timestamp,
    ) -> Result<Settled, Error> {
        let mut settled = Settled::default();
        let mut renewed = HashMap::new();
        for task in claims {
            let Some(claim) = &task.claim else { continue };
            let heard = self.inner.activity.last_seen(claim.instance_id);
            let last_seen = heard.max(stored.get(&claim.instance_id).copied());
            match judge(claim.ends_at(last_seen), last_seen, self.hears_all_since(), now) {
                Verdict::Renewed(ends) => drop(renewed.insert(task.id(), (claim.fence, ends))),
                Verdict::Uncertain => {}
                Verdict::Ended => {
                    let expire = ExpireClaim { id: task.id(), fence: claim.fence, last_seen };
                    let done = self.execute(&Caller::server(MONITOR), expire).await?;
                    settled.expired += usize::from(done.output);
                    settled.changed += 1;
                }
            }
        }
        if !renewed.is_empty() {
            settled.changed += renewed.len();
            let reads = FactSet { tasks: renewed.keys().cloned().collect(), ..FactSet::default() };
            self.housekeep(MONITOR, reads, move |cx| {
                for (id, (fence, ends)) in &renewed {
                    let before = cx.task(id)?;
                    let mut task = (*before).clone();
                    if let Some(claim) = task.claim.as_mut().filter(|claim| claim.fence == *fence) {
                        claim.expires_at = claim.expires_at.max(*ends);
                        cx.keep_task(Some(&before), task, Touch::Renewal, &[], "")?;
                    }
                }
                Ok(())
            })
            .await?;
        }
        Ok(settled)
    }

    /// Announces that tasks can be claimed which were not to be claimed before now.
    async fn announce_due_tasks(&self) -> Result<(), Error> {
        loop {
            let now = self.now();
            let due = self.read(move |tx| tx.due_tasks(None, now, PAGE)).await?;
            if due.is_empty() {
                return Ok(());
            }
            let is_last = due.len() < PAGE;
            let ids: Vec<TaskId> = due.iter().map(|task| task.id()).collect();
            let reads = FactSet { tasks: ids.iter().cloned().collect(), ..FactSet::default() };
            let announced = self.housekeep(MONITOR, reads, move |cx| {
                let mut announced = 0;
                for id in &ids {
                    let before = cx.task(id)?;
                    if before.is_delayed() && before.is_ready(cx.now) {
                        cx.keep_task(Some(&before), (*before).clone(), Touch::Readiness, &[], "")?;
                        announced += 1;
                    }
                }
                Ok(announced)
            });
            // Where the clock has jumped back, none is.
            if announced.await? == 0 || is_last {
                return Ok(());
            }
        }
    }
}

#[derive(Debug, Default)]
struct Settled {
    expired: usize,
    changed: usize,
}
