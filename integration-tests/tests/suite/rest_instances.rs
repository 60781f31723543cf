//! Instances and liveness: every call, by its answers.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use integration_tests::{Server, Shared, Site, Start, until};
use serde_json::{Value, json};

static SERVER: Shared = Shared::new();

fn register(site: &Site, body: &Value) -> String {
    site.post("/api/instances/register", body).ok()["id"].as_str().unwrap().to_owned()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|instance| instance["name"].as_str().unwrap()).collect()
}

#[test]
fn register_answers_with_the_instance_and_its_token_once() {
    let server = SERVER.server();
    let site = server.site();
    let body = json!({
        "name": "full", "workspace": "/w/shop", "intent": "build", "stack": "rust",
        "capabilities": ["b", " a ", "", "b"],
    });
    let reply = site.post("/api/instances/register", &body);
    assert!(reply.cursor() > 0);
    let mut registered = reply.steady();
    registered["token"].take();
    let token = reply.ok()["token"].as_str().unwrap().to_owned();
    assert!(token.len() >= 32, "{token}");
    let mut expected = json!({
        "id": "<uuid>", "name": "full", "workspace": "/w/shop", "intent": "build", "stack": "rust",
        "capabilities": ["b", "a"], "status": "pending", "registered_at": "<time>", "last_seen": "<time>", "token": null,
    });
    assert_eq!(registered, expected);
    expected.as_object_mut().unwrap().remove("token");
    let id = reply.ok()["id"].as_str().unwrap().to_owned();
    assert_eq!(site.get(&format!("/api/instances/{id}")).steady(), expected);
    let bare = site.post("/api/instances/register", &json!({"name": "bare", "stack": null})).ok();
    for (field, absent) in
        [("workspace", json!("")), ("intent", json!("")), ("stack", json!("")), ("capabilities", json!([]))]
    {
        assert_eq!(bare[field], absent, "{field}");
    }
    for body in [json!({}), json!({"name": ""}), json!({"name": "  "}), json!({"workspace": "w"})] {
        site.post("/api/instances/register", &body).refused(400, "name is required");
    }
}

