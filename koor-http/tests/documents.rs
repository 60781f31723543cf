//! State and specs over HTTP.

mod common;

use std::{io::Read as _, time::Duration};

use common::Site;
use serde_json::json;

const HASH_OF_1: &str = "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b";

#[tokio::test]
async fn a_value_comes_back_as_it_was_sent() {
    let site = Site::open().await;
    let put = site.put("/api/state/Truck-Wash/plan", "1").await;
    assert_eq!(put.status, 200);
    assert_eq!(put.header("x-koor-cursor"), Some("1"));
    assert_eq!(
        put.json(),
        json!({
            "key": "Truck-Wash/plan", "version": 1, "hash": HASH_OF_1, "content_type": "application/json",
            "updated_at": "2026-02-16T14:00:00.000Z",
        })
    );
    let got = site.get("/api/state/Truck-Wash%2Fplan").await;
    assert_eq!((got.status, got.text().as_str()), (200, "1"));
    assert_eq!(got.header("content-type"), Some("application/json"));
    assert_eq!(got.header("etag"), Some(format!("\"{HASH_OF_1}\"").as_str()));
    assert_eq!(got.header("x-koor-version"), Some("1"));
    assert!(got.header("x-request-id").is_some());
    assert_eq!(site.audit().await, [" state.put Truck-Wash/plan success"]);
}

#[tokio::test]
async fn a_value_keeps_its_content_type_and_form_data_that_is_json_is_json() {
    let site = Site::open().await;
    for (sent, body, expected) in [
        ("text/markdown; charset=utf-8", "# x", "text/markdown; charset=utf-8"),
        ("application/x-www-form-urlencoded", "{\"a\":1}", "application/json"),
        ("application/x-www-form-urlencoded", "a=1", "application/x-www-form-urlencoded"),
    ] {
        let put = site.send("PUT", "/api/state/k", &[("content-type", sent)], body.as_bytes()).await;
        assert_eq!(put.json()["content_type"], expected);
        let got = site.get("/api/state/k").await;
        assert_eq!((got.header("content-type"), got.text().as_str()), (Some(expected), body));
    }
    let odd = site.send("PUT", "/api/state/k", &[("content-type", "text/ü")], b"x").await;
    assert_eq!(odd.status, 400);
}

#[tokio::test]
async fn what_cannot_be_a_key_or_a_value_is_refused() {
    let site = Site::open().await;
    for target in ["/api/state/", "/api/state/a//b", "/api/state/a/../b", "/api/state/%0a", "/api/state/%ff"]
    {
        assert_eq!(site.put(target, "1").await.status, 400, "{target}");
    }
    assert_eq!(site.put("/api/state/k", "").await.error(), "empty body");
    assert_eq!(site.get("/api/state/nope").await.error(), "key not found: nope");
    assert_eq!(site.get("/api/state/nope?version=9").await.error(), "version 9 not found for key: nope");
    assert_eq!(site.get("/api/state/%ff").await.error(), "invalid path: it is not UTF-8");
}

#[tokio::test]
async fn a_known_version_is_not_sent_again() {
    let site = Site::open().await;
    site.put("/api/state/k", "1").await;
    for tag in ["*".to_owned(), format!("\"{HASH_OF_1}\""), format!("\"x\", W/\"{HASH_OF_1}\"")] {
        let got = site.send("GET", "/api/state/k", &[("if-none-match", &tag)], b"").await;
        assert_eq!((got.status, got.body.len()), (304, 0), "{tag}");
        assert_eq!(got.header("x-koor-version"), Some("1"));
    }
    assert_eq!(site.send("GET", "/api/state/k", &[("if-none-match", "\"x\"")], b"").await.status, 200);
}

#[tokio::test]
async fn head_says_what_get_would() {
    let site = Site::open().await;
    site.put("/api/state/k", "12345").await;
    let mut client = site.client().await;
    let head = client.send("HEAD", "/api/state/k", &[], b"").await;
    assert_eq!((head.status, head.header("content-length")), (200, Some("5")));
    let missing = client.send("HEAD", "/api/state/nope", &[], b"").await;
    assert_eq!(missing.status, 404);
    // The connection is in step: no body was sent.
    assert_eq!(client.send("GET", "/api/state/k", &[], b"").await.text(), "12345");
}

