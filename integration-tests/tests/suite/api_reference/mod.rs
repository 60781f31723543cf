//! `docs/api-reference.md` is what the program says of itself: its `OpenAPI` document, with an example of each route.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail as tests do")]

mod examples;

use std::{collections::BTreeMap, env, fmt::Write as _, fs, path::Path};

use examples::CHAPTERS;
use integration_tests::Server;
use serde_json::Value;

const BEGIN: &str = "\
# The REST API

Every route, as the server itself describes it at `/api/openapi.json`, with a call that works as it stands; they build on \
each other, from top to bottom. This page is written by a test: `KOOR_REWRITE=1 cargo test -p integration-tests --test \
suite api_reference`.

What holds everywhere:

- A body is JSON, whatever its `Content-Type` says, but for [state](#state) values, which are any bytes.
- With a server token set, `Authorization: Bearer <token>` is asked for everywhere but at `/health`.
- An error is JSON, too: [`Error`](#error-shape), with a sentence that says what is wrong.
- Every answer has an `X-Request-Id`, as in the log. Every write's answer has an `X-Koor-Cursor`: the place of its event in \
the log, where `/api/events/wait` can go on.
- Every route may answer 400 (the request is wrong), 403 (not for this caller, origin or host), 414 and 431 (path or \
headers too long), 500 (a fault of the server) and 503 (the store is busy, or can't write); with a token 401; with a body \
408 (it did not come in time) and 413 (too large). What else a route may answer stands with it.
";

const EVERYWHERE: [&str; 10] = ["400", "401", "403", "408", "413", "414", "431", "500", "503", "101"];

/// An operation, with its method and its path.
type Operations<'a> = BTreeMap<&'a str, (String, &'a str, &'a Value)>;

fn render(document: &Value) -> String {
    let mut operations = Operations::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            operations.insert(id, (method.to_ascii_uppercase(), path, operation));
        }
    }
    let mut page = BEGIN.to_owned();
    for chapter in CHAPTERS {
        write!(page, "\n## {}\n\n{}\n", chapter.title, chapter.says).unwrap();
        for (id, example) in chapter.calls {
            let (method, path, operation) =
                operations.remove(id).unwrap_or_else(|| panic!("{id} is no route, or has two examples"));
            route(&mut page, &method, path, operation, example);
        }
    }
    assert_eq!(operations.keys().collect::<Vec<_>>(), Vec::<&&str>::new(), "these routes have no example");
    page.push_str("\n## Shapes\n\nWhat bodies and answers look like. A field without a dot may be absent.\n");
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        shape(&mut page, name, schema);
    }
    page
}

fn route(page: &mut String, method: &str, path: &str, operation: &Value, example: &str) {
    let text = |field: &str| operation[field].as_str().unwrap_or_default();
    write!(page, "\n### {method} {path}\n\n{}.", text("summary")).unwrap();
    if !text("description").is_empty() {
        write!(page, " {}", text("description")).unwrap();
    }
    page.push('\n');
    let asked: Vec<_> = (operation["parameters"].as_array().unwrap().iter())
        .filter(|parameter| parameter["in"] != "path")
        .collect();
    if !asked.is_empty() {
        page.push_str("\n| parameter | what | |\n|---|---|---|\n");
    }
    for parameter in asked {
        let header = if parameter["in"] == "header" { " (header)" } else { "" };
        let needed = if parameter["required"] == true { " Needed." } else { "" };
        let name = parameter["name"].as_str().unwrap();
        let says = parameter["description"].as_str().unwrap_or_default();
        let says = if says.ends_with('.') { says.to_owned() } else { format!("{says}.") };
        writeln!(page, "| `{name}`{header} | {} | {says}{needed} |", what(&parameter["schema"])).unwrap();
    }
    let mut lines = Vec::new();
    if let Some(content) = operation["requestBody"]["content"].as_object() {
        let schema = &content["application/json"]["schema"];
        lines.push(format!(
            "Takes {}.",
            if content.len() > 1 { "any bytes".to_owned() } else { what(schema) }
        ));
    }
    let answers = operation["responses"].as_object().unwrap();
    if let Some(content) = answers.get("200").and_then(|answer| answer["content"].as_object()) {
        let (kind, content) = content.iter().next().unwrap();
        lines.push(match kind.as_str() {
            "*/*" => {
                "Answers the value as it is, with its version and its `ETag`; or what the parameters ask for."
                    .to_owned()
            }
            "text/plain" => "Answers text.".to_owned(),
            _ => format!("Answers {}.", what(&content["schema"])),
        });
    } else {
        lines.push("Answers 101, and then a frame for each [`Event`](#event-shape).".to_owned());
    }
    let others: Vec<_> = (answers.iter())
        .filter(|(status, _)| *status != "200" && !EVERYWHERE.contains(&status.as_str()))
        .map(|(status, answer)| {
            let says = answer["description"].as_str().unwrap().trim_end_matches('.');
            let schema = &answer["content"]["application/json"]["schema"];
            let shape = schema["$ref"].as_str().filter(|schema| !schema.ends_with("/Error"));
            let shape = shape.map_or(String::new(), |_| format!(", {}", what(schema)));
            format!("{status} ({}{shape})", decapitalised(says))
        })
        .collect();
    if !others.is_empty() {
        lines.push(format!("May also answer {}.", others.join(", ")));
    }
    // These go on until they are interrupted; `docs.rs` does that.
    let endless = if ["streamEvents", "subscribe"].contains(&text("operationId")) { " endless" } else { "" };
    write!(page, "\n{}\n\n```sh{endless}\n{example}\n```\n", lines.join(" ")).unwrap();
}

