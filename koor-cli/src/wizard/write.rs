//! Writing files: all of them, or none.

mod block;

use std::{
    collections::BTreeSet,
    fmt,
    fs::{self, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};
use tempfile::TempDir;

use super::plan::{Content, Planned};
use crate::mcp_files::{clients::NAME, listed, merged};

/// The mode of the program in a workspace: anyone may run it, no one may change it in place.
#[cfg(unix)]
const PROGRAM_MODE: u32 = 0o555;

/// What becomes of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is not there yet.
    Create,
    /// It is there, and says something else: it goes.
    Replace,
    /// It is there, and gets what it lacks.
    Extend,
    /// It is there, as it should be.
    Keep,
    /// It is there, says something else, and must not go.
    Conflict,
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Replace => "replace",
            Self::Extend => "extend",
            Self::Keep => "keep",
            Self::Conflict => "in the way",
        })
    }
}

/// Where the files go, and what stands for [`Content::Program`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Site<'a> {
    pub(crate) base: &'a Path,
    pub(crate) program: &'a Path,
}

/// Finds out what would become of each file. Writes nothing.
///
/// # Errors
/// When what is there can't be read.
pub(crate) fn survey(site: Site<'_>, files: &[Planned], force: bool) -> io::Result<Vec<Fate>> {
    files
        .iter()
        .map(|file| {
            let path = site.base.join(&file.path);
            let fate = fate(site, &path, &file.content).map_err(|error| about(&error, &file.path))?;
            Ok(if force && fate == Fate::Conflict && !path.is_dir() { Fate::Replace } else { fate })
        })
        .collect()
}

fn fate(site: Site<'_>, path: &Path, wanted: &Content) -> io::Result<Fate> {
    let there = match fs::symlink_metadata(path) {
        Ok(there) => there,
        // A file where a directory belongs is in the way as well.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(Fate::Conflict),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Fate::Create),
        Err(error) => return Err(error),
    };
    if there.is_dir() {
        return Ok(Fate::Conflict);
    }
    Ok(match wanted {
        Content::Program if same_content(path, site.program)? => {
            if is_shared(&there) {
                Fate::Replace
            } else {
                Fate::Keep
            }
        }
        Content::Program => Fate::Conflict,
        Content::Text(text) | Content::Script(text) => {
            if fs::read(path)? == text.as_bytes() {
                Fate::Keep
            } else {
                Fate::Conflict
            }
        }
        Content::Lines(_)
        | Content::Settings(_)
        | Content::Block(_)
        | Content::Entry { .. }
        | Content::Listed { .. } => {
            let there = fs::read_to_string(path)?;
            match extended(&there, wanted) {
                Some(text) if text == there => Fate::Keep,
                Some(_) => Fate::Extend,
                None => Fate::Conflict,
            }
        }
    })
}

/// What a file that is there becomes; `None` when the content can't be put into it.
fn extended(there: &str, wanted: &Content) -> Option<String> {
    match wanted {
        Content::Lines(lines) => Some(missing_lines(there, lines).unwrap_or_else(|| there.to_owned())),
        Content::Settings(wanted) => {
            let mut settings: Map<String, Value> = serde_json::from_str(there).ok()?;
            let same = |key: &str| settings.get(key) == wanted.get(key);
            if !same("server") {
                return None;
            }
            if wanted.keys().all(|key| same(key)) {
                return Some(there.to_owned());
            }
            settings.extend(wanted.clone());
            Some(pretty(&settings))
        }
        Content::Block(text) => Some(block::put(there, text)),
        Content::Entry { list, entry } => merged(there, list, NAME, entry).ok(),
        Content::Listed { object, list, texts } => listed(there, object, list, texts).ok(),
        Content::Text(_) | Content::Script(_) | Content::Program => None,
    }
}

fn pretty(settings: &Map<String, Value>) -> String {
    format!("{:#}\n", Value::Object(settings.clone()))
}

/// Whether a program is a link, hard or symbolic, or can be written: earlier versions linked it.
#[cfg(unix)]
fn is_shared(there: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    there.is_symlink() || there.nlink() > 1 || there.mode() & 0o222 != 0
}

