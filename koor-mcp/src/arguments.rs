//! What a model sends along with a call.

use std::collections::HashMap;

use rmcp::model::JsonObject;
use serde_json::Value;

use crate::tools::Definition;

/// The arguments of a call, as the tool takes them. An absent text, an empty one and `null` are the same: many models
/// fill in what they have nothing to say for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments(HashMap<&'static str, String>);

impl Arguments {
    /// Reads what the tool takes, and passes over the rest.
    ///
    /// # Errors
    /// One sentence about the first argument that is missing, or no text.
    pub(crate) fn read(tool: &Definition, sent: Option<JsonObject>) -> Result<Self, String> {
        let mut sent = sent.unwrap_or_default();
        let mut texts = HashMap::new();
        for argument in tool.arguments {
            let name = argument.name;
            let text = match sent.remove(name) {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(text)) => text,
                Some(other) => return Err(format!("{name} must be a string, not {}", kind(&other))),
            };
            if !text.is_empty() {
                texts.insert(name, text);
            } else if argument.required {
                return Err(format!("{name} is required"));
            }
        }
        Ok(Self(texts))
    }

    /// An argument, if it was given.
    pub(crate) fn given(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// An argument, which is empty where it was not given.
    pub(crate) fn text(&mut self, name: &str) -> String {
        self.given(name).unwrap_or_default()
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(sent: Value) -> Result<Arguments, String> {
        let Value::Object(sent) = sent else { panic!("arguments are an object") };
        Arguments::read(Definition::find("register_instance").unwrap(), Some(sent))
    }

    #[test]
    fn nothing_is_as_good_as_empty() {
        let sent = json!({"name": "a", "stack": "", "intent": null, "reason": "the harness asks for one"});
        assert_eq!(read(sent), Ok(Arguments([("name", "a".to_owned())].into())));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (sent, expected) in [
            (json!({}), "name is required"),
            (json!({"name": ""}), "name is required"),
            (json!({"name": 1}), "name must be a string, not a number"),
            (json!({"name": "a", "workspace": {}}), "workspace must be a string, not an object"),
            (json!({"name": "a", "capabilities": ["x"]}), "capabilities must be a string, not an array"),
            (json!({"name": "a", "intent": true}), "intent must be a string, not a boolean"),
        ] {
            assert_eq!(read(sent), Err(expected.to_owned()));
        }
    }
}
