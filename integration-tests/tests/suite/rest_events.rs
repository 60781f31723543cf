//! Events: published, read back, waited for.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use integration_tests::{Server, Shared, Site};
use serde_json::{Value, json};

static SERVER: Shared = Shared::new();

fn publish(site: &Site, topic: &str, data: &Value, source: &str) -> u64 {
    let reply = site.post("/api/events/publish", &json!({"topic": topic, "data": data, "source": source}));
    assert_eq!(reply.ok()["id"], reply.cursor());
    reply.cursor()
}

fn data(events: &Value) -> Vec<Value> {
    events.as_array().unwrap().iter().map(|event| event["data"].clone()).collect()
}

#[test]
fn publish_answers_with_the_event() {
    let server = SERVER.server();
    let site = server.site();
    let sent = json!({"topic": "pub.a", "data": {"n": [1, null, "ü"]}, "source": "me"});
    let reply = site.post("/api/events/publish", &sent);
    let expected = json!({
        "id": reply.cursor(), "topic": "pub.a", "data": {"n": [1, null, "ü"]}, "source": "me", "created_at": "<time>",
    });
    assert_eq!(reply.steady(), expected);
    let bare = site.post("/api/events/publish", &json!({"topic": "pub.b"}));
    let expected =
        json!({"id": bare.cursor(), "topic": "pub.b", "data": null, "source": "", "created_at": "<time>"});
    assert_eq!(bare.steady(), expected);
    assert!(bare.cursor() > reply.cursor());
}

