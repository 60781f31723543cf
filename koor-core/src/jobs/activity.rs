//! Heartbeats and counters are written down.

use crate::{app::Koor, error::Error};

pub(super) async fn turn(koor: Koor) -> Result<(), Error> {
    koor.flush_activity().await
}
