//! Leases on paths: every call, by its answers.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::thread;

use integration_tests::{Server, Shared, Site, Start, until};
use serde_json::{Value, json};

static SERVER: Shared = Shared::new();

/// Registers an agent of that project, and calls as it does.
fn agent(site: &Site, project: &str, name: &str) -> Site {
    let registered = site.post("/api/instances/register", &json!({"name": name, "workspace": project})).ok();
    site.instance(registered["id"].as_str().unwrap())
}

fn take(by: &Site, project: &str, body: &Value) -> Value {
    by.post(&format!("/api/leases/{project}"), body).gives(201)
}

#[test]
fn a_lease_is_taken_listed_checked_renewed_and_given_back() {
    let server = SERVER.server();
    let site = server.site();
    let (one, two) = (agent(&site, "life", "one"), agent(&site, "life", "two"));
    let body = json!({"paths": ["./src/auth", "docs/*.md"], "lease": "10m", "reason": "login"});
    let taken = one.post("/api/leases/life", &body);
    assert!(taken.cursor() > 0);
    let lease = taken.gives(201);
    let expected = json!({
        "project": "life", "id": 1, "paths": ["src/auth", "docs/*.md"], "mode": "exclusive", "name": "one",
        "instance_id": "<uuid>", "reason": "login", "task": null, "fence": 1, "created_at": "<time>",
        "expires_at": "<time>",
    });
    assert_eq!(integration_tests::steady(lease.clone()), expected);
    assert_eq!(site.get("/api/leases/life").steady(), json!([expected]));
    assert_eq!(site.get("/api/leases/life?path=src/auth/a.rs").steady(), json!([expected]));
    assert_eq!(site.get("/api/leases/life?path=src").ok(), json!([]));
    assert_eq!(site.get("/api/leases/life?name=two").ok(), json!([]));
    let wanted = json!({"paths": ["src/auth/login.rs", "free"]});
    let check = two.post("/api/leases/life/check", &wanted).steady();
    assert_eq!(check, json!({"free": ["free"], "held": [{"path": "src/auth/login.rs", "lease": expected}]}));
    let own = one.post("/api/leases/life/check", &wanted).ok();
    assert_eq!(own, json!({"free": ["src/auth/login.rs", "free"], "held": []}));
    let refused = two.post("/api/leases/life", &wanted).gives(409);
    assert!(refused["error"].as_str().unwrap().starts_with("src/auth/login.rs is held by one until 20"));
    assert_eq!(refused["conflicts"][0]["theirs"], "src/auth");
    assert_eq!(refused["conflicts"][0]["lease"]["id"], 1);
    // All or none: what was free is still free.
    assert_eq!(take(&two, "life", &json!({"paths": ["free"], "mode": "shared"}))["id"], 2);
    for body in [Value::Null, json!({}), json!({"lease": "1h"}), json!({"lease": 3600})] {
        assert_eq!(one.post("/api/leases/life/1/renew", &body).ok()["id"], 1, "{body}");
    }
    two.post("/api/leases/life/1/renew", &Value::Null).refused(403, "lease 1 is held by one");
    assert_eq!(one.delete("/api/leases/life/1").ok(), json!({"released": 1}));
    one.delete("/api/leases/life/1").refused(404, "lease not found: life/1");
    one.delete("/api/leases/life/none").refused(404, "lease not found: life/none");
    // Locally, everyone is an admin, and may end another agent's lease.
    assert_eq!(one.delete("/api/leases/life/2").ok(), json!({"released": 2}));
    let entries = site.get("/api/audit?resource=life/2").ok();
    assert_eq!(entries[0]["action"], "lease.break");
}

