//! Compliance: runs, and what they find.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use integration_tests::{Server, Site, Start, until};
use serde_json::{Value, json};

fn active(site: &Site, name: &str, workspace: &str) -> String {
    let body = json!({"name": name, "workspace": workspace});
    let id = site.post("/api/instances/register", &body).ok()["id"].as_str().unwrap().to_owned();
    site.post(&format!("/api/instances/{id}/activate"), &Value::Null).ok();
    id
}

fn field(kind: &str) -> Value {
    json!({"type": kind, "required": true})
}

#[test]
fn each_contract_of_each_active_instances_project_is_checked() {
    let server = Server::start();
    let site = server.site();
    let nothing = site.post("/api/compliance/run", &Value::Null).ok();
    assert_eq!(nothing, json!({"checked": true, "runs": [], "count": 0}));
    let checks = json!([{"state": "Truck-Wash/sample", "endpoint": "POST /trucks", "direction": "request"}]);
    let checked = json!({
        "kind": "contract", "version": 1, "endpoints": {"POST /trucks": {"request": {"plate": field("string")}}},
        "checks": checks,
    });
    site.put("/api/specs/Truck-Wash/good", &checked).ok();
    site.put("/api/specs/Truck-Wash/empty", &json!({"kind": "contract", "endpoints": {"GET /x": {}}})).ok();
    let no_schema =
        json!({"kind": "contract", "endpoints": {"GET /x": {"response_schema": {"type": "lorry"}}}});
    site.put("/api/specs/Truck-Wash/no-schema", &no_schema).ok();
    site.put("/api/specs/Truck-Wash/note", &json!({"kind": "note"})).ok();
    let by_path = active(&site, "by path", "/home/me/Truck-Wash");
    site.post("/api/instances/register", &json!({"name": "pending", "workspace": "Truck-Wash"})).ok();
    active(&site, "elsewhere", "truck-wash");
    site.put("/api/state/Truck-Wash/sample", &json!({"plate": "A"})).ok();

    let run = |site: &Site| site.post("/api/compliance/run", &Value::Null).ok();
    let first = run(&site);
    assert_eq!((&first["checked"], &first["count"]), (&json!(true), &json!(3)));
    let of = |answer: &Value, contract: &str| {
        let runs = answer["runs"].as_array().unwrap();
        let mut run = runs.iter().find(|run| run["contract"] == contract).unwrap().clone();
        assert!(!run["id"].take().is_null());
        (run["instance_id"].take(), integration_tests::steady(run))
    };
    let shown = |contract: &str, pass: bool, violations: Value| {
        json!({
            "id": null, "instance_id": null, "project": "Truck-Wash", "contract": contract, "pass": pass,
            "violations": violations, "run_at": "<time>",
        })
    };
    assert_eq!(of(&first, "good"), (json!(by_path), shown("good", true, json!([]))));
    let empty = json!([{
        "path": "endpoints.GET /x", "message": "no request, response, response_array or query definition",
    }]);
    let (_, found) = of(&first, "empty");
    assert_eq!((&found["pass"], &found["violations"][0]["message"]), (&json!(false), &empty[0]["message"]));
    let (_, found) = of(&first, "no-schema");
    assert_eq!((&found["pass"], found["violations"].as_array().unwrap().is_empty()), (&json!(false), false));

    site.put("/api/state/Truck-Wash/sample", &json!({"plate": 1})).ok();
    let (_, found) = of(&run(&site), "good");
    let wrong = json!([{"path": "request.plate", "message": "expected string, got number"}]);
    assert_eq!(found, shown("good", false, wrong.clone()));
    site.delete("/api/state/Truck-Wash/sample").ok();
    let (_, found) = of(&run(&site), "good");
    assert!(found["violations"][0]["message"].as_str().unwrap().contains("Truck-Wash/sample"), "{found}");

    let events = site.get("/api/events/history?topic=compliance.violation&last=100").ok();
    let told = events.as_array().unwrap().iter().find(|event| event["data"]["violations"] == wrong).unwrap();
    assert_eq!(told["source"], "compliance-scheduler");
    assert_eq!(
        told["data"],
        json!({"instance_id": by_path, "project": "Truck-Wash", "contract": "good", "violations": wrong})
    );

    let count =
        |query: &str| site.get(&format!("/api/compliance/history{query}")).ok().as_array().unwrap().len();
    assert_eq!(count(""), 9);
    assert_eq!(count("?limit=2"), 2);
    assert_eq!(count("?pass=true"), 1);
    assert_eq!(count("?pass=false"), 8);
    assert_eq!(count("?project=Truck-Wash"), 9);
    assert_eq!(count("?project=other"), 0);
    assert_eq!(count(&format!("?instance_id={by_path}")), 9);
    assert_eq!(count("?instance_id=ffffffff-ffff-4fff-bfff-ffffffffffff"), 0);
    site.get("/api/compliance/history?pass=maybe").says(400, "pass");
    let history = site.get("/api/compliance/history").ok();
    let times: Vec<_> =
        history.as_array().unwrap().iter().map(|run| run["run_at"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
    let keys: Vec<_> = history[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["contract", "id", "instance_id", "pass", "project", "run_at", "violations"]);
}

#[test]
fn contracts_are_checked_by_the_clock_too_and_a_workspace_may_be_the_project() {
    let server = Start::default().args(["--compliance-every", "1s"]).start().unwrap();
    let site = server.site();
    site.put("/api/specs/shop/empty", &json!({"kind": "contract", "endpoints": {"GET /x": {}}})).ok();
    let id = active(&site, "by name", "shop");
    let runs = until(|| {
        let runs = site.get("/api/compliance/history").ok();
        (runs != json!([])).then_some(runs)
    });
    assert_eq!(
        (&runs[0]["instance_id"], &runs[0]["project"], &runs[0]["pass"]),
        (&json!(id), &json!("shop"), &json!(false))
    );
    assert_ne!(site.get("/api/events/history?topic=compliance.violation").ok(), json!([]));
}
