//! The ports of `koor-core` on `SQLite`: one writer, group commit, a pool of readers.
//!
//! [`SqliteStore::open`] is the way in. One thread owns the only connection that writes: `backend` implements the two verbs of
//! `koor_core::ports::Backend` on it, and the core's group commit runs there. `batch` takes the changes of a commit, holds back
//! rows of the hot tables and inserts them many at a time. Other threads (`reader`) own read-only connections and answer
//! questions on snapshots. Before any of this, the data directory is claimed (`lock`): one process for each database, and no
//! database that is not one of this program (`identity`). `rows/<noun>.rs` and `migrations/` say what a noun looks like in tables.
//!
//! To add a noun: a table in a new migration, and a file in `rows` with the noun's read port for `Snapshot` and a `write` for its
//! changes; the compiler asks for them in `backend` and `batch`. What is written in numbers deserves a place in
//! `batch_sql::TABLES`.

mod audit_tail;
mod backend;
mod batch;
mod batch_sql;
mod cache;
mod conn;
mod copies;
mod error;
mod format;
mod identity;
mod indexing;
mod lock;
mod open;
mod open_error;
mod original;
mod private;
#[cfg(test)]
mod query_plan_test;
mod reader;
mod revision_cache;
mod rows;
mod snapshot;
mod store;

pub use lock::check_database;
pub use open::{Durability, SqliteOptions};
pub use open_error::OpenError;
pub use original::{OriginalError, read_original};
pub use store::SqliteStore;
