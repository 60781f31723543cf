//! Which hooks are installed, whether they would run, and when they last did.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use koor_core::clock::Timestamp;
use serde::Serialize;

use super::{change, command, file, path_of, pre_commit, trust};
use crate::{
    commands::hook::{clients::Client, session::fired_path, target::Target},
    exit::Failure,
    output::{Column, Kind, Output, Rows, Table},
    settings::{file as settings_file, locate},
};

const TABLE: Table = Table {
    rows: Rows::Whole,
    columns: &[
        Column("CLIENT", "/client", Kind::Name),
        Column("FOR", "/scope", Kind::Text),
        Column("INSTALLED", "/installed", Kind::Text),
        Column("POLICY", "/policy", Kind::Text),
        Column("TRUSTED", "/trusted", Kind::Text),
        Column("LAST FIRED", "/last_fired", Kind::Time),
        Column("VERSION", "/version", Kind::Text),
        Column("FILE", "/file", Kind::Text),
    ],
    empty: "no hooks",
};

/// Hooks that are installed in a file.
#[derive(Debug)]
pub(crate) struct Installed {
    pub(crate) target: Target,
    /// `user` or `project`.
    pub(crate) scope: &'static str,
    pub(crate) file: PathBuf,
    /// The line that the client runs.
    pub(crate) line: String,
    /// The program in it, and the policy.
    pub(crate) program: String,
    pub(crate) policy: String,
}

impl Installed {
    /// The version of the program that the client would run; `None` if it can't be run.
    pub(crate) fn version(&self) -> Option<String> {
        let ran = Command::new(&self.program).arg("--version").stdin(Stdio::null()).output().ok()?;
        let said = ran.status.success().then(|| String::from_utf8_lossy(&ran.stdout).into_owned())?;
        said.split_whitespace().nth(1).map(str::to_owned)
    }

    /// Whether the client would run them, as far as its files say.
    pub(crate) fn trusted(&self) -> Option<bool> {
        trust::of(self.target, self.scope, &self.file)
    }
}

#[derive(Serialize)]
struct Row {
    client: &'static str,
    scope: &'static str,
    installed: bool,
    policy: String,
    trusted: Option<bool>,
    last_fired: Option<String>,
    version: Option<String>,
    file: String,
}

/// Every hook of Koor's that is installed: for the user, for the project in this directory, and for its repository.
pub(crate) fn installed() -> Vec<Installed> {
    let mut found = Vec::new();
    for (target, scope, file) in places() {
        let Ok(Some(text)) = file::read(&file) else { continue };
        let lines = match target {
            Target::Client(client) => change::commands(&text, client),
            Target::Git => pre_commit::line(&text).map(str::to_owned).into_iter().collect(),
        };
        for line in lines {
            let Some((program, policy)) = command::read(&line, target) else { continue };
            let (program, policy) = (program.to_owned(), policy.to_owned());
            found.push(Installed { target, scope, file: file.clone(), line, program, policy });
        }
    }
    found
}

/// Every file in which there can be hooks.
fn places() -> Vec<(Target, &'static str, PathBuf)> {
    let mut places = Vec::new();
    for target in Client::ALL.map(Target::Client) {
        for (scope, project) in [("user", false), ("project", true)] {
            if let Ok(file) = path_of(target, project)
                && !places.iter().any(|(_, _, known)| *known == file)
            {
                places.push((target, scope, file));
            }
        }
    }
    places.extend(path_of(Target::Git, true).ok().map(|file| (Target::Git, "project", file)));
    places
}

/// Prints a line for each file with hooks, and for each client without any.
pub(super) fn show(output: &Output) -> Result<(), Failure> {
    let found = installed();
    let mut rows: Vec<Row> = found.iter().map(row).collect();
    for target in Client::ALL.map(Target::Client).into_iter().chain([Target::Git]) {
        if !found.iter().any(|one| one.target == target) {
            rows.push(Row {
                client: target.name(),
                scope: "",
                installed: false,
                policy: String::new(),
                trusted: None,
                last_fired: None,
                version: None,
                file: String::new(),
            });
        }
    }
    let text = serde_json::to_vec(&rows).map_err(|error| Failure::caused_by(&error))?;
    output.table(&text, &TABLE)
}

fn row(one: &Installed) -> Row {
    Row {
        client: one.target.name(),
        scope: one.scope,
        installed: true,
        policy: one.policy.clone(),
        trusted: one.trusted(),
        last_fired: last_fired(one.target),
        version: one.version(),
        file: one.file.display().to_string(),
    }
}

/// When a hook of a client last ran in this directory.
fn last_fired(target: Target) -> Option<String> {
    let environment = |name: &str| env::var(name).ok();
    let settings = locate::find(&environment).unwrap_or_else(|| Path::new(settings_file::NAME).to_owned());
    let written =
        fs::metadata(fired_path(&settings, target.name())).and_then(|about| about.modified()).ok()?;
    let since = written.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Timestamp::from_millis(i64::try_from(since.as_millis()).ok()?).to_string())
}
