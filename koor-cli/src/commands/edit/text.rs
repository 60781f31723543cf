//! A value as text in an editor, and the text as a value again.

use std::{borrow::Cow, path::Path};

use crate::output::indented;

/// What became of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Edited {
    Unchanged,
    Emptied,
    To(Vec<u8>),
}

/// How a value is shown; `None` when it is no text.
pub(super) fn shown(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let text = std::str::from_utf8(bytes).ok()?;
    // A line of a thousand signs is no text to edit.
    let is_dense = !text.trim_end().contains('\n') && text.trim_start().starts_with(['{', '[']);
    if is_dense && is_json(bytes) {
        let indented = indented(bytes).and_then(|bytes| String::from_utf8(bytes).ok());
        return Some(indented.map_or(Cow::Borrowed(text), Cow::Owned));
    }
    Some(Cow::Borrowed(text))
}

/// Holds what was edited against what was shown.
pub(super) fn compare(original: &[u8], shown: &str, mut edited: Vec<u8>) -> Edited {
    if edited == shown.as_bytes() {
        return Edited::Unchanged;
    }
    // Editors end a last line that had no end.
    if !original.is_empty() && !shown.ends_with('\n') && edited.ends_with(b"\n") {
        edited.pop();
        if edited.ends_with(b"\r") {
            edited.pop();
        }
    }
    if edited == shown.as_bytes() || edited == original {
        Edited::Unchanged
    } else if edited.is_empty() {
        if original.is_empty() { Edited::Unchanged } else { Edited::Emptied }
    } else {
        Edited::To(edited)
    }
}

/// The content type under which a text is stored: the one it had, else what its key and the text itself tell.
///
/// # Errors
/// When it would be stored as JSON and is none.
pub(super) fn kind(key: &str, had: Option<&str>, bytes: &[u8]) -> Result<String, String> {
    let kind = match had {
        Some(had) => had.to_owned(),
        None => match extension(key).and_then(kind_of) {
            Some(kind) => kind.to_owned(),
            None if is_json(bytes) => JSON.to_owned(),
            None => "text/plain; charset=utf-8".to_owned(),
        },
    };
    if essence(&kind) == JSON
        && let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(bytes)
    {
        return Err(format!("it is not JSON any more: {error}"));
    }
    Ok(kind)
}

/// The end of the file's name: editors go by it.
pub(super) fn suffix(key: &str, kind: Option<&str>) -> String {
    let by_kind = kind.and_then(|kind| KINDS.iter().find(|(_, known)| *known == essence(kind)));
    match (extension(key), by_kind) {
        (Some(extension), _) if kind_of(extension).is_some() || kind.is_none() => format!(".{extension}"),
        (_, Some((extension, _))) => format!(".{extension}"),
        (Some(extension), None) => format!(".{extension}"),
        // Most values are.
        (None, None) if kind.is_none() => ".json".to_owned(),
        (None, None) => ".txt".to_owned(),
    }
}

const JSON: &str = "application/json";

/// Kinds of text, each under the ending that it is best known by first.
const KINDS: [(&str, &str); 13] = [
    ("json", JSON),
    ("md", "text/markdown"),
    ("txt", "text/plain"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
    ("toml", "application/toml"),
    ("html", "text/html"),
    ("css", "text/css"),
    ("csv", "text/csv"),
    ("xml", "application/xml"),
    ("js", "text/javascript"),
    ("svg", "image/svg+xml"),
    ("sh", "application/x-sh"),
];

fn kind_of(extension: &str) -> Option<&'static str> {
    KINDS.iter().find(|(known, _)| *known == extension).map(|(_, kind)| *kind)
}

/// The extension of a key's last part, if it looks like one.
fn extension(key: &str) -> Option<&str> {
    let extension = Path::new(key).extension()?.to_str()?;
    (extension.len() <= 8 && extension.bytes().all(|byte| byte.is_ascii_alphanumeric())).then_some(extension)
}

/// A content type without its parameters.
fn essence(kind: &str) -> &str {
    kind.split(';').next().unwrap_or_default().trim()
}

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_on_one_line_is_laid_out() {
        assert_eq!(shown(br#"{"b":1.00,"a":[]}"#).unwrap(), "{\n  \"b\": 1.00,\n  \"a\": []\n}");
        for as_it_is in ["{\"a\":\n1}", "plain", "{broken", "7", ""] {
            assert_eq!(shown(as_it_is.as_bytes()).unwrap(), as_it_is);
        }
        assert_eq!(shown(b"\xff"), None);
    }

    #[test]
    fn a_text_is_changed_only_if_somebody_changed_it() {
        let edited = |original: &str, shown: &str, edited: &str| {
            compare(original.as_bytes(), shown, edited.as_bytes().to_vec())
        };
        let to = |text: &str| Edited::To(text.as_bytes().to_vec());
        assert_eq!(edited("a", "a", "a"), Edited::Unchanged);
        assert_eq!(edited("a", "a", "a\n"), Edited::Unchanged);
        assert_eq!(edited("a", "a", "b\n"), to("b"));
        assert_eq!(edited("a\n", "a\n", "b\n"), to("b\n"));
        assert_eq!(edited("a\n", "a\n", "a"), to("a"));
        assert_eq!(edited("[1]", "[\n  1\n]", "[1]\n"), Edited::Unchanged);
        assert_eq!(edited("a", "a", ""), Edited::Emptied);
        assert_eq!(edited("a", "a", "\n"), Edited::Emptied);
        assert_eq!(edited("", "", ""), Edited::Unchanged);
        assert_eq!(edited("", "", "new\n"), to("new\n"));
    }

    #[test]
    fn a_new_value_is_what_its_key_and_its_text_say() {
        let new = |key: &str, text: &str| kind(key, None, text.as_bytes());
        assert_eq!(new("p/plan", "{}"), Ok(JSON.to_owned()));
        assert_eq!(new("p/plan", "words"), Ok("text/plain; charset=utf-8".to_owned()));
        assert_eq!(new("p/notes.md", "7"), Ok("text/markdown".to_owned()));
        assert!(new("p/plan.json", "words").is_err());
        assert_eq!(kind("p/plan", Some("text/x"), b"{}"), Ok("text/x".to_owned()));
        let broken = kind("p/plan", Some("application/json; charset=utf-8"), b"{").unwrap_err();
        assert!(broken.starts_with("it is not JSON any more: "), "{broken}");
    }

    #[test]
    fn the_files_name_ends_as_its_kind_does() {
        for (key, kind, suffixed) in [
            ("p/plan", Some("application/json"), ".json"),
            ("p/plan", None, ".json"),
            ("p/plan", Some("text/markdown; charset=utf-8"), ".md"),
            ("p/plan.md", Some("text/plain"), ".md"),
            ("p/v1.2-rc", Some("application/json"), ".json"),
            ("p/main.rs", Some("text/plain"), ".txt"),
            ("p/main.rs", None, ".rs"),
            ("p/x", Some("application/x-unknown"), ".txt"),
        ] {
            assert_eq!(suffix(key, kind), suffixed, "{key} {kind:?}");
        }
    }
}
