//! Who is calling, what they may do, and which pages may call.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use integration_tests::{Server, Shared, Site, Start};
use serde_json::{Value, json};

static SERVER: Shared = Shared::new();

const TOKEN: &str = "the-server-token";

fn guarded() -> (Server, Site) {
    let server = Start::default().args(["--auth-token", TOKEN]).start().unwrap();
    let admin = server.site().token(TOKEN);
    (server, admin)
}

/// Registers an instance: its id and its token.
fn register(site: &Site, name: &str) -> (String, String) {
    let registered = site.post("/api/instances/register", &json!({"name": name})).ok();
    let text = |field: &str| registered[field].as_str().unwrap().to_owned();
    (text("id"), text("token"))
}

/// Who wrote that state value.
fn author(site: &Site, key: &str) -> Value {
    site.get(&format!("/api/state/{key}?history=1")).ok()["versions"][0]["updated_by"].clone()
}

#[test]
fn without_a_token_everybody_is_admin_and_may_name_an_instance() {
    let server = SERVER.server();
    let site = server.site();
    let (id, token) = register(&site, "local");
    site.put("/api/state/who/anonymous", &json!(1)).ok();
    assert_eq!(author(&site, "who/anonymous"), "");
    let named = site.instance(&id);
    assert_eq!(named.put("/api/state/who/named", &json!(1)).header("x-koor-warning"), None);
    assert_eq!(author(&site, "who/named"), json!(id));
    site.token(&token).put("/api/state/who/token", &json!(1)).ok();
    assert_eq!(author(&site, "who/token"), json!(id));
    // An unknown token counts as none here.
    site.token("whatever").put("/api/state/who/other", &json!(1)).ok();
    assert_eq!(author(&site, "who/other"), "");
    site.token(&token).post("/api/liveness/check", &Value::Null).ok();
    let event = named.post("/api/events/publish", &json!({"topic": "who"})).ok();
    assert_eq!(event["source"], "local");
}

#[test]
fn an_unknown_instance_is_warned_of_and_nobody() {
    let server = SERVER.server();
    for unknown in ["ffffffff-ffff-4fff-bfff-ffffffffffff", "nonsense"] {
        let reply = server.site().instance(unknown).put("/api/state/who/unknown", &json!(1));
        assert_eq!(reply.header("x-koor-warning"), Some(format!("unknown instance {unknown}").as_str()));
        assert_eq!(author(&server.site(), "who/unknown"), "");
    }
}

#[test]
fn with_a_token_nothing_but_health_is_open() {
    let (server, admin) = guarded();
    let site = server.site();
    site.get("/health").ok();
    for stranger in [
        site.clone(),
        site.token("wrong"),
        site.token(""),
        site.with("Authorization", "Basic dXNlcg=="),
        site.with("Authorization", TOKEN),
        site.instance("ffffffff-ffff-4fff-bfff-ffffffffffff"),
    ] {
        for (method, path) in [
            ("GET", "/api/state"),
            ("GET", "/api/metrics"),
            ("GET", "/metrics"),
            ("GET", "/api/openapi.json"),
            ("GET", "/api/backup"),
            ("GET", "/api/events/subscribe"),
            ("GET", "/api/events/stream"),
            ("PUT", "/api/state/a"),
            ("POST", "/api/events/publish"),
            ("POST", "/api/backup/restore"),
        ] {
            let reply = stranger.send(method, path, if method == "GET" { "" } else { "{}" });
            reply.refused(401, "invalid or missing bearer token");
            assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
        }
    }
    // On the other listener, too.
    let dashboard = Site::new(server.dashboard.as_ref().unwrap());
    dashboard.get("/api/state").refused(401, "invalid or missing bearer token");
    dashboard.token(TOKEN).get("/api/state").ok();
    assert_eq!(admin.get("/api/audit").ok(), json!([]));
}

#[test]
fn the_server_token_is_admin_or_the_instance_it_names() {
    let (_server, admin) = guarded();
    let (id, _) = register(&admin, "a");
    admin.put("/api/state/k", &json!(1)).ok();
    assert_eq!(author(&admin, "k"), "admin");
    admin.instance(&id).put("/api/state/k", &json!(2)).ok();
    assert_eq!(author(&admin, "k"), json!(id));
    admin.instance(&id).post("/api/metrics/reset", &Value::Null).ok();
    let reply = admin.instance("no-one").put("/api/state/k", &json!(3));
    assert_eq!(reply.header("x-koor-warning"), Some("unknown instance no-one"));
}

