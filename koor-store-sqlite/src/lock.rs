//! One process for each database.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use crate::{
    copies,
    identity::identify,
    open::DATABASE,
    open_error::OpenError,
    private::{make_private, private, tighten},
};

/// The name of the file that is locked.
const LOCK_FILE: &str = "data.lock";

/// A data directory that no other process uses while this lives; the operating system frees it when the process is gone.
pub(crate) struct DataDirectory {
    database: PathBuf,
    _locks: Vec<File>,
    /// Closed only after the last connection to the database: when a file is closed, the system drops every lock that
    /// the process has on it, `SQLite`'s among them.
    _file: File,
}

impl DataDirectory {
    /// Makes the directory where there is none, locks it and its database, and sees to it that the database is one of
    /// this program or a new one.
    pub(crate) fn claim(path: &Path) -> Result<Self, OpenError> {
        let io = |attempted, path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Io { attempted, path, source }
        };
        make_private(path).map_err(io("make the data directory", path))?;
        let database = resolve(&path.join(DATABASE)).map_err(io("follow the link", &path.join(DATABASE)))?;
        // First without a lock, so that the directory of another program does not even get the file that is locked.
        match identify(&database, None) {
            // A server may be writing to it at this moment.
            Ok(_) | Err(OpenError::Store(_)) => {}
            Err(error) => return Err(error),
        }
        let mut locks = vec![lock_directory(path)?];
        // Behind a link, the directory that all who open the database have in common is the one it really is in.
        let real = database.parent().unwrap_or(path);
        if real != path {
            locks.push(lock_directory(real)?);
        }
        identify(&database, Some(real))?;
        // Before SQLite has the file open, see above.
        let file = private(OpenOptions::new().append(true).create(true))
            .open(&database)
            .map_err(io("open the database", &database))?;
        let file = lock_file(file, &database)?;
        tighten(&database)?;
        if let Err(error) = copies::delete_stale(real) {
            tracing::warn!(%error, path = %real.display(), "cannot delete old copies of the database");
        }
        Ok(Self { database, _locks: locks, _file: file })
    }

    /// The database, with links followed: `SQLite` keeps the log beside the file and not beside the link.
    pub(crate) fn database(&self) -> &Path {
        &self.database
    }
}

impl Drop for DataDirectory {
    fn drop(&mut self) {
        let Some(directory) = self.database.parent() else { return };
        if let Err(error) = copies::delete_stale(directory) {
            tracing::debug!(%error, "cannot delete copies of the database");
        }
    }
}

/// Follows a database that is a link, also one to a file that is not there yet.
fn resolve(database: &Path) -> io::Result<PathBuf> {
    let Ok(target) = fs::read_link(database) else { return Ok(database.into()) };
    match fs::canonicalize(database) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let directory = database.parent().unwrap_or(Path::new("."));
            // Links in a circle have another error, so this ends.
            resolve(&directory.join(target))
        }
        resolved => resolved,
    }
}

/// Says whether a store could be opened in a directory, as far as its database tells; changes nothing there.
///
/// # Errors
/// With what [`SqliteStore::open`](crate::SqliteStore::open) would refuse it.
pub fn check_database(directory: &Path) -> Result<(), OpenError> {
    let database = directory.join(DATABASE);
    let database = resolve(&database).map_err(|source| OpenError::Io {
        attempted: "follow the link",
        path: database.clone(),
        source,
    })?;
    identify(&database, None)?.check_format()
}

/// Locks a directory, and writes into the locked file who has it.
fn lock_directory(directory: &Path) -> Result<File, OpenError> {
    let path = directory.join(LOCK_FILE);
    let io = |attempted| {
        let path = path.clone();
        move |source| OpenError::Io { attempted, path, source }
    };
    let mut file = private(OpenOptions::new().read(true).write(true).create(true).truncate(false))
        .open(&path)
        .map_err(io("open the lock file"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Who it is makes a better message; that it is locked is known already.
            let _ = file.read_to_string(&mut holder);
            return Err(OpenError::Locked { path: directory.into(), holder: holder.trim().parse().ok() });
        }
        Err(TryLockError::Error(source)) => return Err(io("lock the data directory")(source)),
    }
    let write = |file: &mut File| {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())
    };
    // A disk without room for five bytes can still be read from.
    if let Err(error) = write(&mut file) {
        tracing::warn!(%error, path = %path.display(), "cannot write our pid to the lock file");
    }
    Ok(file)
}

/// Locks the database file itself, which other directories may have by another name: a hard link or a mount. Two
/// processes that each keep a log of their own for one file destroy it.
#[cfg(target_os = "linux")]
fn lock_file(file: File, database: &Path) -> Result<File, OpenError> {
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            // Not closed: if it is this process that has the database open by another name, closing the file here would
            // drop the locks that SQLite has on it.
            std::mem::forget(file);
            Err(OpenError::Locked { path: database.into(), holder: None })
        }
        Err(TryLockError::Error(error)) => {
            tracing::warn!(%error, path = %database.display(), "cannot lock the database file; the directory is locked");
            Ok(file)
        }
    }
}

/// Elsewhere this lock and those that `SQLite` takes on the same file would be in each other's way.
#[cfg(not(target_os = "linux"))]
fn lock_file(file: File, _: &Path) -> Result<File, OpenError> {
    Ok(file)
}
