//! What tasks look like, and what is said about them.

use serde_json::{Value, json};

use super::{LINE, Schemas, flag, list_of, named, needed_line, object, text, time, uuid, whole, words};

/// A text of several lines that a client may leave out.
fn prose() -> Value {
    json!({"type": ["string", "null"], "maxLength": 65536, "pattern": PROSE})
}

/// The same, where it must be given.
fn needed_prose() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": 65536, "pattern": FULL_PROSE})
}

const PROSE: &str = "^[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f]*$";
const FULL_PROSE: &str =
    "^[^\\s\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f]*$";

fn or_null(of: &Value) -> Value {
    json!({"anyOf": [of, {"type": "null"}]})
}

fn number() -> Value {
    json!({"type": "integer", "minimum": 1, "maximum": i64::MAX})
}

fn word_list() -> Value {
    let word = json!({"type": "string", "minLength": 1, "maxLength": 1024, "pattern": "^[^\\s\\u0000-\\u001f\\u007f-\\u009f]+$"});
    json!({"type": ["array", "null"], "maxItems": 50, "items": word})
}

/// A span such as `30s`, or whole seconds, between these.
fn span(least: u64, most: u64) -> Value {
    json!({"anyOf": [{"type": "integer", "minimum": least, "maximum": most}, {"type": "string", "enum": ["30s", "15m", "1h"]},
        {"type": "null"}], "description": "Whole seconds, or a span such as 30s or 1h30m."})
}

fn fence() -> Value {
    json!({"type": ["integer", "null"], "minimum": 0, "description": "The fence of the claim, which must be the current one."})
}

fn task() -> Value {
    let numbers = || json!({"type": "array", "items": number()});
    let texts = || json!({"type": "array", "items": text()});
    let maybe_text = || json!({"type": ["string", "null"]});
    object(
        [
            ("project", named("Name")),
            ("number", number()),
            ("title", text()),
            ("body", text()),
            ("status", words(&["open", "claimed", "review", "done", "failed", "cancelled"])),
            ("ready", flag()),
            ("blocked_by", numbers()),
            ("priority", json!({"type": "integer", "minimum": 0, "maximum": 4})),
            ("labels", texts()),
            ("needs", texts()),
            ("after", numbers()),
            ("parent", or_null(&number())),
            ("assignee", maybe_text()),
            ("review", flag()),
            ("claim", or_null(&named("Claim"))),
            ("fence", whole()),
            ("attempts", whole()),
            ("max_attempts", whole()),
            ("not_before", or_null(&time())),
            ("result", named("Anything")),
            ("reason", maybe_text()),
            ("key", maybe_text()),
            ("created_by", text()),
            ("created_at", time()),
            ("updated_at", time()),
            ("version", number()),
        ],
        [],
    )
}

/// What a client can say of a task; `links` are what it may be linked with.
fn fields(title: Value, reference: &Value) -> Value {
    let fields = [
        ("body", prose()),
        ("priority", json!({"type": ["integer", "null"], "minimum": 0, "maximum": 4})),
        ("labels", word_list()),
        ("needs", word_list()),
        ("after", json!({"type": ["array", "null"], "maxItems": 500, "items": reference})),
        ("parent", or_null(reference)),
        ("assignee", json!({"type": ["string", "null"], "maxLength": 1024, "pattern": LINE})),
        ("review", json!({"type": ["boolean", "null"]})),
        ("max_attempts", json!({"type": ["integer", "null"], "minimum": 1, "maximum": 100})),
        ("not_before", or_null(&time())),
    ];
    let mut schema = object([], fields);
    schema["properties"]["title"] = title;
    schema
}

fn draft() -> Value {
    let key = json!({"type": "string", "minLength": 1, "maxLength": 200, "pattern": LINE});
    let reference = json!({"description": "A task's number, or the key of one in the same array.", "anyOf": [number(), key]});
    let mut draft = fields(needed_line(), &reference);
    draft["required"] = json!(["title"]);
    draft["properties"]["key"] = or_null(&key);
    draft
}

pub(super) fn tasks() -> Schemas {
    let remark = |name| object([], [(name, prose())]);
    vec![
        ("Task", task()),
        ("Tasks", list_of("Task")),
        ("TaskOrTasks", json!({"anyOf": [named("Task"), named("Tasks")]})),
        ("TaskDraft", draft()),
        (
            "TasksBody",
            json!({"anyOf": [
                named("TaskDraft"), {"type": "array", "minItems": 1, "maxItems": 500, "items": named("TaskDraft")},
            ]}),
        ),
        ("TaskEditBody", {
            let mut edit = fields(needed_line(), &number());
            edit["minProperties"] = json!(1);
            edit
        }),
        (
            "Claim",
            object(
                [
                    ("instance_id", uuid()),
                    ("name", text()),
                    ("fence", whole()),
                    ("claimed_at", time()),
                    ("expires_at", time()),
                ],
                [],
            ),
        ),
        (
            "ClaimBody",
            object(
                [],
                [
                    ("number", or_null(&number())),
                    ("labels", json!({"type": ["array", "null"], "items": text()})),
                    ("lease", span(10, 86_400)),
                ],
            ),
        ),
        (
            "Claimed",
            object(
                [("task", or_null(&named("Task")))],
                [("ready", whole()), ("blocked", whole()), ("claimed", whole())],
            ),
        ),
        ("RenewBody", object([], [("fence", fence()), ("lease", span(10, 86_400))])),
        ("ReleaseBody", object([], [("fence", fence()), ("note", prose()), ("delay", span(0, 31_536_000))])),
        ("DoneBody", object([], [("fence", fence()), ("result", named("Anything")), ("note", prose())])),
        (
            "FailBody",
            object(
                [("reason", needed_prose())],
                [("fence", fence()), ("retry", json!({"type": ["boolean", "null"]}))],
            ),
        ),
        ("TaskRemarkBody", remark("note")),
        ("TaskRejectBody", object([("note", needed_prose())], [])),
        ("TaskCancelBody", remark("reason")),
        ("TaskNoteBody", object([("text", needed_prose())], [])),
        (
            "TaskNote",
            object([("id", number()), ("author", text()), ("text", text()), ("created_at", time())], []),
        ),
        ("TaskNotes", list_of("TaskNote")),
        ("TaskProjects", object([("projects", list_of("TaskCounts"))], [])),
        (
            "TaskCounts",
            object(
                [
                    ("project", named("Name")),
                    ("open", whole()),
                    ("ready", whole()),
                    ("claimed", whole()),
                    ("review", whole()),
                    ("done", whole()),
                    ("failed", whole()),
                    ("cancelled", whole()),
                ],
                [],
            ),
        ),
    ]
}
