//! Heartbeats and counters are written down.

use std::time::Duration;

use crate::{app::Koor, error::Error};

/// What a crash can lose of them.
pub(super) const EVERY: Duration = Duration::from_secs(5);

pub(super) async fn turn(koor: Koor) -> Result<(), Error> {
    koor.flush_activity().await
}
