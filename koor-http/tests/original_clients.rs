//! What clients of the original server rely on, as they were found to ask for it.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

mod common;

use common::Site;
use serde_json::{Value, json};

/// The ids of the rules that an export answers.
async fn exported(site: &Site, query: &str) -> Vec<String> {
    let answer = site.get(&format!("/api/rules/export{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    let rules = answer.json();
    rules.as_array().unwrap().iter().map(|rule| rule["rule_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_source_that_does_not_exist_matches_no_rule_and_hides_none() {
    let site = Site::open().await;
    let rules: Vec<Value> = ["local", "learned", "external"]
        .map(|source| json!({"project": "p", "rule_id": source, "pattern": "x", "source": source}))
        .to_vec();
    assert_eq!(
        site.post("/api/rules/import", &json!(rules).to_string()).await.json(),
        json!({"imported": 3})
    );
    // As the original's `koor-cli backup` asks for it.
    let all = exported(&site, "?source=local,learned,external,user-rules").await;
    assert_eq!(all, ["external", "learned", "local"]);
    assert_eq!(exported(&site, "").await, ["learned", "local"]);
    assert_eq!(exported(&site, "?source=external,%20local").await, ["external", "local"]);
    assert_eq!(exported(&site, "?source=user-rules").await, [""; 0]);
    assert_eq!(exported(&site, "?source=user-rules,mars").await, [""; 0]);
}

#[tokio::test]
async fn an_instance_that_is_not_there_has_no_metrics_and_one_that_is_gone_keeps_its_own() {
    let site = Site::open().await;
    for path in [
        "/api/metrics/agents/unknown",
        "/api/metrics/agents/00000000-0000-4000-8000-000000000000",
        "/api/metrics/agents?instance_id=unknown",
    ] {
        let answer = site.get(path).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "[]"), "{path}");
    }
    let (id, _) = site.agent("a").await;
    let named = [("x-koor-instance", id.as_str())];
    assert_eq!(site.send("PUT", "/api/state/k", &named, b"1").await.status, 200);
    let before = site.get(&format!("/api/metrics/agents/{id}")).await.json();
    assert!(before.as_array().unwrap().iter().any(|row| row["metric_name"] == "state_writes"), "{before}");
    assert_eq!(site.delete(&format!("/api/instances/{id}")).await.status, 200);
    assert_eq!(site.get(&format!("/api/metrics/agents/{id}")).await.json(), before);
}

#[tokio::test]
async fn an_instance_that_is_not_there_has_no_compliance_runs() {
    let site = Site::open().await;
    for id in ["unknown", "00000000-0000-4000-8000-000000000000"] {
        let answer = site.get(&format!("/api/compliance/history?instance_id={id}")).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "[]"), "{id}");
    }
    assert_eq!(site.get("/api/compliance/history?instance_id=").await.status, 200);
}

#[tokio::test]
async fn a_contract_without_endpoints_is_none() {
    let site = Site::open().await;
    let empty = json!({"kind": "contract", "version": 1, "endpoints": {}}).to_string();
    let put = site.put("/api/contracts/p/c", &empty).await;
    assert_eq!(put.status, 422, "{put:?}");
    let violations = json!([{"path": "endpoints", "message": "a contract has at least one endpoint"}]);
    assert_eq!(put.json()["violations"], violations);
    assert_eq!(site.put("/api/specs/p/c", &empty).await.status, 200);
    let asked = json!({"endpoint": "GET /x", "payload": {}}).to_string();
    let checked = site.post("/api/contracts/p/c/validate", &asked).await;
    let expected = "stored spec is not a valid contract: endpoints: a contract has at least one endpoint";
    assert_eq!((checked.status, checked.error().as_str()), (400, expected));
}

#[tokio::test]
async fn a_live_test_needs_to_know_where() {
    let site = Site::open().await;
    let contract = json!({"kind": "contract", "endpoints": {"GET /x": {"response": {}}}}).to_string();
    assert_eq!(site.put("/api/contracts/p/c", &contract).await.status, 200);
    for body in [json!({"endpoint": "GET /x"}), json!({"endpoint": "GET /x", "base_url": ""})] {
        let tested = site.post("/api/contracts/p/c/test", &body.to_string()).await;
        assert_eq!((tested.status, tested.error().as_str()), (400, "base_url is required"), "{body}");
    }
}

#[tokio::test]
async fn the_data_of_a_template_is_of_the_form_that_its_kind_has() {
    let site = Site::open().await;
    let forms = [
        ("bundle", json!([]), 400),
        ("contracts", json!([]), 400),
        ("rules", json!([]), 200),
        ("rules", json!({}), 200),
        ("bundle", json!({}), 200),
        ("contracts", Value::Null, 200),
    ];
    for (n, (kind, data, status)) in forms.into_iter().enumerate() {
        let template = json!({"id": format!("t{n}"), "name": "T", "kind": kind, "data": data}).to_string();
        let made = site.post("/api/templates", &template).await;
        assert_eq!(made.status, status, "{kind} {data}: {}", made.text());
        if status == 400 {
            let expected = format!("data does not fit kind {kind}: expected object, got array");
            assert_eq!(made.error(), expected);
        }
    }
}
