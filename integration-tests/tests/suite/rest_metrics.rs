//! The server and its agents in numbers, and what models cost.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use integration_tests::{Server, Site};
use serde_json::{Value, json};

fn register(site: &Site, name: &str) -> String {
    site.post("/api/instances/register", &json!({"name": name})).ok()["id"].as_str().unwrap().to_owned()
}

#[test]
fn the_server_counts_calls_and_what_they_would_have_cost() {
    let server = Server::start();
    let site = server.site();
    site.put("/api/state/a", &json!("x".repeat(399))).ok();
    site.get("/api/state/a").ok();
    site.get("/api/state/none").gives(404);
    register(&site, "one");
    let mut metrics = site.get("/api/metrics").ok();
    assert!(metrics["uptime"].take().as_str().unwrap().ends_with('s'));
    for bind in ["api_bind", "dashboard_bind"] {
        assert!(metrics[bind].take().as_str().is_some_and(|text| !text.is_empty()), "{bind}");
    }
    let mut tax = metrics["token_tax"].take();
    let last = metrics["last_event_id"].take().as_u64().unwrap();
    assert_eq!(site.post("/api/events/publish", &json!({"topic": "next"})).cursor(), last + 1);
    let expected = json!({
        "uptime": null, "state_keys": 1, "instances": 1, "last_event_id": null, "api_bind": null,
        "dashboard_bind": null, "token_tax": null,
    });
    assert_eq!(metrics, expected);
    let measured = tax["measured"].take();
    let expected = json!({
        "mcp_calls": 0, "rest_calls": 4, "total_calls": 4, "mcp_estimated_tokens": 0, "rest_tokens_saved": 1200,
        "savings_percent": 100.0, "measured": null,
    });
    let number = |value: &Value| value.as_f64();
    assert_eq!(number(&tax["savings_percent"]), number(&expected["savings_percent"]));
    tax["savings_percent"] = json!(100.0);
    assert_eq!(tax, expected);
    let bytes = measured["rest_bytes"].as_u64().unwrap();
    assert!(bytes > 401, "{measured}");
    let expected = json!({"mcp_bytes": 0, "rest_bytes": bytes, "mcp_tokens": 0, "rest_tokens": bytes / 4});
    assert_eq!(measured, expected);
}

#[test]
fn a_reset_sets_the_counters_of_calls_to_zero() {
    let server = Server::start();
    let site = server.site();
    site.get("/api/state").ok();
    let reset = site.post("/api/metrics/reset", &Value::Null);
    assert_eq!(reset.ok(), json!({"reset": true}));
    let tax = &site.get("/api/metrics").ok()["token_tax"];
    for name in ["mcp_calls", "rest_calls", "total_calls", "mcp_estimated_tokens", "rest_tokens_saved"] {
        assert_eq!(tax[name], 0, "{name}");
    }
    assert_eq!(tax["savings_percent"].as_f64(), Some(0.0));
}

#[test]
fn prometheus_gets_text_that_it_can_read() {
    let server = Server::start();
    let site = server.site();
    site.put("/api/state/a", &json!(1)).ok();
    site.get("/api/state/none").gives(404);
    let subscribers = || {
        let metrics = site.get("/metrics");
        let line =
            metrics.text().lines().find(|line| line.starts_with("koor_subscribers ")).unwrap().to_owned();
        line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()
    };
    // The server follows its own log, too.
    let own = subscribers();
    let mut events = server.client().events("pattern=a");
    site.post("/api/events/publish", &json!({"topic": "a"})).ok();
    events.next_event().unwrap();
    assert_eq!(subscribers(), own + 1);
    let reply = site.get("/metrics");
    assert!(reply.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    let text = reply.text();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("koor_") && value.parse::<f64>().is_ok(), "{line}");
    }
    for (part, end) in [
        ("koor_http_requests_total{method=\"PUT\",route=\"/api/state/{key", "status=\"200\"} 1"),
        ("koor_http_requests_total{method=\"GET\",route=\"/api/state/{key", "status=\"404\"} 1"),
        ("koor_http_request_seconds_count{method=\"PUT\",route=\"/api/state/{key", "} 1"),
        ("koor_http_request_seconds_bucket{method=\"PUT\",route=\"/api/state/{key", "le=\"+Inf\"} 1"),
        ("koor_events_published_total", " 2"),
        ("koor_state_keys", " 1"),
    ] {
        assert!(
            text.lines().any(|line| line.starts_with(part) && line.ends_with(end)),
            "{part}…{end} in {text}"
        );
    }
    for name in [
        "koor_events_delivered_total",
        "koor_events_missed_total",
        "koor_store_bytes",
        "koor_write_batch_size_sum",
        "koor_write_batch_size_count",
        "koor_webhook_deliveries_total",
        "koor_webhook_failures_total",
    ] {
        assert!(text.lines().any(|line| line.starts_with(name)), "{name} in {text}");
    }
}

