//! Opens the store that the settings name.

use std::{path::Path, sync::Arc};

use koor_core::ports::Store;
#[cfg(feature = "postgres")]
use koor_store_postgres::{PostgresOptions, PostgresStore};
use koor_store_sqlite::{Durability, SqliteOptions, SqliteStore};

use crate::{exit::Failure, settings::serve::StoreAddress};

/// Opens a store.
///
/// # Errors
/// When it cannot be used, with the reason.
pub(crate) async fn open(
    address: &StoreAddress,
    data_directory: &Path,
    durability: Durability,
) -> Result<Arc<dyn Store>, Failure> {
    match address {
        StoreAddress::DataDirectory => sqlite(data_directory, durability).await,
        StoreAddress::Sqlite(directory) => sqlite(directory, durability).await,
        #[cfg(feature = "postgres")]
        StoreAddress::Postgres(url) => {
            let store = PostgresStore::open(PostgresOptions::new(url.clone())).await.map_err(|error| {
                Failure::caused_by(&error).about(format_args!("cannot open the database {url}"))
            })?;
            Ok(Arc::new(store))
        }
    }
}

async fn sqlite(directory: &Path, durability: Durability) -> Result<Arc<dyn Store>, Failure> {
    let options = SqliteOptions { durability, ..SqliteOptions::new(directory) };
    let store = SqliteStore::open(options).await.map_err(|error| {
        let failure = Failure::caused_by(&error);
        failure.about(format_args!("cannot open the data directory {}", directory.display()))
    })?;
    Ok(Arc::new(store))
}
