//! The field dialect: a map from names to what is expected under them.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};

use super::findings::{Findings, mismatch};

/// What an object may hold.
pub(super) type Fields = BTreeMap<String, Field>;

/// What is expected under one name.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Field {
    kind: Option<Kind>,
    required: bool,
    nullable: bool,
    allowed: Vec<Value>,
    fields: Option<Fields>,
    items: Option<Box<Field>>,
}

/// The types that a field can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    String,
    Number,
    Boolean,
    Object,
    Array,
}

impl Kind {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "string" => Self::String,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            "object" => Self::Object,
            "array" => Self::Array,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Object => "object",
            Self::Array => "array",
        }
    }

    fn takes(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Object => value.is_object(),
            Self::Array => value.is_array(),
        }
    }

    /// What a text means where this type is asked for: the values of a URL are all texts.
    pub(super) fn read(self, text: &str) -> Option<Value> {
        match self {
            Self::Number => {
                let number = text.parse::<f64>().ok().and_then(Number::from_f64)?;
                Some(Value::Number(serde_json::from_str(text).unwrap_or(number)))
            }
            Self::Boolean => text.parse::<bool>().ok().map(Value::Bool),
            Self::String | Self::Object | Self::Array => None,
        }
    }
}

/// Whether values are what they seem, or texts that a URL carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carrier {
    Json,
    Url,
}

/// Reads a map of fields; whatever is wrong with it goes into the findings.
pub(super) fn parse(value: &Value, findings: &mut Findings) -> Fields {
    let Some(map) = value.as_object() else {
        findings.add(mismatch("object", value));
        return Fields::new();
    };
    let mut fields = Fields::new();
    for (name, value) in map {
        if findings.is_full() {
            break;
        }
        let field = findings.key(name, |findings| parse_field(value, findings));
        fields.insert(name.clone(), field);
    }
    fields
}

fn parse_field(value: &Value, findings: &mut Findings) -> Field {
    let Some(map) = value.as_object() else {
        findings.add(mismatch("object", value));
        return Field::default();
    };
    Field {
        kind: parse_kind(map, findings),
        required: parse_flag(map, "required", findings),
        nullable: parse_flag(map, "nullable", findings),
        allowed: parse_allowed(map, findings),
        fields: given(map, "fields").map(|value| findings.key("fields", |findings| parse(value, findings))),
        items: given(map, "items")
            .map(|value| Box::new(findings.key("items", |findings| parse_field(value, findings)))),
    }
}

fn given<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    map.get(key).filter(|value| !value.is_null())
}

fn parse_kind(map: &Map<String, Value>, findings: &mut Findings) -> Option<Kind> {
    let value = given(map, "type").filter(|value| value.as_str() != Some(""))?;
    let kind = value.as_str().and_then(Kind::named);
    if kind.is_none() {
        findings.key("type", |findings| {
            findings.add(format!("unknown type {value} (use string, number, boolean, object, or array)"));
        });
    }
    kind
}

fn parse_flag(map: &Map<String, Value>, key: &str, findings: &mut Findings) -> bool {
    let Some(value) = given(map, key) else { return false };
    value.as_bool().unwrap_or_else(|| {
        findings.key(key, |findings| findings.add(mismatch("boolean", value)));
        false
    })
}

fn parse_allowed(map: &Map<String, Value>, findings: &mut Findings) -> Vec<Value> {
    match given(map, "enum") {
        None => Vec::new(),
        Some(Value::Array(allowed)) => allowed.clone(),
        Some(other) => {
            findings.key("enum", |findings| findings.add(mismatch("array", other)));
            Vec::new()
        }
    }
}

/// Checks that a payload is an array, and each of its items an object with these fields.
pub(super) fn check_items(fields: &Fields, payload: &Value, findings: &mut Findings) {
    let Some(items) = payload.as_array() else { return findings.add(mismatch("array", payload)) };
    for (index, item) in items.iter().enumerate() {
        if findings.is_full() {
            return;
        }
        findings.index(index, |findings| match item {
            Value::Null => findings.add(NULL_ELEMENT),
            item => check(fields, item, Carrier::Json, findings),
        });
    }
}

const NULL_ELEMENT: &str = "array element is null but not nullable";

/// Checks that a value is an object with these fields and no others.
pub(super) fn check(fields: &Fields, value: &Value, carrier: Carrier, findings: &mut Findings) {
    let Some(map) = value.as_object() else { return findings.add(mismatch("object", value)) };
    for (name, field) in fields {
        match map.get(name) {
            None if field.required => findings.key(name, |findings| {
                findings.add(format!("missing required field \"{name}\""));
            }),
            None => {}
            Some(Value::Null) if !field.nullable => findings.key(name, |findings| {
                findings.add(format!("field \"{name}\" is null but not nullable"));
            }),
            Some(value) => findings.key(name, |findings| field.check(value, carrier, findings)),
        }
        if findings.is_full() {
            return;
        }
    }
    for name in map.keys().filter(|name| !fields.contains_key(*name)) {
        let defined: Vec<&str> = fields.keys().map(String::as_str).collect();
        findings.key(name, |findings| {
            let defined = defined.join(", ");
            findings.add(format!("unexpected field \"{name}\" (contract defines: {defined})"));
        });
        if findings.is_full() {
            return;
        }
    }
}

impl Field {
    fn check(&self, value: &Value, carrier: Carrier, findings: &mut Findings) {
        if value.is_null() {
            return;
        }
        let read = match (carrier, self.kind, value) {
            (Carrier::Url, Some(kind), Value::String(text)) => kind.read(text),
            (Carrier::Url | Carrier::Json, _, _) => None,
        };
        let value = read.as_ref().unwrap_or(value);
        if let Some(kind) = self.kind
            && !kind.takes(value)
        {
            return findings.add(mismatch(kind.name(), value));
        }
        if !self.allowed.is_empty() && !self.allowed.iter().any(|allowed| same(allowed, value)) {
            let allowed: Vec<String> = self.allowed.iter().map(bare).collect();
            findings.add(format!("value {value} not in allowed enum: [{}]", allowed.join(", ")));
        }
        if let (Some(fields), Value::Object(_)) = (&self.fields, value) {
            check(fields, value, carrier, findings);
        }
        if let (Some(field), Value::Array(items)) = (&self.items, value) {
            for (index, item) in items.iter().enumerate() {
                if findings.is_full() {
                    return;
                }
                findings.index(index, |findings| match item {
                    Value::Null if !field.nullable => findings.add(NULL_ELEMENT),
                    item => field.check(item, carrier, findings),
                });
            }
        }
    }
}

/// Whether two values are equal as JSON values: 1 and 1.0 are.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) if a.is_f64() != b.is_f64() => {
            a.as_f64().zip(b.as_f64()).is_some_and(|(a, b)| a.total_cmp(&b).is_eq())
        }
        (a, b) => a == b,
    }
}

/// A value as it stands in a list of allowed ones: texts without their quotes.
fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
