//! Which files are checked, and what is in them.

use std::{
    env, fs,
    io::{self, Read as _},
    path::{Component, Path, PathBuf},
};

use ignore::WalkBuilder;

use crate::exit::Failure;

/// The largest file that is checked: the server takes no larger request by default, and no person writes so much
/// by hand.
const LARGEST: u64 = 4 << 20;

/// A text that is to be checked, by the name it is known under.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) name: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    File(PathBuf),
    /// It has been read already.
    Stdin(String),
}

/// What there was to read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    Text(String),
    /// Nothing that rules could be held against, and why.
    Skipped(&'static str),
}

impl Source {
    /// Reads it.
    ///
    /// # Errors
    /// When it can't be read.
    pub(super) fn read(&self) -> io::Result<Content> {
        match &self.place {
            Place::File(path) => read(path),
            Place::Stdin(text) => Ok(Content::Text(text.clone())),
        }
    }
}

/// Everything that was named: files as they are, directories with everything in them that `.gitignore` and its like do
/// not name. In the order in which they were named, directories in the order of names, nothing twice.
///
/// # Errors
/// When one that was named is not there or can't be read.
pub(super) fn find(named: &[PathBuf], filename: Option<&str>) -> Result<Vec<Source>, Failure> {
    let here = env::current_dir().unwrap_or_default();
    let mut seen = std::collections::HashSet::new();
    let mut found = Vec::new();
    for path in named {
        if path.as_os_str() == "-" {
            let name = filename.unwrap_or_default().to_owned();
            found.push(Source { name, place: Place::Stdin(stdin()?) });
            continue;
        }
        let cannot = |error: &dyn std::error::Error| {
            Failure::usage(format!("cannot read {}: {error}", path.display()))
        };
        if !fs::metadata(path).map_err(|error| cannot(&error))?.is_dir() {
            found.push(source(path.clone(), &here));
            continue;
        }
        for entry in walk(path) {
            let entry = entry.map_err(|error| cannot(&error))?;
            if entry.file_type().is_some_and(|kind| kind.is_file()) {
                found.push(source(entry.into_path(), &here));
            }
        }
    }
    found.retain(|source| match &source.place {
        Place::File(_) => seen.insert(source.name.clone()),
        Place::Stdin(_) => true,
    });
    Ok(found)
}

fn walk(directory: &Path) -> ignore::Walk {
    WalkBuilder::new(directory)
        // What begins with a dot is checked, too: workflows and settings are where secrets are found.
        .hidden(false)
        .filter_entry(|entry| entry.file_name() != ".git")
        // A directory that is no repository yet may have its .gitignore already.
        .require_git(false)
        .sort_by_file_name(Ord::cmp)
        .build()
}

fn source(path: PathBuf, here: &Path) -> Source {
    Source { name: name(&path, here), place: Place::File(path) }
}

/// The name under which rules know a file: as seen from here, with slashes.
fn name(path: &Path, here: &Path) -> String {
    let seen = path.strip_prefix(here).unwrap_or(path);
    let parts = seen.components().filter(|part| !matches!(part, Component::CurDir));
    let mut name = String::new();
    for part in parts {
        if !name.is_empty() && !name.ends_with('/') {
            name.push('/');
        }
        match part {
            Component::RootDir => name.push('/'),
            other => name.push_str(&other.as_os_str().to_string_lossy()),
        }
    }
    name
}

fn stdin() -> Result<String, Failure> {
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::refused(format!("cannot read stdin: {error}")))?;
    // Input from a pipe is always checked, never skipped.
    match judge(bytes) {
        Content::Text(text) => Ok(text),
        Content::Skipped(why) => Err(Failure::refused(format!("cannot check stdin: {why}"))),
    }
}

fn read(path: &Path) -> io::Result<Content> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    Ok(judge(bytes))
}

fn judge(bytes: Vec<u8>) -> Content {
    if bytes.len() as u64 > LARGEST {
        return Content::Skipped("over 4 MiB");
    }
    if bytes.contains(&0) {
        return Content::Skipped("binary");
    }
    String::from_utf8(bytes).map_or(Content::Skipped("not UTF-8"), Content::Text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_as_seen_from_here() {
        let here = Path::new("/home/me/work");
        for (path, seen) in [
            ("a.rs", "a.rs"),
            ("./src/./a.rs", "src/a.rs"),
            ("../a.rs", "../a.rs"),
            ("/home/me/work/src/a.rs", "src/a.rs"),
            ("/etc/hosts", "/etc/hosts"),
        ] {
            assert_eq!(name(Path::new(path), here), seen);
        }
    }

    #[test]
    fn only_text_of_a_fair_size_is_checked() {
        assert_eq!(judge(b"a\n\xc3\xa4".to_vec()), Content::Text("a\nä".to_owned()));
        assert_eq!(judge(Vec::new()), Content::Text(String::new()));
        assert_eq!(judge(b"a\0".to_vec()), Content::Skipped("binary"));
        assert_eq!(judge(b"\xe4".to_vec()), Content::Skipped("not UTF-8"));
        assert_eq!(judge(vec![b'a'; (4 << 20) + 1]), Content::Skipped("over 4 MiB"));
    }

    #[test]
    fn a_directory_is_walked_in_order_without_what_git_ignores() {
        let directory = tempfile::tempdir().unwrap();
        for (file, text) in [
            ("b/c.rs", ""),
            ("a.rs", ""),
            (".env", ""),
            ("target/x.rs", ""),
            (".git/config", ""),
            (".gitignore", "target\n"),
        ] {
            let path = directory.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let named = [
            directory.path().join("b/c.rs"),
            directory.path().to_owned(),
            directory.path().join("target/x.rs"),
        ];
        let found = find(&named, None).unwrap();
        let seen: Vec<_> = found
            .iter()
            .map(|source| source.name.strip_prefix(directory.path().to_str().unwrap()).unwrap().to_owned())
            .collect();
        assert_eq!(seen, ["/b/c.rs", "/.env", "/.gitignore", "/a.rs", "/target/x.rs"]);
    }

    #[test]
    fn what_is_not_there_is_named() {
        let error = find(&[PathBuf::from("/no/such/file")], None).unwrap_err();
        assert!(format!("{error:?}").contains("cannot read /no/such/file: "), "{error:?}");
    }
}
