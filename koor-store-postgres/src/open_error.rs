//! Why a store could not be opened.

use koor_core::ports::StoreError;

use crate::connect::ConnectError;

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No host could be used.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The database cannot keep what Koor promises.
    #[error("{0}")]
    Unsuitable(String),
    /// A newer version of Koor has changed the tables.
    #[error(
        "a newer version of Koor has changed this database: it takes servers that know schema {schema_min} or later, \
         and this one knows {known}. Install that version"
    )]
    Newer {
        /// The oldest schema whose servers the database takes.
        schema_min: i64,
        /// The newest schema that this program knows.
        known: i64,
    },
    /// There are tables of the same names that are not Koor's.
    #[error(
        "the database has tables of another program with the names of Koor's; create a database for Koor alone"
    )]
    Foreign,
    /// A thread could not be started.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
    /// The database could not be prepared.
    #[error("cannot prepare the database")]
    Store(#[from] StoreError),
}