#[test]
fn an_agent_with_a_token_ends_only_its_own_leases() {
    let server = Start::default().args(["--auth-token", "secret"]).start().unwrap();
    let admin = server.site().token("secret");
    let register = |name: &str| {
        let body = json!({"name": name, "workspace": "p"});
        let token = admin.post("/api/instances/register", &body).ok()["token"].clone();
        server.site().token(token.as_str().unwrap())
    };
    let (one, two) = (register("one"), register("two"));
    let id = take(&one, "p", &json!({"paths": ["a"]}))["id"].clone();
    two.delete(&format!("/api/leases/p/{id}"))
        .refused(403, "admin role required to break another agent's lease");
    admin
        .post("/api/leases/p", &json!({"paths": ["b"]}))
        .refused(400, "this call needs an instance: send X-Koor-Instance or its token");
    two.post("/api/leases/q", &json!({"paths": ["b"]}))
        .refused(403, "agent two works in project p, not in q");
    assert_eq!(admin.delete(&format!("/api/leases/p/{id}")).ok(), json!({"released": id}));
}

#[test]
fn what_is_wrong_is_refused_with_a_reason() {
    let server = SERVER.server();
    let one = agent(&server.site(), "bad", "one");
    let post = |body: Value| one.post("/api/leases/bad", &body);
    post(json!({})).refused(400, "paths is required: at least one path");
    for (path, said) in [
        ("/src", "relative to the project's root"),
        ("a//b", "empty segment"),
        ("src/", "empty segment"),
        ("../x", "'..'"),
        ("[a", "the class is not closed"),
        ("a\\", "nothing follows the backslash"),
    ] {
        post(json!({"paths": ["fine", path]})).says(400, said);
        one.post("/api/leases/bad/check", &json!({"paths": [path]})).says(400, said);
    }
    post(json!({"paths": ["a"], "mode": "mine"}))
        .refused(400, "unknown mode \"mine\" (use exclusive or shared)");
    for lease in [json!("9s"), json!("25h"), json!(9)] {
        post(json!({"paths": ["a"], "lease": lease})).refused(400, "lease must be between 10s and 24h");
    }
    post(json!({"paths": ["a"], "lease": "soon"})).says(400, "invalid time span");
    one.get("/api/leases/bad?path=/etc").says(400, "relative to the project's root");
    assert_eq!(one.get("/api/leases/bad").ok(), json!([]));
}

#[test]
fn a_waiting_exclusive_is_served_before_a_later_shared_one() {
    let server = SERVER.server();
    let site = server.site();
    let [one, two, three] = ["one", "two", "three"].map(|name| agent(&site, "wait", name));
    let shared = json!({"paths": ["src"], "mode": "shared"});
    take(&one, "wait", &shared);
    let waits = {
        let two = two.clone();
        thread::spawn(move || two.post("/api/leases/wait?wait=30s", &json!({"paths": ["src/a"]})).gives(201))
    };
    let refused = until(|| {
        let reply = three.post("/api/leases/wait", &shared);
        if reply.status == 201 {
            three.delete(&format!("/api/leases/wait/{}", reply.json()["id"])).ok();
            return None;
        }
        Some(reply.gives(409))
    });
    assert_eq!(refused["error"], "two waits for src/a and came first");
    assert_eq!(refused["waiting"], json!([{"path": "src/a", "name": "two"}]));
    one.delete("/api/leases/wait/1").ok();
    assert_eq!(waits.join().unwrap()["name"], "two");
    let late = three.post("/api/leases/wait?wait=0s", &shared).gives(409);
    assert!(late["error"].as_str().unwrap().starts_with("src is held by two until 20"), "{late}");
}

#[test]
fn a_lease_ends_in_time_also_across_a_restart() {
    let server = Server::start();
    let (site, directory) = (server.site(), server.directory().clone());
    let one = agent(&site, "p", "one");
    take(&one, "p", &json!({"paths": ["a"], "lease": "10s"}));
    assert_eq!(server.stop().code, Some(0));
    let server = Server::start_within(&directory);
    // Ten seconds for the lease, and five for noticing it.
    let events = server.site().get("/api/events/wait?since=0&pattern=$lease.expired&timeout=20s").ok();
    assert_eq!(events["events"][0]["data"]["id"], 1);
    assert_eq!(server.site().get("/api/leases/p").ok(), json!([]));
}
