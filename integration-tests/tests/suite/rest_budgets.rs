//! Budgets: every call, by its answers, and what happens when one is used up.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use integration_tests::{Shared, Site};
use serde_json::{Value, json};

static SERVER: Shared = Shared::new();

fn agent(site: &Site, project: &str) -> Site {
    let agent = json!({"name": "worker", "workspace": project});
    let registered = site.post("/api/instances/register", &agent).ok();
    site.instance(registered["id"].as_str().unwrap())
}

fn spend(by: &Site, project: &str, tokens: u64) {
    let usage =
        json!({"provider": "x", "model": "y", "project": project, "tokens_in": tokens, "cost_usd": 0.5});
    by.post("/api/llm/usage", &usage).ok();
}

/// The topics of the budget events about a project.
fn topics(site: &Site, project: &str) -> Vec<String> {
    let events = site.get("/api/events/history?topic=$budget.*&last=1000").ok();
    let mut topics: Vec<String> = events
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["data"]["project"] == project)
        .map(|event| event["topic"].as_str().unwrap().trim_start_matches("$budget.").to_owned())
        .collect();
    topics.reverse();
    topics
}

#[test]
fn a_budget_is_set_read_changed_and_removed() {
    let server = SERVER.server();
    let site = server.site();
    let set = site.put("/api/budgets/Life", &json!({"period": "total", "usd": 2.5, "action": "warn"}));
    assert!(set.cursor() > 0);
    let expected = json!({
        "project": "Life", "period": "total", "usd": 2.5, "tokens": null, "per_task_tokens": null, "action": "warn",
        "used_usd": 0.0, "used_tokens": 0, "resets_at": null, "state": "ok",
    });
    assert_eq!(set.ok(), expected);
    assert_eq!(site.get("/api/budgets/Life").ok(), expected);
    assert!(site.get("/api/budgets").ok().as_array().unwrap().contains(&expected));
    spend(&site, "Life", 10);
    let month = json!({"period": "month", "tokens": 100, "action": "stop"});
    let view = site.put("/api/budgets/Life", &month).ok();
    assert_eq!((&view["used_tokens"], &view["used_usd"]), (&json!(10), &json!(0.5)));
    assert!(view["resets_at"].as_str().unwrap().ends_with("-01T00:00:00.000Z"), "{view}");
    assert_eq!(site.delete("/api/budgets/Life").ok(), json!({"deleted": "Life"}));
    site.get("/api/budgets/Life").refused(404, "budget not found: Life");
    site.delete("/api/budgets/Life").refused(404, "budget not found: Life");
    for (body, said) in [
        (json!({}), "period is required: day, week, month, or total"),
        (json!({"period": "day"}), "action is required: warn or stop"),
        (json!({"period": "day", "action": "stop"}), "a budget needs usd, tokens, or per_task_tokens"),
        (json!({"period": "day", "action": "stop", "usd": -1}), "usd must be above 0"),
    ] {
        site.put("/api/budgets/Life", &body).refused(400, said);
    }
    site.put("/api/budgets/Life", &json!({"period": "year", "action": "stop", "usd": 1})).says(400, "year");
}

#[test]
fn a_budget_that_is_used_up_stops_claims_says_so_in_the_brief_and_announces_it_once() {
    let server = SERVER.server();
    let site = server.site();
    let worker = agent(&site, "Spent");
    site.post("/api/tasks/Spent", &json!([{"title": "a"}, {"title": "b"}])).gives(201);
    site.put("/api/budgets/Spent", &json!({"period": "day", "tokens": 1000, "action": "stop"})).ok();
    spend(&worker, "Spent", 799);
    assert_eq!(topics(&site, "Spent"), ["set"]);
    spend(&worker, "Spent", 1);
    spend(&worker, "Spent", 1);
    assert_eq!(topics(&site, "Spent"), ["set", "warned"]);
    assert_eq!(worker.post("/api/tasks/Spent/claim", &Value::Null).ok()["task"]["number"], 1);
    spend(&worker, "Spent", 500);
    spend(&worker, "Spent", 500);
    assert_eq!(topics(&site, "Spent"), ["set", "warned", "exceeded"]);
    let until = site.get("/api/budgets/Spent").ok()["resets_at"].as_str().unwrap().to_owned();
    let reason = format!("budget of Spent is used up until {until}");
    for claim in [Value::Null, json!({"number": 2})] {
        worker.post("/api/tasks/Spent/claim", &claim).refused(403, &reason);
    }
    let brief = worker.get("/api/brief?peek=1");
    assert_eq!(brief.header("x-koor-stop"), Some(&*reason));
    assert_eq!(brief.ok()["budget"]["state"], "exceeded");
    let text = worker.with("Accept", "text/plain").get("/api/brief?peek=1");
    assert!(text.text().starts_with(&format!("STOP: {reason}: begin nothing new\n")), "{}", text.text());
    // One step over both limits announces both; "total" has no until.
    let other = agent(&site, "Leapt");
    site.post("/api/tasks/Leapt", &json!({"title": "a"})).gives(201);
    site.put("/api/budgets/Leapt", &json!({"period": "total", "usd": 0.4, "action": "stop"})).ok();
    spend(&other, "Leapt", 1);
    assert_eq!(topics(&site, "Leapt"), ["set", "warned", "exceeded"]);
    other.post("/api/tasks/Leapt/claim", &Value::Null).refused(403, "budget of Leapt is used up");
    site.put("/api/budgets/Leapt", &json!({"period": "total", "usd": 0.4, "action": "warn"})).ok();
    assert_eq!(other.post("/api/tasks/Leapt/claim", &Value::Null).ok()["task"]["number"], 1);
    let audit = site.get("/api/audit?action=budget.set&resource=Leapt").ok();
    assert_eq!(audit.as_array().unwrap().len(), 2);
}
