//! Messages that all recipients read long ago are forgotten.

use std::time::Duration;

use crate::{app::Koor, error::Error};

pub(super) const EVERY: Duration = Duration::from_mins(10);

pub(super) async fn turn(koor: Koor) -> Result<(), Error> {
    koor.prune_messages().await.map(drop)
}
