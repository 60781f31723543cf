//! `koor state edit`: a value in an editor, and a conditional write.

mod editor;
mod text;

use std::{
    fs,
    io::{self, Write as _},
};

use clap::Args;
use serde::Deserialize;
use tempfile::NamedTempFile;

use self::text::Edited;
use crate::{
    client::{Answer, Client},
    context::Context,
    exit::{Failure, warn},
};

/// What `koor state edit --help` ends with.
pub(crate) const EXAMPLES: &str = "\
Opens the value in $VISUAL, $EDITOR or vi. What is saved is written only if the value is still the one that was opened:
a change that came meanwhile is reported and never overwritten, and the text is kept in a file. A key that is not there
yet is created.

Examples:
  koor state edit Truck-Wash/plan
  EDITOR='code --wait' koor state edit Truck-Wash/notes.md";

/// The flags of `state edit`.
#[derive(Debug, Args)]
pub(crate) struct EditArgs {
    /// Key of the value
    key: String,
}

/// What is edited: what it was when it was opened.
struct Opened {
    /// `None`: the key is not there.
    tag: Option<String>,
    kind: Option<String>,
    bytes: Vec<u8>,
}

/// Edits a value, and prints what the server says to the write.
///
/// # Errors
/// When the value can't be fetched or is no text, the editor fails, or the write is refused; the text that was edited is
/// kept in a file then, which the error names.
pub(crate) fn run(args: &EditArgs, context: &Context) -> Result<(), Failure> {
    let client = &context.client;
    let opened = open(client, &args.key)?;
    let shown = text::shown(&opened.bytes).ok_or_else(|| {
        let kind = opened.kind.as_deref().unwrap_or("bytes");
        Failure::refused(format!(
            "{} is no text ({kind}): use `koor state get` and `koor state set`",
            args.key
        ))
    })?;
    let file = draft(&args.key, opened.kind.as_deref(), &shown)
        .map_err(|error| Failure::caused_by(&error).about("cannot make a file to edit"))?;
    let edited = editor::edit(file.path()).and_then(|()| {
        // Anew, by its name: many editors put another file in its place.
        fs::read(file.path()).map_err(|error| Failure::caused_by(&error).about("cannot read what was edited"))
    });
    let edited = match edited {
        Ok(bytes) => bytes,
        Err(failure) => return Err(keep(file, failure)),
    };
    let bytes = match text::compare(&opened.bytes, &shown, edited) {
        Edited::Unchanged => {
            warn(format_args!("{} is unchanged: nothing was written", args.key));
            return Ok(());
        }
        Edited::Emptied => {
            return Err(Failure::refused(format!(
                "nothing was written: a value cannot be empty. `koor state delete {}` removes it",
                args.key
            )));
        }
        Edited::To(bytes) => bytes,
    };
    context.warn_if_anonymous();
    let written = write(client, &args.key, &opened, bytes).map_err(|failure| keep(file, failure))?;
    context.output.json(&written.bytes()?)
}

fn open(client: &Client, key: &str) -> Result<Opened, Failure> {
    match client.get("/api/state").segments(key).send() {
        Ok(answer) => Ok(Opened {
            tag: answer.header("etag").map(str::to_owned),
            kind: answer.header("content-type").map(str::to_owned),
            bytes: answer.bytes()?,
        }),
        Err(failure) if failure.status() == Some(404) => {
            Ok(Opened { tag: None, kind: None, bytes: Vec::new() })
        }
        Err(failure) => Err(failure),
    }
}

/// The file that is edited. Only its owner may read it.
fn draft(key: &str, kind: Option<&str>, text: &str) -> io::Result<NamedTempFile> {
    let suffix = text::suffix(key, kind);
    let mut file = tempfile::Builder::new().prefix("koor-edit-").suffix(&suffix).tempfile()?;
    file.write_all(text.as_bytes())?;
    file.flush()?;
    Ok(file)
}

fn write(client: &Client, key: &str, opened: &Opened, bytes: Vec<u8>) -> Result<Answer, Failure> {
    let kind = text::kind(key, opened.kind.as_deref(), &bytes).map_err(Failure::refused)?;
    let request = client.put("/api/state").segments(key).bytes(bytes, kind);
    let request = match &opened.tag {
        Some(tag) => request.header("If-Match", tag.clone()),
        None => request.header("If-None-Match", "*".to_owned()),
    };
    request.send().map_err(|failure| match failure.status() {
        Some(412) => overtaken(client, key),
        Some(_) | None => failure,
    })
}

/// Says who was faster.
fn overtaken(client: &Client, key: &str) -> Failure {
    #[derive(Deserialize)]
    struct History {
        versions: Vec<Newest>,
    }
    #[derive(Deserialize)]
    struct Newest {
        version: u64,
        updated_at: String,
        #[serde(default)]
        updated_by: String,
        #[serde(default)]
        deleted: bool,
    }
    let newest = client
        .get("/api/state")
        .segments(key)
        .query("history", 1)
        .query("limit", 1)
        .send()
        .and_then(Answer::json::<History>)
        .ok()
        .and_then(|history| history.versions.into_iter().next());
    Failure::refused(match newest {
        Some(Newest { version, updated_at, updated_by, deleted }) => {
            let by = if updated_by.is_empty() { String::new() } else { format!(" by {updated_by}") };
            let what = if deleted { "deleted" } else { "changed" };
            format!("{key} was {what}{by} while it was edited: it is at version {version} since {updated_at}")
        }
        None => format!("{key} was changed while it was edited"),
    })
}

/// Keeps what was edited, and says where: what the server says stands for itself.
fn keep(file: NamedTempFile, failure: Failure) -> Failure {
    let path = file.path().to_owned();
    warn(match file.keep() {
        Ok(_) => format!("nothing was written; the text is kept in {}", path.display()),
        Err(error) => format!("nothing was written, and the text cannot be kept: {error}"),
    });
    failure
}