#[test]
fn what_an_agent_does_is_counted_by_the_hour() {
    let server = Server::start();
    let site = server.site();
    let (id, other) = (register(&site, "busy"), register(&site, "idle"));
    let agent = site.instance(&id);
    for n in 1..=2 {
        agent.put("/api/state/a", &json!(n)).ok();
    }
    agent.put("/api/specs/p/s", &json!(1)).ok();
    agent.send("POST", "/api/state/a?rollback=1", "").ok();
    agent.put("/api/state/a?if_version=9", &json!(0)).gives(412);
    agent.post("/api/events/publish", &json!({"topic": "a"})).ok();
    agent.put("/api/validate/p/rules", &json!([{"rule_id": "r", "pattern": "x"}])).ok();
    agent.post("/api/validate/p", &json!({"content": "x\nx"})).ok();
    site.instance(&other).get("/api/state").ok();
    let expected = [
        ("conflicts", 1),
        ("events_published", 1),
        ("rest_calls", 8),
        ("rollbacks", 1),
        ("state_writes", 3),
        ("violations", 2),
    ];
    let rows = site.get(&format!("/api/metrics/agents/{id}")).ok();
    let shown: Vec<_> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["metric_name"].as_str().unwrap(), row["metric_value"].as_u64().unwrap()))
        .collect();
    let period = rows[0]["period"].as_str().unwrap().to_owned();
    assert_eq!((period.len(), &period[10..11]), (13, "T"));
    // A new hour may have begun meanwhile.
    if rows.as_array().unwrap().iter().all(|row| row["period"] == period.as_str()) {
        assert_eq!(shown, expected);
    }
    let keys: Vec<_> = rows[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["instance_id", "metric_name", "metric_value", "period"]);
    assert_eq!(site.get(&format!("/api/metrics/agents?instance_id={id}")).ok(), rows);
    let totals = site.get("/api/metrics/agents").ok();
    let of = |id: &str| totals.as_array().unwrap().iter().find(|row| row["instance_id"] == id).unwrap();
    let metrics: serde_json::Map<_, _> =
        expected.iter().map(|(name, n)| ((*name).to_owned(), json!(n))).collect();
    assert_eq!(of(&id), &json!({"instance_id": id, "metrics": metrics}));
    assert_eq!(of(&other)["metrics"], json!({"rest_calls": 1}));
    assert_eq!(site.get(&format!("/api/metrics/agents?period={}", &period[..4])).ok(), totals);
    assert_eq!(site.get("/api/metrics/agents?period=1999").ok(), json!([]));
    assert_eq!(site.get(&format!("/api/metrics/agents/{id}?period=1999-01")).ok(), json!([]));
    assert_eq!(site.get("/api/metrics/agents?instance_id=x").ok(), json!([]));
}