#[cfg(not(unix))]
fn is_shared(there: &fs::Metadata) -> bool {
    there.is_symlink()
}

/// The lines of `wanted` that `there` lacks, comments with the lines that follow them; `None` when it has them all.
fn missing_lines(there: &str, wanted: &str) -> Option<String> {
    let has: BTreeSet<&str> = there.lines().map(str::trim).collect();
    let is_rule = |line: &str| !line.is_empty() && !line.starts_with('#');
    if wanted.lines().filter(|line| is_rule(line)).all(|line| has.contains(line)) {
        return None;
    }
    let mut text = there.to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    for line in wanted.lines().filter(|line| !has.contains(line) || line.is_empty()) {
        text.push_str(line);
        text.push('\n');
    }
    Some(text)
}

fn same_content(one: &Path, other: &Path) -> io::Result<bool> {
    if fs::metadata(one)?.len() != fs::metadata(other)?.len() {
        return Ok(false);
    }
    let (mut one, mut other) = (fs::File::open(one)?, fs::File::open(other)?);
    let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let read = one.read(&mut left)?;
        if read == 0 {
            return Ok(true);
        }
        other.read_exact(&mut right[..read])?;
        if left[..read] != right[..read] {
            return Ok(false);
        }
    }
}

/// Writes what the survey said, all of it or nothing: first into a directory beside, then into place by renaming.
///
/// # Errors
/// When something went wrong: then everything is as before. If even that can't be had, the text says what is left.
pub(crate) fn apply(site: Site<'_>, files: &[Planned], fates: &[Fate]) -> io::Result<()> {
    let work: Vec<(&Planned, Fate)> = files
        .iter()
        .zip(fates.iter().copied())
        .filter(|(_, fate)| matches!(fate, Fate::Create | Fate::Replace | Fate::Extend))
        .collect();
    let created = make_directories(site.base)?;
    let undo_base = |error: io::Error| {
        // Only empty directories are removed: another process may have put something there meanwhile.
        created.iter().rev().for_each(|directory| drop(fs::remove_dir(directory)));
        error
    };
    let staging = tempfile::Builder::new().prefix(".koor-init-").tempdir_in(site.base).map_err(undo_base)?;
    let outcome = stage(site, &staging, &work).and_then(|()| place(site, &staging, &work));
    let closed = staging.close();
    outcome.map_err(undo_base)?;
    closed
}

/// Creates a directory and those above it; answers those that were not there, outermost first.
fn make_directories(wanted: &Path) -> io::Result<Vec<PathBuf>> {
    let missing: Vec<&Path> =
        wanted.ancestors().take_while(|one| !one.as_os_str().is_empty() && !one.exists()).collect();
    let mut created = Vec::new();
    for directory in missing.into_iter().rev() {
        fs::create_dir(directory).map_err(|error| about(&error, &directory.display()))?;
        created.push(directory.to_owned());
    }
    Ok(created)
}

/// Writes everything into the staging directory.
fn stage(site: Site<'_>, staging: &TempDir, work: &[(&Planned, Fate)]) -> io::Result<()> {
    for (file, fate) in work {
        let path = staging.path().join("new").join(&file.path);
        let staged = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| match &file.content {
            Content::Program => copy_program(site.program, &path),
            content => {
                let there = match fate {
                    Fate::Extend => fs::read_to_string(site.base.join(&file.path))?,
                    Fate::Create | Fate::Replace | Fate::Keep | Fate::Conflict => String::new(),
                };
                write(&path, &text(&there, content), mode(content))
            }
        });
        staged.map_err(|error| about(&error, &file.path))?;
    }
    Ok(())
}

/// What a file holds afterwards.
pub(super) fn text(there: &str, content: &Content) -> String {
    match content {
        Content::Text(text) | Content::Script(text) => text.clone(),
        Content::Settings(settings) if there.is_empty() => pretty(settings),
        Content::Lines(lines) if there.is_empty() => lines.clone(),
        _ => extended(there, content).unwrap_or_else(|| there.to_owned()),
    }
}

