//! Temporary copies of the database, in a directory of their own inside the data directory.

use std::{
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::private::{LOG, beside, make_private, private};

/// The directory for copies, in the data directory. Its name begins as the database's does, so that it is not taken for
/// a file of the user's, nor the other way round.
const DIRECTORY: &str = "data.copies";

/// A copy of the database, which is deleted on drop.
pub(crate) struct Copy {
    path: PathBuf,
}

impl Copy {
    /// An empty file that the database can be copied into.
    pub(crate) fn new(data_directory: &Path) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = data_directory.join(DIRECTORY);
        make_private(&directory)?;
        let path = directory.join(format!("copy-{}-{count}.db", std::process::id()));
        // Created here and not by the database, so that it is private from the first moment.
        private(OpenOptions::new().write(true).create_new(true)).open(&path)?;
        Ok(Self { path })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "cannot delete a copy; the next start will");
        }
        // There is one only if the copy was opened to be written and not closed in order.
        let _ = fs::remove_file(beside(&self.path, LOG));
    }
}

/// Deletes the copies that a killed process left, and their directory. What is not named as copies are stays, and so
/// does the directory then.
pub(crate) fn delete_stale(data_directory: &Path) -> io::Result<()> {
    let directory = data_directory.join(DIRECTORY);
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(is_copy) && entry.file_type()?.is_file() {
            fs::remove_file(entry.path())?;
        }
    }
    // Fails where something else is in it.
    let _ = fs::remove_dir(&directory);
    Ok(())
}

/// Whether a file is named as [`Copy::new`] names them, or is a log beside such a file.
fn is_copy(name: &str) -> bool {
    let name = name.strip_suffix(LOG).unwrap_or(name);
    let numbers = name.strip_prefix("copy-").and_then(|name| name.strip_suffix(".db"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    numbers
        .and_then(|numbers| numbers.split_once('-'))
        .is_some_and(|(process, count)| is_number(process) && is_number(count))
}

#[cfg(test)]
mod tests {
    use super::is_copy;

    #[test]
    fn only_names_that_copies_get_are_copies() {
        for name in ["copy-1-0.db", "copy-4194304-17.db", "copy-1-0.db-wal"] {
            assert!(is_copy(name), "{name}");
        }
        for name in [
            "copy-assets.sh",
            "copy-1.db",
            "copy-1-0.db.bak",
            "copy--0.db",
            "copy-1-.db",
            "copy-1-0-1.db",
            "Copy-1-0.db",
            "copy-1-x.db",
            "my-copy-1-0.db",
            "copy-1-0.db-journal",
        ] {
            assert!(!is_copy(name), "{name}");
        }
    }
}