#[test]
fn an_agent_may_read_and_write_what_agents_share() {
    let (server, admin) = guarded();
    let (id, token) = register(&admin, "worker");
    let agent = server.site().token(&token);
    agent.put("/api/state/k", &json!(1)).ok();
    assert_eq!(author(&agent, "k"), json!(id));
    agent.put("/api/specs/p/s", &json!(1)).ok();
    agent
        .put(
            "/api/contracts/p/c",
            &json!({"kind": "contract", "version": 1, "endpoints": {"GET /": {"response": {}}}}),
        )
        .ok();
    agent.delete("/api/state/k").ok();
    let event = agent.post("/api/events/publish", &json!({"topic": "a", "source": "another agent"})).ok();
    assert_eq!(event["source"], "worker");
    agent.post("/api/rules/propose", &json!({"project": "p", "rule_id": "r", "pattern": "x"})).ok();
    agent.post("/api/validate/p", &json!({"content": "x"})).ok();
    agent.post("/api/llm/usage", &json!({"provider": "p", "model": "m"})).ok();
    assert_eq!(agent.get("/api/llm/usage").ok()[0]["instance_id"], json!(id));
    for call in ["activate", "heartbeat"] {
        agent.post(&format!("/api/instances/{id}/{call}"), &Value::Null).ok();
    }
    agent.post(&format!("/api/instances/{id}/capabilities"), &json!({"capabilities": ["rust"]})).ok();
    agent.post(&format!("/api/instances/{id}/intent"), &json!({"intent": "test"})).ok();
    for path in [
        "state",
        "specs",
        "specs/p",
        "events/history",
        "instances",
        "instances/stale",
        "rules",
        "rules/export",
        "validate/p/rules",
        "contracts/p",
        "templates",
        "compliance/history",
        "audit",
        "audit/summary",
        "audit/verify",
        "metrics",
        "metrics/agents",
        "llm/usage",
        "llm/usage/summary",
        "openapi.json",
    ] {
        agent.get(&format!("/api/{path}")).ok();
    }
    let renewed = agent.post(&format!("/api/instances/{id}/token"), &Value::Null).ok();
    agent.get("/api/state").refused(401, "invalid or missing bearer token");
    server.site().token(renewed["token"].as_str().unwrap()).delete(&format!("/api/instances/{id}")).ok();
}

#[test]
fn an_agent_is_refused_what_is_for_admins_and_that_is_audited() {
    let (server, admin) = guarded();
    let (id, token) = register(&admin, "agent");
    let (other, _) = register(&admin, "other");
    let agent = server.site().token(&token);
    let (rule, template) = (json!([{"rule_id": "r", "pattern": "x"}]), json!({"id": "t", "name": "T"}));
    let import = json!([{"project": "p", "rule_id": "r", "pattern": "x"}]);
    let hook = json!({"id": "h", "url": "http://example.com/", "secret": "hush"});
    admin.post("/api/webhooks", &hook).ok();
    let before = admin.get("/api/audit?limit=1000").ok().as_array().unwrap().len();
    let of_other = |call: &str| format!("/api/instances/{other}{call}");
    let writes = [
        ("instance.register", "POST", "/api/instances/register".to_owned(), json!({"name": "x"})),
        ("instance.activate", "POST", of_other("/activate"), json!({})),
        ("instance.capabilities", "POST", of_other("/capabilities"), json!({"capabilities": []})),
        ("instance.intent", "POST", of_other("/intent"), json!({"intent": "x"})),
        ("instance.token", "POST", of_other("/token"), json!({})),
        ("instance.session", "POST", of_other("/session"), json!({"session": "s"})),
        ("budget.delete", "DELETE", "/api/budgets/p".to_owned(), json!({})),
        (
            "budget.set",
            "PUT",
            "/api/budgets/p".to_owned(),
            json!({"period": "day", "usd": 1, "action": "stop"}),
        ),
        ("instance.deregister", "DELETE", of_other(""), json!({})),
        ("liveness.check", "POST", "/api/liveness/check".to_owned(), json!({})),
        ("rule.accept", "POST", "/api/rules/p/r/accept".to_owned(), json!({})),
        ("rule.reject", "POST", "/api/rules/p/r/reject".to_owned(), json!({})),
        ("rule.delete", "DELETE", "/api/rules/p/r".to_owned(), json!({})),
        ("rules.put", "PUT", "/api/validate/p/rules".to_owned(), rule),
        ("rules.import", "POST", "/api/rules/import".to_owned(), import),
        ("webhook.create", "POST", "/api/webhooks".to_owned(), hook),
        ("webhook.delete", "DELETE", "/api/webhooks/h".to_owned(), json!({})),
        ("webhook.enable", "POST", "/api/webhooks/h/enable".to_owned(), json!({})),
        ("webhook.test", "POST", "/api/webhooks/h/test".to_owned(), json!({})),
        ("template.create", "POST", "/api/templates".to_owned(), template.clone()),
        ("template.update", "PUT", "/api/templates/t".to_owned(), template),
        ("template.delete", "DELETE", "/api/templates/t".to_owned(), json!({})),
        ("template.apply", "POST", "/api/templates/t/apply".to_owned(), json!({"project": "p"})),
        ("compliance.run", "POST", "/api/compliance/run".to_owned(), json!({})),
        ("metrics.reset", "POST", "/api/metrics/reset".to_owned(), json!({})),
        ("backup.create", "GET", "/api/backup".to_owned(), json!({})),
        ("backup.restore", "POST", "/api/backup/restore".to_owned(), json!({})),
    ];
    for (action, method, path, body) in &writes {
        let reply = agent.send(method, path, if *method == "GET" { String::new() } else { body.to_string() });
        reply.says(403, "admin role required");
        let entry = &admin.get("/api/audit?limit=1").ok()[0];
        let said = (&entry["actor"], &entry["action"], &entry["outcome"]);
        assert_eq!(said, (&json!(id), &json!(action), &json!("denied")), "{method} {path}");
    }
    let capture = json!({"id": "t", "name": "T", "project": "p", "kind": "rules"});
    agent.post("/api/templates/capture", &capture).says(403, "admin role required");
    agent.post(&of_other("/heartbeat"), &Value::Null).says(403, "admin role required");
    for path in ["/api/webhooks", "/api/webhooks/h", "/api/webhooks/h/deliveries"] {
        agent.get(path).says(403, "admin role required");
    }
    let entries = admin.get("/api/audit?limit=1000").ok();
    let denied = admin.get("/api/audit?limit=1000&outcome=denied").ok();
    assert_eq!(entries.as_array().unwrap().len(), before + denied.as_array().unwrap().len());
    assert_eq!(admin.get(&of_other("")).ok()["name"], "other");
    assert_eq!(admin.get("/api/rules").ok(), json!([]));
    assert_eq!(admin.get("/api/templates").ok(), json!([]));
}

