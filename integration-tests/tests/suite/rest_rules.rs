//! Validation rules: every call, by its answers.

use integration_tests::{Server, Shared, Site};
use serde_json::{Value, json};

static SERVER: Shared = Shared::new();

fn validate(site: &Site, project: &str, body: &Value) -> Value {
    let answer = site.post(&format!("/api/validate/{project}"), body).ok();
    assert_eq!(answer["project"], project);
    assert_eq!(answer["count"], answer["violations"].as_array().map_or(0, Vec::len));
    answer["violations"].clone()
}

#[test]
fn rules_are_replaced_as_a_whole_and_have_defaults() {
    let server = SERVER.server();
    let site = server.site();
    let put = site.put("/api/validate/put/rules", &json!([
        {"rule_id": "b", "pattern": "x"},
        {"rule_id": "a", "pattern": "y", "severity": "warning", "match_type": "missing", "message": "m", "stack": "go",
            "applies_to": ["*.go"], "colour": "unknown"},
    ]));
    assert_eq!(put.ok(), json!({"project": "put", "count": 2}));
    assert!(put.cursor() > 0);
    let b = json!({
        "project": "put", "rule_id": "b", "severity": "error", "match_type": "regex", "pattern": "x", "message": "",
        "stack": "", "applies_to": ["*"], "source": "local", "status": "accepted", "created_at": "<time>",
    });
    let a = json!({
        "project": "put", "rule_id": "a", "severity": "warning", "match_type": "missing", "pattern": "y",
        "message": "m", "stack": "go", "applies_to": ["*.go"], "source": "local", "status": "accepted",
        "created_at": "<time>",
    });
    let list = |query: &str| site.get(&format!("/api/validate/put/rules{query}")).steady();
    assert_eq!(list(""), json!({"project": "put", "rules": [a, b]}));
    assert_eq!(list("?stack=go")["rules"], json!([a, b]));
    assert_eq!(list("?stack=rust")["rules"], json!([b]));
    site.put("/api/validate/put/rules", &json!([{"rule_id": "b", "pattern": "x"}])).ok();
    assert_eq!(list("")["rules"], json!([b]));
    assert_eq!(site.put("/api/validate/put/rules", &json!([])).ok(), json!({"project": "put", "count": 0}));
    assert_eq!(list(""), json!({"project": "put", "rules": []}));
}

#[test]
fn a_rule_that_can_not_be_is_refused_by_name_and_nothing_is_stored() {
    let server = SERVER.server();
    let site = server.site();
    let good = json!({"project": "bad", "rule_id": "good", "pattern": "x"});
    for (bad, said) in [
        (json!({"project": "bad", "rule_id": "r1", "pattern": "("}), "rule r1: invalid pattern"),
        (
            json!({"project": "bad", "rule_id": "r1", "pattern": "x", "severity": "fatal"}),
            "rule r1: unknown severity",
        ),
        (
            json!({"project": "bad", "rule_id": "r1", "pattern": "x", "match_type": "glob"}),
            "rule r1: unknown match_type",
        ),
        (json!({"project": "bad", "rule_id": "r1"}), "rule r1: pattern is required"),
        (json!({"project": "bad", "pattern": "x"}), "rule_id is required"),
        (
            json!({"project": "bad", "rule_id": "r1", "pattern": "x", "applies_to": ["[a"]}),
            "rule r1: applies_to",
        ),
        (
            json!({"project": "bad", "rule_id": "r1", "match_type": "custom", "pattern": "max-line-length:x"}),
            "rule r1",
        ),
    ] {
        site.put("/api/validate/bad/rules", &json!([good, bad])).says(400, said);
        site.post("/api/rules/import", &json!([good, bad])).says(400, said);
        site.post("/api/rules/propose", &bad).says(400, said);
    }
    let nowhere = json!({"rule_id": "r1", "pattern": "x"});
    site.post("/api/rules/import", &json!([good, nowhere])).says(400, "rule r1: project is required");
    site.post("/api/rules/propose", &nowhere).says(400, "rule r1: project is required");
    site.post("/api/rules/import", &json!([])).refused(400, "empty rules array");
    assert_eq!(site.get("/api/rules?project=bad").ok(), json!([]));
}

