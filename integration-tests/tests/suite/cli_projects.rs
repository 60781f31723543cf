//! What belongs to projects: contracts, rules, templates, compliance.

use integration_tests::{Server, Service, Shell};
use serde_json::json;

const CONTRACT: &str = r#"{"kind": "contract", "version": 1, "endpoints": {
    "POST /api/trucks": {"request": {"plate": {"type": "string", "required": true}}, "response_status": 201},
    "GET /api/trucks": {"response_array": {"plate": {"type": "string", "required": true}}}}}"#;

#[test]
fn a_contract_is_kept_if_it_is_one() {
    let server = Server::start();
    let shell = Shell::at(&server);
    shell.file("api.json", CONTRACT);
    assert_eq!(shell.koor(&["contract", "set", "P/api", "--file", "api.json"]).json()["version"], 1);
    assert_eq!(shell.koor(&["contract", "get", "P/api"]).ok(), format!("{CONTRACT}\n"));
    let list = shell.koor(&["contract", "list", "P"]).json();
    assert_eq!(
        (&list["contracts"][0]["name"], &list["contracts"][0]["endpoints"]),
        (&json!("api"), &json!(2))
    );
    let refused = shell.koor(&["contract", "set", "P/api", "--data", "{\"kind\":\"contract\"}"]).refused();
    assert_eq!(refused["code"], 422);
}