#[test]
fn an_instance_token_is_stored_and_shown_nowhere() {
    let (server, admin) = guarded();
    let (id, token) = register(&admin, "secretive");
    for path in [
        "/api/instances",
        &format!("/api/instances/{id}"),
        "/api/audit",
        "/api/backup",
        "/api/events/history?topic=$*",
    ] {
        assert!(!admin.get(path).text().contains(&token), "{path}");
    }
    let directory = server.directory().clone();
    assert_eq!(server.stop().code, Some(0));
    for file in std::fs::read_dir(directory.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(token.len()).any(|window| window == token.as_bytes()));
    }
}

/// The paths by which a page could reach the server: REST, WebSocket, SSE, MCP.
const DOORS: [(&str, &str); 6] = [
    ("GET", "/api/state"),
    ("PUT", "/api/state/evil"),
    ("GET", "/api/events/subscribe"),
    ("GET", "/api/events/stream"),
    ("POST", "/mcp"),
    ("GET", "/health"),
];

fn knock(site: &Site, method: &str, path: &str) -> integration_tests::Reply {
    let site = if path.ends_with("subscribe") {
        site.with("Connection", "Upgrade")
            .with("Upgrade", "websocket")
            .with("Sec-WebSocket-Version", "13")
            .with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
    } else {
        site.clone()
    };
    site.send(method, path, if method == "GET" { "" } else { "{}" })
}

#[test]
fn a_foreign_page_is_refused_at_every_door() {
    let server = SERVER.server();
    for origin in ["https://evil.example", "null", "http://localhost.evil.example", "http://localhost:1"] {
        for place in [&server.api, server.dashboard.as_ref().unwrap()] {
            let page = Site::new(place).with("Origin", origin);
            for (method, path) in DOORS {
                knock(&page, method, path).refused(403, &format!("origin not allowed: {origin}"));
            }
            page.send("OPTIONS", "/api/state", "").says(403, "origin not allowed");
        }
    }
    server.site().get("/api/state/evil").says(404, "key not found");
}

#[test]
fn a_rebound_name_is_refused_at_every_door() {
    let server = SERVER.server();
    for host in ["evil.example", "evil.example:9800", "localhost.evil.example", "10.0.0.1"] {
        for place in [&server.api, server.dashboard.as_ref().unwrap()] {
            let rebound = Site::new(place).with("Host", host);
            for (method, path) in DOORS {
                knock(&rebound, method, path).refused(403, &format!("host not allowed: {host}"));
            }
        }
    }
    for host in ["localhost", "127.0.0.1:9800", "[::1]:9800"] {
        server.site().with("Host", host).get("/api/state").ok();
    }
}

#[test]
fn own_and_listed_pages_and_names_are_let_in() {
    let flags = ["--allow-origin", "https://app.example", "--allow-host", "koor.internal"];
    let server = Start::default().args(flags).start().unwrap();
    let dashboard = server.dashboard.clone().unwrap();
    for origin in [server.api.as_str(), &dashboard, "https://app.example"] {
        let page = server.site().with("Origin", origin);
        let reply = page.get("/api/state");
        reply.ok();
        assert_eq!(reply.header("access-control-allow-origin"), Some(origin));
        assert_eq!(knock(&page, "GET", "/api/events/subscribe").status, 101);
        let preflight = page.with("Access-Control-Request-Method", "PUT").send("OPTIONS", "/api/state/a", "");
        assert_eq!(preflight.status, 204);
        assert!(preflight.header("access-control-allow-methods").unwrap().contains("PUT"));
    }
    server
        .site()
        .with("Origin", "https://app.example.evil")
        .get("/api/state")
        .says(403, "origin not allowed");
    server.site().with("Host", "koor.internal:9800").get("/api/state").ok();
    server.site().with("Host", "other.internal").get("/api/state").says(403, "host not allowed");
}