#[test]
fn every_kind_of_rule_fires_as_it_says() {
    let server = SERVER.server();
    let site = server.site();
    site.put("/api/validate/fire/rules", &json!([
        {"rule_id": "1-regex", "pattern": "TODO(?!\\()", "severity": "warning"},
        {"rule_id": "2-missing", "pattern": "Copyright", "match_type": "missing"},
        {"rule_id": "3-custom", "pattern": "no-console-log", "match_type": "custom", "message": "no logs"},
        {"rule_id": "4-unknown", "pattern": "ab+", "match_type": "custom"},
        {"rule_id": "5-long", "pattern": "max-line-length:30", "match_type": "custom"},
    ])).ok();
    let content = "TODO: x\nabb TODO TODO(me)\nconsole.log(1)\n0123456789012345678901234567890";
    let violations = validate(&site, "fire", &json!({"content": content}));
    let expected = json!([
        {"rule_id": "1-regex", "severity": "warning", "message": "pattern 'TODO(?!\\()' matched", "line": 1, "match": "TODO"},
        {"rule_id": "1-regex", "severity": "warning", "message": "pattern 'TODO(?!\\()' matched", "line": 2, "match": "TODO"},
        {"rule_id": "2-missing", "severity": "error", "message": "required pattern 'Copyright' not found"},
        {"rule_id": "3-custom", "severity": "error", "message": "no logs", "line": 3, "match": "console.log("},
        {"rule_id": "4-unknown", "severity": "error", "message": "pattern 'ab+' matched", "line": 2, "match": "abb"},
    ]);
    assert_eq!(violations.as_array().unwrap()[..5], expected.as_array().unwrap()[..]);
    assert_eq!((&violations[5]["rule_id"], &violations[5]["line"]), (&json!("5-long"), &json!(4)));
    assert_eq!(violations[6], Value::Null);
    assert_eq!(validate(&site, "fire", &json!({"content": "Copyright"})), json!([]));
    assert_eq!(validate(&site, "nothing", &json!({"content": "TODO"})), json!([]));
}

#[test]
fn every_built_in_check_finds_what_its_name_says() {
    let server = SERVER.server();
    let site = server.site();
    for (name, bad, good) in [
        ("no-console-log", "console.log(x)", "console.error(x)"),
        ("no-merge-markers", "<<<<<<< HEAD", "<<<<<<<<<< art"),
        ("no-trailing-whitespace", "a \nb", "a\nb"),
        ("no-tabs", "\tx", "    x"),
        ("max-line-length:3", "abcd", "abc"),
        ("no-secrets", "key = AKIAABCDEFGHIJKLMNOP", "key = ${KEY}"),
    ] {
        let rule = json!([{"rule_id": "r", "match_type": "custom", "pattern": name}]);
        site.put("/api/validate/builtin/rules", &rule).ok();
        let found = validate(&site, "builtin", &json!({"content": bad}));
        assert_eq!((found.as_array().unwrap().len(), &found[0]["line"]), (1, &json!(1)), "{name}: {found}");
        assert_eq!(validate(&site, "builtin", &json!({"content": good})), json!([]), "{name}");
    }
}

#[test]
fn a_rule_can_be_tried_without_being_stored() {
    let server = SERVER.server();
    let site = server.site();
    site.put("/api/validate/trial/rules", &json!([{"rule_id": "stored", "pattern": "a"}])).ok();
    let tried = |rules: Value| json!({"content": "fine\na b\n", "filename": "x.rs", "rules": rules});
    let found = validate(
        &site,
        "trial",
        &tried(json!([
            {"rule_id": "new", "pattern": "(?<=a )b", "severity": "warning", "message": "no b", "status": "proposed"},
            {"rule_id": "elsewhere", "pattern": "b", "applies_to": ["*.go"]},
            {"project": "another", "rule_id": "asked-for", "match_type": "missing", "pattern": "(?i)LICENCE"},
        ])),
    );
    assert_eq!(
        found,
        json!([
            {"rule_id": "new", "severity": "warning", "message": "no b", "line": 2, "match": "b"},
            {"rule_id": "asked-for", "severity": "error", "message": "required pattern '(?i)LICENCE' not found"},
        ])
    );
    assert_eq!(validate(&site, "trial", &tried(json!([]))), json!([]));
    assert_eq!(validate(&site, "trial", &tried(Value::Null))[0]["rule_id"], "stored");
    site.post("/api/validate/trial", &tried(json!([{"rule_id": "bad", "pattern": "("}])))
        .says(400, "rule bad: invalid pattern: Parsing error at position 1: Opening parenthesis without closing parenthesis");
    let kept = site.get("/api/rules?project=trial").ok();
    assert_eq!((kept.as_array().map(Vec::len), &kept[0]["rule_id"]), (Some(1), &json!("stored")));
}

