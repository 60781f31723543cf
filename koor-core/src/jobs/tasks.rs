//! Claims whose holders are silent end, and tasks whose time has come are announced.

use std::time::Duration;

use crate::{app::Koor, error::Error};

/// A claim ends at most this, and what a crash can lose of its holder's activity, too late: together less than 5 seconds.
pub(super) const EVERY: Duration = Duration::from_secs(1);

pub(super) async fn turn(koor: Koor) -> Result<(), Error> {
    koor.watch_tasks().await.map(drop)
}
