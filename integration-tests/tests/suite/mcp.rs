//! The five tools, against the running binary.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use integration_tests::{Mcp, Server, Shared, Site, Start, steady, until};
use serde_json::{Value, json};

static SERVER: Shared = Shared::new();

const TOKEN: &str = "the-server-token";

fn mcp(server: &Server) -> Mcp {
    Mcp(server.site())
}

/// Registers an agent: its id and its token.
fn register(mcp: &Mcp, name: &str) -> (String, String) {
    let registered = mcp.call("register_instance", &json!({"name": name}));
    let text = |field: &str| registered[field].as_str().unwrap().to_owned();
    (text("instance_id"), text("token"))
}

#[test]
fn an_agent_that_is_registered_already_is_not_given_a_token_again() {
    let server = Start::default().args(["--auth-token", TOKEN]).start().unwrap();
    let admin = server.site().token(TOKEN);
    let made = admin.post("/api/instances/register", &json!({"name": "backend", "workspace": "Kept"})).ok();
    let own = Mcp(server.site().token(made["token"].as_str().unwrap()));
    let told =
        own.call("register_instance", &json!({"name": "backend", "workspace": "Kept", "intent": "the API"}));
    assert_eq!(
        (&told["instance_id"], &told["token"], &told["token_file"], &told["intent"]),
        (&made["id"], &json!(""), &json!("settings.json"), &json!("the API"))
    );
    assert_eq!(admin.get("/api/instances?workspace=Kept").ok().as_array().unwrap().len(), 1);
    // One that nothing else holds is answered.
    let another = Mcp(admin).call("register_instance", &json!({"name": "frontend"}));
    assert_eq!((another["token"].as_str().unwrap().len(), &another["token_file"]), (64, &json!(null)));
}

#[test]
fn there_are_five_tools_and_each_says_what_it_does() {
    let server = SERVER.server();
    let listed = mcp(&server).ask("tools/list", &json!({}));
    let tools = listed["result"]["tools"].as_array().unwrap();
    let told: Vec<_> = tools
        .iter()
        .map(|tool| {
            assert!(tool["description"].as_str().unwrap().len() > 40, "{tool}");
            json!([tool["name"], tool["annotations"], tool["inputSchema"]["required"]])
        })
        .collect();
    let (reads, adds) = (json!({"readOnlyHint": true}), json!({"destructiveHint": false}));
    assert_eq!(
        told,
        [
            json!(["register_instance", adds, ["name"]]),
            json!(["discover_instances", reads, null]),
            json!(["set_intent", adds, ["instance_id", "intent"]]),
            json!(["get_endpoints", reads, null]),
            json!(["propose_rule", adds, ["project", "rule_id", "pattern", "message"]]),
        ]
    );
}

#[test]
fn an_agent_registers_says_what_it_does_and_is_found() {
    let server = SERVER.server();
    let mcp = mcp(&server);
    let sent = json!({
        "name": "frontend", "workspace": "found", "intent": "", "stack": "goth", "capabilities": "review, tests,,review",
    });
    let registered = mcp.call("register_instance", &sent);
    let id = registered["instance_id"].as_str().unwrap();
    assert_eq!(registered["token"].as_str().unwrap().len(), 64);
    let mut told = steady(registered.clone());
    told["message"] = json!(told["message"].as_str().unwrap().replace(id, "<uuid>"));
    assert_eq!(
        told,
        json!({
            "instance_id": "<uuid>", "token": "<hash>", "name": "frontend", "workspace": "found", "stack": "goth",
            "capabilities": ["review", "tests"], "status": "pending", "registered_at": "<time>",
            "message": "Registered as pending. Activate: koor-cli activate <uuid>. Read and write data by REST or \
                koor-cli, as get_endpoints says.",
        })
    );
    let intent = mcp.call("set_intent", &json!({"instance_id": id, "intent": "the login page"}));
    let message = "Intent set, last_seen refreshed.";
    assert_eq!(intent, json!({"instance_id": id, "intent": "the login page", "message": message}));
    let found = mcp.call("discover_instances", &json!({"workspace": "found"}));
    let one = server.site().get(&format!("/api/instances/{id}")).ok();
    assert_eq!(found, json!({"count": 1, "instances": [one]}));
}

