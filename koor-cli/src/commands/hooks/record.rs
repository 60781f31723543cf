//! What files were before hooks were put into them, so that they can become that again, byte for byte.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{cannot, change::taken_out};
use crate::{
    commands::hook::target::Target,
    exit::Failure,
    settings::{file, store::Store},
};

/// The file of the records, in the user's own configuration directory: settings may hold secrets.
const FILE: &str = "hooks.json";

/// What is known of one file.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    /// Its text before; `None` where there was no file.
    before: Option<String>,
    after: String,
    /// The directories that were made for it, outermost first.
    made: Vec<PathBuf>,
}

/// The records of one user.
#[derive(Debug)]
pub(super) struct Records {
    store: Store,
}

impl Records {
    /// The records of the user whose environment that is.
    pub(super) fn of_user(environment: &dyn Fn(&str) -> Option<String>) -> Self {
        Self { store: Store::new(environment) }
    }

    /// What a file would be without Koor's hooks: as it was before, if nothing else has changed since; else what is there
    /// without them. `None` for no file.
    pub(super) fn before(
        &self,
        path: &Path,
        there: Option<&str>,
        target: Target,
    ) -> Result<Option<String>, Failure> {
        let Some(there) = there else { return Ok(None) };
        match self.read()?.remove(&key(path)) {
            Some(record) if record.after == there => return Ok(record.before),
            Some(_) | None => {}
        }
        let out = taken_out(there, target).map_err(|why| cannot(path, &why))?;
        let without = out.unwrap_or_else(|| there.to_owned());
        Ok(Some(without).filter(|text| !text.is_empty()))
    }

    /// Keeps what a file was before and what it becomes.
    pub(super) fn keep(
        &self,
        path: &Path,
        before: Option<String>,
        after: &str,
        made: Vec<PathBuf>,
    ) -> Result<(), Failure> {
        let mut all = self.read()?;
        let made_before = all.remove(&key(path)).map(|record| record.made).unwrap_or_default();
        let made = if made.is_empty() { made_before } else { made };
        all.insert(key(path), Record { before, after: after.to_owned(), made });
        self.write(&all)
    }

    /// Forgets a file. Answers the directories that were made for it.
    pub(super) fn forget(&self, path: &Path) -> Result<Vec<PathBuf>, Failure> {
        let mut all = self.read()?;
        let Some(record) = all.remove(&key(path)) else { return Ok(Vec::new()) };
        self.write(&all)?;
        Ok(record.made)
    }

    fn read(&self) -> Result<BTreeMap<String, Record>, Failure> {
        let Some(directory) = self.store.directory() else { return Ok(BTreeMap::new()) };
        let path = directory.join(FILE);
        let all = file::read_if_there(&path)?;
        serde_json::from_value(all.into()).map_err(|error| {
            Failure::refused(format_args!("cannot understand {}: {error}; remove it", path.display()))
        })
    }

    fn write(&self, all: &BTreeMap<String, Record>) -> Result<(), Failure> {
        let path = self.store.private_directory()?.join(FILE);
        let all = serde_json::to_value(all).map_err(|error| Failure::caused_by(&error))?;
        let empty = serde_json::Map::new();
        file::write(&path, all.as_object().unwrap_or(&empty))
    }
}

fn key(path: &Path) -> String {
    path.display().to_string()
}