#[tokio::test]
async fn a_condition_that_does_not_hold_changes_nothing() {
    let site = Site::open().await;
    let absent = site.send("PUT", "/api/state/k", &[("if-match", "*")], b"1").await;
    let mut body =
        json!({"error": "version conflict: k is at version 0", "code": 412, "version": 0, "hash": ""});
    assert_eq!((absent.status, absent.json()), (412, body));
    assert_eq!(site.send("PUT", "/api/state/k", &[("if-none-match", "*")], b"1").await.status, 200);
    let there = site.put("/api/state/k?if_version=0", "2").await;
    body =
        json!({"error": "version conflict: k is at version 1", "code": 412, "version": 1, "hash": HASH_OF_1});
    assert_eq!((there.status, there.json()), (412, body));
    let tag = format!("\"{HASH_OF_1}\"");
    assert_eq!(site.send("PUT", "/api/state/k", &[("if-match", &tag)], b"2").await.json()["version"], 2);
    assert_eq!(site.send("DELETE", "/api/state/k", &[("if-match", &tag)], b"").await.status, 412);
    assert_eq!(site.send("POST", "/api/state/k?rollback=1&if_version=1", &[], b"").await.status, 412);
    assert_eq!(site.put("/api/state/k?if_version=x", "3").await.status, 400);
    assert_eq!(site.get("/api/state/k").await.text(), "2");
    assert_eq!(site.audit().await[0], " state.put k error".replace("put", "rollback"));
}

