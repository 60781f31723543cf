//! OTLP/HTTP: bodies as real clients sent them, and everything that can be wrong with one.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::{fs, io::Write as _, path::Path};

use flate2::{Compression, write::GzEncoder};
use integration_tests::{Reply, Server, Shared, Site, Start};
use serde_json::{Value, json};

static SERVER: Shared = Shared::new();

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/otlp");
const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn export(site: &Site, signal: &str, kind: &str, body: impl AsRef<[u8]>) -> Reply {
    site.with("Content-Type", kind).send("POST", &format!("/v1/{signal}"), body)
}

/// Sends the samples whose names begin so, as the client did; answers how many there are.
fn replay(site: &Site, beginning: &str) -> usize {
    let mut names: Vec<String> = fs::read_dir(SAMPLES)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(beginning))
        .collect();
    names.sort();
    for name in &names {
        let signal = if name.contains("metrics") { "metrics" } else { "logs" };
        let body = fs::read(Path::new(SAMPLES).join(name)).unwrap();
        if Path::new(name).extension().is_some_and(|end| end == "pb") {
            let reply = export(site, signal, PROTOBUF, &body);
            assert_eq!((reply.status, reply.text()), (200, ""), "{name}");
            assert_eq!(reply.header("content-type"), Some(PROTOBUF));
            let packed = site.with("Content-Encoding", "gzip");
            assert_eq!(export(&packed, signal, PROTOBUF, gzip(&body)).status, 200, "{name}");
        } else {
            assert_eq!(export(site, signal, JSON, &body).ok(), json!({}), "{name}");
        }
    }
    names.len()
}

/// Requests, tokens in and out, and cost of a model.
fn sum(site: &Site, model: &str) -> (u64, u64, u64, String) {
    let summary = site.get("/api/llm/usage/summary?group_by=model").ok();
    let group = &summary["groups"][model];
    let number = |field: &str| group[field].as_u64().unwrap_or_default();
    let cost = group["total_cost_usd"].as_f64().unwrap_or_default();
    (number("request_count"), number("total_tokens_in"), number("total_tokens_out"), format!("{cost:.6}"))
}

#[test]
fn what_real_clients_sent_adds_up_however_often_it_comes() {
    let server = Server::start();
    let site = server.site();
    for (samples, count, model, expected) in [
        ("claude-json", 5, "claude-opus-5-5", (7, 92_892, 140, "0.374368")),
        ("claude-pb", 4, "claude-opus-5-5", (14, 185_784, 280, "0.748736")),
        ("codex-json", 2, "gpt-6.1-sol", (2, 28_797, 40, "0.000000")),
        ("codex-pb", 2, "gpt-5.5", (7, 78_624, 140, "0.000000")),
        ("gemini", 1, "gemini-2.5-pro", (6, 84_966, 120, "0.107408")),
    ] {
        let (requests, tokens_in, tokens_out, cost) = expected;
        let expected = (requests, tokens_in, tokens_out, cost.to_owned());
        for round in ["once", "twice"] {
            assert_eq!(replay(&site, samples), count, "{samples}");
            assert_eq!(sum(&site, model), expected, "{samples} {round}");
        }
    }
    let records = site.get("/api/llm/usage?limit=1000").ok();
    let records = records.as_array().unwrap();
    assert_eq!(records.len(), 29);
    let of = |model: &str| records.iter().find(|record| record["model"] == model).unwrap().clone();
    let claude = of("claude-opus-5-5");
    assert_eq!((&claude["provider"], &claude["priced"]), (&json!("anthropic"), &json!(true)));
    assert!(claude["created_at"].as_str().unwrap().starts_with("2026-11-30T03:2"), "{claude}");
    assert_eq!(claude["instance_id"], "(unattributed)");
    assert_eq!(
        (&of("gpt-6.1-sol")["priced"], &of("gemini-2.5-pro")["priced"]),
        (&json!(false), &json!(true))
    );
    // No prompt and no answer of a model has come through.
    let text = site.get("/api/backup").text().to_owned();
    for secret in ["do-the-script", "candidates", "made.txt"] {
        assert!(!text.contains(secret), "{secret} was stored");
    }
    assert_eq!(site.get("/api/audit/verify").ok()["valid"], true);
}

