//! What goes in and out, as JSON Schemas.

mod agents;
mod coordination;
mod records;
mod tasks;

use serde_json::{Map, Value, json};

/// No control characters.
pub(crate) const LINE: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$";

/// As [`LINE`], and neither empty nor blank.
const FULL_LINE: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$";

/// A glob. Of ranges in classes, which must not run backwards, it names those that surely don't.
pub(crate) fn glob() -> Value {
    let plain = r"[^\[\\]";
    let escaped = r"\\[^\n]";
    let range = "[0-9]-9|0-[0-9]|[a-z]-z|a-[a-z]|[A-Z]-Z|A-[A-Z]";
    let member = r"[^\]\\^-]";
    let class = format!(r"\[\^?(({range})|{member}|{escaped})+\]");
    json!({"type": "string", "pattern": format!("^({plain}|{escaped}|{class})*$"), "maxLength": 1024})
}

fn named(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

fn list_of(schema: &str) -> Value {
    json!({"type": "array", "items": named(schema)})
}

fn text() -> Value {
    json!({"type": "string"})
}

fn whole() -> Value {
    json!({"type": "integer", "minimum": 0})
}

fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}

fn hash() -> Value {
    json!({"type": "string", "pattern": "^[0-9a-f]{64}$"})
}

fn uuid() -> Value {
    json!({"type": "string", "format": "uuid"})
}

fn flag() -> Value {
    json!({"type": "boolean"})
}

fn words(words: &[&str]) -> Value {
    json!({"type": "string", "enum": words})
}

/// A text of one line that a client may leave out.
fn line() -> Value {
    json!({"type": ["string", "null"], "pattern": LINE, "maxLength": 1024})
}

/// A text of one line that a client must send.
fn needed_line() -> Value {
    json!({"type": "string", "pattern": FULL_LINE, "maxLength": 1024})
}

fn optional_word(of: &[&str]) -> Value {
    let mut all: Vec<Value> = of.iter().map(|word| json!(word)).collect();
    all.push(json!(""));
    all.push(Value::Null);
    json!({"enum": all})
}

fn strings(most: usize) -> Value {
    json!({"type": ["array", "null"], "maxItems": most, "items": {"type": "string", "pattern": LINE, "maxLength": 1024}})
}

/// An object in which these members are always there, and those may be.
fn object<const A: usize, const B: usize>(always: [(&str, Value); A], maybe: [(&str, Value); B]) -> Value {
    let required: Vec<&str> = always.iter().map(|(name, _)| *name).collect();
    let properties: Map<String, Value> =
        always.into_iter().chain(maybe).map(|(name, schema)| (name.to_owned(), schema)).collect();
    json!({"type": "object", "required": required, "properties": properties})
}

/// Every schema by its name.
pub(crate) fn all() -> Value {
    let mut all = Map::new();
    for (name, schema) in [
        basics(),
        documents(),
        events(),
        agents::instances(),
        agents::rules(),
        agents::contracts(),
        tasks::tasks(),
        coordination::leases(),
        coordination::messages(),
        coordination::brief(),
        records::webhooks(),
        records::templates(),
        records::records(),
        records::server(),
    ]
    .into_iter()
    .flatten()
    {
        all.insert(name.to_owned(), schema);
    }
    Value::Object(all)
}

type Schemas = Vec<(&'static str, Value)>;

fn basics() -> Schemas {
    let error = [("error", text()), ("code", json!({"type": "integer", "minimum": 400, "maximum": 599}))];
    let [message, code] = error.clone();
    vec![
        ("Error", object(error.clone(), [])),
        ("Conflict", object([message.clone(), code.clone(), ("version", whole()), ("hash", text())], [])),
        ("Expired", object([message.clone(), code.clone(), ("oldest", whole())], [])),
        ("SchemaViolations", object([message, code, ("violations", list_of("Violation"))], [])),
        ("Violation", object([("path", text()), ("message", text())], [])),
        ("Anything", json!({})),
        ("Deleted", object([("deleted", text())], [])),
        (
            "Name",
            json!({"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[^/\\u0000-\\u001f\\u007f-\\u009f]+$"}),
        ),
        ("StateKey", {
            // A segment must not be `.` or `..`; asking for another character than a dot says so simply.
            let segment = "[^/\\u0000-\\u001f\\u007f-\\u009f]*[^./\\u0000-\\u001f\\u007f-\\u009f][^/\\u0000-\\u001f\\u007f-\\u009f]*";
            json!({"type": "string", "minLength": 1, "maxLength": 512, "pattern": format!("^{segment}(/{segment})*$")})
        }),
        ("Time", time()),
    ]
}

fn documents() -> Schemas {
    let version = || json!({"type": "integer", "minimum": 1});
    let put = [("version", version()), ("hash", hash()), ("updated_at", time())];
    let [number, digest, at] = put.clone();
    let (project, name) = (("project", named("Name")), ("name", named("Name")));
    let spec_put = [project.clone(), name, number.clone(), digest.clone(), at.clone()];
    vec![
        (
            "Put",
            object(
                [("key", text()), number.clone(), digest.clone(), at.clone(), ("content_type", text())],
                [],
            ),
        ),
        (
            "RolledBack",
            object([("key", text()), number.clone(), digest, at.clone(), ("rolled_back", version())], []),
        ),
        ("DeletedVersion", object([("deleted", text()), number.clone()], [])),
        (
            "StateList",
            json!({"type": "array", "items": object([
            ("key", named("StateKey")), number.clone(), ("content_type", text()), ("updated_at", named("Time")), ("hash", hash()),
            ("size", whole()), ("updated_by", text()),
        ], [])}),
        ),
        (
            "Projects",
            object(
                [(
                    "projects",
                    json!({"type": "array", "items": object([
            ("project", named("Name")), ("specs", whole()), ("rules", whole()),
        ], [])}),
                )],
                [],
            ),
        ),
        (
            "SpecList",
            object(
                [
                    project,
                    (
                        "specs",
                        json!({"type": "array", "items": object([
            ("name", named("Name")), number, at,
        ], [])}),
                    ),
                ],
                [],
            ),
        ),
        ("SpecRolledBack", object(spec_put.clone(), [("rolled_back", version())])),
        ("SpecPut", object(spec_put, [])),
    ]
}

fn events() -> Schemas {
    let topic = json!({
        "type": "string", "maxLength": 256,
        "pattern": "^[^$.\\s*?\\[\\]\\\\\\u0000-\\u001f\\u007f-\\u009f][^.\\s*?\\[\\]\\\\\\u0000-\\u001f\\u007f-\\u009f]*(\\.[^.\\s*?\\[\\]\\\\\\u0000-\\u001f\\u007f-\\u009f]+)*$",
    });
    vec![
        ("PublishBody", object([("topic", topic)], [("data", json!({})), ("source", line())])),
        (
            "Event",
            object(
                [
                    ("id", json!({"type": "integer", "minimum": 1})),
                    ("topic", text()),
                    ("data", json!({})),
                    ("source", text()),
                    ("created_at", time()),
                ],
                [],
            ),
        ),
        ("Events", list_of("Event")),
        (
            "StreamedEvent",
            object(
                [(
                    "data",
                    json!({"type": "string", "contentMediaType": "application/json", "description": "An Event, or a gap."}),
                )],
                [("id", text()), ("event", words(&["message", "gap"]))],
            ),
        ),
        ("Waited", object([("events", named("Events")), ("cursor", whole()), ("more", flag())], [])),
    ]
}
