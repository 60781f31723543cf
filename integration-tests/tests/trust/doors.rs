//! Every call by every kind of caller. The table is written by hand from the contract, and so can differ from what the
//! server believes; a route without a row fails.

use std::{cell::Cell, collections::BTreeSet};

use integration_tests::{Reply, Server, Service, Site, Start};
use serde_json::{Value, json};

const TOKEN: &str = "the-server-token";

/// Who may make a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// Everybody.
    All,
    /// Any caller with a token.
    Agents,
    /// Admins, and the instance that it is about.
    Own,
    /// Admins.
    Admins,
}

use Who::{Admins, Agents, All, Own};

pub(crate) type Row = (Who, &'static str, &'static str, &'static str);

/// Every route: who may call it, with which path and which body. `{me}` is an instance: the caller, if it is one; `{message}`
/// is a message to the agent that was given work. In this order every call finds what it needs.
#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    (All, "GET /health", "/health", ""),
    (Agents, "GET /metrics", "/metrics", ""),
    (Agents, "GET /api/openapi.json", "/api/openapi.json", ""),
    (Agents, "PUT /api/state/{key*}", "/api/state/a/b", "1"),
    (Agents, "GET /api/state/{key*}", "/api/state/a/b", ""),
    (Agents, "GET /api/state", "/api/state", ""),
    (Agents, "POST /api/state/{key*}", "/api/state/a/b?rollback=1", ""),
    (Agents, "DELETE /api/state/{key*}", "/api/state/a/b", ""),
    (Agents, "PUT /api/specs/{project}/{name}", "/api/specs/p/n", "{}"),
    (Agents, "GET /api/specs/{project}/{name}", "/api/specs/p/n", ""),
    (Agents, "GET /api/specs/{project}", "/api/specs/p", ""),
    (Agents, "GET /api/specs", "/api/specs", ""),
    (Agents, "POST /api/specs/{project}/{name}", "/api/specs/p/n?rollback=1", ""),
    (Agents, "DELETE /api/specs/{project}/{name}", "/api/specs/p/n", ""),
    (Agents, "POST /api/events/publish", "/api/events/publish", r#"{"topic": "t"}"#),
    (Agents, "GET /api/events/history", "/api/events/history", ""),
    (Agents, "GET /api/events/wait", "/api/events/wait?since=0", ""),
    (Agents, "GET /api/events/subscribe", "/api/events/subscribe", ""),
    (Agents, "GET /api/events/stream", "/api/events/stream", ""),
    (Agents, "GET /api/instances", "/api/instances", ""),
    (Agents, "GET /api/instances/stale", "/api/instances/stale", ""),
    (Agents, "GET /api/instances/{id}", "/api/instances/{other}", ""),
    (Admins, "POST /api/instances/register", "/api/instances/register", r#"{"name": "new"}"#),
    (Own, "POST /api/instances/{id}/activate", "/api/instances/{me}/activate", ""),
    (Own, "POST /api/instances/{id}/heartbeat", "/api/instances/{me}/heartbeat", ""),
    (Own, "POST /api/instances/{id}/capabilities", "/api/instances/{me}/capabilities", r#"{"capabilities": []}"#),
    (Own, "POST /api/instances/{id}/intent", "/api/instances/{me}/intent", r#"{"intent": "i"}"#),
    (Own, "POST /api/instances/{id}/session", "/api/instances/{me}/session", r#"{"session": "s"}"#),
    (Agents, "POST /v1/logs", "/v1/logs", "{}"),
    (Agents, "POST /v1/traces", "/v1/traces", "{}"),
    (Agents, "POST /v1/metrics", "/v1/metrics", "{}"),
    (Agents, "GET /api/budgets", "/api/budgets", ""),
    (Agents, "GET /api/budgets/{project}", "/api/budgets/p", ""),
    (Admins, "PUT /api/budgets/{project}", "/api/budgets/q", r#"{"period": "day", "usd": 1, "action": "warn"}"#),
    (Admins, "DELETE /api/budgets/{project}", "/api/budgets/q", ""),
    (Agents, "GET /api/tasks", "/api/tasks", ""),
    (Agents, "POST /api/tasks/{project}", "/api/tasks/p", r#"[{"title": "t"}, {"title": "u", "review": true}]"#),
    (Agents, "GET /api/tasks/{project}", "/api/tasks/p", ""),
    (Agents, "GET /api/tasks/{project}/{number}", "/api/tasks/p/1", ""),
    (Agents, "PATCH /api/tasks/{project}/{number}", "/api/tasks/p/1", r#"{"priority": 1}"#),
    (Agents, "POST /api/tasks/{project}/claim", "/api/tasks/p/claim", r#"{"number": 1}"#),
    (Agents, "POST /api/tasks/{project}/{number}/renew", "/api/tasks/p/2/renew", ""),
    (Agents, "POST /api/tasks/{project}/{number}/release", "/api/tasks/p/3/release", ""),
    (Agents, "POST /api/tasks/{project}/{number}/done", "/api/tasks/p/4/done", ""),
    (Agents, "POST /api/tasks/{project}/{number}/fail", "/api/tasks/p/5/fail", r#"{"reason": "r"}"#),
    (Agents, "POST /api/tasks/{project}/{number}/approve", "/api/tasks/p/6/approve", ""),
    (Agents, "POST /api/tasks/{project}/{number}/reject", "/api/tasks/p/7/reject", r#"{"note": "n"}"#),
    (Agents, "POST /api/tasks/{project}/{number}/cancel", "/api/tasks/p/8/cancel", ""),
    (Agents, "POST /api/tasks/{project}/{number}/reopen", "/api/tasks/p/8/reopen", ""),
    (Agents, "POST /api/tasks/{project}/{number}/notes", "/api/tasks/p/1/notes", r#"{"text": "x"}"#),
    (Agents, "GET /api/tasks/{project}/{number}/notes", "/api/tasks/p/1/notes", ""),
    (Agents, "POST /api/leases/{project}", "/api/leases/p", r#"{"paths": ["a"], "mode": "shared"}"#),
    (Agents, "GET /api/leases/{project}", "/api/leases/p", ""),
    (Agents, "POST /api/leases/{project}/check", "/api/leases/p/check", r#"{"paths": ["a"]}"#),
    (Agents, "POST /api/leases/{project}/{id}/renew", "/api/leases/p/1/renew", ""),
    (Agents, "DELETE /api/leases/{project}/{id}", "/api/leases/p/1", ""),
    (Agents, "POST /api/messages", "/api/messages", r#"{"to": ["p/reader"], "body": "x"}"#),
    (Agents, "GET /api/messages", "/api/messages", ""),
    (Agents, "GET /api/messages/{id}", "/api/messages/{message}", ""),
    (Agents, "POST /api/messages/read", "/api/messages/read", r#"{"ids": [{message}]}"#),
    (Agents, "POST /api/messages/{id}/read", "/api/messages/{message}/read", ""),
    (Agents, "POST /api/messages/{id}/ack", "/api/messages/{message}/ack", ""),
    (Agents, "GET /api/brief", "/api/brief?peek=1", ""),
    (Agents, "POST /api/brief/seen", "/api/brief/seen", r#"{"cursor": 1, "messages": [{message}]}"#),
    (Admins, "POST /api/liveness/check", "/api/liveness/check", ""),
    (Agents, "POST /api/rules/propose", "/api/rules/propose", r#"{"project": "p", "rule_id": "q", "pattern": "x"}"#),
    (Admins, "POST /api/rules/{project}/{rule_id}/accept", "/api/rules/p/r1/accept", ""),
    (Admins, "POST /api/rules/{project}/{rule_id}/reject", "/api/rules/p/r2/reject", ""),
    (Admins, "DELETE /api/rules/{project}/{rule_id}", "/api/rules/p/r1", ""),
    (Admins, "PUT /api/validate/{project}/rules", "/api/validate/p/rules", r#"[{"rule_id": "r3", "pattern": "x"}]"#),
    (Admins, "POST /api/rules/import", "/api/rules/import", r#"[{"project": "p", "rule_id": "r4", "pattern": "x"}]"#),
    (Agents, "GET /api/validate/{project}/rules", "/api/validate/p/rules", ""),
    (Agents, "POST /api/validate/{project}", "/api/validate/p", r#"{"content": "x"}"#),
    (Agents, "GET /api/rules", "/api/rules", ""),
    (Agents, "GET /api/rules/export", "/api/rules/export", ""),
    (Agents, "PUT /api/contracts/{project}/{name}", "/api/contracts/p/c", CONTRACT),
    (Agents, "GET /api/contracts/{project}", "/api/contracts/p", ""),
    (Agents, "POST /api/contracts/{project}/{name}/validate", "/api/contracts/p/c/validate", r#"{"endpoint": "GET /x", "direction": "response", "payload": {}}"#),
    (Agents, "POST /api/contracts/{project}/{name}/test", "/api/contracts/p/c/test", r#"{"endpoint": "GET /x", "base_url": "{service}"}"#),
    (Admins, "POST /api/webhooks", "/api/webhooks", r#"{"id": "new", "url": "{service}", "patterns": ["none"]}"#),
    (Admins, "GET /api/webhooks", "/api/webhooks", ""),
    (Admins, "GET /api/webhooks/{id}", "/api/webhooks/h", ""),
    (Admins, "POST /api/webhooks/{id}/test", "/api/webhooks/h/test", ""),
    (Admins, "POST /api/webhooks/{id}/enable", "/api/webhooks/h/enable", ""),
    (Admins, "GET /api/webhooks/{id}/deliveries", "/api/webhooks/h/deliveries", ""),
    (Admins, "DELETE /api/webhooks/{id}", "/api/webhooks/h", ""),
    (Agents, "GET /api/compliance/history", "/api/compliance/history", ""),
    (Admins, "POST /api/compliance/run", "/api/compliance/run", ""),
    (Admins, "POST /api/templates", "/api/templates", r#"{"id": "new", "name": "n"}"#),
    (Admins, "POST /api/templates/capture", "/api/templates/capture", r#"{"id": "taken", "name": "n", "project": "p"}"#),
    (Admins, "PUT /api/templates/{id}", "/api/templates/t", r#"{"name": "n"}"#),
    (Admins, "POST /api/templates/{id}/apply", "/api/templates/t/apply", r#"{"project": "p"}"#),
    (Agents, "GET /api/templates", "/api/templates", ""),
    (Agents, "GET /api/templates/{id}", "/api/templates/t", ""),
    (Admins, "DELETE /api/templates/{id}", "/api/templates/t", ""),
    (Agents, "GET /api/audit", "/api/audit", ""),
    (Agents, "GET /api/audit/summary", "/api/audit/summary", ""),
    (Agents, "GET /api/audit/verify", "/api/audit/verify", ""),
    (Agents, "GET /api/metrics", "/api/metrics", ""),
    (Admins, "POST /api/metrics/reset", "/api/metrics/reset", ""),
    (Agents, "GET /api/metrics/agents", "/api/metrics/agents", ""),
    (Agents, "GET /api/metrics/agents/{id}", "/api/metrics/agents/{other}", ""),
    (Agents, "POST /api/llm/usage", "/api/llm/usage", r#"{"provider": "p", "model": "m"}"#),
    (Agents, "GET /api/llm/usage", "/api/llm/usage", ""),
    (Agents, "GET /api/llm/usage/summary", "/api/llm/usage/summary", ""),
    (Admins, "GET /api/backup", "/api/backup", ""),
    (Admins, "POST /api/backup/restore", "/api/backup/restore", "{}"),
    (Own, "POST /api/instances/{id}/token", "/api/instances/{me}/token", ""),
    (Own, "DELETE /api/instances/{id}", "/api/instances/{me}", ""),
];

/// The routes that only an agent can call: of others they say so.
const NEED_AN_INSTANCE: [&str; 13] = [
    "POST /api/tasks/{project}/claim",
    "POST /api/tasks/{project}/{number}/renew",
    "POST /api/tasks/{project}/{number}/release",
    "POST /api/tasks/{project}/{number}/done",
    "POST /api/tasks/{project}/{number}/fail",
    "POST /api/leases/{project}",
    "POST /api/leases/{project}/{id}/renew",
    "GET /api/messages",
    "POST /api/messages/read",
    "POST /api/messages/{id}/read",
    "POST /api/messages/{id}/ack",
    "GET /api/brief",
    "POST /api/brief/seen",
];

/// The routes of coordinated work that make something each time.
const MAKE_SOMETHING: [&str; 4] = [
    "POST /api/tasks/{project}",
    "POST /api/tasks/{project}/{number}/notes",
    "POST /api/leases/{project}",
    "POST /api/messages",
];

const CONTRACT: &str = r#"{"kind": "contract", "version": 1, "endpoints": {"GET /x": {"response": {}}}}"#;

/// A server with something for every call, and its admin.
pub(crate) struct House {
    pub(crate) server: Server,
    pub(crate) admin: Site,
    pub(crate) service: Service,
    /// Instances: their ids and their tokens.
    pub(crate) me: (String, String),
    pub(crate) other: (String, String),
    /// A message to the agent that was given work.
    message: Cell<u64>,
}

impl House {
    fn new(flags: &[&str]) -> Self {
        let server = Start::default().args(flags.iter().copied()).start().unwrap();
        Self::furnish(server, TOKEN, "hush")
    }

    /// With that token of the server's, and that secret of a webhook's.
    pub(crate) fn furnish(server: Server, token: &str, secret: &str) -> Self {
        let service = Service::new(|_| (200, "{}".to_owned()));
        let admin = server.site().token(token);
        let hook = json!({"id": "h", "url": service.url(), "patterns": ["none"], "secret": secret});
        admin.post("/api/webhooks", &hook).ok();
        admin.post("/api/templates", &json!({"id": "t", "name": "T"})).ok();
        for rule in ["r1", "r2"] {
            let rule = json!({"project": "p", "rule_id": rule, "pattern": "x"});
            admin.post("/api/rules/propose", &rule).ok();
        }
        // So that who may do nothing but read finds something.
        admin.put("/api/state/a/b", &json!(0)).ok();
        admin.put("/api/specs/p/n", &json!(0)).ok();
        admin.put("/api/budgets/p", &json!({"period": "total", "usd": 1000, "action": "warn"})).ok();
        let me = register(&admin, "me");
        let other = register(&admin, "other");
        Self { server, admin, service, me, other, message: Cell::new(999_999) }
    }

    /// Gives that instance, of that name, what the rows of coordinated work need: tasks that it holds and tasks that another
    /// agent has done, a lease, and a message.
    fn give_work(&self, (id, name): (&str, &str)) {
        let holder = self.admin.instance(id);
        let reader = json!({"name": "reader", "workspace": "p"});
        let reader = self.admin.post("/api/instances/register", &reader).ok();
        let reader = self.admin.instance(reader["id"].as_str().unwrap());
        // Its inbox is that of every agent of its name, in whatever project.
        self.admin.post("/api/instances/register", &json!({"name": name, "workspace": "p"})).ok();
        let tasks: Vec<Value> =
            (1..=8).map(|n| json!({"title": format!("t{n}"), "review": n == 6 || n == 7})).collect();
        self.admin.post("/api/tasks/p", &json!(tasks)).gives(201);
        let claim = |by: &Site, number: u64| {
            by.post("/api/tasks/p/claim", &json!({"number": number})).ok();
        };
        (2..=5).for_each(|number| claim(&holder, number));
        for number in [6, 7] {
            claim(&reader, number);
            reader.post(&format!("/api/tasks/p/{number}/done"), &Value::Null).ok();
        }
        holder.post("/api/leases/p", &json!({"paths": ["held"]})).gives(201);
        let message = json!({"to": [name], "body": "x"});
        self.message.set(reader.post("/api/messages", &message).gives(201)["id"].as_u64().unwrap());
    }

    fn guarded() -> Self {
        Self::new(&["--auth-token", TOKEN, "--allow-outbound", "127.0.0.1"])
    }

    /// Makes the call of a row, about that instance.
    pub(crate) fn call(&self, site: &Site, about: &str, (_, call, path, body): Row) -> Reply {
        let (method, _) = call.split_once(' ').unwrap();
        let message = self.message.get().to_string();
        let path =
            path.replace("{me}", about).replace("{other}", &self.other.0).replace("{message}", &message);
        let body = body.replace("{service}", &self.service.url()).replace("{message}", &message);
        let site = if path.ends_with("/subscribe") {
            site.with("Connection", "Upgrade")
                .with("Upgrade", "websocket")
                .with("Sec-WebSocket-Version", "13")
                .with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        } else if path.starts_with("/v1/") {
            site.with("Content-Type", "application/json")
        } else {
            site.clone()
        };
        // A stream would not end; its head tells whether it began.
        site.send(if path.ends_with("/stream") { "HEAD" } else { method }, &path, body)
    }

    /// Everything that there is, but for what watching alone changes.
    fn everything(&self) -> Value {
        let mut all = self.admin.get("/api/backup").ok();
        all["audit"].take();
        all["created_at"].take();
        let instances = all["instances"].as_array_mut().unwrap();
        for instance in instances.iter_mut() {
            instance["last_seen"].take();
        }
        instances.sort_by_key(|instance| instance["id"].to_string());
        // Every call of a holder renews what it holds.
        for noun in ["leases", "tasks"] {
            without_ends(&mut all[noun]);
        }
        let events = ["*", "$*"]
            .map(|topic| self.admin.get(&format!("/api/events/history?last=10000&topic={topic}")).ok());
        json!([all, events])
    }
}

/// Takes out when claims and leases end.
fn without_ends(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(without_ends),
        Value::Object(fields) => {
            fields.remove("expires_at");
            fields.values_mut().for_each(without_ends);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn register(site: &Site, name: &str) -> (String, String) {
    let registered = site.post("/api/instances/register", &json!({"name": name})).ok();
    let text = |field: &str| registered[field].as_str().unwrap().to_owned();
    (text("id"), text("token"))
}

/// Holds that a row was let in, and that an agent that was given work could do all that agents do.
fn let_in(reply: &Reply, who: &str, row: Row, is_agent: bool) {
    let of_agents = ["/api/tasks", "/api/leases", "/api/messages", "/api/brief"];
    let passed = if !of_agents.iter().any(|path| row.2.starts_with(path)) {
        matches!(reply.status, 101 | 200 | 201)
    } else if NEED_AN_INSTANCE.contains(&row.1) && !is_agent {
        reply.says(400, "this call needs an instance: send X-Koor-Instance or its token");
        true
    } else {
        reply.status == if MAKE_SOMETHING.contains(&row.1) { 201 } else { 200 }
    };
    assert!(passed, "{who}: {row:?} gives {}: {}", reply.status, reply.text());
}

/// Holds that a row was refused for want of a token.
fn unknown(reply: &Reply, who: &str, row: Row) {
    assert_eq!(reply.status, 401, "{who}: {row:?}");
    assert_eq!(reply.header("www-authenticate"), Some("Bearer"), "{who}: {row:?}");
}

/// Holds that a row was refused for want of the role.
fn forbidden(reply: &Reply, who: &str, row: Row) {
    assert_eq!(reply.status, 403, "{who}: {row:?}: {}", reply.text());
    reply.says(403, "admin role required");
}

#[test]
fn every_route_has_a_row_and_every_row_a_route() {
    let server = Server::start();
    let document = server.site().get("/api/openapi.json").ok();
    let routes: BTreeSet<String> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, calls)| {
            let methods = calls.as_object().unwrap().keys().filter(|name| *name != "parameters");
            methods
                .map(move |method| format!("{} {}", method.to_uppercase(), path.replace("{key*}", "{key}")))
        })
        .collect();
    let rows = ROWS.iter().map(|(_, call, ..)| call.replace("{key*}", "{key}")).collect();
    assert_eq!(routes, rows);
    assert_eq!(rows.len(), ROWS.len(), "a route has one row");
    eprintln!("trust: doors: {} routes, each with its row", routes.len());
}

#[test]
fn whoever_shows_no_valid_token_gets_health_and_changes_nothing() {
    let house = House::guarded();
    let old = house.me.1.clone();
    house.admin.post(&format!("/api/instances/{}/token", house.me.0), &Value::Null).ok();
    let (gone_id, gone) = register(&house.admin, "gone");
    house.admin.delete(&format!("/api/instances/{gone_id}")).ok();
    let site = house.server.site();
    let basic = "Basic dGhlLXNlcnZlci10b2tlbjp0aGUtc2VydmVyLXRva2Vu";
    let almost = &TOKEN[..TOKEN.len() - 1];
    let strangers = [
        ("anonymous", site.clone()),
        ("a wrong token", site.token("wrong")),
        ("most of the token", site.token(almost)),
        ("the token and more", site.token(&format!("{TOKEN}x"))),
        ("the token in capitals", site.token(&TOKEN.to_uppercase())),
        ("no scheme", site.with("Authorization", TOKEN)),
        ("another scheme", site.with("Authorization", basic)),
        ("a token that was replaced", site.token(&old)),
        ("the token of an instance that is gone", site.token(&gone)),
        ("an instance's name alone", site.instance(&house.other.0)),
        ("a cookie", site.with("Cookie", &format!("token={TOKEN}; Authorization=Bearer {TOKEN}"))),
        ("a proxy's header", site.with("X-Forwarded-For", "127.0.0.1").with("X-Forwarded-User", "admin")),
    ];
    let before = house.everything();
    for (who, site) in &strangers {
        let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
        site.post("/mcp", &hello).refused(401, "invalid or missing bearer token");
        for row in ROWS {
            let reply = house.call(site, &house.me.0, *row);
            if row.0 == All { let_in(&reply, who, *row, false) } else { unknown(&reply, who, *row) }
        }
    }
    // In a query, a token counts only where a browser can't show it otherwise.
    let browsers = ["/api/events/subscribe", "/api/events/stream"];
    for row in ROWS.iter().filter(|row| row.0 != All && !browsers.contains(&row.2)) {
        let sign = if row.2.contains('?') { '&' } else { '?' };
        let path = format!("{}{sign}access_token={TOKEN}", row.2);
        let reply = house.call(&site, &house.me.0, (row.0, row.1, path.leak(), row.3));
        unknown(&reply, "a token in the query", *row);
    }
    assert_eq!(house.everything(), before);
    eprintln!(
        "trust: doors: {} pairs of stranger and route, each as the table says, and nothing changed",
        strangers.len() * ROWS.len()
    );
}

#[test]
fn an_agent_gets_what_its_role_allows_and_changes_nothing_else() {
    let house = House::guarded();
    let agent = house.server.site().token(&house.me.1);
    house.give_work((&house.me.0, "me"));
    let before = house.everything();
    // A token decides, whatever the header says.
    let masks = [("an agent", agent.clone()), ("an agent with a mask", agent.instance(&house.other.0))];
    let (mut refused, mut allowed) = (0, 0);
    for (who, site) in &masks {
        for row in ROWS {
            match row.0 {
                Admins => forbidden(&house.call(site, &house.me.0, *row), who, *row),
                Own => forbidden(&house.call(site, &house.other.0, *row), who, *row),
                All | Agents => continue,
            }
            refused += 1;
        }
    }
    assert_eq!(house.everything(), before);
    let mut agent = agent;
    for row in ROWS.iter().filter(|row| row.0 != Admins) {
        let reply = house.call(&agent, &house.me.0, *row);
        let_in(&reply, "an agent", *row, true);
        allowed += 1;
        if row.1.ends_with("/token") {
            agent = house.server.site().token(reply.json()["token"].as_str().unwrap());
        }
    }
    eprintln!(
        "trust: doors: {} pairs of agent and route, each as the table says: {allowed} let in, {refused} refused",
        allowed + refused
    );
}

#[test]
fn an_admin_gets_everything_and_so_does_everybody_without_a_token() {
    let guarded = House::guarded();
    let open = House::new(&[]);
    let admins = [
        ("the server's token", &guarded, guarded.admin.clone()),
        ("anonymous on an open server", &open, open.server.site()),
    ];
    for (who, house, site) in admins {
        house.give_work((&house.other.0, "other"));
        for row in ROWS {
            let_in(&house.call(&site, &house.me.0, *row), who, *row, false);
        }
    }
    // Named as an instance, the server's token is an admin's still.
    let house = House::guarded();
    house.give_work((&house.other.0, "other"));
    for row in ROWS {
        let reply = house.call(&house.admin.instance(&house.other.0), &house.me.0, *row);
        let_in(&reply, "a named admin", *row, true);
    }
    eprintln!("trust: doors: {} pairs of admin and route, each let in", 3 * ROWS.len());
}
