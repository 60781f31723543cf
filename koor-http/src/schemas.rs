//! What goes in and out, as JSON Schemas.

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
        instances(),
        rules(),
        contracts(),
        webhooks(),
        templates(),
        records(),
        server(),
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
        ("Unacceptable", object([message, code, ("violations", list_of("Violation"))], [])),
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
    let [v, h, at] = put.clone();
    let (project, name) = (("project", named("Name")), ("name", named("Name")));
    let spec_put = [project.clone(), name, v.clone(), h.clone(), at.clone()];
    vec![
        ("Put", object([("key", text()), v.clone(), h.clone(), at.clone(), ("content_type", text())], [])),
        ("RolledBack", object([("key", text()), v.clone(), h, at.clone(), ("rolled_back", version())], [])),
        ("DeletedVersion", object([("deleted", text()), v.clone()], [])),
        (
            "StateList",
            json!({"type": "array", "items": object([
            ("key", named("StateKey")), v.clone(), ("content_type", text()), ("updated_at", named("Time")), ("hash", hash()),
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
            ("name", named("Name")), v, at,
        ], [])}),
                    ),
                ],
                [],
            ),
        ),
        ("SpecPut", object(spec_put.clone(), [])),
        ("SpecRolledBack", {
            let [a, b, c, d, e] = spec_put;
            object([a, b, c, d, e, ("rolled_back", version())], [])
        }),
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

fn instances() -> Schemas {
    let all = || {
        [
            ("id", uuid()),
            ("name", text()),
            ("workspace", text()),
            ("intent", text()),
            ("stack", text()),
            ("capabilities", json!({"type": "array", "items": text()})),
            ("status", words(&["pending", "active", "stale"])),
            ("registered_at", time()),
            ("last_seen", time()),
        ]
    };
    let prose = || json!({"type": ["string", "null"], "maxLength": 65536, "pattern": "^[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f]*$"});
    let [id, name, workspace, intent, stack, capabilities, status, registered_at, last_seen] = all();
    vec![
        ("Instance", object(all(), [])),
        ("Instances", list_of("Instance")),
        (
            "RegisterBody",
            object(
                [("name", needed_line())],
                [
                    ("workspace", line()),
                    ("intent", prose()),
                    ("stack", line()),
                    ("capabilities", strings(200)),
                ],
            ),
        ),
        (
            "Registered",
            object(
                [
                    id.clone(),
                    name,
                    workspace,
                    intent,
                    stack,
                    capabilities,
                    status,
                    registered_at,
                    last_seen,
                    ("token", text()),
                ],
                [],
            ),
        ),
        ("InstanceState", object([id.clone(), ("status", words(&["active", "ok"]))], [])),
        ("CapabilitiesBody", object([], [("capabilities", strings(200))])),
        (
            "Capabilities",
            object([id.clone(), ("capabilities", json!({"type": "array", "items": text()}))], []),
        ),
        ("IntentBody", object([], [("intent", prose())])),
        ("IntentSet", object([id.clone(), ("intent", text())], [])),
        ("NewToken", object([id, ("token", text())], [])),
        (
            "LivenessCheck",
            object([("checked", flag()), ("newly_stale", named("Instances")), ("count", whole())], []),
        ),
    ]
}