#[test]
fn filters_must_all_hold_and_empty_ones_do_not_count() {
    let server = Server::start();
    let mcp = mcp(&server);
    for (name, workspace) in [("a", "w"), ("b", "w"), ("a", "v")] {
        mcp.call("register_instance", &json!({"name": name, "workspace": workspace, "capabilities": name}));
    }
    for (filter, expected) in [
        (json!({}), 3),
        (json!({"name": "", "workspace": null}), 3),
        (json!({"name": "a"}), 2),
        (json!({"name": "a", "workspace": "w"}), 1),
        (json!({"capability": "b"}), 1),
        (json!({"stack": "go"}), 0),
    ] {
        let found = mcp.call("discover_instances", &filter);
        assert_eq!(found["count"], expected, "{filter}");
        assert_eq!(found["instances"].as_array().unwrap().len(), expected, "{filter}");
    }
    let last_first = mcp.call("discover_instances", &json!({}));
    assert_eq!(
        last_first["instances"].as_array().unwrap(),
        server
            .site()
            .get("/api/instances")
            .ok()
            .as_array()
            .unwrap()
            .iter()
            .map(without_empty)
            .collect::<Vec<_>>()
            .as_slice()
    );
    assert!(!last_first.to_string().contains("token"));
}

fn without_empty(instance: &Value) -> Value {
    let mut instance = instance.clone();
    instance.as_object_mut().unwrap().retain(|_, value| *value != json!("") && *value != json!([]));
    instance
}

#[test]
fn a_call_leaves_the_same_traces_as_its_twin_over_rest() {
    let traces = |act: &dyn Fn(&Server)| {
        let server = Server::start();
        act(&server);
        let read = |path: &str| {
            let Value::Array(all) = server.site().get(path).ok() else { panic!("{path} is a list") };
            all.into_iter().map(steady).collect::<Vec<_>>()
        };
        let events: Vec<_> =
            ["$*", "*"].iter().map(|topics| read(&format!("/api/events/history?topic={topics}"))).collect();
        (read("/api/audit"), events, read("/api/rules"))
    };
    let rule =
        json!({"project": "p", "rule_id": "r", "pattern": "x", "message": "m", "proposed_by": "an agent"});
    let by_mcp = traces(&|server| {
        let mcp = mcp(server);
        let (id, _) = register(&mcp, "twin");
        mcp.call("set_intent", &json!({"instance_id": id, "intent": "twins"}));
        mcp.call("propose_rule", &rule);
        assert_eq!(mcp.fails("propose_rule", &rule), "rule already exists: p/r");
    });
    let by_rest = traces(&|server| {
        let site = server.site();
        let id = site.post("/api/instances/register", &json!({"name": "twin"})).ok()["id"].clone();
        site.post(&format!("/api/instances/{}/intent", id.as_str().unwrap()), &json!({"intent": "twins"}))
            .ok();
        site.post("/api/rules/propose", &rule).ok();
        site.post("/api/rules/propose", &rule).refused(409, "rule already exists: p/r");
    });
    assert_eq!(by_mcp, by_rest);
    assert_eq!(by_mcp.0.len(), 4, "every change and every refusal has its entry");
}

#[test]
fn one_call_is_one_tools_call_and_counts_for_the_instance_that_it_names() {
    let server = Server::start();
    let (site, mcp) = (server.site(), mcp(&server));
    let tax = || site.get("/api/metrics").ok()["token_tax"].clone();
    let client = json!({"name": "test", "version": "1"});
    let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client});
    for (method, params) in [("initialize", hello), ("tools/list", json!({})), ("ping", json!({}))] {
        assert!(mcp.ask(method, &params)["result"].is_object(), "{method}");
    }
    let before = tax();
    assert_eq!((&before["mcp_calls"], &before["mcp_estimated_tokens"]), (&json!(0), &json!(0)));
    assert!(
        before["measured"]["mcp_bytes"].as_u64().unwrap() > 2000,
        "what a model reads of the tools is counted: {before}"
    );
    let (id, token) = register(&mcp, "counted");
    mcp.call("set_intent", &json!({"instance_id": id, "intent": "one"}));
    mcp.call(
        "propose_rule",
        &json!({"project": "p", "rule_id": "r", "pattern": "x", "message": "m", "proposed_by": id}),
    );
    mcp.with("Authorization", &format!("Bearer {token}")).call("discover_instances", &json!({}));
    mcp.call("discover_instances", &json!({}));
    let answer = mcp.ask("tools/call", &json!({"name": "nothing"}));
    assert_eq!(answer["error"]["message"], "unknown tool: nothing");
    let after = tax();
    assert_eq!(
        (&after["mcp_calls"], &after["mcp_estimated_tokens"], &after["rest_calls"]),
        (&json!(6), &json!(1800), &json!(0))
    );
    let own = until(|| {
        let rows = site.get(&format!("/api/metrics/agents/{id}")).ok();
        rows.as_array().unwrap().iter().find(|row| row["metric_name"] == "mcp_calls").cloned()
    });
    assert_eq!(own["metric_value"], 3);
}

