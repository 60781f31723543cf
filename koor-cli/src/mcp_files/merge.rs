//! An entry put into somebody's JSON file, of which everything else stays as it was written.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Map, Value, value::RawValue};

/// What an entry says of how its server is reached: it gives way when that changes.
const WAYS: [&str; 7] = ["type", "url", "httpUrl", "serverUrl", "command", "args", "env"];

/// The members of an object, in their order, each value as it was written.
#[derive(Debug, Default)]
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

impl Members {
    fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| &**value)
    }

    fn set(&mut self, name: &str, value: Box<RawValue>) {
        match self.0.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// The object as text, whose members stand so deep.
    fn written(&self, depth: usize) -> Result<String, serde_json::Error> {
        let indent = "  ".repeat(depth);
        let mut text = "{\n".to_owned();
        for (number, (name, value)) in self.0.iter().enumerate() {
            let comma = if number + 1 == self.0.len() { "" } else { "," };
            let name = serde_json::to_string(name)?;
            text.extend([indent.as_str(), "  ", &name, ": ", value.get(), comma, "\n"]);
        }
        Ok(text + &indent + "}")
    }
}

/// The text of a file with `entry` as `list.name` in it. `text` is the file as it is; empty where there is none yet.
///
/// An entry of that name keeps what it says beside the way to the server, such as which tools need no asking.
///
/// # Errors
/// When the file is no JSON object, or lists its servers in something else. It may hold comments: many editors allow
/// them, and nobody could put them back.
pub(crate) fn merged(
    text: &str,
    list: &str,
    name: &str,
    entry: &Map<String, Value>,
) -> Result<String, serde_json::Error> {
    let text = text.trim_start_matches('\u{feff}').trim();
    let mut file: Members = if text.is_empty() { Members::default() } else { serde_json::from_str(text)? };
    let mut servers: Members = match file.get(list) {
        Some(servers) => serde_json::from_str(servers.get())?,
        None => Members::default(),
    };
    let mut whole = match servers.get(name) {
        Some(old) => serde_json::from_str(old.get())?,
        None => Map::new(),
    };
    whole.retain(|key, _| !WAYS.contains(&key.as_str()));
    for (key, value) in entry {
        match (whole.get_mut(key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => old.extend(new.clone()),
            _ => drop(whole.insert(key.clone(), value.clone())),
        }
    }
    let written = serde_json::to_string_pretty(&whole)?.replace('\n', "\n    ");
    servers.set(name, RawValue::from_string(written)?);
    file.set(list, RawValue::from_string(servers.written(1)?)?);
    Ok(file.written(0)? + "\n")
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
    fn what_cannot_be_kept_is_refused() {
        for text in [
            "{ // mine\n}",
            "{\"a\": 1,}",
            "[]",
            "{\"mcpServers\": []}",
            "{\"mcpServers\": {\"koor\": 1}}",
            "x",
        ] {
            assert!(merge(text).is_err(), "{text}");
        }
    }
}
