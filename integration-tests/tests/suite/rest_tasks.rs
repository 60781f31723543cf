//! Tasks: every call, by its answers.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::{thread, time::Duration};

use integration_tests::{Server, Shared, Site, Start, until};
use serde_json::{Value, json};

static SERVER: Shared = Shared::new();

/// Registers an agent in a project, and answers its id.
fn register(site: &Site, name: &str, project: &str) -> String {
    let body = json!({"name": name, "workspace": project});
    site.post("/api/instances/register", &body).ok()["id"].as_str().unwrap().to_owned()
}

fn agent(site: &Site, name: &str, project: &str) -> Site {
    site.instance(&register(site, name, project))
}

fn create(site: &Site, project: &str, body: &Value) -> Value {
    site.post(&format!("/api/tasks/{project}"), body).gives(201)
}

#[test]
fn a_task_is_made_with_all_its_fields() {
    let server = SERVER.server();
    let site = server.site();
    let reply = site.post("/api/tasks/Fields", &json!({"title": "Build it"}));
    assert!(reply.cursor() > 0);
    assert_eq!(reply.number("x-koor-version"), 1);
    let expected = json!({
        "project": "Fields", "number": 1, "title": "Build it", "body": "", "status": "open", "ready": true, "blocked_by": [],
        "priority": 2, "labels": [], "needs": [], "after": [], "parent": null, "assignee": null, "review": false,
        "claim": null, "fence": 0, "attempts": 0, "max_attempts": 3, "not_before": null, "result": null, "reason": null,
        "key": null, "created_by": "", "created_at": "<time>", "updated_at": "<time>", "version": 1,
    });
    assert_eq!(integration_tests::steady(reply.gives(201)), expected);
    assert_eq!(site.get("/api/tasks/Fields/1").steady(), expected);
    let ann = agent(&site, "ann", "Fields");
    let full = json!({
        "title": "t", "body": "b\n", "priority": 0, "labels": ["l"], "needs": ["n"], "after": [1], "parent": 1,
        "assignee": "ann", "review": true, "max_attempts": 5, "not_before": "2100-01-01T00:00:00Z", "key": "k",
    });
    site.post("/api/tasks/Fields", &full).refused(409, "dependency cycle: 2 → 1 → 2");
    let mut fine = full.clone();
    fine["parent"] = Value::Null;
    let made = create(&ann, "Fields", &fine);
    for (field, value) in full.as_object().unwrap().iter().filter(|(field, _)| *field != "parent") {
        let expected = if field == "not_before" { json!("2100-01-01T00:00:00.000Z") } else { value.clone() };
        assert_eq!(made[field], expected, "{field}");
    }
    assert_eq!(
        (&made["created_by"], &made["ready"], &made["blocked_by"]),
        (&json!("ann"), &json!(false), &json!([1]))
    );
    // The key answers the task that is there, and changes nothing.
    let again = ann.post("/api/tasks/Fields", &json!({"title": "other", "key": "k"}));
    assert_eq!(again.ok(), made);
    let both =
        ann.post("/api/tasks/Fields", &json!([{"title": "other", "key": "k"}, {"title": "new"}])).gives(201);
    assert_eq!((both[0]["number"].clone(), both[1]["number"].clone()), (json!(2), json!(3)));
    let projects = site.get("/api/tasks").ok();
    let counts =
        projects["projects"].as_array().unwrap().iter().find(|counts| counts["project"] == "Fields").unwrap();
    let expected = json!({
        "project": "Fields", "open": 3, "ready": 2, "claimed": 0, "review": 0, "done": 0, "failed": 0, "cancelled": 0,
    });
    assert_eq!(*counts, expected);
}