/// Who may use a file. What can hold a token is its owner's alone.
pub(super) fn mode(content: &Content) -> u32 {
    match content {
        Content::Script(_) => 0o777,
        Content::Settings(_) => 0o600,
        Content::Entry { entry, .. } if entry.contains_key("headers") => 0o600,
        Content::Text(_)
        | Content::Lines(_)
        | Content::Block(_)
        | Content::Entry { .. }
        | Content::Listed { .. }
        | Content::Program => 0o666,
    }
}

/// Copies the program, so that no workspace can change another's. `fs::copy` shares blocks where the file system can.
fn copy_program(program: &Path, path: &Path) -> io::Result<()> {
    fs::copy(program, path)?;
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(PROGRAM_MODE))?;
    Ok(())
}

fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode; // Other systems say otherwise who may read a file.
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// One step that was made, and how it is taken back.
enum Made {
    Directory(PathBuf),
    File(PathBuf),
    Tree { at: PathBuf, from: PathBuf },
    Moved { from: PathBuf, to: PathBuf },
}

/// Moves everything to where it belongs; takes it all back when one thing fails.
fn place(site: Site<'_>, staging: &TempDir, work: &[(&Planned, Fate)]) -> io::Result<()> {
    let mut made = Vec::new();
    let outcome = place_each(site, staging, work, &mut made);
    let Err(error) = outcome else { return Ok(()) };
    let left: Vec<String> = made
        .into_iter()
        .rev()
        .filter_map(|step| {
            let (at, undone) = match step {
                Made::Directory(at) => (at.clone(), fs::remove_dir(at)),
                Made::File(at) => (at.clone(), fs::remove_file(at)),
                Made::Tree { at, from } => (at.clone(), fs::rename(at, from)),
                Made::Moved { from, to } => (from.clone(), fs::rename(to, from)),
            };
            undone.err().map(|error| format!("{}: {error}", at.display()))
        })
        .collect();
    if left.is_empty() {
        return Err(error);
    }
    Err(io::Error::other(format!("{error}; and it could not be undone everywhere: {}", left.join("; "))))
}

fn place_each(
    site: Site<'_>,
    staging: &TempDir,
    work: &[(&Planned, Fate)],
    made: &mut Vec<Made>,
) -> io::Result<()> {
    let new = staging.path().join("new");
    let old = staging.path().join("old");
    let folder = |path: &str| path.split_once('/').map(|(folder, _)| folder.to_owned());
    // A folder that is not there yet comes into being in one step, with everything in it.
    let mut whole = BTreeSet::new();
    for folder in work.iter().filter_map(|(file, _)| folder(&file.path)) {
        let at = site.base.join(&folder);
        if !whole.contains(&folder) && fs::symlink_metadata(&at).is_err() {
            let from = new.join(&folder);
            fs::rename(&from, &at).map_err(|error| about(&error, &folder))?;
            made.push(Made::Tree { at, from });
            whole.insert(folder);
        }
    }
    let rest = work.iter().filter(|(file, _)| !folder(&file.path).is_some_and(|one| whole.contains(&one)));
    for (n, (file, fate)) in rest.enumerate() {
        let at = site.base.join(&file.path);
        let step = || -> io::Result<()> {
            if let Some(parent) = at.parent() {
                made.extend(make_directories(parent)?.into_iter().map(Made::Directory));
            }
            if matches!(fate, Fate::Replace | Fate::Extend) {
                fs::create_dir_all(&old)?;
                let to = old.join(n.to_string());
                fs::rename(&at, &to)?;
                made.push(Made::Moved { from: at.clone(), to });
            } else if fs::symlink_metadata(&at).is_ok() {
                // Another process created it after the survey, so it stays.
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            fs::rename(new.join(&file.path), &at)?;
            made.push(Made::File(at.clone()));
            Ok(())
        };
        step_about(step, &file.path)?;
    }
    Ok(())
}

fn step_about(step: impl FnOnce() -> io::Result<()>, path: &str) -> io::Result<()> {
    step().map_err(|error| about(&error, &path))
}

/// The same error, with what it is about in front.
fn about(error: &io::Error, what: &dyn fmt::Display) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

#[cfg(test)]
mod tests;
