//! What is kept beside that, and the server itself.

use serde_json::{Map, Value, json};

use super::{
    LINE, Schemas, flag, glob, line, list_of, named, needed_line, object, optional_word, strings, text, time,
    uuid, whole, words,
};

pub(super) fn webhooks() -> Schemas {
    vec![
        (
            "WebhookBody",
            object(
                [
                    ("id", named("Name")),
                    (
                        "url",
                        json!({"type": "string", "format": "uri", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://[^\\s/?#\\\\][^\\s]*$", "maxLength": 2048}),
                    ),
                ],
                [
                    ("patterns", json!({"type": ["array", "null"], "items": glob(), "maxItems": 100})),
                    ("secret", json!({"type": ["string", "null"]})),
                ],
            ),
        ),
        (
            "Webhook",
            object(
                [
                    ("id", named("Name")),
                    ("url", text()),
                    ("patterns", json!({"type": "array", "items": text()})),
                    ("active", flag()),
                    ("created_at", time()),
                    ("fail_count", whole()),
                    ("has_secret", flag()),
                    ("cursor", whole()),
                    ("last_error", text()),
                ],
                [("last_fired", time()), ("pending", whole())],
            ),
        ),
        ("Webhooks", list_of("Webhook")),
        ("Tested", object([("tested", text()), ("status", words(&["ok"]))], [])),
        (
            "Deliveries",
            json!({"type": "array", "items": object([
            ("event_id", whole()), ("attempt", whole()), ("status", whole()), ("duration_ms", whole()), ("at", time()),
        ], [("error", text())])}),
        ),
    ]
}

pub(super) fn templates() -> Schemas {
    let kinds = ["rules", "contracts", "bundle"];
    let listed = || {
        [
            ("id", named("Name")),
            ("name", text()),
            ("description", text()),
            ("kind", words(&kinds)),
            ("tags", json!({"type": "array", "items": text()})),
            ("version", whole()),
            ("created_at", time()),
            ("updated_at", time()),
        ]
    };
    let [id, name, description, kind, tags, version, created_at, updated_at] = listed();
    let optional = || {
        [
            ("description", json!({"type": ["string", "null"], "maxLength": 65536, "pattern": LINE})),
            ("tags", strings(100)),
            ("kind", optional_word(&kinds)),
            ("data", json!({"description": "What fits the kind; {} is an empty template."})),
        ]
    };
    let [optional_description, optional_tags, optional_kind, _] = optional();
    vec![
        ("TemplateList", json!({"type": "array", "items": object(listed(), [])})),
        (
            "Template",
            object(
                [id, name, description, kind, tags, version, created_at, updated_at, ("data", json!({}))],
                [],
            ),
        ),
        ("TemplateBody", object([("id", named("Name")), ("name", needed_line())], optional())),
        ("ReplaceTemplateBody", object([("name", needed_line())], optional())),
        (
            "CaptureBody",
            object(
                [("id", named("Name")), ("name", needed_line()), ("project", named("Name"))],
                [optional_description, optional_tags, optional_kind],
            ),
        ),
        ("ApplyBody", object([("project", named("Name"))], [])),
        ("Applied", object([("applied", text()), ("project", named("Name")), ("kind", words(&kinds))], [])),
    ]
}

pub(super) fn records() -> Schemas {
    let count = || json!({"type": ["integer", "null"], "minimum": 0, "maximum": i64::MAX});
    let totals = || {
        object(
            [
                ("total_tokens_in", whole()),
                ("total_tokens_out", whole()),
                ("total_cost_usd", json!({"type": "number"})),
                ("request_count", whole()),
            ],
            [],
        )
    };
    let metrics = json!({"type": "object", "additionalProperties": whole()});
    vec![
        (
            "Runs",
            json!({"type": "array", "items": object([
            ("id", whole()), ("instance_id", uuid()), ("project", named("Name")), ("contract", named("Name")), ("pass", flag()),
            ("violations", list_of("Violation")), ("run_at", time()),
        ], [])}),
        ),
        ("ComplianceCheck", object([("checked", flag()), ("runs", named("Runs")), ("count", whole())], [])),
        (
            "AuditEntries",
            json!({"type": "array", "items": object([
            ("id", whole()), ("timestamp", time()), ("actor", text()), ("action", text()), ("resource", text()), ("detail", text()),
            ("outcome", words(&["success", "denied", "error"])),
        ], [])}),
        ),
        (
            "AuditSummary",
            object(
                [
                    ("total_entries", whole()),
                    ("action_counts", metrics.clone()),
                    ("outcome_counts", metrics.clone()),
                    ("unique_actors", whole()),
                    ("unique_resources", whole()),
                ],
                [],
            ),
        ),
        (
            "ChainReport",
            object([("valid", flag()), ("entries", whole()), ("head", text())], [("broken_at", whole())]),
        ),
        (
            "MetricRows",
            json!({"type": "array", "items": object([
            ("instance_id", uuid()), ("metric_name", text()), ("metric_value", whole()), ("period", text()),
        ], [])}),
        ),
        (
            "AgentMetrics",
            json!({"anyOf": [named("MetricRows"), {"type": "array", "items": object([
            ("instance_id", uuid()), ("metrics", metrics),
        ], [])}]}),
        ),
        (
            "UsageBody",
            object(
                [("provider", needed_line()), ("model", needed_line())],
                [
                    ("instance_id", line()),
                    ("project", line()),
                    ("tokens_in", count()),
                    ("tokens_out", count()),
                    ("cost_usd", json!({"type": ["number", "null"], "minimum": 0})),
                    ("request_type", line()),
                    ("session_tag", line()),
                ],
            ),
        ),
        ("Recorded", object([("id", whole()), ("recorded", flag())], [])),
        (
            "UsageRecords",
            json!({"type": "array", "items": object([
            ("id", whole()), ("provider", text()), ("model", text()), ("instance_id", text()), ("project", text()), ("tokens_in", whole()),
            ("tokens_out", whole()), ("cost_usd", json!({"type": "number"})), ("request_type", text()), ("session_tag", text()),
            ("created_at", time()),
        ], [])}),
        ),
        (
            "UsageSummary",
            object(
                [
                    ("group_by", text()),
                    ("from", text()),
                    ("to", text()),
                    ("groups", json!({"type": "object", "additionalProperties": totals()})),
                    ("total", totals()),
                ],
                [],
            ),
        ),
    ]
}

pub(super) fn server() -> Schemas {
    let counts = [
        "state",
        "state_versions",
        "specs",
        "spec_versions",
        "rules",
        "templates",
        "webhooks",
        "instances",
        "audit",
        "usage",
        "events",
        "tasks",
        "leases",
        "messages",
    ];
    let health = [("uptime", text()), ("version", text())];
    let [uptime, version] = health;
    vec![
        ("Health", object([("status", words(&["ok"])), uptime.clone(), version.clone()], [])),
        (
            "Degraded",
            object(
                [
                    ("status", words(&["degraded"])),
                    uptime,
                    version,
                    ("reason", text()),
                    ("error", text()),
                    ("code", whole()),
                ],
                [],
            ),
        ),
        (
            "ServerMetrics",
            object(
                [
                    ("uptime", text()),
                    ("state_keys", whole()),
                    ("instances", whole()),
                    ("last_event_id", whole()),
                    ("api_bind", text()),
                    ("dashboard_bind", text()),
                    ("token_tax", token_tax()),
                ],
                [],
            ),
        ),
        ("Reset", object([("reset", flag())], [])),
        (
            "Backup",
            object(
                [],
                [
                    ("state", json!({"type": ["array", "object"], "items": {"type": "object"}})),
                    ("specs", json!({"type": "array"})),
                    ("rules", json!({"type": "array"})),
                    ("templates", json!({"type": "array"})),
                    ("webhooks", json!({"type": "array"})),
                    ("instances", json!({"type": "array"})),
                    ("events", json!({"type": "array"})),
                    ("log", json!({"type": "object"})),
                    ("tasks", json!({"type": "array"})),
                    ("leases", json!({"type": "array"})),
                    ("last_leases", json!({"type": "array"})),
                    ("messages", json!({"type": "array"})),
                    ("gone_agents", json!({"type": "array"})),
                    ("briefed", json!({"type": "array"})),
                    ("audit", json!({"type": "array"})),
                    ("usage", json!({"type": "array"})),
                ],
            ),
        ),
        ("Restored", {
            let properties: Map<String, Value> =
                counts.iter().map(|name| ((*name).to_owned(), whole())).collect();
            json!({"type": "object", "required": counts, "properties": properties})
        }),
        (
            "OpenApi",
            object(
                [
                    ("openapi", text()),
                    ("info", json!({"type": "object"})),
                    ("paths", json!({"type": "object"})),
                ],
                [],
            ),
        ),
    ]
}

fn token_tax() -> Value {
    object(
        [
            ("mcp_calls", whole()),
            ("rest_calls", whole()),
            ("total_calls", whole()),
            ("mcp_estimated_tokens", whole()),
            ("rest_tokens_saved", whole()),
            ("savings_percent", json!({"type": "number"})),
            (
                "measured",
                object(
                    [
                        ("mcp_bytes", whole()),
                        ("rest_bytes", whole()),
                        ("mcp_tokens", whole()),
                        ("rest_tokens", whole()),
                    ],
                    [],
                ),
            ),
        ],
        [],
    )
}
