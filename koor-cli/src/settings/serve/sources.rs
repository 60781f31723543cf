//! Where the settings of a server come from, for its start line.

use std::{
    path::{Path, PathBuf},
    str::FromStr as _,
};

use super::{
    layers::{Given, Layers},
    parse::switch,
    store::redacted,
};
use crate::{exit::Failure, listen::Place};

/// Those that decide who can reach the server, what it trusts and where it keeps its data: the start line names each
/// that is not the default, because a config file may be someone else's.
const OPENING: [&str; 8] = [
    "bind",
    "dashboard_bind",
    "data_dir",
    "store",
    "allow_origin",
    "allow_host",
    "allow_outbound",
    "insecure",
];

/// Where settings come from, as far as someone who starts a server has to know.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Sources {
    /// Every file that was read.
    pub(crate) files: Vec<PathBuf>,
    /// `name=value from source` for each setting that is not the default and opens something.
    pub(crate) opened: Vec<String>,
}

impl Layers<'_> {
    /// What was read, and what it opens.
    pub(super) fn sources(&self) -> Result<Sources, Failure> {
        let mut files: Vec<PathBuf> = self.file_path.iter().map(|path| absolute(path)).collect();
        let mut opened = Vec::new();
        for key in OPENING {
            let Some(Given { from, values }) = self.find(key)? else { continue };
            let value = values.join(",");
            let opens = match key {
                "bind" | "dashboard_bind" => {
                    !value.is_empty() && Place::from_str(&value).is_ok_and(|place| !place.is_loopback())
                }
                "data_dir" => value != ".",
                "store" => value != "sqlite",
                "insecure" => switch(&value) == Ok(true),
                _ => !value.is_empty(),
            };
            if opens {
                opened.push(format!("{key}={} from {}", redacted(&value), source(&from, key)));
            }
        }
        if let Some((from, path)) = self.token_source()? {
            files.extend(path.map(|path| absolute(Path::new(&path))));
            // The holder of a token that comes with a directory may be a stranger.
            if from.ends_with(&self.file_name) {
                opened.push(format!("auth_token from {}", self.file_name));
            }
        }
        Ok(Sources { files, opened })
    }

    /// Where the token comes from, and the path of the file that holds it, if one does.
    fn token_source(&self) -> Result<Option<(String, Option<String>)>, Failure> {
        let path = |given: Given| (given.from, given.values.into_iter().next());
        let token = |given: Given| (given.from, None);
        for (of_token, of_path) in [
            (self.in_flags("auth_token"), self.in_flags("auth_token_file")),
            (self.in_environment("auth_token"), self.in_environment("auth_token_file")),
            (self.in_file("auth_token")?, self.in_file("auth_token_file")?),
        ] {
            if let Some(found) = of_token.map(token).or_else(|| of_path.map(path)) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

/// `settings.json`, of `allow_origin in settings.json`.
fn source<'a>(from: &'a str, key: &str) -> &'a str {
    from.strip_prefix(key).and_then(|rest| rest.strip_prefix(" in ")).unwrap_or(from)
}

/// The whole path, so that a reader of the log knows which file it was.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
