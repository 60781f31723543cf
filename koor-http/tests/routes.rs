//! Each route: without a token, without the role, with a bad body, with a good one; and what the audit log says of it.

#![expect(clippy::unwrap_used, reason = "what goes wrong here is a failed test")]

mod common;

use std::collections::BTreeSet;

use common::{Answer, Site};
use koor_http::endpoints;
use serde_json::{Value, json};

/// A path with its parameters filled in.
fn filled(path: &str) -> String {
    let id = "00000000-0000-0000-0000-0000000000ff";
    let is_instance = path.starts_with("/api/instances") || path.starts_with("/api/metrics");
    path.replace("{key*}", "a/b")
        .replace("{project}", "p")
        .replace("{name}", "n")
        .replace("{rule_id}", "r")
        .replace("{id}", if is_instance { id } else { "x" })
}

/// A body that is right for a route, where it reads one.
fn good_body(method: &str, path: &str) -> &'static str {
    match (method, path) {
        ("PUT", "/api/state/{key*}" | "/api/specs/{project}/{name}") => "1",
        ("POST", "/api/events/publish") => r#"{"topic":"t"}"#,
        ("POST", "/api/instances/register") | ("PUT", "/api/templates/{id}") => r#"{"name":"n"}"#,
        ("POST", "/api/instances/{id}/capabilities") => r#"{"capabilities":["a"]}"#,
        ("POST", "/api/instances/{id}/intent") => r#"{"intent":"i"}"#,
        ("POST", "/api/instances/{id}/session") => r#"{"session":"s"}"#,
        ("PUT", "/api/budgets/{project}") => r#"{"period":"day","usd":1,"action":"warn"}"#,
        ("PUT", "/api/validate/{project}/rules") => r#"[{"rule_id":"r","pattern":"x"}]"#,
        ("POST", "/api/validate/{project}") => r#"{"content":"x"}"#,
        ("POST", "/api/rules/import") => r#"[{"project":"p","rule_id":"r","pattern":"x"}]"#,
        ("POST", "/api/rules/propose") => r#"{"project":"p","rule_id":"r","pattern":"x"}"#,
        ("PUT", "/api/contracts/{project}/{name}") => {
            r#"{"kind":"contract","version":1,"endpoints":{"GET /":{"response":{}}}}"#
        }
        ("POST", "/api/contracts/{project}/{name}/validate") => r#"{"endpoint":"GET /","payload":{}}"#,
        ("POST", "/api/contracts/{project}/{name}/test") => r#"{"endpoint":"GET /","base_url":"http://x"}"#,
        ("POST", "/api/webhooks") => r#"{"id":"x","url":"http://example.com/"}"#,
        ("POST", "/api/templates") => r#"{"id":"x","name":"n"}"#,
        ("POST", "/api/templates/{id}/apply") => r#"{"project":"p"}"#,
        ("POST", "/api/templates/capture") => r#"{"id":"x","name":"n","project":"p"}"#,
        ("POST", "/api/llm/usage") => r#"{"provider":"p","model":"m"}"#,
        ("POST", "/api/backup/restore") => "{}",
        _ => "",
    }
}

#[tokio::test]
async fn without_a_token_only_health_answers() {
    let site = Site::guarded().await;
    for endpoint in endpoints() {
        let body = good_body(endpoint.method, endpoint.path).as_bytes();
        let answer = site.send(endpoint.method, &filled(endpoint.path), &[], body).await;
        let expected = if endpoint.path == "/health" { 200 } else { 401 };
        assert_eq!(answer.status, expected, "{} {}", endpoint.method, endpoint.path);
    }
    assert_eq!(site.audit().await, [""; 0], "who is unknown leaves no trace");
}