#[test]
fn the_list_is_last_seen_first_and_all_filters_must_hold() {
    let server = Server::start();
    let site = server.site();
    let a =
        register(&site, &json!({"name": "a", "workspace": "w", "stack": "go", "capabilities": ["x", "y"]}));
    register(&site, &json!({"name": "b", "workspace": "w", "stack": "rust", "capabilities": ["y"]}));
    let c = register(&site, &json!({"name": "c", "workspace": "v", "stack": "rust"}));
    let get = |query: &str| site.get(&format!("/api/instances?{query}")).ok();
    site.post(&format!("/api/instances/{c}/activate"), &Value::Null).ok();
    until(|| {
        site.post(&format!("/api/instances/{a}/heartbeat"), &Value::Null).ok();
        (names(&get(""))[0] == "a").then_some(())
    });
    assert_eq!(names(&get("name=b")), ["b"]);
    let sorted = |query: &str| {
        let list = get(query);
        let mut names: Vec<_> = names(&list).into_iter().map(str::to_owned).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(sorted(""), ["a", "b", "c"]);
    assert_eq!(sorted("workspace=w"), ["a", "b"]);
    assert_eq!(sorted("stack=rust"), ["b", "c"]);
    assert_eq!(sorted("capability=y"), ["a", "b"]);
    assert_eq!(sorted("capability=y&stack=rust&workspace=w"), ["b"]);
    assert_eq!(sorted("status=active"), ["c"]);
    assert_eq!(sorted("status=pending"), ["a", "b"]);
    assert_eq!(get("name=B"), json!([]));
    site.get("/api/instances?status=asleep").says(400, "status");
    assert_eq!(site.get("/api/instances/stale").ok(), json!([]));
}

#[test]
fn an_instance_that_is_not_there_is_named() {
    let server = SERVER.server();
    let site = server.site();
    for id in ["ffffffff-ffff-4fff-bfff-ffffffffffff", "nonsense"] {
        let text = format!("instance not found: {id}");
        site.get(&format!("/api/instances/{id}")).refused(404, &text);
        site.delete(&format!("/api/instances/{id}")).refused(404, &text);
        for (call, body) in [
            ("activate", Value::Null),
            ("heartbeat", Value::Null),
            ("capabilities", json!({"capabilities": []})),
            ("intent", json!({"intent": "x"})),
            ("token", Value::Null),
        ] {
            site.post(&format!("/api/instances/{id}/{call}"), &body).refused(404, &text);
        }
    }
}

#[test]
fn every_change_of_an_instance_answers_with_what_it_is_now() {
    let server = SERVER.server();
    let site = server.site();
    let id = register(&site, &json!({"name": "changing"}));
    let path = format!("/api/instances/{id}");
    let call = |name: &str, body: &Value| site.post(&format!("{path}/{name}"), body);
    assert_eq!(call("heartbeat", &Value::Null).ok(), json!({"id": id, "status": "ok"}));
    assert_eq!(site.get(&path).ok()["status"], "pending");
    for _ in 0..2 {
        assert_eq!(call("activate", &Value::Null).ok(), json!({"id": id, "status": "active"}));
    }
    let set = call("capabilities", &json!({"capabilities": [" tests ", "", "docs", "tests"]}));
    assert_eq!(set.ok(), json!({"id": id, "capabilities": ["tests", "docs"]}));
    // Also those that would be dropped count: a million of them must not be compared with each other.
    let many = call("capabilities", &json!({"capabilities": vec![""; 201]}));
    many.refused(400, "201 capabilities were given, at most 200 are allowed");
    assert_eq!(call("intent", &json!({"intent": "ship it"})).ok(), json!({"id": id, "intent": "ship it"}));
    let now = site.get(&path).ok();
    assert_eq!(
        (&now["capabilities"], &now["intent"], &now["status"]),
        (&json!(["tests", "docs"]), &json!("ship it"), &json!("active"))
    );
    let renewed = call("token", &Value::Null).ok();
    assert_eq!((&renewed["id"], renewed.as_object().unwrap().len()), (&json!(id), 2));
    assert!(renewed["token"].as_str().is_some_and(|token| token.len() >= 32));
    assert_eq!(site.delete(&path).ok(), json!({"deleted": id}));
    site.get(&path).refused(404, &format!("instance not found: {id}"));
}

#[test]
fn a_new_token_ends_the_old_one() {
    let server = Start::default().args(["--auth-token", "t"]).start().unwrap();
    let admin = server.site().token("t");
    let registered = admin.post("/api/instances/register", &json!({"name": "a"})).ok();
    let (id, old) =
        (registered["id"].as_str().unwrap(), server.site().token(registered["token"].as_str().unwrap()));
    old.get("/api/state").ok();
    let renewed = admin.post(&format!("/api/instances/{id}/token"), &Value::Null).ok();
    old.get("/api/state").refused(401, "invalid or missing bearer token");
    let new = server.site().token(renewed["token"].as_str().unwrap());
    new.get("/api/state").ok();
    admin.delete(&format!("/api/instances/{id}")).ok();
    new.get("/api/state").refused(401, "invalid or missing bearer token");
}

#[test]
fn an_active_instance_that_is_silent_becomes_stale_and_comes_back() {
    let server = Start::default().args(["--stale-after", "1s"]).start().unwrap();
    let site = server.site();
    assert_eq!(
        site.post("/api/liveness/check", &Value::Null).ok(),
        json!({"checked": true, "newly_stale": [], "count": 0})
    );
    register(&site, &json!({"name": "pending"}));
    let id = register(&site, &json!({"name": "silent", "workspace": "w", "stack": "go"}));
    site.post(&format!("/api/instances/{id}/activate"), &Value::Null).ok();
    let found = until(|| {
        let found = site.post("/api/liveness/check", &Value::Null).steady();
        (found["count"] != 0).then_some(found)
    });
    let stale = json!({
        "id": "<uuid>", "name": "silent", "workspace": "w", "intent": "", "stack": "go", "capabilities": [],
        "status": "stale", "registered_at": "<time>", "last_seen": "<time>",
    });
    assert_eq!(found, json!({"checked": true, "newly_stale": [stale], "count": 1}));
    assert_eq!(site.get("/api/instances/stale").steady(), json!([stale]));
    assert_eq!(site.post("/api/liveness/check", &Value::Null).ok()["count"], 0);
    let told = site.get("/api/events/history?topic=agent.stale").steady();
    assert_eq!(told.as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&told[0]["source"], &told[0]["data"]),
        (
            &json!("liveness-monitor"),
            &json!({"instance_id": "<uuid>", "name": "silent", "workspace": "w", "stack": "go", "last_seen": "<time>"}),
        )
    );
    assert_eq!(site.get("/api/events/history?topic=$instance.stale").ok().as_array().map(Vec::len), Some(1));
    assert_eq!(site.post(&format!("/api/instances/{id}/heartbeat"), &Value::Null).ok()["status"], "ok");
    assert_eq!(site.get(&format!("/api/instances/{id}")).ok()["status"], "active");
    // So does any request that names it.
    until(|| (site.post("/api/liveness/check", &Value::Null).ok()["count"] == 1).then_some(()));
    site.instance(&id).get("/api/state").ok();
    assert_eq!(site.get(&format!("/api/instances/{id}")).ok()["status"], "active");
}
