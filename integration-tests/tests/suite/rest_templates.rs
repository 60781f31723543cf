//! Templates: every call, by its answers.

use integration_tests::{Server, Shared};
use serde_json::{Value, json};

static SERVER: Shared = Shared::new();

fn contract() -> Value {
    json!({"kind": "contract", "version": 1, "endpoints": {"GET /": {"response": {"a": {"type": "string"}}}}})
}

#[test]
fn a_template_is_made_replaced_shown_and_deleted() {
    let server = SERVER.server();
    let site = server.site();
    let rules = json!([{"rule_id": "r", "pattern": "x"}]);
    let body = json!({"id": "t", "name": "T", "description": "d", "kind": "rules", "data": rules, "tags": ["a", "b"]});
    let shown = |version: u64, name: &str, data: &Value| {
        json!({
            "id": "t", "name": name, "description": "d", "kind": "rules", "data": data, "tags": ["a", "b"],
            "version": version, "created_at": "<time>", "updated_at": "<time>",
        })
    };
    let made = site.post("/api/templates", &body);
    assert_eq!((made.steady(), made.cursor() < u64::MAX), (shown(1, "T", &rules), true));
    assert_eq!(site.get("/api/templates/t").steady(), shown(1, "T", &rules));
    site.post("/api/templates", &body).refused(409, "template already exists: t");
    let replacement = json!({"name": "U", "description": "d", "data": [], "tags": ["a", "b"]});
    assert_eq!(site.put("/api/templates/t", &replacement).steady(), shown(2, "U", &json!([])));
    assert_eq!(site.delete("/api/templates/t").ok(), json!({"deleted": "t"}));
    let text = "template not found: t";
    site.get("/api/templates/t").refused(404, text);
    site.delete("/api/templates/t").refused(404, text);
    site.put("/api/templates/t", &replacement).refused(404, text);
    site.post("/api/templates/t/apply", &json!({"project": "p"})).refused(404, text);
}

#[test]
fn a_template_that_can_not_be_is_refused() {
    let server = SERVER.server();
    let site = server.site();
    for body in [json!({}), json!({"id": "a"}), json!({"name": "A"}), json!({"id": "", "name": ""})] {
        site.post("/api/templates", &body).refused(400, "id and name are required");
    }
    // It could never be read: its path is that of another call.
    site.post("/api/templates", &json!({"id": "capture", "name": "x"})).says(400, "that name is taken");
    for (kind, data, said) in [
        ("recipes", json!({}), "unknown kind"),
        ("rules", json!({"a": 1}), "data does not fit kind rules"),
        ("rules", json!([{"rule_id": "r", "pattern": "("}]), "rule r: invalid pattern"),
        ("contracts", json!([1]), "data does not fit kind contracts"),
        ("contracts", json!({"c": {"kind": "note"}}), "contract c is not well-formed"),
        ("bundle", json!({"rules": 7}), "data does not fit kind bundle"),
    ] {
        site.post("/api/templates", &json!({"id": "bad", "name": "B", "kind": kind, "data": data}))
            .says(400, said);
    }
    site.get("/api/templates/bad").refused(404, "template not found: bad");
    site.post("/api/templates", &json!({"id": "empty", "name": "E", "kind": "bundle", "data": {}})).ok();
    site.post("/api/templates/empty/apply", &json!({})).refused(400, "project is required");
}

#[test]
fn the_list_has_no_data_and_is_last_updated_first() {
    let server = Server::start();
    let site = server.site();
    for (id, kind, tags) in
        [("a", "rules", json!(["x"])), ("b", "bundle", json!(["x", "y"])), ("c", "bundle", json!([]))]
    {
        site.post("/api/templates", &json!({"id": id, "name": id, "kind": kind, "tags": tags})).ok();
    }
    let ids = |query: &str| {
        let list = site.get(&format!("/api/templates{query}")).ok();
        list.as_array()
            .unwrap()
            .iter()
            .map(|template| template["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    integration_tests::until(|| {
        site.put("/api/templates/a", &json!({"name": "a", "tags": ["x"]})).ok();
        (ids("")[0] == "a").then_some(())
    });
    assert_eq!(ids("").len(), 3);
    assert_eq!(ids("?kind=rules"), ["a"]);
    assert_eq!(ids("?tag=y"), ["b"]);
    assert_eq!(ids("?tag=x&kind=rules"), ["a"]);
    assert_eq!(ids("?tag=z"), [""; 0]);
    site.get("/api/templates?kind=recipes").says(400, "unknown kind");
    let listed = &site.get("/api/templates?kind=rules").steady()[0];
    assert_eq!(listed.get("data"), None);
    let keys: Vec<_> = listed.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["created_at", "description", "id", "kind", "name", "tags", "updated_at", "version"]);
}