#[test]
fn usage_shows_at_the_agent_and_the_task_of_its_session() {
    let server = SERVER.server();
    let site = server.site();
    let agent = json!({"name": "payer", "workspace": "Paid"});
    let id = site.post("/api/instances/register", &agent).ok()["id"].as_str().unwrap().to_owned();
    let payer = site.instance(&id);
    let announced = payer.post(&format!("/api/instances/{id}/session"), &json!({"session": "of-payer"}));
    assert_eq!(announced.ok(), json!({"id": id, "session": "of-payer", "attributed": 0}));
    site.post("/api/tasks/Paid", &json!({"title": "t"})).gives(201);
    payer.post("/api/tasks/Paid/claim", &Value::Null).ok();
    let record = |session: &str, request: &str, more: Value| {
        let mut attributes = vec![
            json!({"key": "event.name", "value": {"stringValue": "api_request"}}),
            json!({"key": "session.id", "value": {"stringValue": session}}),
            json!({"key": "request_id", "value": {"stringValue": request}}),
            json!({"key": "model", "value": {"stringValue": "claude-sonnet-4-5-20250929"}}),
            json!({"key": "input_tokens", "value": {"intValue": "1000000"}}),
            json!({"key": "output_tokens", "value": {"stringValue": "100000"}}),
            json!({"key": "cache_read_tokens", "value": {"doubleValue": 2e6}}),
        ];
        attributes.extend(more.as_array().unwrap().iter().cloned());
        json!({"body": {"stringValue": "claude_code.api_request"}, "attributes": attributes})
    };
    let body = |records: Vec<Value>, resource: Value| {
        json!({"resourceLogs": [{
            "scopeLogs": [{"logRecords": records}], "resource": {"attributes": resource},
        }]})
        .to_string()
    };
    let own = vec![record("of-payer", "paid-1", json!([])), record("of-payer", "paid-1", json!([]))];
    assert_eq!(export(&site, "logs", JSON, body(own, json!([]))).ok(), json!({}));
    let started = json!([{"key": "koor.instance", "value": {"stringValue": id}}]);
    export(&site, "logs", JSON, body(vec![record("late", "paid-2", json!([]))], started)).ok();
    export(&site, "logs", JSON, body(vec![record("late", "paid-3", json!([]))], json!([]))).ok();
    let of_payer = || site.get(&format!("/api/llm/usage?instance={id}")).ok();
    let found = of_payer();
    assert_eq!(found.as_array().unwrap().len(), 2);
    let first = &found[1];
    let expected = json!({
        "id": first["id"], "provider": "anthropic", "model": "claude-sonnet-4-5-20250929", "instance_id": id,
        "project": "Paid", "tokens_in": 1_000_000, "tokens_out": 100_000, "cost_usd": first["cost_usd"],
        "request_type": "completion", "session_tag": "", "created_at": first["created_at"], "request_id": "paid-1",
        "session": "of-payer", "task": "Paid/1", "cache_read_tokens": 2_000_000, "cache_write_tokens": 0,
        "priced": true, "received_at": first["received_at"],
    });
    assert_eq!(*first, expected);
    assert!((first["cost_usd"].as_f64().unwrap() - 5.1).abs() < 1e-9, "{first}");
    // What the hook announces later is attributed then.
    let announced = payer.post(&format!("/api/instances/{id}/session"), &json!({"session": "late"}));
    assert_eq!(announced.ok()["attributed"], 1);
    assert_eq!(of_payer().as_array().unwrap().len(), 3);
    let by_task = site.get("/api/llm/usage/summary?group_by=task").ok();
    assert_eq!(by_task["groups"]["Paid/1"]["request_count"], 3);
    let day = &first["created_at"].as_str().unwrap()[..10];
    let by_day = site.get(&format!("/api/llm/usage/summary?group_by=day&from={day}")).ok();
    assert!(by_day["groups"][day]["request_count"].as_u64().unwrap() >= 3, "{by_day}");
    site.get("/api/llm/usage/summary?group_by=mood")
        .refused(400, "invalid group_by: must be instance, project, model, session_tag, task, or day");
    payer.post(&format!("/api/instances/{id}/session"), &json!({})).refused(400, "session is required");
    site.post("/api/instances/none/session", &json!({"session": "s"}))
        .refused(404, "instance not found: none");
}

