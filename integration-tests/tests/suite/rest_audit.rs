//! The audit log: what every change leaves in it, and how it is read.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use integration_tests::{Server, Site};
use serde_json::{Value, json};

/// The entries of the log, oldest first: actor, action, resource, detail, outcome.
fn entries(site: &Site) -> Vec<(String, String, String, Value, String)> {
    let entries = site.get("/api/audit?limit=10000").ok();
    let mut entries: Vec<_> = entries
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let text = |field: &str| entry[field].as_str().unwrap().to_owned();
            let detail = serde_json::from_str(&text("detail")).unwrap();
            (text("actor"), text("action"), text("resource"), detail, text("outcome"))
        })
        .collect();
    entries.reverse();
    entries
}

/// An agent, and a log that has only its registration in it.
fn prepared() -> (Server, Site, String) {
    let server = Server::start();
    let site = server.site();
    let body = json!({"name": "worker", "workspace": "w"});
    let id = site.post("/api/instances/register", &body).ok()["id"].as_str().unwrap().to_owned();
    let named = site.instance(&id);
    (server, named, id)
}

/// A change: its method, path and body; and its entry: action, resource and detail.
type Step = (&'static str, String, Value, &'static str, String, Value);

/// One of every kind of change, in an order in which each is possible.
fn changes(id: &str) -> Vec<Step> {
    let instance = format!("/api/instances/{id}");
    let rule = json!({"project": "p", "rule_id": "r", "pattern": "x"});
    let template = json!({"id": "t", "name": "T", "kind": "rules"});
    let null = Value::Null;
    let steps: Vec<(&str, String, Value, &str, &str, Value)> = vec![
        ("PUT", "/api/state/a/b".into(), json!(1), "state.put", "a/b", json!({"version": 1})),
        (
            "POST",
            "/api/state/a/b?rollback=1".into(),
            null.clone(),
            "state.rollback",
            "a/b",
            json!({"from_version": 1, "new_version": 2}),
        ),
        ("DELETE", "/api/state/a/b".into(), null.clone(), "state.delete", "a/b", json!({})),
        ("PUT", "/api/specs/p/s".into(), json!(1), "spec.put", "p/s", json!({"version": 1})),
        (
            "POST",
            "/api/specs/p/s?rollback=1".into(),
            null.clone(),
            "spec.rollback",
            "p/s",
            json!({"from_version": 1, "new_version": 2}),
        ),
        ("DELETE", "/api/specs/p/s".into(), null.clone(), "spec.delete", "p/s", json!({})),
        ("POST", format!("{instance}/activate"), null.clone(), "instance.activate", id, json!({})),
        (
            "POST",
            format!("{instance}/capabilities"),
            json!({"capabilities": ["x"]}),
            "instance.capabilities",
            id,
            json!({"capabilities": ["x"]}),
        ),
        (
            "POST",
            format!("{instance}/intent"),
            json!({"intent": "i"}),
            "instance.intent",
            id,
            json!({"intent": "i"}),
        ),
        (
            "POST",
            format!("{instance}/session"),
            json!({"session": "s"}),
            "instance.session",
            id,
            json!({"session": "s", "attributed": 0}),
        ),
        ("POST", format!("{instance}/token"), null.clone(), "instance.token", id, json!({})),
        ("POST", "/api/rules/propose".into(), rule.clone(), "rule.propose", "p/r", json!({})),
        ("POST", "/api/rules/p/r/reject".into(), null.clone(), "rule.reject", "p/r", json!({})),
        ("POST", "/api/rules/propose".into(), rule.clone(), "rule.propose", "p/r", json!({})),
        ("POST", "/api/rules/p/r/accept".into(), null.clone(), "rule.accept", "p/r", json!({})),
        ("DELETE", "/api/rules/p/r".into(), null.clone(), "rule.delete", "p/r", json!({})),
        ("PUT", "/api/validate/p/rules".into(), json!([rule]), "rules.put", "p", json!({"count": 1})),
        ("POST", "/api/rules/import".into(), json!([rule]), "rules.import", "bulk", json!({"count": 1})),
        (
            "POST",
            "/api/webhooks".into(),
            // Path and query may hold a secret, and agents read the audit log.
            json!({"id": "h", "url": "http://127.0.0.1:9/secret?token=secret", "patterns": ["never"]}),
            "webhook.create",
            "h",
            json!({"url": "http://127.0.0.1:9"}),
        ),
        ("POST", "/api/webhooks/h/enable".into(), null.clone(), "webhook.enable", "h", json!({})),
        ("DELETE", "/api/webhooks/h".into(), null.clone(), "webhook.delete", "h", json!({})),
        ("POST", "/api/templates".into(), template.clone(), "template.create", "t", json!({"kind": "rules"})),
        ("PUT", "/api/templates/t".into(), template, "template.update", "t", json!({"kind": "rules"})),
        (
            "POST",
            "/api/templates/t/apply".into(),
            json!({"project": "q"}),
            "template.apply",
            "t",
            json!({"project": "q", "kind": "rules"}),
        ),
        ("DELETE", "/api/templates/t".into(), null.clone(), "template.delete", "t", json!({})),
        (
            "POST",
            "/api/llm/usage".into(),
            json!({"provider": "a", "model": "m", "project": "p", "tokens_in": 1, "tokens_out": 2, "cost_usd": 0.5}),
            "llm.usage",
            "p/m",
            json!({"tokens_in": 1, "tokens_out": 2, "cost_usd": 0.5}),
        ),
        ("POST", "/api/metrics/reset".into(), null.clone(), "metrics.reset", "", json!({})),
        ("DELETE", instance, null, "instance.deregister", id, json!({})),
    ];
    let owned = |(method, path, body, action, resource, detail): (_, _, _, _, &str, _)| {
        (method, path, body, action, resource.to_owned(), detail)
    };
    steps.into_iter().map(owned).collect()
}

