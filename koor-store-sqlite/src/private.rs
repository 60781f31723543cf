//! Files and directories that only their owner may use, where the system knows owners.

use std::{
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use crate::open_error::OpenError;

/// What `SQLite` keeps beside a database, by the end of the name.
pub(crate) const LOG: &str = "-wal";
pub(crate) const JOURNAL: &str = "-journal";
const SHARED_MEMORY: &str = "-shm";

/// The name of a file that `SQLite` keeps beside a database.
pub(crate) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Makes a file that is opened with these options private, if it is created.
pub(crate) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

/// Makes a private directory. One that exists stays as it is.
pub(crate) fn make_private(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.recursive(true).create(directory)
}

/// Takes the permissions of group and others from a database and the files beside it.
///
/// # Errors
/// When a file has such permissions and this process may not change them.
#[cfg(unix)]
pub(crate) fn tighten(database: &Path) -> Result<(), OpenError> {
    use std::os::unix::fs::PermissionsExt as _;
    const OTHERS: u32 = 0o077;
    let files = [database.to_owned(), beside(database, LOG), beside(database, SHARED_MEMORY)];
    for path in files {
        // What is not there cannot be read by others; what cannot be looked at fails when it is opened.
        let Ok(about) = fs::metadata(&path) else { continue };
        let mode = about.permissions().mode();
        if mode & OTHERS == 0 {
            continue;
        }
        let tight = fs::Permissions::from_mode(mode & !OTHERS & 0o7777);
        fs::set_permissions(&path, tight)
            .map_err(|source| OpenError::Exposed { path: path.clone(), source })?;
        tracing::warn!(
            path = %path.display(),
            mode = format_args!("{:o}", mode & 0o777),
            "other users had access to a database file; it is private now"
        );
    }
    Ok(())
}

#[cfg(not(unix))]
pub(crate) fn tighten(_: &Path) -> Result<(), OpenError> {
    Ok(())
}