#[test]
fn usage_is_recorded_listed_and_summed_up() {
    let server = Server::start();
    let site = server.site();
    let record = |instance: &str, project: &str, model: &str, tag: &str, tokens: (u64, u64, f64)| {
        let reply = site.post("/api/llm/usage", &json!({
            "provider": "acme", "model": model, "instance_id": instance, "project": project, "session_tag": tag,
            "tokens_in": tokens.0, "tokens_out": tokens.1, "cost_usd": tokens.2,
        }));
        let recorded = reply.ok();
        assert_eq!((&recorded["recorded"], recorded["id"].is_u64()), (&json!(true), true));
        recorded["id"].as_u64().unwrap()
    };
    let ids = [
        record("i1", "p", "m1", "t1", (10, 20, 0.5)),
        record("i2", "p", "m2", "t1", (1, 2, 0.25)),
        record("i1", "q", "m1", "t2", (100, 0, 0.0)),
    ];
    let bare =
        site.post("/api/llm/usage", &json!({"provider": "acme", "model": "m3"})).ok()["id"].as_u64().unwrap();
    let get = |query: &str| {
        let found = site.get(&format!("/api/llm/usage?{query}")).ok();
        found.as_array().unwrap().iter().map(|record| record["id"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(get(""), [bare, ids[2], ids[1], ids[0]]);
    assert_eq!(get("limit=1"), [bare]);
    assert_eq!(get("instance=i1"), [ids[2], ids[0]]);
    assert_eq!(get("instance=i1&project=p"), [ids[0]]);
    assert_eq!(get("session_tag=t1&project=p&instance=i2"), [ids[1]]);
    assert_eq!(get("from=2999-01-01"), [0; 0]);
    let listed = &site.get("/api/llm/usage?limit=1").steady()[0];
    let expected = json!({
        "id": bare, "provider": "acme", "model": "m3", "instance_id": "", "project": "", "tokens_in": 0,
        "tokens_out": 0, "cost_usd": 0.0, "request_type": "completion", "session_tag": "", "created_at": "<time>",
        "request_id": "", "session": "", "task": "", "cache_read_tokens": 0, "cache_write_tokens": 0, "priced": false,
        "received_at": "<time>",
    });
    assert_eq!(listed, &expected);
    let sum = |tokens_in: u64, tokens_out: u64, cost: f64, count: u64| {
        json!({
            "total_tokens_in": tokens_in, "total_tokens_out": tokens_out, "total_cost_usd": cost,
            "request_count": count,
        })
    };
    let total = sum(111, 22, 0.75, 4);
    for (by, groups) in [
        ("project", json!({"": sum(0, 0, 0.0, 1), "p": sum(11, 22, 0.75, 2), "q": sum(100, 0, 0.0, 1)})),
        ("instance", json!({"": sum(0, 0, 0.0, 1), "i1": sum(110, 20, 0.5, 2), "i2": sum(1, 2, 0.25, 1)})),
        ("model", json!({"m1": sum(110, 20, 0.5, 2), "m2": sum(1, 2, 0.25, 1), "m3": sum(0, 0, 0.0, 1)})),
        (
            "session_tag",
            json!({"": sum(0, 0, 0.0, 1), "t1": sum(11, 22, 0.75, 2), "t2": sum(100, 0, 0.0, 1)}),
        ),
    ] {
        let summary = site.get(&format!("/api/llm/usage/summary?group_by={by}")).ok();
        assert_eq!(summary, json!({"group_by": by, "from": "", "to": "", "groups": groups, "total": total}));
    }
    assert_eq!(site.get("/api/llm/usage/summary").ok()["group_by"], "project");
    let none = site.get("/api/llm/usage/summary?from=2998-01-01&to=2999-01-01").ok();
    assert_eq!((&none["from"], &none["to"]), (&json!("2998-01-01"), &json!("2999-01-01")));
    assert_eq!((&none["groups"], &none["total"]), (&json!({}), &sum(0, 0, 0.0, 0)));
    let told = site.get("/api/events/history?topic=llm.usage.recorded&last=10000").ok();
    let first = &told.as_array().unwrap()[3];
    assert_eq!(
        (&first["source"], &first["data"]),
        (
            &json!("llmcost"),
            &json!({
                "instance_id": "i1", "project": "p", "model": "m1", "tokens_in": 10, "tokens_out": 20, "cost_usd": 0.5,
                "session_tag": "t1",
            })
        )
    );
}

#[test]
fn usage_that_can_not_be_is_refused() {
    let server = Server::start();
    let site = server.site();
    site.post("/api/llm/usage", &json!({"model": "m"})).refused(400, "provider is required");
    site.post("/api/llm/usage", &json!({"provider": "p"})).refused(400, "model is required");
    for field in ["tokens_in", "tokens_out", "cost_usd"] {
        let body = json!({"provider": "p", "model": "m", field: -1});
        site.post("/api/llm/usage", &body).says(400, &format!("{field} must not be negative"));
    }
    let text = "invalid group_by: must be instance, project, model, session_tag, task, or day";
    site.get("/api/llm/usage/summary?group_by=hour").refused(400, text);
    assert_eq!(site.get("/api/llm/usage").ok(), json!([]));
}

#[test]
fn what_was_counted_is_there_after_a_restart() {
    let server = Server::start();
    let site = server.site();
    let id = register(&site, "worker");
    site.instance(&id).put("/api/state/a", &json!(1)).ok();
    site.instance(&id).get("/api/state/a").ok();
    let path = format!("/api/metrics/agents/{id}");
    let (before, seen) =
        (site.get(&path).ok(), site.get(&format!("/api/instances/{id}")).ok()["last_seen"].clone());
    assert_ne!(before, json!([]));
    let directory = server.directory().clone();
    // Sooner than counters are written down by the clock.
    assert_eq!(server.stop().code, Some(0));
    let again = Server::start_within(&directory);
    let site = again.site();
    assert_eq!(site.get(&path).ok(), before);
    assert_eq!(site.get(&format!("/api/instances/{id}")).ok()["last_seen"], seen);
}
