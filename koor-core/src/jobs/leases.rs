//! Leases end whose holders are no longer heard of.

use crate::{app::Koor, error::Error};

pub(super) async fn turn(koor: Koor) -> Result<(), Error> {
    koor.expire_leases().await.map(drop)
}
