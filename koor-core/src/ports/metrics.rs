//! The counters of each instance.

use crate::{
    domain::metrics::{MetricFilter, MetricRow},
    ports::StoreResult,
};

/// The counters.
pub trait MetricsRepo {
    /// Matching counters: newest period first, then by name, then by instance.
    fn metrics(&mut self, filter: &MetricFilter) -> StoreResult<Vec<MetricRow>>;
}