fn decapitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn shape(page: &mut String, name: &str, schema: &Value) {
    write!(page, "\n### {name} (shape)\n\n").unwrap();
    let empty = serde_json::Map::new();
    let fields = schema["properties"].as_object().unwrap_or(&empty);
    let of_items = schema["items"]["properties"].as_object();
    if fields.is_empty() && of_items.is_none() {
        let text = what(schema);
        writeln!(page, "{}{}.", text[..1].to_uppercase(), &text[1..]).unwrap();
        return;
    }
    let (fields, required) = match of_items {
        Some(of_items) if fields.is_empty() => {
            page.push_str("An array; each item is:\n\n");
            (of_items, &schema["items"]["required"])
        }
        _ => (fields, &schema["required"]),
    };
    page.push_str("| field | what | always |\n|---|---|:-:|\n");
    for (field, schema) in fields {
        let always = required.as_array().is_some_and(|names| names.iter().any(|name| name == field));
        writeln!(page, "| `{field}` | {} | {} |", what(schema), if always { "•" } else { "" }).unwrap();
    }
}

/// A schema in a few words.
fn what(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.trim_start_matches("#/components/schemas/");
        return format!("[`{name}`](#{}-shape)", name.to_lowercase());
    }
    if let Some(words) = schema["enum"].as_array() {
        let words = words.iter().filter(|word| !word.is_null() && *word != "");
        let words: Vec<_> = words.map(|word| format!("`{}`", word.as_str().unwrap_or_default())).collect();
        return words.join(", ");
    }
    if let Some(either) = schema["anyOf"].as_array().or_else(|| schema["oneOf"].as_array()) {
        let either = either.iter().filter(|one| one["const"] != "" && one["type"] != "null");
        return either.map(what).collect::<Vec<_>>().join(" or ");
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => {
            let kinds = kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null");
            kinds.collect::<Vec<_>>().join(" or ")
        }
        kind => kind.as_str().unwrap_or("any JSON").to_owned(),
    };
    match (kind.as_str(), schema["format"].as_str()) {
        ("string", Some("uuid")) => "a UUID".to_owned(),
        ("string", Some("date-time")) => "a time, as of RFC 3339".to_owned(),
        ("string", _) => match schema["maxLength"].as_u64() {
            Some(most) => format!("a string of at most {most} characters"),
            None => "a string".to_owned(),
        },
        ("integer", _) => match schema["minimum"].as_u64() {
            Some(least) => format!("a whole number from {least}"),
            None => "a whole number".to_owned(),
        },
        ("number", _) => "a number".to_owned(),
        ("boolean", _) => "`true` or `false`".to_owned(),
        ("array", _) if schema["items"].is_object() => format!("an array of {}", several(&schema["items"])),
        ("array", _) => "an array".to_owned(),
        ("object", _) if schema["additionalProperties"].is_object() => {
            format!("an object, by name: {}", what(&schema["additionalProperties"]))
        }
        ("object", _) => match schema["properties"].as_object() {
            Some(fields) if !fields.is_empty() => {
                let names: Vec<_> = fields.keys().map(|name| format!("`{name}`")).collect();
                format!("an object of {}", names.join(", "))
            }
            _ => "an object".to_owned(),
        },
        _ => kind,
    }
}

fn several(items: &Value) -> String {
    match items["type"].as_str() {
        Some("string") if items["enum"].is_null() => "strings".to_owned(),
        Some("integer") => "whole numbers".to_owned(),
        Some("object") => what(items).replacen("an object", "objects", 1),
        _ => what(items),
    }
}

#[test]
fn the_reference_is_what_the_program_says() {
    let server = Server::start();
    let text = render(&server.client().ok("GET", "/api/openapi.json", "").json());
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/api-reference.md");
    if env::var_os("KOOR_REWRITE").is_some() {
        fs::write(&page, &text).unwrap();
    }
    assert!(
        fs::read_to_string(&page).is_ok_and(|page| page == text),
        "docs/api-reference.md is not what /api/openapi.json says: KOOR_REWRITE=1 cargo test -p integration-tests --test \
         suite api_reference"
    );
}
