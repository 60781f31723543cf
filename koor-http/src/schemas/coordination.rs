//! What agents tell each other while they work together.

use serde_json::{Value, json};

use super::{Schemas, flag, line, list_of, named, object, text, time, uuid, whole, words};

/// A span that a client may leave out.
fn span() -> Value {
    json!({
        "type": ["string", "integer", "null"], "pattern": "^[1-9][0-9]{0,2}m$", "minimum": 10, "maximum": 86400,
        "description": "A span such as 30m, or whole seconds: 10s to 24h.",
    })
}

/// Patterns over paths: those that surely parse.
fn paths() -> Value {
    let segment = r"([A-Za-z0-9_*?-][A-Za-z0-9_.*?-]*)";
    json!({
        "type": "array", "minItems": 1, "maxItems": 100,
        "items": {"type": "string", "pattern": format!("^{segment}(/{segment})*$"), "maxLength": 1024},
    })
}

fn mode() -> Value {
    json!({"enum": ["exclusive", "shared", "", null]})
}

fn prose() -> Value {
    json!({"type": ["string", "null"], "maxLength": 65536, "pattern": "^[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f]*$"})
}

pub(super) fn leases() -> Schemas {
    let number = || json!({"type": "integer", "minimum": 1});
    let lease = object(
        [
            ("project", text()),
            ("id", number()),
            ("paths", json!({"type": "array", "items": text()})),
            ("mode", words(&["exclusive", "shared"])),
            ("name", text()),
            ("instance_id", uuid()),
            ("reason", text()),
            ("task", json!({"type": ["integer", "null"], "minimum": 1})),
            ("fence", number()),
            ("created_at", time()),
            ("expires_at", time()),
        ],
        [],
    );
    vec![
        ("Lease", lease),
        ("Leases", list_of("Lease")),
        (
            "LeaseBody",
            object(
                [("paths", paths())],
                [
                    ("mode", mode()),
                    ("lease", span()),
                    ("reason", prose()),
                    ("task", json!({"type": ["integer", "null"], "minimum": 1})),
                ],
            ),
        ),
        ("PathsBody", object([("paths", paths())], [("mode", mode())])),
        ("LeaseRenewBody", object([], [("lease", span())])),
        (
            "PathCheck",
            object(
                [
                    ("free", json!({"type": "array", "items": text()})),
                    (
                        "held",
                        json!({"type": "array", "items": object([("path", text()), ("lease", named("Lease"))], [])}),
                    ),
                ],
                [],
            ),
        ),
        ("Released", object([("released", whole())], [])),
    ]
}

pub(super) fn messages() -> Schemas {
    let id = || json!({"type": "integer", "minimum": 1});
    let maybe_time = || json!({"type": ["string", "null"], "format": "date-time"});
    let thread = || json!({"type": ["integer", "string"], "description": "The first message of the thread, or its name."});
    let addresses = || json!({"type": "array", "items": text()});
    let steps = || [("surfaced_at", maybe_time()), ("read_at", maybe_time()), ("acked_at", maybe_time())];
    let with = |more: Vec<(&str, Value)>| {
        let mut message = object(
            [
                ("id", id()),
                ("thread", thread()),
                ("from", text()),
                ("to", addresses()),
                ("subject", text()),
                ("body", text()),
                ("ack", flag()),
                ("urgent", flag()),
                ("reply_to", json!({"type": ["integer", "null"], "minimum": 1})),
                ("created_at", time()),
            ],
            [],
        );
        for (name, schema) in more {
            message["properties"][name] = schema;
            if let Some(required) = message["required"].as_array_mut() {
                required.push(json!(name));
            }
        }
        message
    };
    let [surfaced, read, acked] = steps();
    let receipt = object(
        [("project", text()), ("name", text()), ("stored_at", time()), surfaced, read, acked],
        [("id", id())],
    );
    vec![
        ("Sent", with(vec![("recipients", addresses())])),
        ("Message", with(steps().into())),
        ("Messages", list_of("Message")),
        ("MessageReceipts", with(vec![("receipts", list_of("Receipt"))])),
        ("Receipt", receipt),
        ("Receipts", list_of("Receipt")),
        (
            "MessageBody",
            object(
                [
                    (
                        "to",
                        json!({
                            "type": "array", "minItems": 1, "maxItems": 100, "items": text(),
                            "description": "Names of agents, project/name, stack:react, capability:review, or * for everyone else.",
                        }),
                    ),
                    ("body", json!({"type": "string", "minLength": 1, "maxLength": 65536})),
                ],
                [
                    ("subject", line()),
                    (
                        "thread",
                        json!({"type": ["integer", "string", "null"], "minimum": 1, "maxLength": 1024}),
                    ),
                    ("reply_to", json!({"type": ["integer", "null"], "minimum": 1})),
                    ("ack", json!({"type": ["boolean", "null"]})),
                    ("urgent", json!({"type": ["boolean", "null"]})),
                    ("workspace", json!({"type": ["string", "null"], "maxLength": 200})),
                ],
            ),
        ),
        (
            "IdsBody",
            object([("ids", json!({"type": "array", "minItems": 1, "maxItems": 500, "items": id()}))], []),
        ),
    ]
}

pub(super) fn brief() -> Schemas {
    let anything = || json!({"type": "array"});
    let counted = object([("topic", text()), ("count", whole())], []);
    let waiting = object([("path", text()), ("name", text())], []);
    let list = |items: Value| json!({"type": "array", "items": items});
    let brief = object(
        [
            ("cursor", whole()),
            ("agent", text()),
            ("messages", list_of("Message")),
            ("claims", anything()),
            ("ready", object([("count", whole()), ("next", anything())], [])),
            ("review", anything()),
            ("leases", list_of("Lease")),
            ("waiting", list(waiting)),
            ("changes", list(counted)),
            ("rules_changed", whole()),
            ("violations", whole()),
            ("budget", json!({"type": ["object", "null"]})),
        ],
        [],
    );
    vec![("Brief", brief)]
}