#[test]
fn a_rule_is_for_its_stack_and_its_files_and_global_ones_for_every_project() {
    let server = Server::start();
    let site = server.site();
    site.put(
        "/api/validate/for/rules",
        &json!([
            {"rule_id": "all", "pattern": "x"},
            {"rule_id": "go", "pattern": "x", "stack": "go"},
            {"rule_id": "js", "pattern": "x", "applies_to": ["*.js", "src/*/x.ts"]},
        ]),
    )
    .ok();
    site.put("/api/validate/_global/rules", &json!([{"rule_id": "global", "pattern": "x"}])).ok();
    let fired = |body: Value| {
        let found = validate(&site, "for", &body);
        let mut ids: Vec<_> =
            found.as_array().unwrap().iter().map(|v| v["rule_id"].as_str().unwrap().to_owned()).collect();
        ids.sort_unstable();
        ids.join(" ")
    };
    assert_eq!(fired(json!({"content": "x"})), "all global go js");
    assert_eq!(fired(json!({"content": "x", "stack": "go"})), "all global go js");
    assert_eq!(fired(json!({"content": "x", "stack": "rust"})), "all global js");
    assert_eq!(fired(json!({"content": "x", "filename": "lib/a.js"})), "all global go js");
    assert_eq!(fired(json!({"content": "x", "filename": "src/deep/x.ts"})), "all global go js");
    assert_eq!(fired(json!({"content": "x", "filename": "a.rs", "stack": "go"})), "all global go");
    let other = site.post("/api/validate/other", &json!({"content": "x"})).ok();
    assert_eq!((&other["count"], &other["violations"][0]["rule_id"]), (&json!(1), &json!("global")));
}

#[test]
fn a_look_around_that_runs_away_is_a_violation_that_says_so() {
    let server = SERVER.server();
    let site = server.site();
    site.put(
        "/api/validate/runaway/rules",
        &json!([{"rule_id": "r", "pattern": "(?=(a+)+$)(a|a)*b(?!c)\\1"}]),
    )
    .ok();
    let found = validate(&site, "runaway", &json!({"content": "a".repeat(5000)}));
    assert!(found[0]["message"].as_str().is_some_and(|text| text.contains("backtracking limit")), "{found}");
}

