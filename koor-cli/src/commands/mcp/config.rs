//! What a client must be told of this server: printed, or merged into its file.

use std::{
    fs,
    io::{self, Read as _},
    path::Path,
};

use crate::{
    context::Context,
    exit::{self, Failure},
    mcp_files::{
        MergeError,
        clients::{Client, File, NAME},
        merged,
    },
    probe::{Probe, probe},
    settings,
};

/// The largest file that is read: people write it.
const LARGEST: u64 = 1 << 20;

/// Prints the entry, or merges it.
///
/// # Errors
/// When the client has no file here, or its file is no good.
pub(super) fn run(client: Client, write: bool, context: &Context) -> Result<(), Failure> {
    let files = if write { files_of(client)? } else { &[] };
    let token = needed_token(write, context)?;
    let server = context.client.server();
    if !write {
        let file = client.printed();
        context.output.line(file.snippet(server, token))?;
        exit::warn(format_args!("this belongs into {}", file.path));
        return Ok(());
    }
    for file in files {
        let entry = file.entry(server, token);
        change(Path::new(file.path), |text| merged(text, file.list, NAME, &entry))?;
        if token.is_some() {
            exit::warn(format_args!("{} holds the token now: keep it out of version control", file.path));
        }
        context.output.line(file.path)?;
    }
    Ok(())
}

/// The token that the server asks for, where it asks for one; what is wrong with it is said.
///
/// # Errors
/// When it is the server's own and would be written down.
pub(super) fn needed_token(write: bool, context: &Context) -> Result<Option<&str>, Failure> {
    let token = context.settings.token.as_ref().map(|token| token.value.as_str());
    let found = probe(context.client.server(), token);
    // One that is not needed is not written down.
    let token = token.filter(|_| found != Probe::Open);
    match (found, token) {
        (Probe::Accepts, _) if write => {
            return Err(Failure::refused(
                "nothing was written: this is the server's own token, which no project's file should hold. `koor register \
                 NAME` gives this directory a token of its own; then run this again",
            ));
        }
        (Probe::Accepts, _) => exit::warn(
            "this holds the server's own token: anyone who can read it may do everything. `koor register NAME` gives a \
             directory a token of its own",
        ),
        (Probe::NeedsToken, Some(_)) => exit::warn(
            "the server does not take this token: set the right one with --token, KOOR_TOKEN or `koor config set token TOKEN`",
        ),
        (Probe::NeedsToken, None) => exit::warn(
            "the server asks for a token, and none is set: `koor register NAME` with the server's own gives this directory one",
        ),
        (Probe::Open | Probe::OnlyAnAgent | Probe::Silent, _) => {}
    }
    Ok(token)
}

fn files_of(client: Client) -> Result<&'static [File], Failure> {
    match client.files() {
        [] => Err(Failure::usage(format_args!(
            "this client has no file in a project's directory: without --write, what belongs into {} is printed",
            client.printed().path
        ))),
        files => Ok(files),
    }
}

/// Changes the text of a file, which is made if it is not there.
///
/// # Errors
/// When the file can't be read, understood or written.
pub(super) fn change(
    path: &Path,
    merge: impl FnOnce(&str) -> Result<String, MergeError>,
) -> Result<(), Failure> {
    let cannot =
        |why: &dyn std::fmt::Display| Failure::refused(format!("cannot change {}: {why}", path.display()));
    let text = read(path).map_err(|error| cannot(&error))?;
    let text = merge(&text).map_err(|error| {
        cannot(&format_args!(
            "{error}. It was left as it is; `koor mcp config` without --write prints what belongs into it"
        ))
    })?;
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(|error| cannot(&error))?;
    }
    settings::file::replace(path, &text)
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
