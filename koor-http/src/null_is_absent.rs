//! The schemas of bodies: `null` is an absent member.

use schemars::{Schema, transform::Transform};
use serde_json::{Value, json};

/// Lets an object leave out, or send as `null`, whatever it does not need: other languages write an absent member so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NullIsAbsent;

impl Transform for NullIsAbsent {
    fn transform(&mut self, schema: &mut Schema) {
        schemars::transform::transform_subschemas(self, schema);
        let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
        let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else { return };
        for (name, member) in properties {
            if let Some(member) = member.as_object_mut() {
                member.remove("default");
            }
            if !required.iter().any(|needed| needed == name) && !allows_null(member) {
                *member = json!({"anyOf": [member.take(), {"type": "null"}]});
            }
        }
    }
}

/// Whether the schema lets `null` through already.
fn allows_null(schema: &Value) -> bool {
    let Value::Object(members) = schema else { return *schema == Value::Bool(true) };
    let is_null = |kind: &Value| kind == "null";
    match (members.get("type"), members.get("anyOf")) {
        (Some(Value::Array(kinds)), _) => kinds.iter().any(is_null),
        (Some(kind), _) => is_null(kind),
        (None, Some(Value::Array(choices))) => choices.iter().any(allows_null),
        (None, _) => !["$ref", "enum", "const", "oneOf"].iter().any(|word| members.contains_key(*word)),
    }
}

#[cfg(test)]
mod tests {
    use schemars::json_schema;

    use super::*;

    #[test]
    fn what_an_object_does_not_need_may_be_null() {
        let mut schema = json_schema!({
            "required": ["a"],
            "properties": {
                "a": {"type": "string"}, "b": {"type": "string", "default": ""}, "c": {"type": ["string", "null"]},
                "d": {"$ref": "#/x"}, "e": {"description": "Anything."},
            },
        });
        NullIsAbsent.transform(&mut schema);
        let members = &schema.as_value()["properties"];
        assert_eq!(members["a"], json!({"type": "string"}));
        assert_eq!(members["b"], json!({"anyOf": [{"type": "string"}, {"type": "null"}]}));
        assert_eq!(members["c"], json!({"type": ["string", "null"]}));
        assert_eq!(members["d"], json!({"anyOf": [{"$ref": "#/x"}, {"type": "null"}]}));
        assert_eq!(members["e"], json!({"description": "Anything."}));
    }
}