#[test]
fn a_payload_passes_or_fails() {
    let server = Server::start();
    let shell = Shell::at(&server);
    shell.koor(&["contract", "set", "P/api", "--data", CONTRACT]).json();
    let check = |words: &[&str]| shell.koor(&[&["contract", "validate", "P/api"], words].concat());
    let endpoint = ["--endpoint", "POST /api/trucks"];
    let fine = check(&[&endpoint[..], &["--payload", r#"{"plate": "B-X 1"}"#]].concat());
    assert_eq!(fine.ok(), "PASS  request POST /api/trucks\n");
    let wrong = [&endpoint[..], &["--direction", "request", "--payload", "{}"]].concat();
    let failed = check(&wrong);
    assert_eq!((failed.code, failed.err.as_str()), (1, ""));
    assert_eq!(
        failed.out,
        "FAIL  request POST /api/trucks\n  - [request.plate] missing required field \"plate\"\n"
    );
    let failed = check(&[&wrong[..], &["--json"]].concat());
    assert_eq!(failed.code, 1);
    let failed: serde_json::Value = serde_json::from_str(&failed.out).unwrap();
    assert_eq!(failed["valid"], false);
    check(&[&endpoint[..], &["--payload", "{"]].concat()).says(2, "the data is no JSON");
    let unknown = shell.koor(&["contract", "validate", "P/no", "--endpoint", "GET /", "--payload", "1"]);
    assert_eq!(unknown.refused()["code"], 404);
}

#[test]
fn a_service_is_tested_endpoint_by_endpoint() {
    let server = Server::start();
    let shell = Shell::at(&server);
    shell.koor(&["contract", "set", "P/api", "--data", CONTRACT]).json();
    let service = Service::new(|_| (201, "{}".to_owned()));
    let target = service.url();
    let ran =
        shell.koor(&["contract", "test", "P/api", "--target", &target, "--test-data", "{\"plate\":\"x\"}"]);
    assert_eq!((ran.code, ran.err.as_str()), (1, ""), "{}", ran.out);
    assert!(ran.out.contains("FAIL  ") && ran.out.contains("/2 endpoints PASS, "), "{}", ran.out);
    let dead = shell.koor(&["contract", "test", "P/api", "--target", "http://127.0.0.1:1", "--json"]);
    let answers: serde_json::Value = serde_json::from_str(&dead.out).unwrap();
    assert_eq!((dead.code, answers.as_array().unwrap().len()), (1, 2));
}

#[test]
fn rules_are_proposed_judged_and_shared() {
    let server = Server::start();
    let shell = Shell::at(&server);
    let propose = |id: &str| {
        let rule = format!("P/{id}");
        shell
            .koor(&[
                "rules",
                "propose",
                &rule,
                "--pattern",
                "-x",
                "--message",
                "no",
                "--severity",
                "warning",
                "--match_type",
                "regex",
                "--applies-to",
                "*.rs,*.js",
                "--stack",
                "react",
            ])
            .json()
    };
    assert_eq!(propose("a"), json!({"project": "P", "rule_id": "a", "status": "proposed"}));
    propose("b");
    assert_eq!(shell.koor(&["rules", "accept", "P/a"]).json()["status"], "accepted");
    assert_eq!(shell.koor(&["rules", "reject", "P/b"]).json()["status"], "rejected");
    shell.koor(&["rules", "accept", "P/b/c"]).says(2, "write two names");
    let list = shell.koor(&["rules", "list", "--project", "P", "--status", "accepted"]).json();
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!(
        (&list[0]["pattern"], &list[0]["applies_to"], &list[0]["severity"]),
        (&json!("-x"), &json!(["*.rs", "*.js"]), &json!("warning"))
    );
    shell.koor(&["rules", "export", "--output", "rules.json"]).ok();
    let exported = shell.koor(&["rules", "export", "--source", "learned"]).ok();
    assert_eq!(std::fs::read_to_string(shell.directory().join("rules.json")).unwrap(), exported.trim_end());
    assert_eq!(shell.koor(&["rules", "import", "--file", "rules.json"]).json(), json!({"imported": 1}));
    assert_eq!(shell.fed(&["rules", "import", "--file", "-"], b"[]").refused()["code"], 400);
    assert_eq!(shell.koor(&["rules", "delete", "P/a"]).json(), json!({"deleted": "P/a"}));
}

#[test]
fn templates_are_made_applied_and_deleted() {
    let server = Server::start();
    let shell = Shell::at(&server);
    shell.koor(&["contract", "set", "P/api", "--data", CONTRACT]).json();
    let made = shell.koor(&[
        "templates",
        "capture",
        "--id",
        "t",
        "--name",
        "T",
        "--project",
        "P",
        "--kind",
        "bundle",
        "--tags",
        "a, b",
    ]);
    assert_eq!(made.json()["tags"], json!(["a", "b"]));
    shell.file("rules.json", r#"[{"project": "x", "rule_id": "r", "pattern": "p"}]"#);
    let made = shell.koor(&[
        "templates",
        "create",
        "--id",
        "u",
        "--name",
        "U",
        "--kind",
        "rules",
        "--file",
        "rules.json",
    ]);
    assert_eq!(made.json()["version"], 1);
    assert_eq!(shell.koor(&["templates", "list", "--tag", "a"]).json()[0]["id"], "t");
    assert_eq!(shell.koor(&["templates", "get", "u"]).json()["data"][0]["rule_id"], "r");
    assert_eq!(
        shell.koor(&["templates", "apply", "t", "--project", "Q"]).json(),
        json!({"applied": "t", "project": "Q", "kind": "bundle"})
    );
    assert_eq!(shell.koor(&["contract", "get", "Q/api"]).code, 0);
    assert_eq!(shell.koor(&["templates", "delete", "u"]).json(), json!({"deleted": "u"}));
    assert_eq!(shell.koor(&["templates", "get", "u"]).refused()["code"], 404);
}

#[test]
fn compliance_is_run_and_listed() {
    let server = Server::start();
    let shell = Shell::at(&server);
    shell.koor(&["contract", "set", "P/api", "--data", CONTRACT]).json();
    let id = shell.koor(&["register", "a", "--workspace", "P"]).json()["id"].clone();
    let id = id.as_str().unwrap();
    shell.koor(&["activate", id]).json();
    assert_eq!(shell.koor(&["compliance", "run"]).json()["count"], 1);
    let runs = shell.koor(&["compliance", "history", "--instance_id", id, "--limit", "5"]).json();
    assert_eq!((&runs[0]["contract"], &runs[0]["pass"]), (&json!("api"), &json!(true)));
    assert_eq!(
        shell.koor(&["compliance", "history", "--instance-id", id, "--pass", "false"]).json(),
        json!([])
    );
}