#[tokio::test]
async fn without_the_role_admin_routes_are_refused_and_that_is_recorded() {
    let site = Site::guarded().await;
    let (_, token) = site.agent("bob").await;
    let bearer = format!("Bearer {token}");
    let mut recorded = 0;
    for endpoint in endpoints().into_iter().filter(|endpoint| endpoint.admin) {
        let body = good_body(endpoint.method, endpoint.path).as_bytes();
        let before = site.audit().await.len();
        let path = filled(endpoint.path);
        let answer = site.send(endpoint.method, &path, &[("authorization", &bearer)], body).await;
        assert_eq!(answer.status, 403, "{} {}: {}", endpoint.method, endpoint.path, answer.text());
        assert!(answer.error().starts_with("admin role required to "), "{}", answer.error());
        let log = site.audit().await;
        if log.len() > before {
            recorded += 1;
            assert!(log[0].ends_with(" denied"), "{}", log[0]);
        } else {
            let heartbeat = endpoint.path.ends_with("/heartbeat");
            assert!(endpoint.method == "GET" || heartbeat, "{} {}", endpoint.method, endpoint.path);
        }
    }
    assert!(recorded > 20, "{recorded}");
    // What is not for admins alone is for agents, too.
    for endpoint in endpoints().into_iter().filter(|endpoint| !endpoint.admin) {
        if endpoint.path.starts_with("/api/events/") && endpoint.method == "GET" {
            continue;
        }
        let body = good_body(endpoint.method, endpoint.path).as_bytes();
        let path = filled(endpoint.path);
        let answer = site.send(endpoint.method, &path, &[("authorization", &bearer)], body).await;
        assert!(answer.status != 401 && answer.status != 403, "{} {}", endpoint.method, endpoint.path);
    }
}

#[tokio::test]
async fn a_bad_body_is_refused_and_nothing_is_done() {
    let site = Site::open().await;
    for endpoint in endpoints() {
        let good = good_body(endpoint.method, endpoint.path);
        if good.is_empty() || endpoint.path == "/api/state/{key*}" {
            continue;
        }
        let mut bodies = vec!["", "{", "{\"a\":1}}", "\u{0}", "nonsense"];
        if !endpoint.path.starts_with("/api/specs") {
            bodies.extend(["\"text\"", "5"]);
            bodies.extend(["[[]]", "[1]"]);
        }
        for body in bodies {
            let answer = site.send(endpoint.method, &filled(endpoint.path), &[], body.as_bytes()).await;
            let refused = matches!(answer.status, 400 | 422);
            assert!(refused, "{} {} {body:?}: {}", endpoint.method, endpoint.path, answer.status);
            answer.error();
        }
    }
    let log = site.audit().await;
    assert!(log.iter().all(|line| line.ends_with(" error")), "{log:?}");
}

struct Walk {
    site: Site,
    walked: BTreeSet<(String, &'static str)>,
}

impl Walk {
    /// Calls a route, which must answer well, and notes that it was called.
    async fn go(&mut self, method: &str, route: &'static str, target: &str, body: &str) -> Answer {
        self.walked.insert((method.to_owned(), route));
        let answer = self.site.send(method, target, &[], body.as_bytes()).await;
        assert_eq!(answer.status, 200, "{method} {target}: {}", answer.text());
        answer
    }

