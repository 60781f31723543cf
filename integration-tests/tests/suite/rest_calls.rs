//! Every call of the contract, in a row: described, answering to its methods only, and closed without a token.

use std::collections::BTreeMap;

use integration_tests::{Shared, Site, Start};

static SERVER: Shared = Shared::new();

/// Every call of the contract.
const CALLS: [(&str, &str); 88] = [
    ("/health", "get"),
    ("/metrics", "get"),
    ("/api/metrics", "get"),
    ("/api/metrics/reset", "post"),
    ("/api/metrics/agents", "get"),
    ("/api/metrics/agents/{id}", "get"),
    ("/api/state", "get"),
    ("/api/state/{key}", "delete get post put"),
    ("/api/specs", "get"),
    ("/api/specs/{project}", "get"),
    ("/api/specs/{project}/{name}", "delete get post put"),
    ("/api/events/publish", "post"),
    ("/api/events/history", "get"),
    ("/api/events/subscribe", "get"),
    ("/api/events/stream", "get"),
    ("/api/events/wait", "get"),
    ("/api/instances", "get"),
    ("/api/instances/stale", "get"),
    ("/api/instances/{id}", "delete get"),
    ("/api/instances/register", "post"),
    ("/api/instances/{id}/activate", "post"),
    ("/api/instances/{id}/heartbeat", "post"),
    ("/api/instances/{id}/capabilities", "post"),
    ("/api/instances/{id}/intent", "post"),
    ("/api/instances/{id}/session", "post"),
    ("/api/instances/{id}/token", "post"),
    ("/api/budgets", "get"),
    ("/api/budgets/{project}", "delete get put"),
    ("/v1/logs", "post"),
    ("/v1/traces", "post"),
    ("/v1/metrics", "post"),
    ("/api/liveness/check", "post"),
    ("/api/tasks", "get"),
    ("/api/tasks/{project}", "get post"),
    ("/api/tasks/{project}/claim", "post"),
    ("/api/tasks/{project}/{number}", "get patch"),
    ("/api/tasks/{project}/{number}/renew", "post"),
    ("/api/tasks/{project}/{number}/release", "post"),
    ("/api/tasks/{project}/{number}/done", "post"),
    ("/api/tasks/{project}/{number}/fail", "post"),
    ("/api/tasks/{project}/{number}/approve", "post"),
    ("/api/tasks/{project}/{number}/reject", "post"),
    ("/api/tasks/{project}/{number}/cancel", "post"),
    ("/api/tasks/{project}/{number}/reopen", "post"),
    ("/api/tasks/{project}/{number}/notes", "get post"),
    ("/api/leases/{project}", "get post"),
    ("/api/leases/{project}/check", "post"),
    ("/api/leases/{project}/{id}", "delete"),
    ("/api/leases/{project}/{id}/renew", "post"),
    ("/api/messages", "get post"),
    ("/api/messages/read", "post"),
    ("/api/messages/{id}", "get"),
    ("/api/messages/{id}/read", "post"),
    ("/api/messages/{id}/ack", "post"),
    ("/api/brief", "get"),
    ("/api/brief/seen", "post"),
    ("/api/validate/{project}", "post"),
    ("/api/validate/{project}/rules", "get put"),
    ("/api/rules", "get"),
    ("/api/rules/propose", "post"),
    ("/api/rules/{project}/{rule_id}", "delete"),
    ("/api/rules/{project}/{rule_id}/accept", "post"),
    ("/api/rules/{project}/{rule_id}/reject", "post"),
    ("/api/rules/export", "get"),
    ("/api/rules/import", "post"),
    ("/api/contracts/{project}", "get"),
    ("/api/contracts/{project}/{name}", "put"),
    ("/api/contracts/{project}/{name}/validate", "post"),
    ("/api/contracts/{project}/{name}/test", "post"),
    ("/api/webhooks", "get post"),
    ("/api/webhooks/{id}", "delete get"),
    ("/api/webhooks/{id}/test", "post"),
    ("/api/webhooks/{id}/enable", "post"),
    ("/api/webhooks/{id}/deliveries", "get"),
    ("/api/compliance/history", "get"),
    ("/api/compliance/run", "post"),
    ("/api/templates", "get post"),
    ("/api/templates/{id}", "delete get put"),
    ("/api/templates/{id}/apply", "post"),
    ("/api/templates/capture", "post"),
    ("/api/audit", "get"),
    ("/api/audit/summary", "get"),
    ("/api/audit/verify", "get"),
    ("/api/llm/usage", "get post"),
    ("/api/llm/usage/summary", "get"),
    ("/api/backup", "get"),
    ("/api/backup/restore", "post"),
    ("/api/openapi.json", "get"),
];

