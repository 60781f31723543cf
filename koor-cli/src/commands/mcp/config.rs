//! What a client must be told of this server: printed, or merged into its file.

use std::{
    fs,
    io::{self, Read as _},
    path::Path,
    time::Duration,
};

use serde_json::{Map, Value, json};

use super::{
    clients::{Client, NAME},
    merge,
};
use crate::{
    context::Context,
    exit::{self, Failure},
    settings::file,
};

/// The largest file that is read: people write it.
const LARGEST: u64 = 1 << 20;

/// How long the server may take to say whether it asks for a token: only a warning depends on it.
const PATIENCE: Duration = Duration::from_secs(3);

/// Prints the entry, or merges it.
///
/// # Errors
/// When the client has no file here, or its file is no good.
pub(super) fn run(client: Client, write: bool, context: &Context) -> Result<(), Failure> {
    let token = context.settings.token.as_ref().map(|token| token.value.as_str());
    let entry = client.entry(context.client.server(), token);
    let file = if write { Some(file_of(client)?) } else { None };
    if refuses(context) {
        exit::warn(if token.is_some() {
            "the server does not take this token: set the right one with --token, KOOR_TOKEN or `koor config set token TOKEN`"
        } else {
            "the server asks for a token, and none is set: use --token, KOOR_TOKEN or `koor config set token TOKEN`"
        });
    }
    let Some(file) = file else {
        let snippet = json!({client.list(): {NAME: entry}});
        // To be pasted by a person: always indented.
        context.output.line(serde_json::to_string_pretty(&snippet).unwrap_or_default())?;
        exit::warn(format_args!("this belongs into {}", client.place()));
        return Ok(());
    };
    merge_into(Path::new(file), client, &entry)?;
    if token.is_some() {
        exit::warn(format_args!("{file} holds the token now: keep it out of version control"));
    }
    context.output.line(file)
}

fn file_of(client: Client) -> Result<&'static str, Failure> {
    client.file().ok_or_else(|| {
        Failure::usage(format_args!(
            "this client has no file in a project's directory: without --write, what belongs into {} is printed",
            client.place()
        ))
    })
}

/// Whether the server is there and wants another token than the one it would be shown.
fn refuses(context: &Context) -> bool {
    let asked = context.client.get("/api/metrics").patience(PATIENCE).send();
    asked.is_err_and(|failure| failure.status() == Some(401))
}

fn merge_into(path: &Path, client: Client, entry: &Map<String, Value>) -> Result<(), Failure> {
    let cannot =
        |why: &dyn std::fmt::Display| Failure::refused(format!("cannot change {}: {why}", path.display()));
    let text = read(path).map_err(|error| cannot(&error))?;
    let text = merge::merged(&text, client.list(), NAME, entry).map_err(|error| {
        cannot(&format_args!(
            "{error}. Only plain JSON can be merged into, without comments; it is left as it is, and `koor mcp config` \
             without --write prints what belongs into it"
        ))
    })?;
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(|error| cannot(&error))?;
    }
    file::replace(path, &text)
}

fn read(path: &Path) -> io::Result<String> {
    let file = match fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        file => file?,
    };
    let mut text = String::new();
    if file.take(LARGEST + 1).read_to_string(&mut text)? as u64 > LARGEST {
        return Err(io::Error::other("it is over 1 MiB long"));
    }
    Ok(text)
}
