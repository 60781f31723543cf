//! What agents are, and what they are held to.

use serde_json::{Value, json};

use super::{
    Schemas, flag, glob, line, list_of, named, needed_line, object, optional_word, strings, text, time, uuid,
    whole, words,
};

pub(super) fn instances() -> Schemas {
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

pub(super) fn rules() -> Schemas {
    let (severities, types) = (["error", "warning"], ["regex", "missing", "custom"]);
    let (sources, statuses) = (["local", "learned", "external"], ["proposed", "accepted", "rejected"]);
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
    let violation = object(
        [rule_id.clone(), ("severity", words(&severities)), ("message", text())],
        [("line", json!({"type": "integer", "minimum": 1})), ("match", text())],
    );
    let list = |items: Value| json!({"type": "array", "items": items});
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
                [
                    ("filename", free()),
                    ("content", free()),
                    ("stack", free()),
                    (
                        "rules",
                        json!({
                            "type": ["array", "null"], "maxItems": 5000,
                            "description": "To be tried instead of the stored ones; nothing of them is kept.",
                            "items": object([rule_id.clone(), ("pattern", pattern())], draft(optional_word(&sources), ignored())),
                        }),
                    ),
                ],
            ),
        ),
        ("Validation", object([project, ("violations", list(violation)), ("count", whole())], [])),
    ]
}

pub(super) fn contracts() -> Schemas {
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