#[test]
fn what_is_no_task_is_refused_and_stores_nothing() {
    let server = Server::start();
    let site = server.site();
    create(&site, "p", &json!({"title": "one", "key": "k"}));
    let many: Vec<Value> = (0..501).map(|n| json!({"title": n.to_string()})).collect();
    for (body, part) in [
        (json!({}), "title is required"),
        (json!({"title": " "}), "title is required"),
        (json!({"title": "a\nb"}), "title"),
        (json!({"title": "t", "body": "x".repeat((64 << 10) + 1)}), "body is 65537 bytes long"),
        (json!({"title": "t", "priority": 5}), "priority must be between 0 and 4"),
        (json!({"title": "t", "priority": "high"}), "invalid JSON body"),
        (json!({"title": "t", "labels": "x"}), "invalid JSON body"),
        (json!({"title": "t", "labels": [""]}), "label must not be empty"),
        (json!({"title": "t", "after": [9]}), "after names task 9, which project p does not have"),
        (json!({"title": "t", "parent": 9}), "parent names task 9"),
        (json!({"title": "t", "after": ["stranger"]}), "after names key \"stranger\""),
        (json!({"title": "t", "after": [0]}), "invalid JSON body"),
        (json!({"title": "t", "max_attempts": 0}), "max_attempts must be between 1 and 100"),
        (json!({"title": "t", "not_before": "soon"}), "not_before"),
        (json!({"title": "t", "key": ""}), "key must have 1 to 200 bytes"),
        (json!([]), "empty tasks array"),
        (json!([{"title": "fine"}, {"title": ""}]), "task 1: title is required"),
        (json!([{"title": "fine", "key": "x"}, {"title": "y", "key": "x"}]), "given twice"),
        (json!([{"title": "fine"}, {"title": "y", "after": [99]}]), "after names task 99"),
        (json!(many), "501 tasks were given, at most 500 are allowed"),
        (json!("text"), "invalid JSON body"),
    ] {
        site.post("/api/tasks/p", &body).says(400, part);
    }
    assert_eq!(site.get("/api/tasks/p").ok().as_array().unwrap().len(), 1);
    let cycle =
        json!([{"title": "a", "key": "a", "after": ["b"]}, {"title": "b", "key": "b", "after": ["a"]}]);
    site.post("/api/tasks/p", &cycle).refused(409, "dependency cycle: 2 → 3 → 2");
    assert_eq!(site.get("/api/tasks/p").ok().as_array().unwrap().len(), 1);
    for path in ["/api/tasks/p/2", "/api/tasks/q/1", "/api/tasks/p/0", "/api/tasks/p/x"] {
        let name = path.trim_start_matches("/api/tasks/");
        site.get(path).refused(404, &format!("task not found: {name}"));
        site.post(&format!("{path}/cancel"), &Value::Null).refused(404, &format!("task not found: {name}"));
    }
    for query in [
        "status=asleep",
        "limit=0",
        "order=size",
        "parent=0",
        "after_number=x",
        "order=priority&after_number=1",
    ] {
        assert_eq!(site.get(&format!("/api/tasks/p?{query}")).status, 400, "{query}");
    }
    for edit in
        [json!({}), json!({"title": ""}), json!({"priority": 9}), json!({"after": [7]}), json!({"parent": 7})]
    {
        assert_eq!(site.send("PATCH", "/api/tasks/p/1", edit.to_string()).status, 400, "{edit}");
    }
    site.send("PATCH", "/api/tasks/p/1", r#"{"after": [1]}"#).refused(409, "dependency cycle: 1 → 1");
}

#[test]
fn a_claim_needs_an_agent_of_the_project() {
    let server = SERVER.server();
    let site = server.site();
    create(&site, "Own", &json!({"title": "a", "review": true}));
    let needed = "this call needs an instance: send X-Koor-Instance or its token";
    site.post("/api/tasks/Own/claim", &Value::Null).refused(400, needed);
    for call in ["renew", "release", "done"] {
        site.post(&format!("/api/tasks/Own/1/{call}"), &Value::Null).refused(400, needed);
    }
    site.post("/api/tasks/Own/1/fail", &json!({"reason": "x"})).refused(400, needed);
    let stranger = agent(&site, "stranger", "Elsewhere");
    let not_here = "agent stranger works in project Elsewhere, not in Own";
    stranger.post("/api/tasks/Own/claim", &Value::Null).refused(403, not_here);
    stranger.post("/api/tasks/Own", &json!({"title": "x"})).refused(403, not_here);
    for (call, body) in [
        ("notes", json!({"text": "x"})),
        ("cancel", json!({})),
        ("reopen", json!({})),
        ("approve", json!({})),
    ] {
        stranger.post(&format!("/api/tasks/Own/1/{call}"), &body).refused(403, not_here);
    }
    stranger.send("PATCH", "/api/tasks/Own/1", r#"{"title": "x"}"#).refused(403, not_here);
    // The last segment of a path is a project, too; and one without a workspace works anywhere.
    let by_path = agent(&site, "path", "/home/ann/Own");
    assert_eq!(by_path.post("/api/tasks/Own/claim", &Value::Null).ok()["task"]["claim"]["name"], "path");
    let free = agent(&site, "free", "");
    let none = free.post("/api/tasks/Own/claim", &json!({})).ok();
    assert_eq!(none, json!({"task": null, "ready": 0, "blocked": 0, "claimed": 1}));
    by_path.post("/api/tasks/Own/1/done", &Value::Null).ok();
    let own = by_path.post("/api/tasks/Own/1/approve", &Value::Null);
    own.refused(403, "task 1 must be reviewed by another agent than the one who did it");
    assert_eq!(site.post("/api/tasks/Own/1/approve", &json!({"note": "fine"})).ok()["status"], "done");
}

#[test]
fn a_claim_is_held_renewed_and_lost() {
    let server = SERVER.server();
    let site = server.site();
    let (ann, bob) = (agent(&site, "ann", "Held"), agent(&site, "bob", "Held"));
    create(
        &site,
        "Held",
        &json!([{"title": "a", "key": "a"}, {"title": "b", "after": ["a"]}, {"title": "c", "needs": ["sql"]}]),
    );
    let claimed = ann.post("/api/tasks/Held/claim", &json!({"lease": "10m"}));
    assert!(claimed.cursor() > 0);
    let task = claimed.ok()["task"].clone();
    assert_eq!(
        (&task["status"], &task["fence"], &task["claim"]["fence"]),
        (&json!("claimed"), &json!(1), &json!(1))
    );
    for lease in [json!("9s"), json!("25h"), json!(9), json!("soon"), json!(-1)] {
        assert_eq!(ann.post("/api/tasks/Held/claim", &json!({"lease": lease})).status, 400, "{lease}");
        assert_eq!(ann.post("/api/tasks/Held/1/renew", &json!({"lease": lease})).status, 400, "{lease}");
    }
    let taken = bob.post("/api/tasks/Held/claim", &json!({"number": 1}));
    taken.gives(409);
    let said = taken.json();
    assert!(said["error"].as_str().unwrap().starts_with("task 1 is claimed by ann until "), "{said}");
    assert_eq!(said["claim"]["name"], "ann");
    bob.post("/api/tasks/Held/claim", &json!({"number": 2})).refused(409, "task 2 is blocked by 1");
    bob.post("/api/tasks/Held/claim", &json!({"number": 3})).refused(409, "task 3 needs sql");
    bob.post("/api/tasks/Held/claim", &json!({"number": 4})).refused(404, "task not found: Held/4");
    let nothing = json!({"task": null, "ready": 1, "blocked": 1, "claimed": 1});
    assert_eq!(bob.post("/api/tasks/Held/claim", &json!({})).ok(), nothing);
    // Renewing changes neither version nor log.
    let events = || {
        let all = site.get("/api/events/history?last=1000&topic=$task.*").ok();
        all.as_array().unwrap().iter().filter(|event| event["data"]["project"] == "Held").count()
    };
    let before = events();
    let renewed = ann.post("/api/tasks/Held/1/renew", &json!({"fence": 1, "lease": 3600})).ok();
    assert!(renewed["expires_at"].as_str() > task["claim"]["expires_at"].as_str(), "{renewed}");
    assert_eq!(site.get("/api/tasks/Held/1").ok()["version"], task["version"]);
    assert_eq!(events(), before);
    let lost = "claim lost: task 1 was taken by ann (fence 1)";
    for (call, body) in [
        ("renew", json!({})),
        ("release", json!({"fence": 1})),
        ("done", json!({})),
        ("fail", json!({"reason": "x"})),
    ] {
        bob.post(&format!("/api/tasks/Held/1/{call}"), &body).refused(409, lost);
    }
    let older = ann.post("/api/tasks/Held/1/done", &json!({"fence": 0}));
    older.refused(409, "claim lost: you hold task 1 by a newer claim (fence 1)");
    // Assigning it to another ends the claim.
    let edited = site.send("PATCH", "/api/tasks/Held/1", r#"{"assignee": "bob"}"#).ok();
    assert_eq!(
        (&edited["status"], &edited["claim"], &edited["fence"]),
        (&json!("open"), &Value::Null, &json!(2))
    );
    ann.post("/api/tasks/Held/1/done", &json!({"fence": 1}))
        .refused(409, "claim lost: task 1 is open (fence 2)");
    ann.post("/api/tasks/Held/claim", &json!({"number": 1})).refused(409, "task 1 is assigned to bob");
    assert_eq!(bob.post("/api/tasks/Held/claim", &json!({})).ok()["task"]["number"], 1);
    let result = json!({"fence": 3, "result": {"tests": [1.0, 2]}, "note": "ready"});
    let done = bob.post("/api/tasks/Held/1/done", &result);
    assert_eq!(done.ok()["result"].to_string(), r#"{"tests":[1.0,2]}"#);
    assert_eq!(bob.post("/api/tasks/Held/1/done", &result).ok(), done.ok());
    let large = json!({"result": "x".repeat(64 << 10)});
    bob.post("/api/tasks/Held/1/done", &large)
        .says(400, "result is 65538 bytes long, at most 65536 are allowed");
    let notes = site.get("/api/tasks/Held/1/notes").steady();
    let text = "ready\n\n{\"tests\":[1.0,2]}";
    assert_eq!(notes, json!([{"id": 1, "author": "bob", "text": text, "created_at": "<time>"}]));
}

#[test]
fn a_task_fails_is_released_cancelled_and_reopened() {
    let server = SERVER.server();
    let site = server.site();
    let ann = agent(&site, "ann", "Ends");
    create(&site, "Ends", &json!([{"title": "a"}, {"title": "b"}]));
    let claim = |number: u64| ann.post("/api/tasks/Ends/claim", &json!({"number": number})).ok();
    claim(1);
    ann.post("/api/tasks/Ends/1/fail", &json!({})).refused(400, "reason is required");
    let failed = ann.post("/api/tasks/Ends/1/fail", &json!({"reason": "broken"})).ok();
    assert_eq!(
        (&failed["status"], &failed["attempts"], &failed["ready"]),
        (&json!("open"), &json!(1), &json!(false))
    );
    ann.post("/api/tasks/Ends/claim", &json!({"number": 1})).says(409, "task 1 is not to be started before ");
    claim(2);
    let given_up = ann.post("/api/tasks/Ends/2/fail", &json!({"reason": "no way", "retry": false})).ok();
    assert_eq!((&given_up["status"], &given_up["reason"]), (&json!("failed"), &json!("no way")));
    let reopened = site.post("/api/tasks/Ends/2/reopen", &Value::Null).ok();
    assert_eq!(
        (&reopened["status"], &reopened["attempts"], &reopened["reason"]),
        (&json!("open"), &json!(0), &Value::Null)
    );
    site.post("/api/tasks/Ends/2/reopen", &Value::Null).says(409, "task 2 is open");
    claim(2);
    let released = ann.post("/api/tasks/Ends/2/release", &json!({"delay": "1h", "note": "later"})).ok();
    assert_eq!(
        (&released["status"], &released["ready"], &released["attempts"]),
        (&json!("open"), &json!(false), &json!(0))
    );
    for delay in [json!("soon"), json!(-1), json!("9000h")] {
        assert_eq!(ann.post("/api/tasks/Ends/2/release", &json!({"delay": delay})).status, 400, "{delay}");
    }
    let cancelled = site.post("/api/tasks/Ends/2/cancel", &json!({"reason": "no need"})).ok();
    assert_eq!((&cancelled["status"], &cancelled["reason"]), (&json!("cancelled"), &json!("no need")));
    site.post("/api/tasks/Ends/2/cancel", &Value::Null).refused(409, "task 2 is cancelled already");
    site.post("/api/tasks/Ends/2/approve", &Value::Null).refused(409, "task 2 is cancelled, not in review");
    site.post("/api/tasks/Ends/2/reject", &Value::Null).refused(400, "note is required: say what is missing");
    let note = ann.post("/api/tasks/Ends/2/notes", &json!({"text": "see 1"}));
    assert_eq!(
        integration_tests::steady(note.gives(201)),
        json!({"id": 4, "author": "ann", "text": "see 1", "created_at": "<time>"})
    );
    ann.post("/api/tasks/Ends/2/notes", &json!({"text": " "})).refused(400, "text is required");
}

#[test]
fn an_edit_holds_to_the_version_it_was_made_for() {
    let server = SERVER.server();
    let site = server.site();
    create(&site, "Edits", &json!({"title": "a"}));
    let tag = site.get("/api/tasks/Edits/1").header("etag").unwrap().to_owned();
    assert_eq!(site.with("If-None-Match", &tag).get("/api/tasks/Edits/1").status, 304);
    let edit = |site: &Site, path: &str| site.send("PATCH", path, r#"{"title": "b"}"#);
    let stale = edit(&site, "/api/tasks/Edits/1?if_version=7");
    assert_eq!(stale.gives(412)["version"], 1);
    assert_eq!(edit(&site.with("If-Match", &tag), "/api/tasks/Edits/1").ok()["version"], 2);
    assert_eq!(edit(&site.with("If-Match", &tag), "/api/tasks/Edits/1").status, 412);
    assert_eq!(edit(&site.with("If-Match", "\"other\""), "/api/tasks/Edits/1").status, 412);
    assert_eq!(
        edit(&site.with("If-Match", "*"), "/api/tasks/Edits/1").ok()["version"],
        2,
        "it changes nothing"
    );
    assert_eq!(site.with("If-None-Match", &tag).get("/api/tasks/Edits/1").ok()["title"], "b");
}

#[test]
fn a_wait_ends_with_the_change() {
    let server = SERVER.server();
    let site = server.site();
    let ann = agent(&site, "ann", "Waits");
    create(&site, "Waits", &json!({"title": "a", "not_before": "2100-01-01"}));
    assert_eq!(site.get("/api/tasks/Waits/1?wait=10ms").status, 304);
    assert_eq!(site.get("/api/tasks/Waits/1?wait=6m").status, 400);
    let waiting = {
        let site = site.clone();
        thread::spawn(move || site.get("/api/tasks/Waits/1?wait=20s&version=1"))
    };
    let claiming = {
        let ann = ann.clone();
        thread::spawn(move || ann.post("/api/tasks/Waits/claim?wait=20s", &json!({})))
    };
    site.send("PATCH", "/api/tasks/Waits/1", r#"{"not_before": null}"#).ok();
    // The claim may come before the answer is made.
    let version = waiting.join().unwrap().ok()["version"].as_u64().unwrap();
    assert!((2..=3).contains(&version), "{version}");
    assert_eq!(claiming.join().unwrap().ok()["task"]["number"], 1);
    let none = ann.post("/api/tasks/Waits/claim?wait=10ms", &json!({})).ok();
    assert_eq!(none["task"], Value::Null);
}

#[test]
fn a_caller_that_hung_up_while_it_waited_never_wins() {
    use std::io::Write as _;
    let server = Server::start();
    let site = server.site();
    let gone = register(&site, "gone", "Gone");
    let place = server.api.trim_start_matches("http://");
    let mut connections = Vec::new();
    for _ in 0..8 {
        let mut connection = std::net::TcpStream::connect(place).unwrap();
        let request = format!(
            "POST /api/tasks/Gone/claim?wait=1m HTTP/1.1\r\nHost: {place}\r\nX-Koor-Instance: {gone}\r\nContent-Length: 0\r\n\r\n"
        );
        connection.write_all(request.as_bytes()).unwrap();
        connections.push(connection);
    }
    let subscribers = || {
        let metrics = site.get("/metrics");
        let line =
            metrics.text().lines().find(|line| line.starts_with("koor_subscribers ")).unwrap().to_owned();
        line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    until(|| (subscribers() == 8).then_some(()));
    drop(connections);
    until(|| (subscribers() == 0).then_some(()));
    create(&site, "Gone", &json!([{"title": "a"}, {"title": "b"}]));
    let here = agent(&site, "here", "Gone");
    for number in 1..=2 {
        let task = here.post("/api/tasks/Gone/claim?wait=5s", &json!({})).ok();
        assert_eq!((&task["task"]["number"], &task["task"]["fence"]), (&json!(number), &json!(1)));
    }
}

#[test]
fn a_silent_holder_loses_its_task_in_time_and_an_active_one_does_not() {
    let server = Start::default().args(["--task-lease", "10s"]).start().unwrap();
    let site = server.site();
    let (silent, active) = (agent(&site, "silent", "Late"), register(&site, "active", "Late"));
    create(&site, "Late", &json!([{"title": "a"}, {"title": "b"}]));
    let claimed = silent.post("/api/tasks/Late/claim", &json!({})).ok();
    let of_active = site.instance(&active);
    of_active.post("/api/tasks/Late/claim", &json!({})).ok();
    let begun = std::time::Instant::now();
    let expired = until(|| {
        // Any call that names the holder renews its claim.
        of_active.get("/api/state").ok();
        let task = site.get("/api/tasks/Late/1").ok();
        (task["status"] == "open").then_some(task)
    });
    let took = begun.elapsed();
    assert!(took >= Duration::from_secs(9) && took <= Duration::from_secs(17), "{took:?}");
    assert_eq!((&expired["attempts"], &expired["fence"]), (&json!(1), &json!(2)));
    assert_eq!(site.get("/api/tasks/Late/2").ok()["claim"]["instance_id"], active.as_str());
    let fence = claimed["task"]["fence"].clone();
    silent.post("/api/tasks/Late/1/done", &json!({"fence": fence})).says(409, "claim lost: ");
    let topics = site.get("/api/events/history?topic=$task.*&last=99").ok();
    let topics: Vec<&str> =
        topics.as_array().unwrap().iter().map(|event| event["topic"].as_str().unwrap()).collect();
    assert!(topics.contains(&"$task.expired"), "{topics:?}");
    let entry = site.get("/api/audit?action=task.expire").ok()[0].clone();
    assert_eq!((&entry["actor"], &entry["resource"]), (&json!("task-monitor"), &json!("Late/1")));
}
