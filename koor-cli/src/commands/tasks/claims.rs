//! The claims that were made in this directory, with the fences they came with: `.koor/claims.json` beside `settings.json`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};

use crate::{context::Context, exit::Failure, settings::file};

/// The claims of one agent's directory.
#[derive(Debug)]
pub(crate) struct Claims {
    path: PathBuf,
    /// By place, `project/number`: the fence, and the server that gave it.
    by_place: Map<String, Value>,
    server: String,
}

impl Claims {
    /// Reads them.
    ///
    /// # Errors
    /// When there is a file that can't be read.
    pub(super) fn read(context: &Context) -> Result<Self, Failure> {
        let settings = context.settings.file.clone().unwrap_or_else(|| PathBuf::from(file::NAME));
        Self::beside(&settings, context.client.server())
    }

    /// Reads those of the agent with these settings, on that server.
    ///
    /// # Errors
    /// As [`Claims::read`].
    pub(crate) fn beside(settings: &Path, server: &str) -> Result<Self, Failure> {
        let path = settings.with_file_name(".koor").join("claims.json");
        Ok(Self { by_place: file::read_if_there(&path)?, path, server: server.to_owned() })
    }

    /// The fence that the claim on a task came with.
    pub(super) fn fence(&self, project: &str, number: u64) -> Option<u64> {
        let claim = self.by_place.get(&place(project, number))?;
        claim["fence"].as_u64().filter(|_| claim["server"] == self.server.as_str())
    }

    /// The tasks of a project on this server, by number.
    pub(crate) fn of(&self, project: &str) -> Vec<u64> {
        let number = |place: &String| {
            let (of, number) = place.rsplit_once('/')?;
            number.parse::<u64>().ok().filter(|_| of == project)
        };
        let mut numbers: Vec<u64> = self.by_place.keys().filter_map(number).collect();
        numbers.retain(|number| self.fence(project, *number).is_some());
        numbers.sort_unstable();
        numbers
    }

    /// Keeps a claim.
    ///
    /// # Errors
    /// When the file can't be written.
    pub(super) fn keep(&mut self, task: &Value) -> Result<(), Failure> {
        let (Some(project), Some(number)) = (task["project"].as_str(), task["number"].as_u64()) else {
            return Ok(());
        };
        let claim = json!({"fence": task["fence"], "server": self.server});
        self.by_place.insert(place(project, number), claim);
        self.write()
    }

    /// Forgets a claim.
    ///
    /// # Errors
    /// When the file can't be written.
    pub(super) fn forget(&mut self, project: &str, number: u64) -> Result<(), Failure> {
        match self.by_place.remove(&place(project, number)) {
            Some(_) => self.write(),
            None => Ok(()),
        }
    }

    fn write(&self) -> Result<(), Failure> {
        if let Some(directory) = self.path.parent() {
            fs::create_dir_all(directory).map_err(|error| {
                Failure::refused(format_args!("cannot make {}: {error}", directory.display()))
            })?;
        }
        file::write(&self.path, &self.by_place)
    }
}

fn place(project: &str, number: u64) -> String {
    format!("{project}/{number}")
}
