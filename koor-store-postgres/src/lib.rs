//! The ports of `koor-core` on `PostgreSQL`: several servers on one database.
//!
//! [`PostgresStore::open`] is the way in. One thread owns the connection that writes: `backend` implements the two verbs of
//! `koor_core::ports::Backend` on it, and the core's group commit runs there. Every commit changes the one row of `log_head`,
//! which gives all servers one order of commits; `batch` is the statement that compares that row and writes. Other threads
//! (`reader`) answer questions on snapshots. One thread (`follower`) looks at what other servers commit: it forgets what they have
//! changed (`documents`), announces their events, and takes its turn at the background work (`leader`). `rows/<noun>.rs` and `migrations/` say what a noun looks like in tables.
//!
//! To add a noun: a table in a new migration, and a file in `rows` with the noun's read port for `Snapshot` and a `write` for its
//! changes; the compiler asks for them in `backend` and `batch`.

mod backend;
mod batch;
mod conn;
mod connect;
mod documents;
mod error;
mod examine;
mod follower;
mod known;
mod leader;
mod migrate;
mod open_error;
mod reader;
mod rows;
mod snapshot;
mod statement;
mod store;
mod suitable;
mod url;
mod wakeups;

pub use connect::ConnectError;
pub use examine::{DatabaseReport, examine_database};
pub use open_error::OpenError;
pub use store::{PostgresOptions, PostgresStore};
pub use url::{DatabaseUrl, InvalidDatabaseUrl};
