//! Setting the call counters to zero.

use crate::{
    caller::Access,
    command::{Command, Done, Intent, Work},
    domain::audit::Action,
    error::Error,
};

/// Records that the call counters are set to zero; [`Koor::reset_calls`](crate::Koor::reset_calls) does it.
#[derive(Debug)]
pub struct ResetMetrics;

impl Command for ResetMetrics {
    type Output = ();

    fn intent(&self) -> Intent {
        Intent::to(Action::MetricsReset, "", Access::Admin("reset metrics"))
    }

    fn apply(&self, _: &mut Work<'_>) -> Result<Done<()>, Error> {
        Ok(Done::new(()))
    }
}
