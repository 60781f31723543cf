//! `settings.json`: one JSON object, for the server and for its clients.

use std::{
    fmt::Display,
    fs,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use crate::exit::Failure;

/// The file that is read when none is named, in the directory where a command runs.
pub(crate) const NAME: &str = "settings.json";

/// The largest file that is read: people write it.
const LARGEST: u64 = 1 << 20;

/// Reads a file that must be there.
///
/// # Errors
/// One line that names it and says what is wrong.
pub(crate) fn read(path: &Path) -> Result<Map<String, Value>, Failure> {
    let cannot =
        |why: &dyn Display| Failure::usage(format!("cannot read config file {}: {why}", path.display()));
    let file = fs::File::open(path).map_err(|error| cannot(&error))?;
    let mut text = String::new();
    file.take(LARGEST + 1).read_to_string(&mut text).map_err(|error| cannot(&error))?;
    if text.len() as u64 > LARGEST {
        return Err(cannot(&"it is over 1 MiB long"));
    }
    match serde_json::from_str(text.trim_start_matches('\u{feff}')) {
        Ok(Value::Object(file)) => Ok(file),
        Ok(_) => Err(cannot(&"it must hold a JSON object")),
        Err(error) => Err(cannot(&error)),
    }
}

/// Reads a file, which is as good as empty when it is not there.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_if_there(path: &Path) -> Result<Map<String, Value>, Failure> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Map::new()),
        Ok(_) | Err(_) => read(path),
    }
}

/// Writes a file that only its owner may read: it can hold a token. A concurrent reader finds the old one or the
/// new one, whole.
///
/// # Errors
/// One line that names it and says what stood in the way.
pub(crate) fn write(path: &Path, file: &Map<String, Value>) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(file)
        .map_err(|error| Failure::refused(format!("cannot write {}: {error}", path.display())))?;
    replace(path, &(text + "\n"))
}

/// Writes a file of that text, in the same way.
///
/// # Errors
/// As [`write()`].
pub(crate) fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    replace_by(path, text, private)
}

/// Writes a file of that text that others may read, as far as the user lets them.
///
/// # Errors
/// As [`write()`].
pub(crate) fn replace_readable(path: &Path, text: &str) -> Result<(), Failure> {
    replace_by(path, text, |path| fs::OpenOptions::new().write(true).create_new(true).open(path))
}

fn replace_by(path: &Path, text: &str, open: impl Fn(&Path) -> io::Result<fs::File>) -> Result<(), Failure> {
    let cannot = |why: &dyn Display| Failure::refused(format!("cannot write {}: {why}", path.display()));
    // A link stays one.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside: PathBuf = target.with_file_name(name);
    let written = open(&beside)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&beside, &target));
    written.map_err(|error| {
        // What is left of it is of no use; that it can't be removed changes nothing.
        drop(fs::remove_file(&beside));
        cannot(&error)
    })
}

/// A new file that only its owner may read.
fn private(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