#[tokio::test]
async fn history_rollback_diff_and_delete_follow_each_other() {
    let site = Site::open().await;
    site.put("/api/state/k", r#"{"a":1}"#).await;
    site.put("/api/state/k", r#"{"a":2,"b":3}"#).await;
    let diff = site.get("/api/state/k?diff=1,2").await.json();
    assert_eq!(
        diff,
        json!({"key": "k", "v1": 1, "v2": 2, "diffs": [
            {"path": "a", "kind": "changed", "old": 1, "new": 2}, {"path": "b", "kind": "added", "new": 3},
        ]})
    );
    let patch = site.get("/api/state/k?diff=1,2&format=json-patch").await.json();
    assert_eq!(patch.as_array().unwrap().len(), 2);
    assert_eq!(site.get("/api/state/k?diff=1,9").await.status, 404);
    assert_eq!(site.get("/api/state/k?diff=1").await.status, 400);
    assert_eq!(site.get("/api/state/k?version=1").await.text(), r#"{"a":1}"#);
    assert_eq!(site.post("/api/state/k", "").await.status, 400);
    assert_eq!(site.post("/api/state/k?rollback=x", "").await.status, 400);
    assert_eq!(site.post("/api/state/k?rollback=9", "").await.status, 404);
    let back = site.post("/api/state/k?rollback=1", "").await;
    assert_eq!(back.json()["version"], 3);
    assert_eq!(back.json()["rolled_back"], 1);
    let gone = site.delete("/api/state/k").await;
    assert_eq!(gone.json(), json!({"deleted": "k", "version": 4}));
    assert_eq!(gone.header("x-koor-cursor"), Some("4"));
    assert_eq!(site.delete("/api/state/k").await.status, 404);
    assert_eq!(site.get("/api/state/k").await.status, 404);
    let history = site.get("/api/state/k?history=1&limit=2").await.json();
    let versions = history["versions"].as_array().unwrap();
    assert_eq!(
        (versions.len(), &versions[0]["version"], &versions[0]["deleted"]),
        (2, &json!(4), &json!(true))
    );
    assert_eq!(site.get("/api/state/never?history=1").await.json(), json!({"key": "never", "versions": []}));
    assert_eq!(site.get("/api/state/k?history=1&limit=0").await.status, 400);
}

#[tokio::test]
async fn the_list_is_ordered_and_can_be_taken_in_parts() {
    let site = Site::open().await;
    for key in ["b", "a/2", "a/1"] {
        site.put(&format!("/api/state/{key}"), "1").await;
    }
    let keys = async |target: &str| -> Vec<String> {
        let list = site.get(target).await.json();
        list.as_array().unwrap().iter().map(|item| item["key"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(keys("/api/state").await, ["a/1", "a/2", "b"]);
    assert_eq!(keys("/api/state?prefix=a/").await, ["a/1", "a/2"]);
    assert_eq!(keys("/api/state?limit=1&after=a/1").await, ["a/2"]);
    assert_eq!(site.get("/api/state?limit=x").await.status, 400);
    assert_eq!(
        site.get("/api/state?prefix=b").await.json(),
        json!([{
            "key": "b", "version": 1, "content_type": "application/json", "updated_at": "2026-02-16T14:00:00.000Z",
            "hash": HASH_OF_1, "size": 1, "updated_by": "",
        }])
    );
}

#[tokio::test]
async fn a_long_poll_answers_with_the_change_or_when_the_time_is_up() {
    let site = Site::open().await;
    site.put("/api/state/k", "1").await;
    assert_eq!(site.get("/api/state/k?wait=30s&version=0").await.text(), "1");
    let mut waiting = site.client().await;
    let head = waiting.head("GET", "/api/state/k?wait=30s", &[], 0);
    waiting.write(&head).await;
    while site.clock.sleepers() == 0 {
        tokio::task::yield_now().await;
    }
    site.put("/api/state/k", "2").await;
    assert_eq!(waiting.read(false).await.text(), "2");
    let head = waiting.head("GET", "/api/state/k?wait=1m30s", &[], 0);
    waiting.write(&head).await;
    while site.clock.sleepers() == 0 {
        tokio::task::yield_now().await;
    }
    site.clock.advance(Duration::from_secs(90));
    assert_eq!(waiting.read(false).await.status, 304);
    assert_eq!(site.get("/api/state/k?wait=6m").await.status, 400);
    assert_eq!(site.get("/api/state/k?wait=soon").await.status, 400);
}

#[tokio::test]
async fn large_answers_are_packed_for_those_who_ask() {
    let site = Site::open().await;
    let large = "x".repeat(5000);
    site.put("/api/state/large", &large).await;
    site.put("/api/state/small", "1").await;
    let asked = [("accept-encoding", "gzip, br")];
    let packed = site.send("GET", "/api/state/large", &asked, b"").await;
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert_eq!(packed.header("vary"), Some("accept-encoding"));
    let mut unpacked = String::new();
    flate2::read::GzDecoder::new(&packed.body[..]).read_to_string(&mut unpacked).unwrap();
    assert_eq!(unpacked, large);
    assert_eq!(site.send("GET", "/api/state/small", &asked, b"").await.header("content-encoding"), None);
    assert_eq!(site.get("/api/state/large").await.text(), large);
}

#[tokio::test]
async fn specs_are_json_and_obey_the_schema_beside_them() {
    let site = Site::open().await;
    let bad = site.put("/api/specs/p/s", "{\"a\":").await;
    assert_eq!(bad.error(), "invalid JSON body: EOF while parsing a value at line 1 column 5");
    assert_eq!(site.put("/api/specs/p/s", "").await.error(), "empty body");
    site.put("/api/specs/p/s.schema", r#"{"type":"object","required":["a"]}"#).await;
    let refused = site.put("/api/specs/p/s", "{}").await;
    assert_eq!(refused.status, 422);
    assert_eq!(refused.json()["violations"].as_array().unwrap().len(), 1);
    let put = site.put("/api/specs/p/s", r#"{"a":1}"#).await;
    assert_eq!((put.status, put.json()["project"].as_str()), (200, Some("p")));
    assert_eq!(site.get("/api/specs/p/s").await.text(), r#"{"a":1}"#);
    assert_eq!(site.get("/api/specs/p/x").await.error(), "spec not found: p/x");
    let list = site.get("/api/specs/p").await.json();
    assert_eq!(list["specs"].as_array().unwrap().len(), 2);
    assert_eq!(
        site.get("/api/specs").await.json(),
        json!({"projects": [{"project": "p", "specs": 2, "rules": 0}]})
    );
    assert_eq!(site.get("/api/specs/nope").await.json(), json!({"project": "nope", "specs": []}));
    assert_eq!(site.post("/api/specs/p/s?rollback=1", "").await.json()["version"], 2);
    assert_eq!(site.delete("/api/specs/p/s").await.json(), json!({"deleted": "p/s", "version": 3}));
    assert_eq!(site.get("/api/specs/a%2Fb").await.status, 400);
}
