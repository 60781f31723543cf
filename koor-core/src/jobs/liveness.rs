//! Instances that have fallen silent become stale.

use std::time::Duration;

use crate::{app::Koor, error::Error};

pub(super) const EVERY: Duration = Duration::from_mins(1);

pub(super) async fn turn(koor: Koor) -> Result<(), Error> {
    koor.watch_liveness().await.map(drop)
}