#[test]
fn the_description_names_the_calls_of_the_contract_and_no_others() {
    let server = SERVER.server();
    let document = server.site().get("/api/openapi.json").ok();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    let described: BTreeMap<_, _> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(path, calls)| {
            let methods = calls.as_object().unwrap().keys().filter(|name| *name != "parameters");
            (path.replace("{key*}", "{key}"), methods.cloned().collect::<Vec<_>>().join(" "))
        })
        .collect();
    let expected: BTreeMap<_, _> =
        CALLS.iter().map(|(path, methods)| ((*path).to_owned(), (*methods).to_owned())).collect();
    assert_eq!(described, expected);
}

/// The calls with something in place of what their paths leave open.
fn places() -> impl Iterator<Item = (String, Vec<String>)> {
    CALLS.iter().map(|(path, methods)| {
        let filled = path
            .replace("{key}", "a/b")
            .replace("{id}", "x")
            .replace("{rule_id}", "r")
            .replace("{number}", "1");
        let filled = filled.replace("{project}", "p").replace("{name}", "n");
        (filled, methods.split(' ').map(str::to_uppercase).collect())
    })
}

#[test]
fn every_call_answers_to_its_own_methods_only() {
    let server = SERVER.server();
    for site in [server.site(), Site::new(server.dashboard.as_ref().unwrap())] {
        for (path, methods) in places() {
            let options = site.send("OPTIONS", &path, "");
            assert_eq!(options.status, 204, "{path}");
            let mut allow: Vec<_> = options.header("allow").unwrap().split(", ").map(str::to_owned).collect();
            allow.sort_unstable();
            let mut expected = methods.clone();
            expected.push("OPTIONS".to_owned());
            if methods.iter().any(|method| method == "GET") {
                expected.push("HEAD".to_owned());
            }
            // Words that other calls have where this one leaves a name open answer to both.
            expected.sort_unstable();
            assert!(expected.iter().all(|method| allow.contains(method)), "{path}: {allow:?}");
            let wrong = site.send("LINK", &path, "");
            wrong.says(405, "method not allowed");
            assert_eq!(wrong.header("allow"), options.header("allow"), "{path}");
        }
    }
}

#[test]
fn every_call_but_health_is_closed_without_a_token() {
    let server = Start::default().args(["--auth-token", "t"]).start().unwrap();
    let site = server.site();
    for (path, methods) in places().filter(|(path, _)| path != "/health") {
        for method in methods {
            let body = if ["PUT", "POST", "PATCH"].contains(&method.as_str()) { "{}" } else { "" };
            let reply = site.send(&method, &path, body);
            if path.starts_with("/v1/") {
                // OTLP has a body of its own for refusals.
                assert_eq!(
                    (reply.status, &reply.json()["message"]),
                    (401, &"invalid or missing bearer token".into())
                );
            } else {
                reply.refused(401, "invalid or missing bearer token");
            }
            if method == "GET" {
                assert_eq!(site.send("HEAD", &path, "").status, 401, "{path}");
            }
        }
    }
}

#[test]
fn every_call_that_reads_has_a_head_of_its_own() {
    let server = SERVER.server();
    let site = server.site();
    for (path, methods) in places() {
        if methods.iter().any(|method| method == "GET") && !path.ends_with("/stream") {
            // No longer than it takes to see that nothing comes.
            let path = path.replace("/wait", "/wait?timeout=10ms");
            let (get, head) = (site.get(&path), site.send("HEAD", &path, ""));
            assert_eq!(get.status, head.status, "{path}");
            assert_eq!(get.header("content-type"), head.header("content-type"), "{path}");
        }
    }
}
