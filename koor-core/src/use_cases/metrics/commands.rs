//! Setting the call counters to zero.

use crate::{
    caller::Access,
    command::{Applied, Command, CommandContext, Operation},
    domain::{audit::Action, metrics::MetricRow},
    error::Error,
    ports::Change,
};

/// Records that the call counters are set to zero; [`Koor::reset_calls`](crate::Koor::reset_calls) does it.
#[derive(Debug)]
pub struct ResetMetrics;

impl Command for ResetMetrics {
    type Output = ();

    fn operation(&self) -> Operation {
        Operation::to(Action::MetricsReset, "", Access::Admin("reset metrics"))
    }

    fn apply(&self, _: &mut CommandContext<'_>) -> Result<Applied<()>, Error> {
        Ok(Applied::new(()))
    }
}

impl CommandContext<'_> {
    /// Adds to a counter.
    pub fn add_metric(&mut self, row: MetricRow) {
        self.push(Change::AddMetric(row));
    }
}
