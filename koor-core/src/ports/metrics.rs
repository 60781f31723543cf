//! The counters of each instance.

use crate::{
    domain::metrics::{MetricFilter, MetricRow},
    ports::StoreResult,
};

/// The read half of the counters.
pub trait MetricsRead {
    /// Matching counters: newest period first, then by name, then by instance.
    fn metrics(&mut self, filter: &MetricFilter) -> StoreResult<Vec<MetricRow>>;
}

/// The whole of it.
pub trait MetricsRepo: MetricsRead {
    /// Adds to the counter of that instance, name and period, which begins at zero.
    fn add_metric(&mut self, row: &MetricRow) -> StoreResult<()>;
}
