//! The file with prices of models that a server is started with.

use std::{fs::File, io::Read as _, path::Path};

use koor_core::domain::prices::PriceTable;

/// The largest file that is read: people write it.
const LARGEST: u64 = 1 << 20;

/// The built-in prices, with those of a file in their place.
///
/// # Errors
/// When the file can't be read, or is no table of prices; the text says why.
pub(crate) fn read(path: &Path) -> Result<PriceTable, String> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST).read_to_string(&mut text));
    read.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    PriceTable::default().overridden(&text).map_err(|error| error.to_string())
}
