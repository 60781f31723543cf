//! Where a server keeps its data.

use std::{fmt, path::PathBuf, str::FromStr};

#[cfg(feature = "postgres")]
use koor_store_postgres::DatabaseUrl;

/// Where a server keeps its data.
#[derive(Debug, Clone)]
pub(crate) enum StoreAddress {
    /// In an `SQLite` database in the data directory.
    DataDirectory,
    /// In an `SQLite` database in that directory.
    Sqlite(PathBuf),
    /// In a `PostgreSQL` database.
    #[cfg(feature = "postgres")]
    Postgres(DatabaseUrl),
}

impl FromStr for StoreAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "sqlite" {
            return Ok(Self::DataDirectory);
        }
        if let Some(directory) = text.strip_prefix("sqlite:").filter(|directory| !directory.is_empty()) {
            return Ok(Self::Sqlite(directory.into()));
        }
        if is_postgres(text) {
            return postgres(text);
        }
        Err("write sqlite, sqlite:DIR or postgres://user@host/database".to_owned())
    }
}

fn is_postgres(text: &str) -> bool {
    text.starts_with("postgres:") || text.starts_with("postgresql:")
}

#[cfg(feature = "postgres")]
fn postgres(text: &str) -> Result<StoreAddress, String> {
    text.parse().map(StoreAddress::Postgres).map_err(|error| format!("{error}"))
}

#[cfg(not(feature = "postgres"))]
fn postgres(_: &str) -> Result<StoreAddress, String> {
    Err("this program was built without PostgreSQL".to_owned())
}

impl fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DataDirectory => f.write_str("sqlite"),
            Self::Sqlite(directory) => write!(f, "sqlite:{}", directory.display()),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

/// A value of a setting as it may be shown: the address of a database can hold a password.
pub(super) fn redacted(value: &str) -> &str {
    if is_postgres(value) { "postgres://…" } else { value }
}
