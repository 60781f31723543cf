//! What a command is given to work on: text on its line, a file, or its standard input.

use std::{
    fmt, fs,
    io::{self, Read},
    path::Path,
    str::FromStr,
};

use clap::Args;
use serde_json::value::RawValue;

use crate::exit::Failure;

/// The most that is read: the largest body that a server can be told to take.
const LARGEST: u64 = 512 << 20;

/// A value, or where it is.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Input {
    /// The value; - reads standard input
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    pub(crate) data: Option<String>,

    /// File of the value; - is standard input
    #[arg(long, value_name = "PATH")]
    pub(crate) file: Option<String>,
}

impl Input {
    /// A value that was typed.
    pub(crate) fn text(data: &str) -> Self {
        Self { data: Some(data.to_owned()), file: None }
    }

    /// A value, if there is one.
    pub(crate) fn maybe(data: Option<&String>, file: Option<&String>) -> Option<Self> {
        (data.is_some() || file.is_some()).then(|| Self { data: data.cloned(), file: file.cloned() })
    }

    /// The value, which must be JSON to become a part of what is sent. Not a byte of it changes.
    ///
    /// # Errors
    /// As [`Input::read`], and when it is no JSON.
    pub(crate) fn read_json(&self) -> Result<Box<RawValue>, Failure> {
        serde_json::from_slice(&self.read()?).map_err(|error| {
            Failure::usage(format_args!(
                "the data is no JSON: {error}; a text needs quotes, as in '\"hello\"'"
            ))
        })
    }

    /// The value, which must be JSON if it was typed as `--data` and is not said to be something else. Not a byte of it
    /// changes.
    ///
    /// # Errors
    /// As [`Input::read`], and when it should be JSON and is not.
    pub(crate) fn read_as(&self, kind: Option<&str>) -> Result<Vec<u8>, Failure> {
        let value = self.read()?;
        let is_json = kind.is_none_or(|kind| {
            let kind = kind.split(';').next().unwrap_or_default().trim();
            kind.eq_ignore_ascii_case("application/json") || kind.to_ascii_lowercase().ends_with("+json")
        });
        let Some(typed) = self.data.as_deref().filter(|_| is_json) else { return Ok(value) };
        match serde_json::from_slice::<&RawValue>(&value) {
            Ok(_) => Ok(value),
            Err(_) if typed.starts_with('@') => {
                let path = typed.trim_start_matches('@');
                Err(Failure::usage(format_args!("--data takes the value itself: for a file, --file {path}")))
            }
            Err(error) => Err(Failure::usage(format_args!(
                "the data is no JSON: {error}; a text needs quotes, as in '\"hello\"', or --content-type text/plain"
            ))),
        }
    }

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

/// Reads a secret: one line, without its end.
///
/// # Errors
/// As [`read`], and when it is no text, or empty.
pub(crate) fn read_secret(path: &str) -> Result<String, Failure> {
    let bytes = read(path)?;
    match std::str::from_utf8(&bytes).map(str::trim) {
        Ok(secret) if !secret.is_empty() => Ok(secret.to_owned()),
        Ok(_) | Err(_) => Err(Failure::usage(format_args!("{path} holds no secret"))),
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

/// Two names with a slash between them, such as a project and one of its specs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) first: String,
    pub(crate) second: String,
}

impl FromStr for Pair {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some((first, second)) if !first.is_empty() && !second.is_empty() && !second.contains('/') => {
                Ok(Self { first: first.to_owned(), second: second.to_owned() })
            }
            Some(_) | None => Err("write two names with a slash between them"),
        }
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.second)
    }
}
