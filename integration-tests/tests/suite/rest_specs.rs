//! Specs: every call, by its answers.

use integration_tests::Shared;
use serde_json::json;

static SERVER: Shared = Shared::new();

#[test]
fn a_put_answers_with_the_revision_and_a_get_with_the_bytes() {
    let server = SERVER.server();
    let site = server.site();
    let put = site.send("PUT", "/api/specs/shop/cart", "{ \"a\": 1 }");
    let expected =
        json!({"project": "shop", "name": "cart", "version": 1, "hash": "<hash>", "updated_at": "<time>"});
    assert_eq!(put.steady(), expected);
    assert!(put.cursor() > 0);
    let hash = put.ok()["hash"].clone();
    let get = site.get("/api/specs/shop/cart");
    assert_eq!((get.status, get.text(), get.number("x-koor-version")), (200, "{ \"a\": 1 }", 1));
    assert_eq!(get.header("content-type"), Some("application/json"));
    let tag = format!("\"{}\"", hash.as_str().unwrap());
    assert_eq!(get.header("etag"), Some(tag.as_str()));
    assert_eq!(site.with("If-None-Match", &tag).get("/api/specs/shop/cart").status, 304);
    site.get("/api/specs/shop/none").refused(404, "spec not found: shop/none");
    site.send("PUT", "/api/specs/shop/cart", "").refused(400, "empty body");
    site.send("PUT", "/api/specs/shop/cart", "not json").says(400, "invalid JSON body: ");
    assert_eq!(site.get("/api/specs/shop/cart").number("x-koor-version"), 1);
}

#[test]
fn projects_and_specs_are_listed_by_name() {
    let server = SERVER.server();
    let site = server.site();
    for name in ["b", "a", "gone"] {
        site.put(&format!("/api/specs/list/{name}"), &json!({})).ok();
    }
    site.put("/api/specs/list/a", &json!([])).ok();
    site.delete("/api/specs/list/gone").ok();
    site.put("/api/validate/list/rules", &json!([{"rule_id": "r", "pattern": "x"}])).ok();
    let entry = |name: &str, version: u64| json!({"name": name, "version": version, "updated_at": "<time>"});
    let listed = site.get("/api/specs/list").steady();
    assert_eq!(listed, json!({"project": "list", "specs": [entry("a", 2), entry("b", 1)]}));
    assert_eq!(site.get("/api/specs/unknown").ok(), json!({"project": "unknown", "specs": []}));
    let projects = site.get("/api/specs").ok();
    let projects = projects["projects"].as_array().unwrap();
    assert!(projects.contains(&json!({"project": "list", "specs": 2, "rules": 1})), "{projects:?}");
}

#[test]
fn a_name_has_no_slash_and_no_control_character_and_is_not_too_long() {
    let server = SERVER.server();
    let site = server.site();
    let (most, more) = ("n".repeat(200), "n".repeat(201));
    site.put(&format!("/api/specs/{most}/{most}"), &json!(1)).ok();
    for (project, name) in [("a%2Fb", "c"), ("a", "b%2Fc"), ("a%01", "b"), (&more, "b"), ("a", &more)] {
        let path = format!("/api/specs/{project}/{name}");
        site.put(&path, &json!(1)).says(400, "");
        site.get(&path).says(400, "");
    }
}