#[test]
fn a_proposal_is_accepted_or_rejected_once() {
    let server = SERVER.server();
    let site = server.site();
    let rule = json!({"project": "prop", "rule_id": "r", "pattern": "x", "proposed_by": "me", "context": "seen twice"});
    let proposed = site.post("/api/rules/propose", &rule);
    assert_eq!(proposed.ok(), json!({"project": "prop", "rule_id": "r", "status": "proposed"}));
    let listed = site.get("/api/rules?project=prop").steady();
    let expected = json!([{
        "project": "prop", "rule_id": "r", "severity": "error", "match_type": "regex", "pattern": "x", "message": "",
        "stack": "", "applies_to": ["*"], "source": "learned", "status": "proposed", "proposed_by": "me",
        "context": "seen twice", "created_at": "<time>",
    }]);
    assert_eq!(listed, expected);
    assert_eq!(validate(&site, "prop", &json!({"content": "x"})), json!([]));
    assert_eq!(site.post("/api/rules/propose", &rule).status, 409);
    let rejected = site.post("/api/rules/prop/r/reject", &Value::Null);
    assert_eq!(rejected.ok(), json!({"project": "prop", "rule_id": "r", "status": "rejected"}));
    for call in ["accept", "reject"] {
        let path = format!("/api/rules/prop/r/{call}");
        site.post(&path, &Value::Null).refused(404, "proposed rule not found: prop/r");
        let path = format!("/api/rules/prop/none/{call}");
        site.post(&path, &Value::Null).refused(404, "proposed rule not found: prop/none");
    }
    site.post("/api/rules/propose", &rule).ok();
    let accepted = site.post("/api/rules/prop/r/accept", &Value::Null);
    assert_eq!(accepted.ok(), json!({"project": "prop", "rule_id": "r", "status": "accepted"}));
    assert_eq!(site.post("/api/rules/propose", &rule).status, 409);
    assert_eq!(validate(&site, "prop", &json!({"content": "x"}))[0]["rule_id"], "r");
    assert_eq!(site.delete("/api/rules/prop/r").ok(), json!({"deleted": "prop/r"}));
    site.delete("/api/rules/prop/r").refused(404, "rule not found: prop/r");
}

#[test]
fn what_is_proposed_or_rejected_outlives_a_put_that_does_not_name_it() {
    let server = SERVER.server();
    let site = server.site();
    for id in ["p", "q", "r"] {
        site.post("/api/rules/propose", &json!({"project": "stay", "rule_id": id, "pattern": "x"})).ok();
    }
    site.post("/api/rules/stay/r/reject", &Value::Null).ok();
    site.put("/api/validate/stay/rules", &json!([{"rule_id": "q", "pattern": "y"}])).ok();
    let rules = site.get("/api/rules?project=stay").ok();
    let shown: Vec<_> =
        rules.as_array().unwrap().iter().map(|rule| (&rule["rule_id"], &rule["status"])).collect();
    assert_eq!(
        format!("{shown:?}").replace("String", ""),
        r#"[(("p"), ("proposed")), (("q"), ("accepted")), (("r"), ("rejected"))]"#
    );
}

#[test]
fn rules_are_imported_exported_and_listed_by_what_they_are() {
    let server = Server::start();
    let site = server.site();
    let imported = site.post(
        "/api/rules/import",
        &json!([
            {"project": "b", "rule_id": "x", "pattern": "1"},
            {"project": "a", "rule_id": "y", "pattern": "2", "source": "learned", "stack": "go"},
            {"project": "a", "rule_id": "x", "pattern": "3", "source": "local", "status": "proposed"},
        ]),
    );
    assert_eq!(imported.ok(), json!({"imported": 3}));
    site.post(
        "/api/rules/propose",
        &json!({"project": "a", "rule_id": "z", "pattern": "4", "stack": "rust"}),
    )
    .ok();
    let ids = |path: &str| {
        let rules = site.get(path).ok();
        let of = |rule: &Value| {
            format!("{}/{}", rule["project"].as_str().unwrap(), rule["rule_id"].as_str().unwrap())
        };
        rules.as_array().unwrap().iter().map(of).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(ids("/api/rules/export"), "a/x a/y");
    assert_eq!(ids("/api/rules/export?source=external"), "b/x");
    assert_eq!(ids("/api/rules/export?source=local,external"), "a/x b/x");
    assert_eq!(site.get("/api/rules/export?source=elsewhere").ok(), json!([]));
    assert_eq!(ids("/api/rules"), "a/x a/y a/z b/x");
    assert_eq!(ids("/api/rules?status=proposed"), "a/z");
    assert_eq!(ids("/api/rules?project=a&status=accepted"), "a/x a/y");
    assert_eq!(ids("/api/rules?source=external"), "b/x");
    assert_eq!(ids("/api/rules?stack=go"), "a/x a/y b/x");
    site.get("/api/rules?status=lost").says(400, "status");
    site.post("/api/rules/import", &json!([{"project": "b", "rule_id": "x", "pattern": "9"}])).ok();
    assert_eq!(site.get("/api/rules?project=b").ok()[0]["pattern"], "9");
}