#[test]
fn data_is_kept_as_it_was_sent_wherever_it_is_read() {
    let server = SERVER.server();
    let site = server.site();
    let data = r#"{"b": 1.0, "a": 12345678901234567890123}"#;
    let published =
        site.send("POST", "/api/events/publish", format!(r#"{{"topic": "kept.as.sent", "data": {data}}}"#));
    let before = published.cursor() - 1;
    for answer in [
        published,
        site.get("/api/events/history?topic=kept.as.sent"),
        site.get(&format!("/api/events/wait?since={before}&pattern=kept.as.sent")),
    ] {
        assert!(answer.text().contains(data), "{}", answer.text());
    }
}

#[test]
fn a_topic_that_can_not_be_is_refused() {
    let server = SERVER.server();
    let site = server.site();
    for body in [json!({}), json!({"topic": ""}), json!({"data": 1}), json!({"topic": null})] {
        site.post("/api/events/publish", &body).refused(400, "topic is required");
    }
    let (most, more) = ("t".repeat(256), "t".repeat(257));
    publish(&site, &most, &json!(1), "");
    for topic in
        ["a..b", ".a", "a.", "a b", "a\tb", "a.*", "a?", "[a]", "a\\b", "$state.changed", "$mine", &more]
    {
        site.post("/api/events/publish", &json!({"topic": topic})).says(400, "topic");
    }
}

#[test]
fn history_is_newest_first_and_every_filter_combines() {
    let server = Server::start();
    let site = server.site();
    let ids: Vec<_> = (1..=6)
        .map(|n| {
            let topic = if n % 2 == 0 { "api.change.contract" } else { "api.note" };
            publish(&site, topic, &json!(n), if n > 3 { "late" } else { "early" })
        })
        .collect();
    let get = |query: &str| data(&site.get(&format!("/api/events/history?{query}")).ok());
    assert_eq!(get(""), [6, 5, 4, 3, 2, 1]);
    assert_eq!(get("last=2"), [6, 5]);
    assert_eq!(get("topic=api.*"), [6, 5, 4, 3, 2, 1]);
    assert_eq!(get("topic=*.change.*&last=2"), [6, 4]);
    assert_eq!(get("source=early"), [3, 2, 1]);
    assert_eq!(get("source=early&topic=api.note&last=1"), [3]);
    assert_eq!(get("topic=api.not[a-e]"), [5, 3, 1]);
    assert_eq!(get("topic=api.not%5B%5Ea-e%5D"), [0; 0]);
    assert_eq!(get("topic=api.n?te"), [5, 3, 1]);
    assert_eq!(get(&format!("after={}", ids[1])), [3, 4, 5, 6]);
    assert_eq!(get(&format!("after={}&last=2&source=late", ids[1])), [4, 5]);
    let at = site.get("/api/events/history").ok()[2]["created_at"].as_str().unwrap().to_owned();
    assert!(get(&format!("from={at}")).contains(&json!(4)) && get(&format!("to={at}")).contains(&json!(4)));
    assert_eq!(get("from=2999-01-01"), [0; 0]);
    assert_eq!(get("to=2001-01-01"), [0; 0]);
    assert_eq!(get("from=2001-01-01&to=2999-01-01&topic=api.note&source=late"), [5]);
    site.get("/api/events/history?topic=[a").says(400, "pattern");
}

#[test]
fn a_pattern_needs_no_escapes() {
    let server = SERVER.server();
    let site = server.site();
    publish(&site, "truck-wash.done", &json!("unescaped"), "");
    assert_eq!(data(&site.get("/api/events/history?topic=truck-wash.*").ok()), ["unescaped"]);
    assert_eq!(data(&site.get("/api/events/history?topic=truck-wash.%2A").ok()), ["unescaped"]);
}

#[test]
fn the_history_of_everybody_holds_no_change_unless_it_is_asked_for() {
    let server = SERVER.server();
    let site = server.site();
    let put = site.put("/api/state/changes/a", &json!(1));
    let mine = |events: &Value| events.as_array().unwrap().iter().any(|event| event["id"] == put.cursor());
    for pattern in ["", "*", "?state.changed"] {
        assert!(
            !mine(&site.get(&format!("/api/events/history?topic={pattern}&last=10000")).ok()),
            "{pattern}"
        );
    }
    let changes = site.get(&format!("/api/events/history?topic=$state.*&after={}&last=1", put.cursor() - 1));
    let expected = json!([{
        "id": put.cursor(), "topic": "$state.changed", "source": "", "created_at": "<time>",
        "data": {"key": "changes/a", "version": 1, "hash": "<hash>", "deleted": false},
    }]);
    assert_eq!(changes.steady(), expected);
}

#[test]
fn every_change_is_an_event_at_the_place_that_the_write_told() {
    let server = Server::start();
    let site = server.site();
    let hook = json!({"id": "h", "url": "http://127.0.0.1:9/"});
    let rule = json!({"project": "p", "rule_id": "r", "pattern": "x"});
    let mut writes = vec![
        ("$state.changed", site.put("/api/state/k", &json!(1))),
        ("$state.changed", site.send("POST", "/api/state/k?rollback=1", "")),
        ("$state.changed", site.delete("/api/state/k")),
        ("$spec.changed", site.put("/api/specs/p/s", &json!(1))),
        ("$spec.changed", site.delete("/api/specs/p/s")),
        ("$instance.registered", site.post("/api/instances/register", &json!({"name": "a"}))),
    ];
    let id = writes[5].1.ok()["id"].as_str().unwrap().to_owned();
    writes.extend([
        ("$instance.activated", site.post(&format!("/api/instances/{id}/activate"), &Value::Null)),
        ("$instance.deregistered", site.delete(&format!("/api/instances/{id}"))),
        ("$rule.proposed", site.post("/api/rules/propose", &rule)),
        ("$rule.rejected", site.post("/api/rules/p/r/reject", &Value::Null)),
        ("$rule.proposed", site.post("/api/rules/propose", &rule)),
        ("$rule.accepted", site.post("/api/rules/p/r/accept", &Value::Null)),
        ("$rule.deleted", site.delete("/api/rules/p/r")),
        ("$rules.changed", site.put("/api/validate/p/rules", &json!([{"rule_id": "r", "pattern": "x"}]))),
        ("$rules.changed", site.post("/api/rules/import", &json!([rule]))),
    ]);
    site.post("/api/webhooks", &hook).ok();
    site.post("/api/templates", &json!({"id": "t", "name": "T"})).ok();
    let apply = site.post("/api/templates/t/apply", &json!({"project": "p"}));
    writes.push(("$template.applied", apply));
    let mut before = 0;
    for (topic, write) in &writes {
        write.ok();
        let cursor = write.cursor();
        assert!(cursor > before, "{topic}");
        let found = site.get(&format!("/api/events/history?topic=$*&after={}&last=1", cursor - 1)).ok();
        assert_eq!((&found[0]["id"], &found[0]["topic"]), (&json!(cursor), &json!(topic)));
        before = cursor;
    }
    let all = site.get("/api/events/history?topic=$*&last=10000").ok();
    let of = |topic: &str| {
        let found = all.as_array().unwrap().iter().find(|event| event["topic"] == topic);
        integration_tests::steady(found.unwrap()["data"].clone())
    };
    assert_eq!(of("$spec.changed")["deleted"], true);
    assert_eq!((&of("$spec.changed")["project"], &of("$spec.changed")["name"]), (&json!("p"), &json!("s")));
    assert_eq!(
        of("$instance.registered"),
        json!({"instance_id": "<uuid>", "name": "a", "workspace": "", "stack": ""})
    );
    assert_eq!(of("$rule.proposed"), json!({"project": "p", "rule_id": "r"}));
    assert_eq!(of("$template.applied"), json!({"id": "t", "project": "p"}));
    let changed: Vec<_> =
        all.as_array().unwrap().iter().filter(|event| event["topic"] == "$rules.changed").collect();
    assert!(changed.iter().any(|event| event["data"] == json!({"project": "p", "count": 1})), "{changed:?}");
}

#[test]
fn a_wait_answers_at_once_or_when_something_comes_or_when_the_time_is_up() {
    let server = Server::start();
    let site = server.site();
    let first = publish(&site, "job.a", &json!(1), "");
    let second = publish(&site, "job.b", &json!(2), "");
    publish(&site, "other", &json!(3), "");
    let wait = |query: &str| site.get(&format!("/api/events/wait?{query}")).ok();
    let all = wait("since=0&pattern=job.*");
    assert_eq!((data(&all["events"]), &all["more"]), (vec![json!(1), json!(2)], &json!(false)));
    let part = wait("since=0&pattern=job.*&limit=1");
    assert_eq!(
        integration_tests::steady(part.clone()),
        json!({
            "events": [{"id": first, "topic": "job.a", "data": 1, "source": "", "created_at": "<time>"}],
            "cursor": first, "more": true,
        })
    );
    assert_eq!(data(&wait(&format!("since={}&pattern=job.*", part["cursor"]))["events"]), [2]);
    assert_eq!(data(&wait("since=0&pattern=job.b&pattern=other")["events"]), [2, 3]);
    let none = wait(&format!("since={second}&pattern=job.*&timeout=50ms"));
    assert_eq!((&none["events"], &none["more"]), (&json!([]), &json!(false)));
    let from_now = wait("pattern=*&timeout=50ms");
    assert_eq!(from_now["events"], json!([]));
    let waiting = {
        let (site, since) = (site.clone(), from_now["cursor"].clone());
        std::thread::spawn(move || {
            site.get(&format!("/api/events/wait?since={since}&pattern=$state.*&pattern=job.*&timeout=30s"))
                .ok()
        })
    };
    site.put("/api/state/waited", &json!(1)).ok();
    assert_eq!(waiting.join().unwrap()["events"][0]["data"]["key"], "waited");
}

#[test]
fn a_wait_that_can_not_be_is_refused() {
    let server = SERVER.server();
    let site = server.site();
    for bad in ["timeout=6m", "timeout=301s", "timeout=soon", "timeout=-1s"] {
        site.get(&format!("/api/events/wait?{bad}")).says(400, "timeout");
    }
    site.get("/api/events/wait?pattern=[a").says(400, "pattern");
    // Behind the end of the log is no place either: it must have been the log of another server.
    let error = site.get("/api/events/wait?since=999999999").gives(410);
    assert!(
        error["error"].as_str().unwrap().starts_with("cursor expired: it is beyond the end of the log"),
        "{error}"
    );
    // Where to begin again: this log has lost nothing yet.
    assert_eq!((&error["code"], &error["oldest"]), (&json!(410), &json!(1)));
}

#[test]
fn patterns_are_globs_over_the_whole_topic() {
    let server = SERVER.server();
    let site = server.site();
    for topic in ["glob", "glob.a", "glob.b", "glob.ab", "glob.a.b", "glob.^"] {
        publish(&site, topic, &json!(topic), "");
    }
    for (pattern, expected) in [
        ("glob", vec!["glob"]),
        ("glob.*", vec!["glob.a", "glob.b", "glob.ab", "glob.a.b", "glob.^"]),
        ("glob.?", vec!["glob.a", "glob.b", "glob.^"]),
        ("glob.[a-b]", vec!["glob.a", "glob.b"]),
        ("glob.[^a-a]", vec!["glob.b", "glob.^"]),
        ("glob.[b^]", vec!["glob.b", "glob.^"]),
        ("glob%5C.a", vec!["glob.a"]),
        ("glob.%5C^", vec!["glob.^"]),
        ("g*b", vec!["glob", "glob.b", "glob.ab", "glob.a.b"]),
        ("lob.a", vec![]),
        ("GLOB", vec![]),
    ] {
        let mut found = data(&site.get(&format!("/api/events/history?topic={pattern}&last=10000")).ok());
        found.reverse();
        assert_eq!(found, expected, "{pattern}");
    }
    for bad in ["[", "[a", "[]", "a%5C", "[b-a]"] {
        for path in ["history?topic", "wait?timeout=10ms&pattern", "subscribe?pattern", "stream?pattern"] {
            site.get(&format!("/api/events/{path}={bad}")).says(400, "pattern");
        }
    }
}

#[test]
fn a_wait_answers_a_hundred_unless_told_and_of_changes_only_to_those_who_ask() {
    let server = Server::start();
    let site = server.site();
    let first = site.put("/api/state/a", &json!(1)).cursor();
    for n in 0..101 {
        publish(&site, "many", &json!(n), "");
    }
    let wait = |query: &str| site.get(&format!("/api/events/wait?timeout=50ms&{query}")).ok();
    for query in ["since=0", "since=0&pattern=*", "since=0&pattern="] {
        let part = wait(query);
        assert_eq!(data(&part["events"]), (0..100).map(|n| json!(n)).collect::<Vec<_>>(), "{query}");
        assert_eq!(part["more"], true, "{query}");
        let rest = wait(&format!("since={}", part["cursor"]));
        assert_eq!((data(&rest["events"]), &rest["more"]), (vec![json!(100)], &json!(false)), "{query}");
    }
    let changes = wait("since=0&pattern=$*");
    assert_eq!(changes["events"].as_array().map(Vec::len), Some(1));
    assert_eq!(changes["events"][0]["id"], first);
}
