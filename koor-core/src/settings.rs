//! What can be set about how the core behaves.

use std::time::Duration;

use crate::domain::{LeaseTime, prices::PriceTable, webhooks::Secret};

/// Settings of the core. The defaults are those of a server without configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What admins show; without it, everybody is one.
    pub server_token: Option<Secret>,
    /// How many events of users are kept.
    pub event_retention: u64,
    /// How many system events are kept.
    pub change_retention: u64,
    /// How many versions of a document are kept before the newest; `None` keeps all.
    pub history_limit: Option<u64>,
    /// After how much silence an active instance is stale.
    pub stale_after: Duration,
    /// How often the contracts of active instances are checked.
    pub compliance_every: Duration,
    /// For how long a task is claimed where the claim does not say.
    pub task_lease: LeaseTime,
    /// For how long paths are leased where the lease does not say.
    pub path_lease: LeaseTime,
    /// How many leases an instance can hold: whatever can grow has a bound.
    pub leases_per_agent: u64,
    /// For how long messages are kept after they were read.
    pub message_retention: Duration,
    /// What models cost, where a client reports tokens and no dollars.
    pub prices: PriceTable,
    /// How many of the newest events are held in memory for subscribers that are up to date.
    pub tail_events: usize,
    /// How many bytes these may take together.
    pub tail_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            server_token: None,
            event_retention: 1_000,
            change_retention: 10_000,
            history_limit: None,
            stale_after: Duration::from_mins(5),
            compliance_every: Duration::from_mins(5),
            task_lease: LeaseTime::minutes(15),
            path_lease: LeaseTime::minutes(30),
            // As many files as a large change touches, each by itself.
            leases_per_agent: 10_000,
            message_retention: Duration::from_hours(30 * 24),
            prices: PriceTable::default(),
            // A second of what one server can take in, and no more memory than a small cache.
            tail_events: 16_384,
            tail_bytes: 16 << 20,
        }
    }
}