#[test]
fn history_versions_diff_and_rollback_work_as_for_state() {
    let server = SERVER.server();
    let site = server.site();
    site.put("/api/specs/past/s", &json!({"a": 1})).ok();
    site.put("/api/specs/past/s", &json!({"a": 2})).ok();
    let gone = site.delete("/api/specs/past/s");
    assert_eq!((&gone.ok()["deleted"], gone.cursor() > 0), (&json!("past/s"), true));
    site.delete("/api/specs/past/s").refused(404, "spec not found: past/s");
    site.get("/api/specs/past/s").refused(404, "spec not found: past/s");
    let history = site.get("/api/specs/past/s?history=1").steady();
    let versions = history["versions"].as_array().unwrap();
    let shown: Vec<_> = versions.iter().map(|v| (v["version"].as_u64(), v["deleted"].as_bool())).collect();
    assert_eq!(shown, [(Some(3), Some(true)), (Some(2), Some(false)), (Some(1), Some(false))]);
    let first = json!({
        "key": "past/s", "version": 1, "hash": "<hash>", "content_type": "application/json", "updated_at": "<time>",
        "updated_by": "", "size": 7, "deleted": false,
    });
    assert_eq!((&history["key"], &versions[2]), (&json!("past/s"), &first));
    assert_eq!(site.get("/api/specs/past/s?version=1").ok(), json!({"a": 1}));
    site.get("/api/specs/past/s?version=9").refused(404, "version 9 not found for spec: past/s");
    let diff = site.get("/api/specs/past/s?diff=1,2").ok();
    assert_eq!(diff["diffs"], json!([{"path": "a", "kind": "changed", "old": 1, "new": 2}]));
    let back = site.send("POST", "/api/specs/past/s?rollback=1", "").steady();
    for (field, expected) in [
        ("version", json!(4)),
        ("hash", json!("<hash>")),
        ("rolled_back", json!(1)),
        ("updated_at", json!("<time>")),
        ("key", json!("past/s")),
    ] {
        assert_eq!(back[field], expected, "{field}");
    }
    assert_eq!(site.get("/api/specs/past/s").ok(), json!({"a": 1}));
    site.send("POST", "/api/specs/past/s", "").says(400, "rollback");
    site.send("POST", "/api/specs/past/s?rollback=9", "")
        .refused(404, "version 9 not found for spec: past/s");
    assert_eq!(site.get("/api/specs/past/s?wait=50ms").status, 304);
    assert_eq!(site.get("/api/specs/past/s?wait=10s&version=3").ok(), json!({"a": 1}));
}

#[test]
fn a_condition_that_does_not_hold_changes_nothing() {
    let server = SERVER.server();
    let site = server.site();
    let path = "/api/specs/cond/s";
    let first = site.with("If-None-Match", "*").put(path, &json!(1)).ok();
    let taken = json!({
        "error": "version conflict: cond/s is at version 1", "code": 412, "version": 1, "hash": first["hash"],
    });
    let other = site.with("If-Match", "\"other\"");
    for refused in [
        site.with("If-None-Match", "*").put(path, &json!(2)),
        site.put("/api/specs/cond/s?if_version=0", &json!(2)),
        other.put(path, &json!(2)),
        other.delete(path),
        other.send("POST", "/api/specs/cond/s?rollback=1", ""),
    ] {
        assert_eq!(refused.gives(412), taken);
    }
    assert_eq!(site.put("/api/specs/cond/s?if_version=1", &json!(2)).ok()["version"], 2);
}

#[test]
fn a_spec_obeys_the_schema_beside_it_and_a_schema_must_be_one() {
    let server = SERVER.server();
    let site = server.site();
    let refused = site.put("/api/specs/typed/truck.schema", &json!({"type": "lorry"})).gives(422);
    assert_eq!(refused["code"], 422);
    assert!(!refused["violations"].as_array().unwrap().is_empty(), "{refused}");
    site.get("/api/specs/typed/truck.schema").says(404, "spec not found");
    let schema = json!({"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}});
    site.put("/api/specs/typed/truck.schema", &schema).ok();
    let refused = site.put("/api/specs/typed/truck", &json!({"id": 7})).gives(422);
    let violations = refused["violations"].as_array().unwrap();
    assert_eq!(violations.len(), 1, "{refused}");
    assert!(violations[0]["path"].as_str().unwrap().contains("id"), "{refused}");
    assert!(violations[0]["message"].is_string(), "{refused}");
    site.get("/api/specs/typed/truck").says(404, "spec not found");
    site.put("/api/specs/typed/truck", &json!({"id": "t1"})).ok();
    site.put("/api/specs/other/truck", &json!({"id": 7})).ok();
}

#[test]
fn a_long_poll_hears_of_a_change_and_a_patch_leads_from_one_version_to_another() {
    let server = SERVER.server();
    let site = server.site();
    let path = "/api/specs/poll/s";
    let waiting = {
        let site = site.clone();
        std::thread::spawn(move || site.get("/api/specs/poll/s?wait=30s&version=1"))
    };
    site.put(path, &json!({"a": 1})).ok();
    site.put(path, &json!({"a": 2})).ok();
    let reply = waiting.join().unwrap();
    assert_eq!((reply.ok(), reply.number("x-koor-version")), (json!({"a": 2}), 2));
    let steps = site.get(&format!("{path}?diff=1,2&format=json-patch")).ok();
    assert_eq!(steps, json!([{"op": "replace", "path": "/a", "value": 2}]));
    site.get(&format!("{path}?wait=6m")).says(400, "wait");
}