#[test]
fn every_route_is_listed_and_no_other() {
    let server = SERVER.server();
    let told = mcp(&server).call("get_endpoints", &json!({}));
    let document = server.site().get("/api/openapi.json").ok();
    let mut expected = serde_json::Map::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let Some(name) = operation["operationId"].as_str() else { continue };
            expected.insert(name.to_owned(), json!(format!("{} {path}", method.to_uppercase())));
        }
    }
    let plain: serde_json::Map<_, _> = told["endpoints"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, route)| (name.clone(), json!(route.as_str().unwrap().replace("*}", "}"))))
        .collect();
    assert_eq!(plain, expected);
    let fields: Vec<_> = told.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["api_base", "cli", "endpoints", "message"]);
    assert_eq!(told["cli"].as_object().unwrap().keys().collect::<Vec<_>>(), ["install", "usage"]);
}

#[test]
fn the_base_of_the_api_is_the_address_that_the_client_used() {
    let server = Start::default().args(["--allow-host", "koor.example.com"]).start().unwrap();
    let mcp = mcp(&server);
    let base = |mcp: &Mcp| mcp.call("get_endpoints", &json!({}))["api_base"].clone();
    assert_eq!(base(&mcp), json!(server.api));
    let by_number = server.api.replace("localhost", "127.0.0.1");
    assert_eq!(base(&Mcp(Site::new(&by_number))), json!(by_number));
    let proxied = mcp.with("Host", "koor.example.com").with("X-Forwarded-Proto", "https");
    assert_eq!(base(&proxied), "https://koor.example.com");
    let proxied = mcp.with("X-Forwarded-Host", "koor.example.com:8443").with("X-Forwarded-Proto", "https");
    assert_eq!(base(&proxied), "https://koor.example.com:8443");
}

#[test]
fn a_failure_is_one_sentence_that_a_model_can_act_on() {
    let server = SERVER.server();
    let mcp = mcp(&server);
    let unknown = "ffffffff-ffff-4fff-bfff-ffffffffffff";
    let rule = |patch: Value| {
        let mut rule = json!({"project": "p", "rule_id": "no-x", "pattern": "x", "message": "m"});
        rule.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        rule
    };
    for (tool, arguments, expected) in [
        ("register_instance", json!({}), "name is required"),
        ("register_instance", json!({"name": "  "}), "name is required"),
        ("register_instance", json!({"name": ["a"]}), "name must be a string, not an array"),
        (
            "register_instance",
            json!({"name": "a", "capabilities": ["a"]}),
            "capabilities must be a string, not an array",
        ),
        ("discover_instances", json!({"stack": 1}), "stack must be a string, not a number"),
        ("set_intent", json!({"intent": "x"}), "instance_id is required"),
        ("set_intent", json!({"instance_id": unknown}), "intent is required"),
        (
            "set_intent",
            json!({"instance_id": unknown, "intent": "x"}),
            "instance not found: ffffffff-ffff-4fff-bfff-ffffffffffff; call register_instance first",
        ),
        (
            "set_intent",
            json!({"instance_id": "me", "intent": "x"}),
            "instance not found: me; call register_instance first",
        ),
        ("propose_rule", rule(json!({"project": null})), "project is required"),
        ("propose_rule", rule(json!({"rule_id": ""})), "rule_id is required"),
        ("propose_rule", rule(json!({"pattern": {}})), "pattern must be a string, not an object"),
        ("propose_rule", rule(json!({"message": false})), "message must be a string, not a boolean"),
        (
            "propose_rule",
            rule(json!({"pattern": "("})),
            "rule no-x: invalid pattern: Parsing error at position 1: Opening parenthesis without closing parenthesis",
        ),
        (
            "propose_rule",
            rule(json!({"severity": "fatal"})),
            "rule no-x: unknown severity \"fatal\" (use error or warning)",
        ),
    ] {
        assert_eq!(mcp.fails(tool, &arguments), expected, "{tool} {arguments}");
    }
}

#[test]
fn whoever_says_what_it_does_is_not_stale() {
    let server = Start::default().args(["--stale-after", "1s"]).start().unwrap();
    let (site, mcp) = (server.site(), mcp(&server));
    let (id, _) = register(&mcp, "quiet");
    let status = || site.get(&format!("/api/instances/{id}")).ok()["status"].clone();
    site.post(&format!("/api/instances/{id}/activate"), &Value::Null).ok();
    until(|| (site.post("/api/liveness/check", &Value::Null).ok()["count"] == 1).then_some(()));
    assert_eq!(status(), "stale");
    mcp.call("set_intent", &json!({"instance_id": id, "intent": "back again"}));
    assert_eq!(status(), "active");
}