/// A field of a protobuf message that holds bytes.
fn field(number: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = value.len();
    while length >= 0x80 {
        bytes.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    bytes.push(u8::try_from(length).unwrap());
    bytes.extend_from_slice(value);
    bytes
}

fn attribute(key: &str, value: &[u8]) -> Vec<u8> {
    [field(1, key.as_bytes()), field(2, value)].concat()
}

#[test]
fn spans_with_the_general_conventions_count_and_others_are_dropped() {
    let server = SERVER.server();
    let site = server.site();
    let span = |id: u8, attributes: &[Vec<u8>]| {
        let attributes: Vec<u8> = attributes.iter().flat_map(|pair| field(9, pair)).collect();
        [field(1, &[7; 16]), field(2, &[id; 8]), field(5, b"chat"), attributes].concat()
    };
    let counted = [
        attribute("gen_ai.request.model", &field(1, b"of-spans")),
        attribute("gen_ai.usage.input_tokens", &[3 << 3, 100]),
        attribute("gen_ai.usage.output_tokens", &field(1, b"20")),
        attribute("gen_ai.usage.cache_read.input_tokens", &[3 << 3, 40]),
        attribute("gen_ai.input.messages", &field(1, b"a secret prompt")),
    ];
    let spans: Vec<u8> =
        [span(1, &counted), span(2, &counted), span(3, &[])].iter().flat_map(|span| field(2, span)).collect();
    let body = field(1, &field(2, &spans));
    for _ in 0..2 {
        assert_eq!(export(&site, "traces", PROTOBUF, &body).status, 200);
    }
    assert_eq!(sum(&site, "of-spans"), (2, 120, 40, "0.000000".to_owned()));
    let records = site.get("/api/llm/usage?limit=1000").text().to_owned();
    assert!(!records.contains("secret prompt"));
    // The same in JSON, where names are in camel case and numbers may be texts.
    let json = json!({"resourceSpans": [{"scopeSpans": [{"spans": [{
        "traceId": "07".repeat(16), "spanId": "01".repeat(8), "endTimeUnixNano": "1796009237723713097",
        "attributes": [
            {"value": {"intValue": 100}, "key": "gen_ai.usage.input_tokens"},
            {"key": "gen_ai.request.model", "value": {"stringValue": "of-spans"}},
            {"key": "list", "value": {"arrayValue": {"values": [{"stringValue": "x"}]}}},
        ],
        "unknown": {"deep": [[[{}]]]},
    }]}]}]});
    assert_eq!(export(&site, "traces", JSON, json.to_string()).ok(), json!({}));
    assert_eq!(sum(&site, "of-spans").0, 2, "the same span has the same id however it is written");
}

#[test]
fn a_record_that_cannot_be_read_is_rejected_and_the_others_are_taken() {
    let server = SERVER.server();
    let site = server.site();
    let record = |tokens: Value| {
        json!({"eventName": "gemini_cli.api_response", "attributes": [
            {"key": "model", "value": {"stringValue": "partly"}},
            {"key": "session.id", "value": {"stringValue": tokens.to_string()}},
            {"key": "input_token_count", "value": tokens},
        ]})
    };
    let records =
        [json!({"intValue": "-7"}), json!({"intValue": "7"}), json!({"stringValue": "many"})].map(record);
    let body = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}).to_string();
    let said = export(&site, "logs", JSON, &body).ok();
    let expected = json!({"partialSuccess": {
        "rejectedLogRecords": "2", "errorMessage": "input_token_count is no number of tokens",
    }});
    assert_eq!(said, expected);
    assert_eq!(sum(&site, "partly").0, 1);
    let wrong = [
        attribute("event.name", &field(1, b"gemini_cli.api_response")),
        attribute("input_token_count", &field(1, b"x")),
    ];
    let record: Vec<u8> = wrong.iter().flat_map(|pair| field(6, pair)).collect();
    let reply = export(&site, "logs", PROTOBUF, field(1, &field(2, &field(2, &record))));
    let why = b"input_token_count is no number of tokens";
    let expected = field(1, &[vec![1 << 3, 1], field(2, why)].concat());
    assert_eq!((reply.status, &reply.body[..]), (200, &expected[..]));
}

