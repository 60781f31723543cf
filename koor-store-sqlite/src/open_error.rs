//! Why a store cannot be opened.

use std::{io, path::PathBuf};

use koor_core::ports::StoreError;

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the data directory.
    #[error("{} is in use by {}", path.display(), holder.map_or_else(|| "another process".into(), |pid| format!("process {pid}")))]
    Locked {
        /// The directory.
        path: PathBuf,
        /// The process, if it has said who it is.
        holder: Option<u32>,
    },
    /// The database was written by a newer version of this program. It has not been touched.
    #[error(
        "the database has format {found}, and this program knows formats up to {known}: it needs a newer version"
    )]
    Newer {
        /// The database's format.
        found: u32,
        /// The newest format this program knows.
        known: u32,
    },
    /// The database is one of the original server. It has not been touched.
    #[error(
        "{} is a database of the original server and was left as it is: run `koor import --from {}` with another data \
         directory, and serve that one",
        path.display(),
        path.display()
    )]
    Original {
        /// The database.
        path: PathBuf,
    },
    /// The database belongs to another program, or is no database. It has not been touched.
    #[error("{} is no database of Koor and was left as it is ({why}): use another data directory", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What tells so.
        why: String,
    },
    /// There is no database, but a part of one, which a new database would destroy. It has not been touched.
    #[error(
        "{} holds changes of a database that is not there any more: bring that database back, or move this file away",
        path.display()
    )]
    Orphan {
        /// The log or journal.
        path: PathBuf,
    },
    /// Other users have access to a database file, and this process may not change that.
    #[error("cannot make {} private: run `chmod go-rwx` on it as its owner, or use another data directory", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The database could not be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file or a directory could not be used.
    #[error("cannot {attempted} {}", path.display())]
    Io {
        /// What was being done.
        attempted: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
