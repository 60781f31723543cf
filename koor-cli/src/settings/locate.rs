//! Which `settings.json` holds in a directory: its own, or that of the nearest parent that has one.

use std::{
    env,
    path::{Path, PathBuf},
};

use super::file::NAME;

/// The settings file that holds in the current directory, if there is one. One in this directory is named without a path.
pub(crate) fn find(environment: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let here = Path::new(NAME);
    if here.symlink_metadata().is_ok() {
        return Some(here.to_owned());
    }
    above(&env::current_dir().ok()?, home(environment).as_deref())
}

/// The home directory, as the environment says.
pub(crate) fn home(environment: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let variable = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
    environment(variable).map(PathBuf::from).filter(|home| home.is_absolute())
}

/// The nearest settings file in a parent of `start`: up to the repository's root or the home directory, whichever comes
/// first.
fn above(start: &Path, home: Option<&Path>) -> Option<PathBuf> {
    // Two paths that lead to one directory may be written differently.
    let home = home.and_then(|home| home.canonicalize().ok());
    let is_end = |directory: &Path| Some(directory) == home.as_deref() || directory.join(".git").exists();
    let end = start.ancestors().find(|directory| is_end(directory));
    for directory in start.ancestors().skip(1) {
        let within = match end {
            Some(end) => directory.starts_with(end),
            None => belongs_to_owner(directory, start),
        };
        if !within {
            return None;
        }
        let file = directory.join(NAME);
        if file.is_file() {
            return Some(file);
        }
    }
    None
}

/// Outside of a repository and of the home directory: whether a parent is the same user's, and no one else can put a file
/// there, as anyone can in /tmp.
#[cfg(unix)]
fn belongs_to_owner(directory: &Path, start: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let about = |path: &Path| path.metadata().ok().map(|about| (about.uid(), about.mode()));
    match (about(directory), about(start)) {
        (Some((owner, mode)), Some((user, _))) => owner == user && mode & 0o022 == 0,
        _ => false,
    }
}

#[cfg(not(unix))]
fn belongs_to_owner(_: &Path, _: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn the_nearest_file_counts_up_to_the_repository_or_the_home_directory() {
        let base = TempDir::new().unwrap();
        let base = base.path().canonicalize().unwrap();
        let deep = base.join("home/repository/workspace/src/deep");
        fs::create_dir_all(&deep).unwrap();
        let file = |directory: &str| base.join(directory).join(NAME);
        let found = || above(&deep, Some(&base.join("home")));
        fs::write(file(""), "{}").unwrap();
        assert_eq!(found(), None, "beyond the home directory");
        fs::write(file("home"), "{}").unwrap();
        assert_eq!(found(), Some(file("home")));
        fs::create_dir(base.join("home/repository/.git")).unwrap();
        assert_eq!(found(), None, "beyond the repository");
        fs::write(file("home/repository"), "{}").unwrap();
        assert_eq!(found(), Some(file("home/repository")));
        fs::write(file("home/repository/workspace"), "{}").unwrap();
        assert_eq!(found(), Some(file("home/repository/workspace")));
    }

    #[cfg(unix)]
    #[test]
    fn elsewhere_only_directories_that_no_one_else_can_write_count() {
        use std::os::unix::fs::PermissionsExt as _;
        let base = TempDir::new().unwrap();
        let base = base.path().canonicalize().unwrap();
        let deep = base.join("open/closed/deep");
        fs::create_dir_all(&deep).unwrap();
        let mode = |directory: &str, mode: u32| {
            fs::set_permissions(base.join(directory), fs::Permissions::from_mode(mode)).unwrap();
        };
        mode("open", 0o777);
        mode("open/closed", 0o755);
        fs::write(base.join("open").join(NAME), "{}").unwrap();
        assert_eq!(above(&deep, None), None);
        let closed = base.join("open/closed").join(NAME);
        fs::write(&closed, "{}").unwrap();
        assert_eq!(above(&deep, None), Some(closed));
    }
}