#[test]
fn every_change_leaves_one_entry_with_its_particulars() {
    let (_server, site, id) = prepared();
    let mut expected = vec![(
        "worker".into(),
        "instance.register".into(),
        id.clone(),
        json!({"workspace": "w"}),
        "success".into(),
    )];
    for (method, path, body, action, resource, detail) in changes(&id) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let reply = site.send(method, &path, body);
        reply.ok();
        assert!(reply.cursor() > 0, "{method} {path}");
        expected.push((id.clone(), action.into(), resource, detail, "success".to_owned()));
    }
    let found = entries(&site);
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());
    let backup = site.get("/api/backup");
    assert_eq!(backup.status, 200);
    assert_eq!(entries(&site).last().unwrap().1, "backup.create");
}

#[test]
fn what_was_refused_is_there_too_and_what_was_merely_wrong_is_not() {
    let (_server, site, id) = prepared();
    site.put("/api/state/k?if_version=0", &json!(1)).ok();
    site.put("/api/state/k?if_version=0", &json!(2)).gives(412);
    site.put("/api/specs/p/s.schema", &json!({"type": "lorry"})).gives(422);
    site.put("/api/contracts/p/c", &json!({"kind": "note"})).gives(422);
    let hook = json!({"id": "h", "url": "http://127.0.0.1:9/", "patterns": ["never"]});
    site.post("/api/webhooks", &hook).ok();
    site.post("/api/webhooks", &hook).gives(409);
    site.put("/api/specs/p/s", &Value::String("x".into())).ok();
    site.get("/api/state/k").ok();
    site.delete("/api/state/none").gives(404);
    site.send("PUT", "/api/specs/p/s", "not json").gives(400);
    site.post("/api/events/publish", &json!({"topic": "a"})).ok();
    let found: Vec<_> = entries(&site)
        .into_iter()
        .skip(1)
        .map(|(actor, action, resource, _, outcome)| {
            assert_eq!(actor, id);
            format!("{action} {resource} {outcome}")
        })
        .collect();
    assert_eq!(
        found,
        [
            "state.put k success",
            "state.put k error",
            "spec.put p/s.schema error",
            "spec.put p/c error",
            "webhook.create h success",
            "webhook.create h error",
            "spec.put p/s success",
        ]
    );
}

#[test]
fn the_log_is_newest_first_and_every_filter_combines() {
    let (_server, site, id) = prepared();
    let anonymous = Site::clone(&site);
    for n in 1..=3 {
        anonymous.put("/api/state/a", &json!(n)).ok();
    }
    anonymous.put("/api/state/b", &json!(1)).ok();
    anonymous.put("/api/state/b?if_version=9", &json!(1)).gives(412);
    let get = |query: &str| {
        let found = site.get(&format!("/api/audit?{query}")).ok();
        found.as_array().unwrap().iter().map(|entry| entry["id"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(get(""), [6, 5, 4, 3, 2, 1]);
    assert_eq!(get("limit=2"), [6, 5]);
    assert_eq!(get("action=state.put"), [6, 5, 4, 3, 2]);
    assert_eq!(get("actor=worker"), [1]);
    assert_eq!(get(&format!("actor={id}&resource=b")), [6, 5]);
    assert_eq!(get("outcome=error"), [6]);
    assert_eq!(get("resource=a&limit=1"), [4]);
    assert_eq!(get("to=2001-01-01"), [0; 0]);
    assert_eq!(get("from=2001-01-01&to=2999-01-01&resource=b&outcome=success"), [5]);
    let mut after = get("after=4");
    after.sort_unstable();
    assert_eq!(after, [5, 6]);
    site.get("/api/audit?outcome=maybe").says(400, "outcome");
    let first = &site.get("/api/audit?actor=worker").steady()[0];
    let expected = json!({
        "id": 1, "timestamp": "<time>", "actor": "worker", "action": "instance.register", "resource": "<uuid>",
        "detail": "{\"workspace\":\"w\"}", "outcome": "success",
    });
    assert_eq!(first, &expected);
}

#[test]
fn the_log_in_numbers_and_its_chain() {
    let (_server, site, _) = prepared();
    site.put("/api/state/a", &json!(1)).ok();
    site.put("/api/state/a?if_version=7", &json!(1)).gives(412);
    let summary = site.get("/api/audit/summary").ok();
    let expected = json!({
        "total_entries": 3, "action_counts": {"instance.register": 1, "state.put": 2},
        "outcome_counts": {"success": 2, "error": 1}, "unique_actors": 2, "unique_resources": 2,
    });
    assert_eq!(summary, expected);
    let none = site.get("/api/audit/summary?to=2001-01-01").ok();
    let expected = json!({
        "total_entries": 0, "action_counts": {}, "outcome_counts": {}, "unique_actors": 0, "unique_resources": 0,
    });
    assert_eq!(none, expected);
    let verified = site.get("/api/audit/verify").steady();
    assert_eq!(verified, json!({"valid": true, "entries": 3, "head": "<hash>"}));
    for method in ["DELETE", "PUT", "POST", "PATCH"] {
        site.send(method, "/api/audit", "{}").says(405, "method not allowed");
    }
}
