//! `koor backup` and `koor restore`: everything on a server as one file, and back.

mod count;
mod save;
mod transfer;

use std::{
    fs,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use serde_json::Value;

use self::{count::Counts, save::Draft, transfer::Progress};
use crate::{
    client::Client,
    context::Context,
    exit::Failure,
    output::{Stopped, copy},
};

/// What `koor backup --help` ends with.
pub(crate) const BACKUP_EXAMPLES: &str = "\
The file holds everything of one moment, with every version: state, specs, rules, templates, webhooks, instances, audit
log and usage. Tokens and the secrets of webhooks are not in it. It appears under its name when it is whole, and only its
owner may read it.

Examples:
  koor backup --output koor.json
  koor backup --output /backups/koor-$(date +%F).json";

/// What `koor restore --help` ends with.
pub(crate) const RESTORE_EXAMPLES: &str = "\
All of it is restored, or nothing. A server that holds state or specs already is left alone, unless --force says that the
backup is to be added to them: nothing that is there is lost. A backup of the original koor-cli is taken, too.

Examples:
  koor restore --file koor.json
  gunzip -c koor.json.gz | koor restore --file -";

/// How long a server may take to prepare a backup, or to write one down.
const PATIENCE: Duration = Duration::from_mins(30);

/// The flags of `backup`.
#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// File to write
    #[arg(long, value_name = "PATH")]
    output: PathBuf,

    /// Replace an existing file
    #[arg(long)]
    force: bool,
}

/// The flags of `restore`.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// File of the backup; - is standard input
    #[arg(long, value_name = "PATH")]
    file: PathBuf,

    /// Restore even if the server already holds state
    #[arg(long)]
    force: bool,
}

/// Saves everything, and shows what it was.
///
/// # Errors
/// When the file is there, the server refuses, or anything does not arrive or can't be written: the file is as it was
/// then.
pub(crate) fn backup(args: &BackupArgs, context: &Context) -> Result<(), Failure> {
    let draft = Draft::beside(&args.output, args.force)?;
    let answer = context.client.get("/api/backup").patience(PATIENCE).send()?;
    let progress = Progress::new(answer.length());
    let mut file = draft.file();
    let copied = copy(&mut answer.reader(), &mut file, &mut |bytes| progress.at(bytes));
    progress.end();
    let bytes = copied.map_err(|stopped| match stopped {
        Stopped::Reading(error) => Failure::broken_off(&error),
        Stopped::Writing(error) => draft.cannot(&error),
    })?;
    // Read back from where it was written: what can't be read is no backup.
    let counts = draft.reread().map_err(|error| draft.cannot(&error)).and_then(|file| {
        Counts::read(BufReader::new(file))
            .map_err(|error| Failure::refused(format!("what the server sent is no backup: {error}")))
    })?;
    draft.finish()?;
    let mut shown = counts.to_json();
    shown.insert("output".to_owned(), Value::from(args.output.display().to_string()));
    shown.insert("bytes".to_owned(), Value::from(bytes));
    show(context, "saved", shown)
}

/// Restores everything that is in a backup, and shows what it was.
///
/// # Errors
/// When the server holds state, refuses, or the file can't be read: nothing is restored then.
pub(crate) fn restore(args: &RestoreArgs, context: &Context) -> Result<(), Failure> {
    let (source, length) = open(&args.file)?;
    if !args.force {
        check_empty(&context.client)?;
    }
    let progress = Progress::new(length);
    let mut source = progress.watch(source);
    let sent = context
        .client
        .post("/api/backup/restore")
        .stream(&mut source, length, "application/json")
        .patience(PATIENCE)
        .send();
    progress.end();
    let body = sent?.bytes()?;
    match serde_json::from_slice(&body) {
        Ok(Value::Object(restored)) if context.output.is_for_people() => show(context, "restored", restored),
        Ok(_) | Err(_) => context.output.json(&body),
    }
}

fn open(path: &Path) -> Result<(Box<dyn Read>, Option<u64>), Failure> {
    if path.as_os_str() == "-" {
        return Ok((Box::new(io::stdin()), None));
    }
    let cannot = |error: io::Error| Failure::usage(format!("cannot read {}: {error}", path.display()));
    let file = fs::File::open(path).map_err(cannot)?;
    let about = file.metadata().map_err(cannot)?;
    if about.is_dir() {
        return Err(cannot(io::ErrorKind::IsADirectory.into()));
    }
    // A pipe has a name, but no length.
    let length = about.is_file().then_some(about.len());
    Ok((Box::new(BufReader::new(file)), length))
}

fn check_empty(client: &Client) -> Result<(), Failure> {
    let state: Vec<Value> = client.get("/api/state").query("limit", 1).send()?.json()?;
    let specs: Value = client.get("/api/specs").send()?.json()?;
    let has_specs = specs["projects"].as_array().is_some_and(|projects| !projects.is_empty());
    let held = match (state.is_empty(), has_specs) {
        (false, _) => "state",
        (true, true) => "specs",
        (true, false) => return Ok(()),
    };
    Err(Failure::refused(format!(
        "{} holds {held} already: restore into an empty server, or add the backup to what is there with --force",
        client.server()
    )))
}

/// One object for a program, a line for each noun for a person.
fn show(context: &Context, done: &str, shown: serde_json::Map<String, Value>) -> Result<(), Failure> {
    if !context.output.is_for_people() {
        return context.output.json(Value::Object(shown).to_string().as_bytes());
    }
    let width = shown.keys().map(String::len).max().unwrap_or(0);
    for (name, value) in &shown {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        context.output.line(format_args!("{done} {name:width$}  {value}"))?;
    }
    Ok(())
}
