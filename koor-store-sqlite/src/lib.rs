//! The ports of `koor-core` on `SQLite`: one writer, group commit, a pool of readers.
//!
//! [`SqliteStore::open`] is the door. Behind it, one thread (`writer`) owns the only connection that writes. It takes the
//! jobs that are queued, runs each on a transaction (`tx`) that holds back inserts (`batch`), and commits them together;
//! then it brings the cache (`cache`) up to date, tells the observer, and answers. Other threads (`reader`) own read-only
//! connections. Before any of this, the data directory is claimed (`lock`): one process for each database, and no database that is
//! not one of this program (`identity`). What a noun looks like in tables is in `rows/<noun>.rs` and in `migrations/`.
//!
//! To add a repository: a table in a new migration, a file in `rows`, the port's traits for `Tx`. Reads work through
//! `Tx::conn`, writes through `Tx::writing`; what is written in numbers deserves a place in `script::TABLES`.

mod batch;
mod cache;
mod conn;
mod copies;
mod error;
mod heads;
mod identity;
mod indexing;
mod lock;
mod open;
mod original;
#[cfg(test)]
mod plans;
mod private;
mod reader;
mod recent;
mod rows;
mod script;
mod store;
mod tx;
mod writer;

pub use lock::check_database;
pub use open::{Durability, OpenError, SqliteOptions};
pub use original::{OriginalError, read_original};
pub use store::SqliteStore;
