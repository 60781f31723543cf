//! Pure code that requests run through: patterns, rules, differences, contracts, JSON.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on has nothing better to do than to stop"
)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use koor_core::{
    diff::{diff, json_patch},
    domain::{
        RawJson,
        contracts::Contract,
        events::Event,
        rules::{Input, Rule, RuleEngine},
    },
    pattern::Pattern,
};
use serde_json::{Value, json};

fn patterns(criterion: &mut Criterion) {
    let topic = "truck-wash.frontend.components.button.done";
    for written in ["truck-wash.*", "*.button.*", "truck-wash.[a-z]*.done", topic] {
        let pattern = Pattern::new(written).unwrap();
        criterion.bench_function(&format!("pattern {written}"), |bencher| {
            bencher.iter(|| black_box(&pattern).matches(black_box(topic)));
        });
    }
    criterion.bench_function("pattern, parsed", |bencher| {
        bencher.iter(|| Pattern::new(black_box("truck-wash.[a-z]*.done")).unwrap());
    });
}

fn rules(criterion: &mut Criterion) {
    let rules: Vec<Rule> = (0..200)
        .map(|n| {
            let pattern = match n % 3 {
                0 => format!(r"console\.log{n}\("),
                1 => format!(r"(?i)\bpassword_{n}\s*=\s*\S+"),
                _ => format!(r"fn\s+bad_{n}\w*\("),
            };
            serde_json::from_value(json!({
                "project": "p", "rule_id": format!("r{n}"), "severity": "error", "match_type": "regex",
                "pattern": pattern, "message": "m", "stack": "", "applies_to": ["*"], "source": "local",
                "status": "accepted", "created_at": "2026-02-09T14:30:00.123Z",
            }))
            .unwrap()
        })
        .collect();
    let content = "    let value = compute(\"https://example.org\"); // as asked\n".repeat(1700);
    let engine = RuleEngine::default();
    let input = Input::new(Some("src/main.rs"), &content, None).unwrap();
    criterion.bench_function("200 rules over 100 KB", |bencher| {
        bencher.iter(|| engine.validate(black_box(&rules), &input));
    });
}

fn document(changed: u64) -> Value {
    let items: Vec<Value> =
        (0..200).map(|n| json!({"id": n, "name": format!("item {n}"), "done": n % 7 == changed})).collect();
    json!({"items": items, "version": changed})
}

fn differences(criterion: &mut Criterion) {
    let (old, new) = (document(1), document(2));
    criterion
        .bench_function("diff of 12 KB", |bencher| bencher.iter(|| diff(black_box(&old), black_box(&new))));
    criterion.bench_function("JSON patch of 12 KB", |bencher| {
        bencher.iter(|| json_patch(black_box(&old), black_box(&new)));
    });
}

fn contracts(criterion: &mut Criterion) {
    let fields = json!({
        "id": {"type": "number", "required": true}, "name": {"type": "string"}, "done": {"type": "boolean"},
    });
    let schema = json!({
        "type": "array",
        "items": {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}},
    });
    let contract = json!({
        "kind": "contract", "version": 1,
        "endpoints": {
            "GET /items": {"response_array": fields},
            "GET /schema": {"response_schema": schema},
        },
    });
    let compiled = Contract::parse(&contract).unwrap();
    let items = document(1)["items"].clone();
    let response = "response".parse().unwrap();
    for endpoint in ["GET /items", "GET /schema"] {
        criterion.bench_function(&format!("contract, {endpoint}, 200 items"), |bencher| {
            bencher.iter(|| compiled.check(endpoint, response, black_box(&items)));
        });
    }
    criterion.bench_function("contract, parsed", |bencher| {
        bencher.iter(|| Contract::parse(black_box(&contract)).unwrap());
    });
}

fn rendering(criterion: &mut Criterion) {
    let event: Event = serde_json::from_value(json!({
        "id": 1, "topic": "truck-wash.frontend.done", "data": {"ok": true, "files": ["a", "b"]}, "source": "frontend",
        "created_at": "2026-02-09T14:30:00.123Z",
    }))
    .unwrap();
    criterion.bench_function("an event as JSON", |bencher| {
        bencher.iter(|| serde_json::to_vec(black_box(&event)).unwrap());
    });
    let text = document(1).to_string();
    criterion.bench_function("12 KB of JSON, kept as it is", |bencher| {
        bencher.iter(|| RawJson::parse(black_box(&text)).unwrap());
    });
}

criterion_group!(pure, patterns, rules, differences, contracts, rendering);
criterion_main!(pure);
