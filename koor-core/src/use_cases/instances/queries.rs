//! Instances: who is there, and who has fallen silent.

use std::sync::Arc;

use crate::{
    app::Koor,
    caller::{Access, Caller},
    command::Committed,
    domain::instances::{Instance, InstanceFilter},
    error::Error,
    ids::InstanceId,
    ports::FactSet,
    use_cases::instances::commands::{CheckLiveness, mark_stale, record_heartbeat},
};

impl Koor {
    /// Matching instances, last seen first.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn instances(&self, filter: InstanceFilter) -> Result<Vec<Instance>, Error> {
        let mut found = self.read(move |tx| tx.instances(&filter)).await?;
        for instance in &mut found {
            self.inner.activity.bring_up_to_date(instance);
        }
        found.sort_by(|a, b| b.last_seen.cmp(&a.last_seen).then(a.id.cmp(&b.id)));
        Ok(found)
    }

    /// The instance of that id.
    ///
    /// # Errors
    /// When there is none.
    pub async fn instance(&self, id: InstanceId) -> Result<Instance, Error> {
        let found = self.read(move |tx| tx.instance(id)).await?;
        let mut instance = found.ok_or_else(|| Error::not_found("instance", id))?;
        self.inner.activity.bring_up_to_date(&mut instance);
        Ok(instance)
    }

    /// Notes that an instance is alive; a stale one becomes active again.
    ///
    /// # Errors
    /// When the caller may not speak for it, or there is none.
    pub async fn heartbeat(&self, caller: &Caller, id: InstanceId) -> Result<(), Error> {
        Access::Own(id, "speak for another instance").check(caller)?;
        self.revive(id).await
    }

    pub(crate) async fn revive(&self, id: InstanceId) -> Result<(), Error> {
        let reads = FactSet { instances: [id].into(), ..FactSet::default() };
        self.housekeep("liveness-monitor", reads, move |cx| {
            let seen = cx.now;
            record_heartbeat(cx, id, seen)?.ok_or_else(|| Error::not_found("instance", id))
        })
        .await
    }

    /// Marks the active instances that have been silent for too long, because the caller asks for it.
    ///
    /// # Errors
    /// When the caller may not.
    pub async fn check_liveness(&self, caller: &Caller) -> Result<Committed<Vec<Instance>>, Error> {
        self.flush_activity().await?;
        self.execute(caller, CheckLiveness).await
    }

    /// Marks the active instances that have been silent for too long, because it is time to.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn watch_liveness(&self) -> Result<Vec<Instance>, Error> {
        self.flush_activity().await?;
        let reads = FactSet { active_instances: [()].into(), ..FactSet::default() };
        self.housekeep("liveness-monitor", reads, mark_stale).await
    }

    /// Writes down who was heard of and what was counted since the last time.
    ///
    /// # Errors
    /// When the store can't be written; nothing is lost then.
    pub async fn flush_activity(&self) -> Result<(), Error> {
        let notes = Arc::new(self.inner.activity.take());
        if notes.is_empty() {
            return Ok(());
        }
        let written = {
            let notes = Arc::clone(&notes);
            let instances = notes.seen.keys().copied().collect();
            let reads = FactSet { instances, ..FactSet::default() };
            self.housekeep("activity", reads, move |cx| {
                for (&id, &seen) in &notes.seen {
                    record_heartbeat(cx, id, seen)?;
                }
                for row in notes.rows() {
                    cx.add_metric(row);
                }
                Ok(())
            })
            .await
        };
        if written.is_err() {
            self.inner.activity.give_back(&notes);
        }
        written
    }
}
