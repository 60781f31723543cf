//! One process for each data directory.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    path::Path,
};

use crate::{open::OpenError, reader::private};

/// The name of the file that is locked.
const LOCK_FILE: &str = "data.lock";

/// Ours as long as it lives; the operating system frees it when the process is gone.
pub(crate) struct DataLock {
    _file: File,
}

impl DataLock {
    /// Takes the lock of a directory, and says in it who has it.
    pub(crate) fn take(directory: &Path) -> Result<Self, OpenError> {
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
        Ok(Self { _file: file })
    }
}
