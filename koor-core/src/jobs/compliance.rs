//! The contracts of active instances are checked, as often as the settings say.

use crate::{app::Koor, error::Error};

pub(super) async fn turn(koor: Koor) -> Result<(), Error> {
    koor.watch_compliance().await.map(drop)
}
