//! Reading and writing the settings of clients: whole, with the permissions they had.

use std::{
    fmt::Display,
    fs,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use crate::exit::Failure;

/// The largest file that is read: people write it.
const LARGEST: u64 = 4 << 20;

/// The text of a file; `None` where there is none.
pub(super) fn read(path: &Path) -> Result<Option<String>, Failure> {
    let cannot = |why: &dyn Display| Failure::refused(format!("cannot read {}: {why}", path.display()));
    let file = match fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(|error| cannot(&error))?,
    };
    let mut text = String::new();
    file.take(LARGEST + 1).read_to_string(&mut text).map_err(|error| cannot(&error))?;
    if text.len() as u64 > LARGEST { Err(cannot(&"it is over 4 MiB long")) } else { Ok(Some(text)) }
}

/// Makes the directories above a file; answers those that were not there, outermost first.
pub(super) fn make_directories(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let Some(parent) = path.parent() else { return Ok(Vec::new()) };
    let missing: Vec<PathBuf> = parent
        .ancestors()
        .take_while(|one| !one.as_os_str().is_empty() && !one.exists())
        .map(Path::to_owned)
        .collect();
    fs::create_dir_all(parent)
        .map_err(|error| Failure::refused(format_args!("cannot create {}: {error}", parent.display())))?;
    Ok(missing.into_iter().rev().collect())
}

/// Writes a file: a reader finds the old text or the new one, whole. A link stays one, and permissions stay.
pub(super) fn write(path: &Path, text: &str, runs: bool) -> Result<(), Failure> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside = target.with_file_name(name);
    let written = write_beside(&beside, &target, text, runs).and_then(|()| fs::rename(&beside, &target));
    written.map_err(|error| {
        // What is left of it is of no use; that it can't be removed changes nothing.
        drop(fs::remove_file(&beside));
        Failure::refused(format_args!("cannot write {}: {error}", path.display()))
    })
}

fn write_beside(beside: &Path, target: &Path, text: &str, runs: bool) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if runs {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o777);
    }
    #[cfg(not(unix))]
    let _ = runs; // Other systems say otherwise what can be run.
    let mut file = options.open(beside)?;
    if let Ok(about) = target.metadata() {
        file.set_permissions(about.permissions())?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Removes a file, and of these directories, outermost first, those that are empty then.
pub(super) fn remove(path: &Path, made: &[PathBuf]) -> Result<(), Failure> {
    fs::remove_file(path)
        .map_err(|error| Failure::refused(format_args!("cannot remove {}: {error}", path.display())))?;
    // A directory in which there is something else by now stays.
    made.iter().rev().for_each(|directory| drop(fs::remove_dir(directory)));
    Ok(())
}