    /// As `go`, for a write, which leaves this in the audit log.
    async fn write(
        &mut self,
        method: &str,
        route: &'static str,
        target: &str,
        body: &str,
        audited: &str,
    ) -> Value {
        let answer = self.go(method, route, target, body).await;
        assert!(answer.header("x-koor-cursor").is_some(), "{method} {target}");
        assert_eq!(self.site.audit().await[0], format!("{audited} success"));
        answer.json()
    }
}

#[tokio::test]
async fn every_route_does_what_it_says() {
    let mut walk = Walk { site: Site::open().await, walked: BTreeSet::new() };
    documents(&mut walk).await;
    rules_and_contracts(&mut walk).await;
    let id = instances(&mut walk).await;
    webhooks_and_templates(&mut walk).await;
    records(&mut walk, &id).await;
    let left: Vec<_> = endpoints()
        .into_iter()
        .filter(|endpoint| !walk.walked.contains(&(endpoint.method.to_owned(), endpoint.path)))
        .map(|endpoint| format!("{} {}", endpoint.method, endpoint.path))
        .collect();
    // Those of coordinated work need a calling agent, and are walked through the real binary: rest_tasks, rest_leases,
    // rest_messages and rest_brief.
    let coordination = ["/api/tasks", "/api/leases", "/api/messages", "/api/brief"];
    let left: Vec<_> = left
        .into_iter()
        .filter(|route| {
            !coordination.iter().any(|prefix| route.split(' ').any(|part| part.starts_with(prefix)))
        })
        .collect();
    // These need a peer that keeps the line open, or one to call, or the words of OTLP; they have tests of their own.
    let elsewhere = [
        "GET /api/events/wait",
        "GET /api/events/subscribe",
        "GET /api/events/stream",
        "POST /api/contracts/{project}/{name}/test",
        "POST /api/webhooks/{id}/test",
        "POST /api/backup/restore",
        "POST /v1/logs",
        "POST /v1/metrics",
        "POST /v1/traces",
    ];
    assert_eq!(left.iter().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(elsewhere));
}

async fn documents(walk: &mut Walk) {
    let (state, spec) = ("/api/state/{key*}", "/api/specs/{project}/{name}");
    walk.write("PUT", state, "/api/state/a", "1", " state.put a").await;
    walk.write("PUT", state, "/api/state/a", "2", " state.put a").await;
    walk.write("POST", state, "/api/state/a?rollback=1", "", " state.rollback a").await;
    walk.go("GET", state, "/api/state/a", "").await;
    walk.go("GET", "/api/state", "/api/state", "").await;
    walk.write("DELETE", state, "/api/state/a", "", " state.delete a").await;
    walk.write("PUT", spec, "/api/specs/p/s", "{}", " spec.put p/s").await;
    walk.write("POST", spec, "/api/specs/p/s?rollback=1", "", " spec.rollback p/s").await;
    walk.go("GET", spec, "/api/specs/p/s", "").await;
    walk.go("GET", "/api/specs/{project}", "/api/specs/p", "").await;
    walk.go("GET", "/api/specs", "/api/specs", "").await;
    walk.write("DELETE", spec, "/api/specs/p/s", "", " spec.delete p/s").await;
    let event = walk
        .go("POST", "/api/events/publish", "/api/events/publish", r#"{"topic":"a.b","source":"me"}"#)
        .await;
    let expected = json!({
        "id": 8, "topic": "a.b", "data": null, "source": "me", "created_at": "2026-02-16T14:00:00.000Z",
    });
    assert_eq!(event.json(), expected);
    assert_eq!(event.header("x-koor-cursor"), Some("8"));
    let history = walk.go("GET", "/api/events/history", "/api/events/history?topic=a.*&last=5", "").await;
    assert_eq!(history.json(), json!([expected]));
}

async fn rules_and_contracts(walk: &mut Walk) {
    let (of_project, contract) = ("/api/validate/{project}/rules", "/api/contracts/{project}/{name}");
    let put = r#"[{"rule_id":"no-x","pattern":"x"}]"#;
    let put = walk.write("PUT", of_project, "/api/validate/p/rules", put, " rules.put p").await;
    assert_eq!(put, json!({"project": "p", "count": 1}));
    let listed = walk.go("GET", of_project, "/api/validate/p/rules?stack=go", "").await.json();
    assert_eq!(listed["rules"][0]["rule_id"], "no-x");
    let file = r#"{"filename":"a.rs","content":"one\nx"}"#;
    let checked = walk.go("POST", "/api/validate/{project}", "/api/validate/p", file).await.json();
    let violation = json!({
        "rule_id": "no-x", "severity": "error", "message": "pattern 'x' matched", "line": 2, "match": "x",
    });
    assert_eq!(checked, json!({"project": "p", "violations": [violation], "count": 1}));
    let rule = r#"{"project":"p","rule_id":"r1","pattern":"y"}"#;
    let propose = "/api/rules/propose";
    let proposed = walk.write("POST", propose, propose, rule, " rule.propose p/r1").await;
    assert_eq!(proposed, json!({"project": "p", "rule_id": "r1", "status": "proposed"}));
    assert_eq!(walk.site.post(propose, rule).await.status, 409);
    let accept = "/api/rules/{project}/{rule_id}/accept";
    walk.write("POST", accept, "/api/rules/p/r1/accept", "", " rule.accept p/r1").await;
    let again = walk.site.post("/api/rules/p/r1/accept", "").await;
    assert_eq!((again.status, again.error().as_str()), (404, "proposed rule not found: p/r1"));
    walk.write("POST", propose, propose, &rule.replace("r1", "r2"), " rule.propose p/r2").await;
    let reject = "/api/rules/{project}/{rule_id}/reject";
    walk.write("POST", reject, "/api/rules/p/r2/reject", "", " rule.reject p/r2").await;
    let delete = "/api/rules/{project}/{rule_id}";
    walk.write("DELETE", delete, "/api/rules/p/r2", "", " rule.delete p/r2").await;
    let import = "/api/rules/import";
    let imported = walk.write("POST", import, import, &format!("[{rule}]"), " rules.import bulk").await;
    assert_eq!(imported, json!({"imported": 1}));
    let exported = walk.go("GET", "/api/rules/export", "/api/rules/export?source=external,local", "").await;
    assert_eq!(exported.json().as_array().unwrap().len(), 2);
    assert_eq!(walk.site.get("/api/rules/export?source=mars").await.text(), "[]");
    let all = walk.go("GET", "/api/rules", "/api/rules?project=p&status=accepted", "").await.json();
    assert_eq!(all.as_array().unwrap().len(), 2);
    let body = r#"{"kind":"contract","version":1,"endpoints":{"POST /x":{"request":{"a":{"type":"string","required":true}}}}}"#;
    walk.write("PUT", contract, "/api/contracts/p/c", body, " spec.put p/c").await;
    let malformed = walk.site.put("/api/contracts/p/c", r#"{"kind":"contract"}"#).await;
    assert_eq!(malformed.status, 422);
    let validate = "/api/contracts/{project}/{name}/validate";
    let sent = r#"{"endpoint":"POST /x","payload":{}}"#;
    let checked = walk.go("POST", validate, "/api/contracts/p/c/validate", sent).await.json();
    let violation = json!({"path": "request.a", "message": "missing required field \"a\""});
    assert_eq!(checked, json!({"valid": false, "violations": [violation]}));
    assert_eq!(
        walk.site.post("/api/contracts/p/nope/validate", sent).await.error(),
        "contract not found: p/nope"
    );
    let list = walk.go("GET", "/api/contracts/{project}", "/api/contracts/p", "").await.json();
    assert_eq!(list["contracts"][0]["endpoints"], 1);
    // Nothing in this test makes calls.
    let called =
        walk.site.post("/api/contracts/p/c/test", r#"{"endpoint":"POST /x","base_url":"http://x"}"#).await;
    assert_eq!(called.status, 400);
}

async fn instances(walk: &mut Walk) -> String {
    let register = "/api/instances/register";
    let body = r#"{"name":" bob ","workspace":"p","capabilities":null}"#;
    let made = walk.go("POST", register, register, body).await.json();
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!(walk.site.audit().await[0], format!("bob instance.register {id} success"));
    assert_eq!((&made["status"], &made["capabilities"]), (&json!("pending"), &json!([])));
    assert!(made["token"].as_str().unwrap().starts_with("secret"));
    assert_eq!(walk.site.post(register, "{}").await.error(), "name is required");
    let at = |rest: &str| format!("/api/instances/{id}{rest}");
    let one = walk.go("GET", "/api/instances/{id}", &at(""), "").await.json();
    assert_eq!((one["name"].as_str(), one.get("token")), (Some("bob"), None));
    assert_eq!(walk.site.get("/api/instances/nope").await.error(), "instance not found: nope");
    let audited = |action: &str| format!(" instance.{action} {id}");
    let (activate, capabilities) = ("/api/instances/{id}/activate", "/api/instances/{id}/capabilities");
    let active = walk.write("POST", activate, &at("/activate"), "", &audited("activate")).await;
    assert_eq!(active, json!({"id": id, "status": "active"}));
    let beat = walk.go("POST", "/api/instances/{id}/heartbeat", &at("/heartbeat"), "").await.json();
    assert_eq!(beat, json!({"id": id, "status": "ok"}));
    let sent = r#"{"capabilities":[" a","a",""]}"#;
    let able = walk.write("POST", capabilities, &at("/capabilities"), sent, &audited("capabilities")).await;
    assert_eq!(able, json!({"id": id, "capabilities": ["a"]}));
    let intent = "/api/instances/{id}/intent";
    walk.write("POST", intent, &at("/intent"), r#"{"intent":"think"}"#, &audited("intent")).await;
    walk.go("POST", "/api/instances/{id}/session", &at("/session"), r#"{"session":"s"}"#).await;
    let token = "/api/instances/{id}/token";
    let renewed = walk.write("POST", token, &at("/token"), "", &audited("token")).await;
    assert_ne!(renewed["token"], made["token"]);
    let list =
        walk.go("GET", "/api/instances", "/api/instances?name=bob&capability=a&status=active", "").await;
    assert_eq!(list.json().as_array().unwrap().len(), 1);
    assert_eq!(walk.site.get("/api/instances?status=odd").await.status, 400);
    let check = "/api/liveness/check";
    walk.site.clock.advance(std::time::Duration::from_mins(10));
    let checked = walk.write("POST", check, check, "", " liveness.check ").await;
    assert_eq!((&checked["checked"], &checked["count"]), (&json!(true), &json!(1)));
    let stale = walk.go("GET", "/api/instances/stale", "/api/instances/stale", "").await.json();
    assert_eq!(stale[0]["id"], id);
    // A request that names it brings it back.
    walk.site.send("GET", "/api/state", &[("x-koor-instance", &id)], b"").await;
    assert_eq!(walk.site.get("/api/instances/stale").await.json(), json!([]));
    let second = walk.site.post(register, r#"{"name":"eve"}"#).await.json();
    let eve = second["id"].as_str().unwrap();
    let (target, audited) = (format!("/api/instances/{eve}"), format!(" instance.deregister {eve}"));
    let gone = walk.write("DELETE", "/api/instances/{id}", &target, "", &audited).await;
    assert_eq!(gone, json!({"deleted": eve}));
    id
}

async fn webhooks_and_templates(walk: &mut Walk) {
    let (all, one) = ("/api/webhooks", "/api/webhooks/{id}");
    let body = r#"{"id":"w","url":"http://example.com/x","secret":"s","patterns":null}"#;
    let made = walk.write("POST", all, all, body, " webhook.create w").await;
    assert_eq!(
        (&made["has_secret"], &made["patterns"], made.get("secret")),
        (&json!(true), &json!(["*"]), None)
    );
    assert_eq!(walk.site.post(all, body).await.status, 409);
    assert_eq!(walk.site.post(all, "{}").await.error(), "id and url are required");
    assert_eq!(walk.go("GET", all, all, "").await.json()[0]["pending"], 0);
    walk.go("GET", one, "/api/webhooks/w", "").await;
    walk.write("POST", "/api/webhooks/{id}/enable", "/api/webhooks/w/enable", "", " webhook.enable w").await;
    let deliveries = walk.go("GET", "/api/webhooks/{id}/deliveries", "/api/webhooks/w/deliveries", "").await;
    assert_eq!(deliveries.json(), json!([]));
    assert_eq!(walk.site.post("/api/webhooks/w/test", "").await.status, 400);
    assert_eq!(walk.site.get("/api/webhooks/nope").await.error(), "webhook not found: nope");
    walk.write("DELETE", one, "/api/webhooks/w", "", " webhook.delete w").await;
    let (all, one) = ("/api/templates", "/api/templates/{id}");
    let body = r#"{"id":"t","name":"T","data":[{"rule_id":"no-z","pattern":"z"}],"tags":["a"]}"#;
    let made = walk.write("POST", all, all, body, " template.create t").await;
    assert_eq!((&made["version"], &made["kind"]), (&json!(1), &json!("rules")));
    assert_eq!(walk.site.post(all, body).await.status, 409);
    assert_eq!(walk.site.post(all, "{}").await.error(), "id and name are required");
    let listed = walk.go("GET", all, "/api/templates?kind=rules&tag=a", "").await.json();
    assert_eq!((listed[0]["id"].as_str(), listed[0].get("data")), (Some("t"), None));
    let got = walk.go("GET", one, "/api/templates/t", "").await.json();
    assert_eq!(got["data"][0]["rule_id"], "no-z");
    let replaced = walk.write("PUT", one, "/api/templates/t", body, " template.update t").await;
    assert_eq!(replaced["version"], 2);
    let apply = "/api/templates/{id}/apply";
    assert_eq!(walk.site.post("/api/templates/t/apply", "{}").await.error(), "project is required");
    let applied =
        walk.write("POST", apply, "/api/templates/t/apply", r#"{"project":"q"}"#, " template.apply t").await;
    assert_eq!(applied, json!({"applied": "t", "project": "q", "kind": "rules"}));
    let capture = "/api/templates/capture";
    let body = r#"{"id":"c","name":"C","project":"p","kind":"bundle"}"#;
    let captured = walk.write("POST", capture, capture, body, " template.create c").await;
    assert!(captured["data"]["contracts"]["c"].is_object());
    walk.write("DELETE", one, "/api/templates/t", "", " template.delete t").await;
    assert_eq!(walk.site.get("/api/templates/t").await.error(), "template not found: t");
}

async fn records(walk: &mut Walk, id: &str) {
    let run = "/api/compliance/run";
    let ran = walk.write("POST", run, run, "", " compliance.run ").await;
    assert_eq!((&ran["checked"], &ran["count"]), (&json!(true), &json!(1)));
    let history = "/api/compliance/history";
    let target = format!("{history}?instance_id={id}&project=p&pass=false&limit=1");
    walk.go("GET", history, &target, "").await;
    assert_eq!(walk.site.get("/api/compliance/history?pass=maybe").await.status, 400);
    let audit = walk.go("GET", "/api/audit", "/api/audit?action=state.put&limit=1", "").await.json();
    assert_eq!(audit[0]["detail"], r#"{"version":2}"#);
    assert_eq!(walk.site.get("/api/audit?from=yesterday").await.status, 400);
    let summary = walk.go("GET", "/api/audit/summary", "/api/audit/summary?from=2026-02-16", "").await.json();
    assert_eq!(summary["action_counts"]["state.put"], 2);
    assert_eq!(walk.go("GET", "/api/audit/verify", "/api/audit/verify", "").await.json()["valid"], true);
    let server = walk.go("GET", "/api/metrics", "/api/metrics", "").await.json();
    assert_eq!((&server["state_keys"], &server["instances"]), (&json!(0), &json!(1)));
    assert_eq!(server["api_bind"], walk.site.api.to_string());
    assert!(server["token_tax"]["rest_calls"].as_u64().unwrap() > 50);
    let agents = walk.go("GET", "/api/metrics/agents", "/api/metrics/agents", "").await.json();
    assert_eq!(agents, json!([{"instance_id": id, "metrics": {"rest_calls": 1}}]));
    let target = format!("/api/metrics/agents/{id}?period=2026");
    let rows = walk.go("GET", "/api/metrics/agents/{id}", &target, "").await.json();
    assert_eq!(rows[0]["metric_value"], 1);
    let reset = "/api/metrics/reset";
    walk.write("POST", reset, reset, "", " metrics.reset ").await;
    assert_eq!(walk.site.get("/api/metrics").await.json()["token_tax"]["total_calls"], 0);
    let usage = "/api/llm/usage";
    let body = r#"{"provider":"p","model":"m","tokens_in":5,"cost_usd":0.5,"project":"q"}"#;
    let recorded = walk.write("POST", usage, usage, body, " llm.usage q/m").await;
    assert_eq!(recorded, json!({"id": 1, "recorded": true}));
    assert_eq!(walk.site.post(usage, r#"{"provider":"p","model":"m","tokens_in":-1}"#).await.status, 400);
    assert_eq!(walk.go("GET", usage, "/api/llm/usage?project=q", "").await.json()[0]["tokens_in"], 5);
    let by =
        walk.go("GET", "/api/llm/usage/summary", "/api/llm/usage/summary?group_by=model", "").await.json();
    assert_eq!(by["groups"]["m"]["total_cost_usd"], 0.5);
    assert_eq!((&by["from"], &by["total"]["request_count"]), (&json!(""), &json!(1)));
    assert_eq!(
        walk.site.get("/api/llm/usage/summary?group_by=x").await.error(),
        "invalid group_by: must be instance, project, model, session_tag, task, or day"
    );
    let budgets = "/api/budgets/{project}";
    let (path, body) = ("/api/budgets/q", r#"{"period":"total","usd":1,"action":"warn"}"#);
    assert_eq!(walk.write("PUT", budgets, path, body, " budget.set q").await["used_usd"], 0.5);
    assert_eq!(walk.go("GET", budgets, path, "").await.json()["state"], "ok");
    assert_eq!(walk.go("GET", "/api/budgets", "/api/budgets", "").await.json()[0]["project"], "q");
    assert_eq!(walk.write("DELETE", budgets, path, "", " budget.delete q").await["deleted"], "q");
    let backup = walk.go("GET", "/api/backup", "/api/backup", "").await;
    assert_eq!(backup.json()["format"], "koor-backup");
    assert_eq!(walk.site.audit().await[0], " backup.create  success");
    let health = walk.go("GET", "/health", "/health", "").await.json();
    assert_eq!((&health["status"], &health["uptime"]), (&json!("ok"), &json!("10m0s")));
    let document = walk.go("GET", "/api/openapi.json", "/api/openapi.json", "").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let metrics = walk.go("GET", "/metrics", "/metrics", "").await.text();
    assert!(
        metrics.contains(
            "koor_http_requests_total{method=\"PUT\",route=\"/api/state/{key*}\",status=\"200\"} 2"
        )
    );
}

#[tokio::test]
async fn a_backup_comes_back_on_another_server() {
    let site = Site::open().await;
    for n in 0..300 {
        site.koor
            .execute(
                &koor_core::Caller::local(),
                koor_core::use_cases::PutDocument::state(
                    koor_core::ids::StateKey::new(format!("k{n}")).unwrap(),
                    "x".repeat(1000),
                    koor_core::domain::ContentType::json(),
                )
                .unwrap(),
            )
            .await
            .unwrap();
    }
    let backup = site.get("/api/backup").await;
    assert_eq!(backup.header("transfer-encoding"), Some("chunked"));
    let other = Site::open().await;
    let restored = other.send("POST", "/api/backup/restore", &[], &backup.body).await;
    assert_eq!(restored.status, 200, "{}", restored.text());
    assert_eq!(restored.json()["state"], 300);
    assert_eq!(other.get("/api/state/k7").await.body, site.get("/api/state/k7").await.body);
    let original = other.post("/api/backup/restore", r#"{"state":{"a/b":{"x":1}},"rules":[]}"#).await;
    assert_eq!(original.json()["state"], 1);
    let cut = other.send("POST", "/api/backup/restore", &[], &backup.body[..5000]).await;
    assert!(cut.error().starts_with("invalid JSON body: "), "{}", cut.error());
    let large = vec![b' '; (1 << 20) + 1];
    assert_eq!(other.send("POST", "/api/backup/restore", &[], &large).await.status, 413);
}
