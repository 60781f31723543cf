//! An entry merged into a client's JSON file, whose other content and comments stay as they were written.

use jsonc_parser::{
    ParseOptions,
    cst::{CstInputValue, CstObject, CstRootNode},
    errors::ParseError,
};
use serde_json::{Map, Value};

/// The members of an entry that say how the server is reached. They are replaced when that changes.
const WAYS: [&str; 7] = ["type", "url", "httpUrl", "serverUrl", "command", "args", "env"];

/// Why an entry can't be merged into a file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MergeError {
    /// The file is not JSON, not even with comments and trailing commas.
    #[error("it is not JSON: {0}")]
    Syntax(#[from] ParseError),
    /// The file has something else where an object belongs.
    #[error("{0} is not an object")]
    WrongType(String),
    /// A list that is to be extended is something else.
    #[error("{0} is not a list")]
    List(String),
}

/// The text of a file with `entry` as `list.name` in it. `text` is the file as it is; empty where there is none yet.
///
/// An entry of that name keeps what it says besides how the server is reached, such as which tools need no approval.
///
/// # Errors
/// When the file is not JSON with comments, or has something else where an object belongs.
pub(crate) fn merged(
    text: &str,
    list: &str,
    name: &str,
    entry: &Map<String, Value>,
) -> Result<String, MergeError> {
    let root = parsed(text)?;
    let servers = object_in(&object_of(&root)?, list)?;
    let own = object_in(&servers, name)?;
    for way in WAYS.into_iter().filter(|way| !entry.contains_key(*way)) {
        if let Some(member) = own.get(way) {
            member.remove();
        }
    }
    for (key, value) in entry {
        match (value, own.object_value(key)) {
            (Value::Object(members), Some(there)) => {
                members.iter().for_each(|(key, value)| set(&there, key, value));
            }
            _ => set(&own, key, value),
        }
    }
    Ok(written(&root))
}

/// The text of a file with these texts in the list at `object.list`, each once.
///
/// # Errors
/// As [`merged`], and when there is something else than a list.
pub(crate) fn listed(text: &str, object: &str, list: &str, texts: &[&str]) -> Result<String, MergeError> {
    let root = parsed(text)?;
    let parent = object_in(&object_of(&root)?, object)?;
    let items = parent.array_value_or_create(list).ok_or_else(|| MergeError::List(list.to_owned()))?;
    let has = |text: &str| {
        let mut there = items.elements().into_iter().filter_map(|item| item.as_string_lit());
        there.any(|item| item.decoded_value().is_ok_and(|item| item == text))
    };
    let missing: Vec<&str> = texts.iter().copied().filter(|text| !has(text)).collect();
    if !missing.is_empty() {
        items.ensure_multiline();
    }
    for text in missing {
        items.append(text.into());
    }
    Ok(written(&root))
}

/// The syntax tree of a file, in which everything stays as it is written.
///
/// # Errors
/// When it is not JSON, not even with comments and trailing commas.
pub(crate) fn parsed(text: &str) -> Result<CstRootNode, MergeError> {
    // What editors accept in these files, and not the whole of JSON5.
    let options = ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let text = text.trim_start_matches('\u{feff}');
    Ok(CstRootNode::parse(if text.trim().is_empty() { "{}\n" } else { text }, &options)?)
}

/// The object that a file is.
///
/// # Errors
/// When it is something else.
pub(crate) fn object_of(root: &CstRootNode) -> Result<CstObject, MergeError> {
    root.object_value_or_create().ok_or_else(|| MergeError::WrongType("the whole".to_owned()))
}

/// The member of that name, which is made if it is missing.
///
/// # Errors
/// When it is no object.
pub(crate) fn object_in(parent: &CstObject, name: &str) -> Result<CstObject, MergeError> {
    parent.object_value_or_create(name).ok_or_else(|| MergeError::WrongType(name.to_owned()))
}

/// Sets a member. One that has this value already stays as it is written.
pub(super) fn set(object: &CstObject, key: &str, value: &Value) {
    match object.get(key) {
        Some(member) if member.to_serde_value().as_ref() == Some(value) => {}
        Some(member) => member.set_value(input(value)),
        None => drop(object.append(key, input(value))),
    }
}

/// A value as a syntax tree takes it.
pub(crate) fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(on) => CstInputValue::Bool(*on),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::Array(items) => CstInputValue::Array(items.iter().map(input).collect()),
        Value::Object(members) => {
            CstInputValue::Object(members.iter().map(|(key, value)| (key.clone(), input(value))).collect())
        }
    }
}

