//! The user's own tokens, one for each server, in the user's configuration directory: no directory of a project holds them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};

use super::{file, locate};
use crate::exit::Failure;

/// The file in Koor's part of the configuration directory.
const FILE: &str = "servers.json";

/// The user's own tokens.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    /// `None` where the environment names no place for it.
    directory: Option<PathBuf>,
}

impl Store {
    /// The store of the user whose environment that is.
    pub(crate) fn new(environment: &dyn Fn(&str) -> Option<String>) -> Self {
        let named = |name: &str| environment(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = if cfg!(windows) { named("APPDATA") } else { named("XDG_CONFIG_HOME") };
        let base = base.or_else(|| locate::home(environment).map(|home| home.join(".config")));
        Self { directory: base.map(|base| base.join("koor")) }
    }

    /// Koor's part of the configuration directory, whether it is there or not.
    pub(crate) fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    /// The token for a server, if there is one.
    ///
    /// # Errors
    /// When the file is no good.
    pub(crate) fn token(&self, server: &str) -> Result<Option<String>, Failure> {
        let Some(directory) = &self.directory else { return Ok(None) };
        let all = file::read_if_there(&directory.join(FILE))?;
        let token = all.get("servers").and_then(|servers| servers.get(server)).map(|one| &one["token"]);
        Ok(token.and_then(Value::as_str).filter(|token| !token.is_empty()).map(str::to_owned))
    }

    /// Keeps a token for a server, or forgets it. Answers the file.
    ///
    /// # Errors
    /// When the file can't be read or written, or there is no place for it.
    pub(crate) fn set(&self, server: &str, token: Option<&str>) -> Result<PathBuf, Failure> {
        let path = self.private_directory()?.join(FILE);
        let mut all = file::read_if_there(&path)?;
        let servers = all.entry("servers").or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(servers) = servers else {
            return Err(Failure::usage(format_args!(
                "cannot change {}: \"servers\" must be an object",
                path.display()
            )));
        };
        match token {
            Some(token) => drop(servers.insert(server.to_owned(), json!({"token": token}))),
            None => drop(servers.remove(server)),
        }
        file::write(&path, &all)?;
        Ok(path)
    }

    /// Koor's part of the configuration directory, made for its owner alone if it is not there.
    ///
    /// # Errors
    /// When there is no place for it.
    pub(crate) fn private_directory(&self) -> Result<&Path, Failure> {
        let directory = self.directory.as_deref().ok_or_else(|| {
            Failure::refused("no configuration directory is known: set HOME or XDG_CONFIG_HOME")
        })?;
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(directory).map_err(|error| {
            Failure::refused(format_args!("cannot create {}: {error}", directory.display()))
        })?;
        Ok(directory)
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_token_is_kept_for_one_server_in_a_file_of_the_user_alone() {
        let home = TempDir::new().unwrap();
        let path = home.path().display().to_string();
        let variable = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
        let store = Store::new(&move |name| (name == variable).then(|| path.clone()));
        assert_eq!(store.token("http://a"), Ok(None));
        let file = store.set("http://a", Some("t")).unwrap();
        assert_eq!(store.token("http://a"), Ok(Some("t".to_owned())));
        assert_eq!(store.token("http://b"), Ok(None));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
        }
        store.set("http://a", None).unwrap();
        assert_eq!(store.token("http://a"), Ok(None));
    }

    #[test]
    fn without_a_place_nothing_is_found_and_nothing_can_be_kept() {
        let store = Store::new(&|_| None);
        assert_eq!(store.token("http://a"), Ok(None));
        assert!(store.set("http://a", Some("t")).unwrap_err().text().contains("XDG_CONFIG_HOME"));
    }
}
