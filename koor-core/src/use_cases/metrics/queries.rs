//! Counters, and the server in numbers.

use std::{collections::BTreeMap, sync::atomic::Ordering::Relaxed};

use crate::{
    app::Koor,
    domain::metrics::{Metric, MetricFilter, MetricRow},
    error::Error,
    ids::{Cursor, InstanceId},
    ports::Commits,
};

/// The server in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerMetrics {
    /// How many state documents there are.
    pub state_keys: u64,
    /// How many instances are registered.
    pub instances: u64,
    /// The last event there ever was.
    pub last_event_id: Cursor,
}

/// What the core has done since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuntimeStats {
    /// What the store has written.
    pub commits: Commits,
    /// How often webhooks were called.
    pub deliveries: u64,
    /// How often that failed.
    pub failed_deliveries: u64,
    /// How many tasks were claimed.
    pub claims: u64,
    /// How many claims expired.
    pub expirations: u64,
    /// How many leases were taken.
    pub leases_taken: u64,
    /// How many leases expired.
    pub lease_expirations: u64,
    /// How many callers wait for paths.
    pub lease_waiters: u64,
    /// How many messages were sent.
    pub messages_sent: u64,
}

/// What there is of coordinated work beside tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoordinationMetrics {
    /// How many leases are held.
    pub leases: u64,
    /// How many entries of all inboxes are unread.
    pub unread: u64,
}

impl Koor {
    /// What the core has done since it was opened.
    #[must_use]
    pub fn runtime_stats(&self) -> RuntimeStats {
        let activity = &self.inner.activity;
        RuntimeStats {
            commits: self.inner.store.committer().commits(),
            deliveries: activity.deliveries.load(Relaxed),
            failed_deliveries: activity.failed_deliveries.load(Relaxed),
            claims: activity.claims.load(Relaxed),
            expirations: activity.expirations.load(Relaxed),
            leases_taken: self.inner.live.counts.leases_taken.load(Relaxed),
            lease_expirations: self.inner.live.counts.lease_expirations.load(Relaxed),
            lease_waiters: self.inner.lease_queue.len() as u64,
            messages_sent: self.inner.live.counts.messages_sent.load(Relaxed),
        }
    }

    /// What there is of coordinated work beside tasks, counted: for those who watch the server.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn coordination_metrics(&self) -> Result<CoordinationMetrics, Error> {
        self.read(|tx| Ok(CoordinationMetrics { leases: tx.lease_count(None)?, unread: tx.all_unread()? }))
            .await
    }

    /// The server in numbers.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn server_metrics(&self) -> Result<ServerMetrics, Error> {
        self.read(|tx| {
            Ok(ServerMetrics {
                state_keys: tx.state_count()?,
                instances: tx.instance_count()?,
                last_event_id: tx.log_bounds()?.last,
            })
        })
        .await
    }

    /// Matching counters: newest period first, then by name; those not written down yet included.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn agent_metrics(&self, filter: MetricFilter) -> Result<Vec<MetricRow>, Error> {
        self.flush_activity().await?;
        self.read(move |tx| tx.metrics(&filter)).await
    }

    /// Matching counters summed up for each instance.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn agent_totals(
        &self,
        filter: MetricFilter,
    ) -> Result<BTreeMap<InstanceId, BTreeMap<Metric, u64>>, Error> {
        let mut totals: BTreeMap<InstanceId, BTreeMap<Metric, u64>> = BTreeMap::new();
        for row in self.agent_metrics(filter).await? {
            *totals.entry(row.instance_id).or_default().entry(row.metric_name).or_default() +=
                row.metric_value;
        }
        Ok(totals)
    }
}