#[test]
fn a_token_is_asked_for_and_an_agent_speaks_for_itself_alone() {
    let server = Start::default().args(["--auth-token", TOKEN]).start().unwrap();
    let anonymous = mcp(&server);
    let admin = Mcp(server.site().token(TOKEN));
    for site in [&anonymous.0, &anonymous.0.token("wrong")] {
        let reply = site.post("/mcp", &json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}));
        reply.refused(401, "invalid or missing bearer token");
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    }
    let (own, token) = register(&admin, "own");
    let (other, _) = register(&admin, "other");
    let agent = Mcp(server.site().token(&token));
    agent.call("set_intent", &json!({"instance_id": own, "intent": "mine"}));
    let said = agent.fails("set_intent", &json!({"instance_id": other, "intent": "theirs"}));
    assert_eq!(said, "admin role required to change another instance");
    let said = agent.fails("register_instance", &json!({"name": "third"}));
    assert_eq!(said, "admin role required to register instances");
    let rule = json!({"project": "p", "rule_id": "r", "pattern": "x", "message": "m"});
    agent.call("propose_rule", &rule);
    assert_eq!(admin.0.get("/api/rules").ok()[0]["proposed_by"], json!(own));
    let denied = admin.0.get("/api/audit?outcome=denied").ok();
    let denied: Vec<_> =
        denied.as_array().unwrap().iter().map(|entry| (&entry["actor"], &entry["action"])).collect();
    assert_eq!(
        denied,
        [(&json!(own), &json!("instance.register")), (&json!(own), &json!("instance.intent"))]
    );
}

#[test]
fn every_version_that_is_begun_with_a_handshake_is_spoken() {
    let server = SERVER.server();
    let mcp = mcp(&server);
    for (asked, agreed) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("1999-01-01", "2025-11-25"),
    ] {
        let client = json!({"name": "test", "version": "1"});
        let params = json!({"protocolVersion": asked, "capabilities": {}, "clientInfo": client});
        let reply = mcp
            .post(json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}).to_string());
        let result = &reply.ok()["result"];
        assert_eq!(result["protocolVersion"], agreed);
        assert_eq!(result["capabilities"], json!({"tools": {}}));
        assert_eq!(result["serverInfo"]["name"], "koor");
        assert_eq!(reply.header("mcp-session-id"), None, "there are no sessions");
        let reply = mcp
            .with("MCP-Protocol-Version", agreed)
            .post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        assert_eq!((reply.status, reply.text()), (202, ""));
        let listed = mcp.with("MCP-Protocol-Version", agreed).ask("tools/list", &json!({}));
        assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), 5);
    }
}

#[test]
fn an_answer_is_there_once_for_clients_that_can_read_it_only_as_text() {
    let server = SERVER.server();
    let mcp = mcp(&server);
    let call = json!({"name": "discover_instances", "arguments": {"name": "nothing of this name"}});
    let expected = json!({"count": 0, "instances": []});
    for (version, structured) in
        [("2024-11-05", false), ("2025-03-26", false), ("2025-06-18", true), ("2025-11-25", true)]
    {
        let result = mcp.with("MCP-Protocol-Version", version).ask("tools/call", &call)["result"].clone();
        let text = result["content"][0]["text"].as_str().unwrap();
        assert_eq!(serde_json::from_str::<Value>(text).unwrap(), expected, "{version}");
        assert_eq!(result.get("structuredContent").is_some(), structured, "{version}");
    }
}

#[test]
fn since_2026_a_request_needs_nothing_before_it() {
    let server = SERVER.server();
    let mcp = mcp(&server);
    let discovered = mcp.ask_2026("server/discover", &json!({})).ok();
    let versions = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"];
    assert_eq!(discovered["result"]["supportedVersions"], json!(versions));
    let listed = mcp.ask_2026("tools/list", &json!({})).ok();
    assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), 5);
    assert_eq!(
        (&listed["result"]["ttlMs"], &listed["result"]["cacheScope"]),
        (&json!(300_000), &json!("public"))
    );
    let called = mcp.ask_2026("tools/call", &json!({"name": "get_endpoints"})).ok();
    assert_eq!(called["result"]["structuredContent"]["api_base"], json!(server.api));
    for method in ["initialize", "ping", "nothing"] {
        let reply = mcp.ask_2026(method, &json!({}));
        assert_eq!((reply.status, &reply.json()["error"]["code"]), (404, &json!(-32601)), "{method}");
    }
}
