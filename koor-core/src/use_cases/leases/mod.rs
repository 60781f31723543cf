//! Agents take leases on paths, wait for them, and give them back.

mod commands;
mod ending;
mod queries;
mod taking;

pub use commands::RenewLease;
pub(crate) use ending::{release_leases_of_instance, release_leases_of_task, want_leases_of_instance};
pub use taking::LeaseRequest;
