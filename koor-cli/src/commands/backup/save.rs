//! A file that is there as a whole, or not at all.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use crate::exit::Failure;

/// A file in the making. It goes away unless it is finished.
#[derive(Debug)]
pub(super) struct Draft {
    file: NamedTempFile,
    path: PathBuf,
    force: bool,
}

impl Draft {
    /// A file beside the one that it is to become. Only its owner may read it.
    ///
    /// # Errors
    /// When that one is there and is not to be replaced, or nothing can be written there.
    pub(super) fn beside(path: &Path, force: bool) -> Result<Self, Failure> {
        match fs::symlink_metadata(path) {
            Ok(about) if about.is_dir() => {
                return Err(Failure::usage(format!("{} is a directory: name a file in it", path.display())));
            }
            Ok(_) if !force => return Err(is_there(path)),
            Ok(_) | Err(_) => {}
        }
        let file = tempfile::Builder::new()
            .prefix(".koor-backup-")
            .tempfile_in(directory(path))
            .map_err(|error| cannot(path, &error))?;
        Ok(Self { file, path: path.to_owned(), force })
    }

    /// Where to write.
    pub(super) fn file(&self) -> &File {
        self.file.as_file()
    }

    /// What was written, from its beginning.
    ///
    /// # Errors
    /// When it can't be opened.
    pub(super) fn reread(&self) -> io::Result<File> {
        self.file.reopen()
    }

    /// Gives it its name, once it is on disk.
    ///
    /// # Errors
    /// When that fails, or there is such a file by now.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let Self { file, path, force } = self;
        file.as_file().sync_all().map_err(|error| cannot(&path, &error))?;
        let named = if force { file.persist(&path) } else { file.persist_noclobber(&path) };
        named.map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => is_there(&path),
            _ => cannot(&path, &error.error),
        })?;
        // The name, too, must outlive a power cut. Where directories can't be opened, there is nothing more to do.
        if let Ok(directory) = File::open(directory(&path)) {
            directory.sync_all().map_err(|error| cannot(&path, &error))?;
        }
        Ok(())
    }

    /// Something stood in the way of writing.
    pub(super) fn cannot(&self, error: &io::Error) -> Failure {
        cannot(&self.path, error)
    }
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn is_there(path: &Path) -> Failure {
    Failure::refused(format!(
        "{} is there already: name another file, or replace it with --force",
        path.display()
    ))
}

fn cannot(path: &Path, error: &io::Error) -> Failure {
    Failure::refused(format!("cannot write {}: {error}", path.display()))
}
