//! What a command is given to work on: text on its line, a file, or its standard input.

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use clap::Args;

use crate::exit::Failure;

/// The most that is read: the largest body that a server can be told to take.
const LARGEST: u64 = 512 << 20;

/// A value, or where it is.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Input {
    /// The value itself; - reads it from standard input
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    pub(crate) data: Option<String>,

    /// The file that holds it; - is standard input
    #[arg(long, value_name = "PATH")]
    pub(crate) file: Option<String>,
}

impl Input {
    /// The value.
    ///
    /// # Errors
    /// When it can't be read, or is too large for every server.
    pub(crate) fn read(&self) -> Result<Vec<u8>, Failure> {
        match (&self.data, &self.file) {
            (Some(data), _) if data != "-" => Ok(data.clone().into_bytes()),
            (None, Some(path)) => read(path),
            (Some(_) | None, _) => read("-"),
        }
    }
}

/// Reads a file, or standard input where its name is a dash.
///
/// # Errors
/// When it can't be read, or is too large for every server.
pub(crate) fn read(path: &str) -> Result<Vec<u8>, Failure> {
    if path == "-" {
        return whole(io::stdin().lock(), "standard input");
    }
    let file = fs::File::open(Path::new(path))
        .map_err(|error| Failure::usage(format_args!("cannot read {path}: {error}")))?;
    whole(file, path)
}

fn whole(from: impl Read, name: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    from.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::usage(format_args!("cannot read {name}: {error}")))?;
    if bytes.len() as u64 > LARGEST {
        return Err(Failure::usage(format_args!("{name} is over 512 MiB: no server takes that")));
    }
    Ok(bytes)
}