#[test]
fn applying_brings_everything_that_the_kind_holds() {
    let server = SERVER.server();
    let site = server.site();
    let rules = json!([{"rule_id": "r", "pattern": "x"}]);
    let make = |id: &str, kind: &str, data: &Value| {
        site.post("/api/templates", &json!({"id": id, "name": id, "kind": kind, "data": data})).ok();
    };
    make("rules", "rules", &rules);
    make("single", "contracts", &contract());
    make("several", "contracts", &json!({"one": contract(), "two": contract()}));
    let data = json!({"rules": rules, "contracts": {"c": contract()}, "specs": {"s": {"any": 1}}});
    make("bundle", "bundle", &data);
    for (id, kind) in
        [("rules", "rules"), ("single", "contracts"), ("several", "contracts"), ("bundle", "bundle")]
    {
        let project = format!("of-{id}");
        let applied = site.post(&format!("/api/templates/{id}/apply"), &json!({"project": project}));
        assert_eq!(applied.ok(), json!({"applied": id, "project": project, "kind": kind}));
        assert!(applied.cursor() > 0);
    }
    let imported = &site.get("/api/validate/of-rules/rules").ok()["rules"][0];
    assert_eq!(
        (&imported["rule_id"], &imported["status"], &imported["source"]),
        (&json!("r"), &json!("accepted"), &json!("external"))
    );
    assert_eq!(site.get("/api/specs/of-single/single").ok(), contract());
    assert_eq!(site.get("/api/contracts/of-several").ok()["contracts"].as_array().map(Vec::len), Some(2));
    assert_eq!(site.get("/api/specs/of-bundle/s").ok(), json!({"any": 1}));
    assert_eq!(site.get("/api/specs/of-bundle/c").ok(), contract());
    assert_eq!(site.get("/api/rules?project=of-bundle").ok()[0]["rule_id"], "r");
}

#[test]
fn a_template_is_captured_from_a_project() {
    let server = SERVER.server();
    let site = server.site();
    site.put("/api/validate/src/rules", &json!([{"rule_id": "r", "pattern": "x"}])).ok();
    site.post("/api/rules/propose", &json!({"project": "src", "rule_id": "idea", "pattern": "y"})).ok();
    site.put("/api/contracts/src/c", &contract()).ok();
    let body = json!({"id": "cap", "name": "C", "project": "src", "kind": "bundle", "tags": ["t"]});
    let captured = site.post("/api/templates/capture", &body).ok();
    assert_eq!(
        (&captured["kind"], &captured["tags"], &captured["version"]),
        (&json!("bundle"), &json!(["t"]), &json!(1))
    );
    let rules = captured["data"]["rules"].as_array().unwrap();
    assert_eq!((rules.len(), &rules[0]["rule_id"]), (1, &json!("r")));
    assert_eq!(captured["data"]["contracts"], json!({"c": contract()}));
    site.post("/api/templates/cap/apply", &json!({"project": "dst"})).ok();
    assert_eq!(site.get("/api/specs/dst/c").ok(), contract());
    assert_eq!(site.get("/api/rules?project=dst").ok()[0]["pattern"], "x");
    site.post("/api/templates/capture", &body).refused(409, "template already exists: cap");
    site.post("/api/templates/capture", &json!({"id": "x", "name": "X"})).refused(400, "project is required");
    site.post("/api/templates/capture", &json!({"project": "src"})).refused(400, "id and name are required");
}

#[test]
fn a_template_that_breaks_a_schema_brings_nothing_at_all() {
    let server = SERVER.server();
    let site = server.site();
    site.put("/api/specs/strict/s.schema", &json!({"type": "string"})).ok();
    let data = json!({"rules": [{"rule_id": "r", "pattern": "x"}], "specs": {"a": 1, "s": 7}});
    site.post("/api/templates", &json!({"id": "strict", "name": "S", "kind": "bundle", "data": data})).ok();
    let refused = site.post("/api/templates/strict/apply", &json!({"project": "strict"})).gives(422);
    assert!(refused["violations"][0]["message"].is_string(), "{refused}");
    assert_eq!(site.get("/api/specs/strict").ok()["specs"].as_array().map(Vec::len), Some(1));
    assert_eq!(site.get("/api/rules?project=strict").ok(), json!([]));
    let denied = &site.get("/api/audit?action=template.apply&resource=strict").ok()[0];
    assert_eq!(denied["outcome"], "error");
}
