//! Small texts that travel in headers, tables and terminals, and so must not hold just anything.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{error::Invalid, schema::describe};

/// The longest a one-line text may be.
const LINE: usize = 1024;

/// The longest a text of several lines may be.
const PROSE: usize = 64 * 1024;

/// Takes a text of one line: at most 1024 bytes, no control characters.
pub(crate) fn line(field: &str, text: impl Into<String>) -> Result<String, Invalid> {
    bounded(field, text.into(), LINE, char::is_control)
}

/// Takes a text of several lines: at most 64 KiB, no control characters but tabs and line ends.
pub(crate) fn prose(field: &str, text: impl Into<String>) -> Result<String, Invalid> {
    bounded(field, text.into(), PROSE, |c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

fn bounded(field: &str, text: String, most: usize, bad: fn(char) -> bool) -> Result<String, Invalid> {
    if text.len() > most {
        return Err(Invalid::new(format!(
            "{field} is {} bytes long, at most {most} are allowed",
            text.len()
        )));
    }
    match text.chars().find(|c| bad(*c)) {
        Some(c) => Err(Invalid::new(format!("invalid {field}: control character {c:?}"))),
        None => Ok(text),
    }
}

/// Who did something, as the audit log and the `source` of system events write it: an instance's id, `admin`,
/// the name of a background job, or none (`""`). Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Actor(Arc<str>);

describe!(Actor: {"type": "string"});

impl Actor {
    /// The actor written so.
    pub fn new(name: impl AsRef<str>) -> Self {
        Self(name.as_ref().into())
    }

    /// The actor as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Actor {
    fn default() -> Self {
        Self::new("")
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The media type of a document: 1 to 255 visible ASCII characters, safe to send as a header. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ContentType(Arc<str>);

describe!(ContentType: {"type": "string"});

impl ContentType {
    /// `application/json`.
    #[must_use]
    pub fn json() -> Self {
        Self("application/json".into())
    }

    /// Takes a media type as a client wrote it.
    ///
    /// # Errors
    /// When it could not be sent back as a header.
    pub fn new(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        if text.is_empty() || text.len() > 255 || text.bytes().any(|b| !(b' '..=b'~').contains(&b)) {
            return Err(Invalid::new(format!(
                "invalid content type {text:?}: 1 to 255 visible ASCII characters are needed"
            )));
        }
        Ok(Self(text.into()))
    }

    /// The media type as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ContentType {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::new(&text)
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
