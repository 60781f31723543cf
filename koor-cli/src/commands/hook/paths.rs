//! Paths as the leases of a project name them: relative to the project's root, with slashes.

use std::{
    ffi::OsString,
    path::{Component, Path, PathBuf},
};

/// Where the files of an agent are, and how the project names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Root {
    directory: PathBuf,
    /// What stands in front of each name; empty where the directory is the project's root.
    prefix: String,
}

impl Root {
    /// The root for an agent's directory: the directory itself where settings give a prefix, else the repository's, else the
    /// directory.
    pub(super) fn of(directory: &Path, prefix: Option<&str>) -> Self {
        let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
        match prefix.map(|prefix| prefix.trim_matches('/')).filter(|prefix| !prefix.is_empty()) {
            Some(prefix) => Self { directory, prefix: format!("{prefix}/") },
            None => Self { directory: repository_of(&directory).unwrap_or(directory), prefix: String::new() },
        }
    }

    /// The directory that names begin at.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The root of the repository that the files are in.
    pub(super) fn repository(&self) -> Option<PathBuf> {
        repository_of(&self.directory)
    }

    /// A path below this root; `None` for one outside. `start` is where a relative one begins. Links are followed as far as
    /// the path exists, so that a file has one name.
    pub(super) fn below(&self, start: &Path, path: &str) -> Option<String> {
        let whole = resolved(&start.join(path));
        let below = whole.strip_prefix(&self.directory).ok()?;
        let mut segments = Vec::new();
        for component in below.components() {
            match component {
                Component::Normal(segment) => segments.push(segment.to_str()?),
                _ => return None,
            }
        }
        (!segments.is_empty()).then(|| segments.join("/"))
    }

    /// The project's name for a path below this root.
    pub(super) fn name(&self, below: &str) -> String {
        format!("{}{below}", self.prefix)
    }
}

fn repository_of(directory: &Path) -> Option<PathBuf> {
    directory.ancestors().find(|one| one.join(".git").exists()).map(Path::to_owned)
}

/// The path without `.`, `..` and links. The parts that do not exist yet stay as they are.
fn resolved(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => drop(tidy.pop()),
            other => tidy.push(other),
        }
    }
    let mut missing: Vec<OsString> = Vec::new();
    let mut there = tidy.as_path();
    loop {
        if let Ok(found) = there.canonicalize() {
            return missing.into_iter().rev().fold(found, |path, segment| path.join(segment));
        }
        match (there.parent(), there.file_name()) {
            (Some(parent), Some(name)) => {
                missing.push(name.to_owned());
                there = parent;
            }
            _ => return tidy,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_path_has_one_name_below_the_root() {
        let base = TempDir::new().unwrap();
        let base = base.path().canonicalize().unwrap();
        let work = base.join("repository/agents/one");
        fs::create_dir_all(&work).unwrap();
        fs::create_dir(base.join("repository/.git")).unwrap();
        fs::write(work.join("there.rs"), "").unwrap();
        let root = Root::of(&work, None);
        assert_eq!(root.directory(), base.join("repository"));
        assert_eq!(Root::of(&base, None).directory(), base, "without a repository");
        let name = |path: &str| root.below(&work, path);
        assert_eq!(name("there.rs").as_deref(), Some("agents/one/there.rs"));
        assert_eq!(name("new/file.rs").as_deref(), Some("agents/one/new/file.rs"));
        assert_eq!(name("./../two/../one/there.rs").as_deref(), Some("agents/one/there.rs"));
        assert_eq!(name(&work.join("a b.rs").display().to_string()).as_deref(), Some("agents/one/a b.rs"));
        for outside in ["/tmp/x", "../../../x", "../../..", "../.."] {
            assert_eq!(name(outside), None, "{outside}");
        }
    }

    #[test]
    fn directories_of_several_agents_have_names_of_their_own() {
        let base = TempDir::new().unwrap();
        let base = base.path().canonicalize().unwrap();
        let [front, back] = ["front", "back"].map(|folder| {
            fs::create_dir(base.join(folder)).unwrap();
            Root::of(&base.join(folder), Some(folder))
        });
        let name =
            |root: &Root, path: &str| root.below(root.directory(), path).map(|below| root.name(&below));
        assert_eq!(name(&front, "src/a.rs").as_deref(), Some("front/src/a.rs"));
        assert_eq!(name(&back, "src/a.rs").as_deref(), Some("back/src/a.rs"));
        assert_eq!(name(&back, "../front/src/a.rs"), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_leads_to_the_file_that_it_names() {
        let base = TempDir::new().unwrap();
        let base = base.path().canonicalize().unwrap();
        fs::create_dir(base.join("src")).unwrap();
        std::os::unix::fs::symlink(base.join("src"), base.join("alias")).unwrap();
        std::os::unix::fs::symlink("/etc", base.join("out")).unwrap();
        let root = Root::of(&base, None);
        assert_eq!(root.below(&base, "alias/new.rs").as_deref(), Some("src/new.rs"));
        assert_eq!(root.below(&base, "out/passwd"), None);
    }
}