/// The text of a syntax tree, with an end of line.
pub(crate) fn written(root: &CstRootNode) -> String {
    let mut text = root.to_string();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn merge(text: &str) -> Result<String, String> {
        let entry = json!({"type": "http", "url": "http://localhost:9800/mcp"});
        merged(text, "mcpServers", "koor", entry.as_object().unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_that_is_not_there_is_made() {
        let made = "{\n  \"mcpServers\": {\n    \"koor\": {\n      \"type\": \"http\",\n      \"url\": \
            \"http://localhost:9800/mcp\"\n    }\n  }\n}\n";
        assert_eq!(merge("").unwrap(), made);
        assert_eq!(merge(made).unwrap(), made, "twice is as good as once");
    }

    #[test]
    fn everything_else_stays_as_it_was_written() {
        let before = "\u{feff}{\n  \"z\": 1.50,\n  \"mcpServers\": {\n    \"other\": {\n      \"command\":   \"x\",\n      \
            \"args\": [1e3]\n    }\n  },\n  \"a\": [1,2]\n}\n";
        let after = "{\n  \"z\": 1.50,\n  \"mcpServers\": {\n    \"other\": {\n      \"command\":   \"x\",\n      \"args\": \
            [1e3]\n    },\n    \"koor\": {\n      \"type\": \"http\",\n      \"url\": \"http://localhost:9800/mcp\"\n    \
            }\n  },\n  \"a\": [1,2]\n}\n";
        assert_eq!(merge(before).unwrap(), after);
    }

    #[test]
    fn an_entry_that_is_there_keeps_what_is_not_about_the_way() {
        let before = json!({"mcpServers": {"koor": {
            "command": "koor", "args": ["mcp", "stdio"], "alwaysAllow": ["get_endpoints"], "headers": {"X-Own": "1"},
        }}});
        let entry = json!({"type": "http", "url": "u", "headers": {"Authorization": "Bearer t"}});
        let after = merged(&before.to_string(), "mcpServers", "koor", entry.as_object().unwrap()).unwrap();
        let after: Value = serde_json::from_str(&after).unwrap();
        assert_eq!(
            after["mcpServers"]["koor"],
            json!({
                "type": "http", "url": "u", "alwaysAllow": ["get_endpoints"],
                "headers": {"X-Own": "1", "Authorization": "Bearer t"},
            })
        );
    }

    #[test]
    fn comments_and_trailing_commas_stay() {
        let before = "{\n  // My servers.\n  \"mcpServers\": {\n    \"other\": { \"command\": \"x\" }, /* needed */\n  \
            },\n}\n";
        let after = "{\n  // My servers.\n  \"mcpServers\": {\n    \"other\": { \"command\": \"x\" }, /* needed */\n    \
            \"koor\": {\n      \"type\": \"http\",\n      \"url\": \"http://localhost:9800/mcp\"\n    },\n  },\n}\n";
        assert_eq!(merge(before).unwrap(), after);
        assert_eq!(merge(after).unwrap(), after, "twice is as good as once");
        let old = after.replace("localhost:9800/mcp\"", "elsewhere/mcp\" // moved soon");
        let kept = after.replace("9800/mcp\"", "9800/mcp\" // moved soon");
        assert_eq!(merge(&old).unwrap(), kept);
    }

    #[test]
    fn a_list_gets_what_it_lacks() {
        let list = |text: &str| listed(text, "permissions", "allow", &["Bash(koor:*)"]);
        let made = "{\n  \"permissions\": {\n    \"allow\": [\n      \"Bash(koor:*)\"\n    ]\n  }\n}\n";
        assert_eq!(list("").unwrap(), made);
        assert_eq!(list(made).unwrap(), made);
        let before =
            "{\n  \"permissions\": { // mine\n    \"allow\": [\n      \"Read\" // all\n    ]\n  }\n}\n";
        let after = before.replace("\"Read\" // all", "\"Read\", // all\n      \"Bash(koor:*)\"");
        assert_eq!(list(before).unwrap(), after);
        for bad in ["{\"permissions\": 1}", "{\"permissions\": {\"allow\": {}}}"] {
            assert!(list(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        for text in
            ["{'a': 1}", "{a: 1}", "[]", "{\"mcpServers\": []}", "{\"mcpServers\": {\"koor\": 1}}", "x"]
        {
            assert!(merge(text).is_err(), "{text}");
        }
    }
}