fn rules() -> Schemas {
    let (severities, types) = (["error", "warning"], ["regex", "missing", "custom"]);
    let sources = ["local", "learned", "external"];
    let statuses = ["proposed", "accepted", "rejected"];
    let free = || json!({"type": ["string", "null"]});
    let draft = |source: Value, status: Value| {
        [
            ("severity", optional_word(&severities)),
            ("match_type", optional_word(&types)),
            ("stack", free()),
            ("message", json!({"type": ["string", "null"], "maxLength": 4096})),
            ("applies_to", json!({"type": ["array", "null"], "items": glob(), "maxItems": 100})),
            ("source", source),
            ("status", status),
            ("proposed_by", free()),
            ("context", free()),
        ]
    };
    let ignored = || json!({"type": ["string", "null"], "description": "Ignored."});
    // Which regexes compile, no schema can say.
    let pattern = || json!({"type": "string", "minLength": 1, "maxLength": 8192, "description": "A regex, or the name of a check."});
    let [project, rule_id] = [("project", named("Name")), ("rule_id", named("Name"))];
    let rule = object(
        [
            project.clone(),
            rule_id.clone(),
            ("severity", words(&severities)),
            ("match_type", words(&types)),
            ("pattern", text()),
            ("message", text()),
            ("stack", text()),
            ("applies_to", json!({"type": "array", "items": text()})),
            ("source", words(&sources)),
            ("status", words(&statuses)),
            ("created_at", time()),
        ],
        [("proposed_by", text()), ("context", text())],
    );
    vec![
        ("Rule", rule),
        ("Rules", list_of("Rule")),
        (
            "RuleBody",
            object(
                [project.clone(), rule_id.clone(), ("pattern", pattern())],
                draft(optional_word(&sources), ignored()),
            ),
        ),
        (
            "ProposalBody",
            object([project.clone(), rule_id.clone(), ("pattern", pattern())], draft(ignored(), ignored())),
        ),
        (
            "PutRulesBody",
            json!({"type": "array", "maxItems": 5000, "items": object(
                [rule_id.clone(), ("pattern", pattern())],
                draft(optional_word(&sources), optional_word(&statuses)),
            )}),
        ),
        (
            "ImportRulesBody",
            json!({"type": "array", "minItems": 1, "maxItems": 5000, "items": named("RuleBody")}),
        ),
        ("ProjectRules", object([project.clone(), ("rules", named("Rules"))], [])),
        ("RulesPut", object([project.clone(), ("count", whole())], [])),
        ("Imported", object([("imported", whole())], [])),
        ("RuleState", object([project.clone(), rule_id.clone(), ("status", words(&statuses))], [])),
        (
            "FileBody",
            object(
                [],
                [("filename", free()), ("content", json!({"type": ["string", "null"]})), ("stack", free())],
            ),
        ),
        (
            "Validation",
            object(
                [
                    project,
                    (
                        "violations",
                        json!({"type": "array", "items": object([
            rule_id, ("severity", words(&severities)), ("message", text()),
        ], [("line", json!({"type": "integer", "minimum": 1})), ("match", text())])}),
                    ),
                    ("count", whole()),
                ],
                [],
            ),
        ),
    ]
}

fn contracts() -> Schemas {
    let violations = || list_of("Violation");
    let endpoint = || ("endpoint", json!({"type": "string", "minLength": 1}));
    vec![
        (
            "Contracts",
            object(
                [
                    ("project", named("Name")),
                    (
                        "contracts",
                        json!({"type": "array", "items": object([
            ("name", named("Name")), ("version", whole()), ("endpoints", whole()), ("updated_at", time()),
        ], [])}),
                    ),
                ],
                [],
            ),
        ),
        (
            "PayloadBody",
            object(
                [endpoint()],
                [("direction", json!({"type": ["string", "null"]})), ("payload", json!({}))],
            ),
        ),
        ("Checked", object([("valid", flag()), ("violations", violations())], [])),
        (
            "ContractTestBody",
            object(
                [endpoint(), ("base_url", json!({"type": "string", "format": "uri"}))],
                [("test_data", json!({}))],
            ),
        ),
        (
            "ContractTest",
            object(
                [
                    ("valid", flag()),
                    ("endpoint", text()),
                    ("status_code", whole()),
                    ("request_violations", violations()),
                    ("response_violations", violations()),
                    ("error", text()),
                ],
                [],
            ),
        ),
    ]
}

fn webhooks() -> Schemas {
    vec![
        (
            "WebhookBody",
            object(
                [
                    ("id", named("Name")),
                    (
                        "url",
                        json!({"type": "string", "format": "uri", "pattern": "^https?://[a-z0-9.-]+(/[a-z0-9/]*)?$", "maxLength": 2048}),
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

fn templates() -> Schemas {
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

fn records() -> Schemas {
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

fn server() -> Schemas {
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
    ];
    let tax = object(
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
    );
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
                    ("token_tax", tax),
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