#[test]
fn what_cannot_be_taken_in_is_refused_as_otlp_has_it() {
    let server = Start::default().args(["--max-body", "4096"]).start().unwrap();
    let site = server.site();
    let refused = |reply: &Reply, status: u16, part: &str| {
        assert_eq!((reply.status, reply.header("content-type")), (status, Some(JSON)), "{reply:?}");
        let said = reply.json();
        assert!(said["message"].as_str().unwrap().contains(part), "{said}");
        assert!(said["code"].is_u64() && said["error"].is_null(), "{said}");
    };
    refused(&export(&site, "logs", "text/plain", "{}"), 415, "Content-Type");
    refused(&site.send("POST", "/v1/logs", "{}"), 415, "Content-Type");
    let zstd = site.with("Content-Encoding", "zstd");
    refused(&export(&zstd, "logs", JSON, "{}"), 415, "gzip");
    for wrong in ["", "{", "[]", "1", "null", r#"{"resourceLogs": 1}"#, "{} {}"] {
        refused(&export(&site, "logs", JSON, wrong), 400, "invalid JSON body");
    }
    let packed = site.with("Content-Encoding", "gzip");
    refused(&export(&packed, "logs", JSON, "{}"), 400, "invalid gzip body");
    refused(&export(&site, "logs", JSON, " ".repeat(5000)), 413, "4096");
    refused(&export(&packed, "logs", JSON, gzip(&vec![b' '; 1 << 20])), 413, "4096");
    let reply = export(&site, "traces", PROTOBUF, [0x0a, 0x05, 0x01]);
    assert_eq!((reply.status, reply.header("content-type")), (400, Some(PROTOBUF)));
    assert_eq!(reply.body[..2], [1 << 3, 3], "INVALID_ARGUMENT");
    assert!(String::from_utf8_lossy(&reply.body).contains("invalid protobuf body: it ends within a field"));
    // What is empty is no mistake, and metrics are dropped.
    for (signal, kind, body) in [
        ("logs", PROTOBUF, ""),
        ("logs", "Application/JSON; charset=utf-8", "{}"),
        ("metrics", JSON, "{\"resourceMetrics\":[]}"),
    ] {
        assert_eq!(export(&site, signal, kind, body).status, 200, "{signal} {kind}");
    }
    site.get("/v1/logs").says(405, "method not allowed");
    let guarded = Start::default().args(["--auth-token", "t"]).start().unwrap();
    let unknown = export(&guarded.site(), "logs", JSON, "{}");
    refused(&unknown, 401, "bearer token");
    assert_eq!(unknown.header("www-authenticate"), Some("Bearer"));
    assert_eq!(export(&guarded.site().token("t"), "logs", JSON, "{}").status, 200);
}
