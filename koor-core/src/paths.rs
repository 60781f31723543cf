//! Patterns over paths of files, and whether two of them have a path in common.

mod overlap;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{error::Invalid, pattern::Pattern, schema::describe};

/// The longest pattern, in bytes. Deciding whether two overlap takes at most as many steps as the product of their lengths,
/// so this also bounds a comparison: about a million steps.
const MAX_PATH: usize = 1024;

/// A pattern over paths that are relative to a project's root and separated by `/`.
///
/// Within a segment, `*` is any run of characters, `?` is one character, `[a-z]` and `[^a-z]` are classes, and `\` takes the
/// next character as it is; none of them matches a `/`. A segment `**` is zero or more whole segments. A pattern without
/// wildcards also matches every path below it.
///
/// A path has at least one segment; no segment is empty, `.` or `..`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathPattern {
    written: Box<str>,
    segments: Box<[Segment]>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Segment {
    /// `**`: zero or more whole segments.
    Many,
    /// One segment, without wildcards.
    Literal(Box<str>),
    /// One segment, with wildcards.
    Glob(Pattern),
}

impl Segment {
    fn parse(written: &str) -> Result<Self, Invalid> {
        if written == "**" {
            return Ok(Self::Many);
        }
        let pattern = Pattern::new(written)?;
        match pattern.literal() {
            Some(literal @ ("." | "..")) => Err(Invalid::new(format!("a segment is {literal:?}"))),
            Some(literal) => Ok(Self::Literal(literal.into())),
            None => Ok(Self::Glob(pattern)),
        }
    }

    fn literal(&self) -> Option<&str> {
        match self {
            Self::Literal(literal) => Some(literal),
            Self::Many | Self::Glob(_) => None,
        }
    }

    /// Whether this one segment matches it; `**` is not asked.
    fn matches(&self, segment: &str) -> bool {
        match self {
            Self::Many => true,
            Self::Literal(literal) => **literal == *segment,
            Self::Glob(pattern) => pattern.matches(segment),
        }
    }
}

/// Some of the patterns that surely parse: no schema can say which do.
const PLAIN: &str = r"^[A-Za-z0-9_*?-][A-Za-z0-9_.*?-]*(/[A-Za-z0-9_*?-][A-Za-z0-9_.*?-]*)*$";

describe!(PathPattern: {"type": "string", "maxLength": 1024, "pattern": PLAIN});

impl PathPattern {
    /// Parses a pattern. `./` is dropped.
    ///
    /// # Errors
    /// When it is empty, longer than 1024 bytes, begins with `/`, has an empty segment or `..`, or a segment does not parse.
    pub fn new(written: impl AsRef<str>) -> Result<Self, Invalid> {
        let kept = kept_segments(written.as_ref())?;
        let invalid = |error: Invalid| Invalid::new(format!("invalid path {:?}: {error}", written.as_ref()));
        let parsed = kept.iter().map(|segment| Segment::parse(segment));
        let mut segments = parsed.collect::<Result<Vec<_>, _>>().map_err(invalid)?;
        if segments.iter().all(|segment| segment.literal().is_some()) {
            segments.push(Segment::Many);
        }
        Ok(Self { written: kept.join("/").into(), segments: segments.into() })
    }

    /// Whether a path matches this pattern. The path is taken literally.
    ///
    /// # Errors
    /// When the path is not relative to the project's root.
    pub fn matches(&self, path: &str) -> Result<bool, Invalid> {
        let path = kept_segments(path)?;
        // Which segments of the pattern can come next, after each segment of the path.
        let mut next = vec![false; self.segments.len() + 1];
        next[0] = true;
        self.skip_many(&mut next);
        for segment in path {
            let before = std::mem::replace(&mut next, vec![false; self.segments.len() + 1]);
            for (at, own) in self.segments.iter().enumerate().filter(|(at, _)| before[*at]) {
                match own {
                    Segment::Many => next[at] = true,
                    one if one.matches(segment) => next[at + 1] = true,
                    Segment::Literal(_) | Segment::Glob(_) => {}
                }
            }
            self.skip_many(&mut next);
        }
        Ok(next[self.segments.len()])
    }

    /// `**` also stands for no segment.
    fn skip_many(&self, next: &mut [bool]) {
        for (at, segment) in self.segments.iter().enumerate() {
            next[at + 1] |= next[at] && *segment == Segment::Many;
        }
    }

    /// Whether some path matches both patterns. This is exact.
    ///
    /// It takes at most as many steps as the product of the two lengths, and none beyond the first segment in which two
    /// literal beginnings differ.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        overlap::overlap(&self.segments, &other.segments)
    }

    /// The segments before the first wildcard, each with a `/` after it. Two patterns can overlap only if one's text begins
    /// with the other's, so a store can look leases up by it.
    #[must_use]
    pub fn literal_beginning(&self) -> String {
        let literals = self.segments.iter().map_while(Segment::literal);
        literals.flat_map(|literal| [literal, "/"]).collect()
    }

    /// The pattern that matches this path, and what is below it if it is a directory.
    ///
    /// # Errors
    /// When the path is not relative to the project's root, or too long.
    pub fn of_path(path: &str) -> Result<Self, Invalid> {
        let mut written = String::with_capacity(path.len());
        for c in path.chars() {
            if matches!(c, '*' | '?' | '[' | ']' | '\\') {
                written.push('\\');
            }
            written.push(c);
        }
        Self::new(written)
    }

    /// The pattern as it was written, without `./`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.written
    }
}

/// Refuses what is no path relative to a project's root.
///
/// # Errors
/// As [`PathPattern::new`], but for patterns.
pub fn check_path(path: &str) -> Result<(), Invalid> {
    kept_segments(path).map(drop)
}

/// The segments of what a client wrote, without `.`.
fn kept_segments(written: &str) -> Result<Vec<&str>, Invalid> {
    let invalid = |what: &str| Err(Invalid::new(format!("invalid path {written:?}: {what}")));
    if written.len() > MAX_PATH {
        let (bytes, most) = (written.len(), MAX_PATH);
        return Err(Invalid::new(format!("a path is {bytes} bytes long, at most {most} are allowed")));
    }
    if written.is_empty() {
        return Err(Invalid::new("path is required"));
    }
    if written.starts_with('/') {
        return invalid("it begins with '/', but paths are relative to the project's root");
    }
    if written.contains(char::is_control) {
        return invalid("it has a control character");
    }
    let mut kept = Vec::new();
    for segment in written.split('/') {
        match segment {
            "" => return invalid("it has an empty segment; write `src`, not `src/`, for all below it"),
            ".." => return invalid("it has a segment '..'"),
            "." => {}
            segment => kept.push(segment),
        }
    }
    if kept.is_empty() { invalid("write `**` for the whole project") } else { Ok(kept) }
}

impl TryFrom<String> for PathPattern {
    type Error = Invalid;

    fn try_from(written: String) -> Result<Self, Invalid> {
        Self::new(written)
    }
}

impl FromStr for PathPattern {
    type Err = Invalid;

    fn from_str(written: &str) -> Result<Self, Invalid> {
        Self::new(written)
    }
}

impl From<PathPattern> for String {
    fn from(pattern: PathPattern) -> Self {
        pattern.written.into()
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

#[cfg(test)]
mod tests;
