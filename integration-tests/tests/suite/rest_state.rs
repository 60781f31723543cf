//! State: every call, by its answers.

use integration_tests::{Shared, Start};
use serde_json::{Value, json};

static SERVER: Shared = Shared::new();

/// The SHA-256 of `{"a":1}`, and the tag it gives.
const HASH: &str = "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862";

fn tag(hash: &Value) -> String {
    format!("\"{}\"", hash.as_str().unwrap_or_default())
}

#[test]
fn a_put_answers_with_the_revision_and_a_get_with_the_bytes() {
    let server = SERVER.server();
    let site = server.site();
    let put = site.send("PUT", "/api/state/put/a", "{\"a\":1}");
    let expected = json!({
        "key": "put/a", "version": 1, "hash": "<hash>", "content_type": "application/json", "updated_at": "<time>",
    });
    assert_eq!(put.steady(), expected);
    assert_eq!(put.ok()["hash"], HASH);
    assert!(put.cursor() > 0);
    let get = site.get("/api/state/put/a");
    assert_eq!((get.status, get.text()), (200, "{\"a\":1}"));
    assert_eq!(get.header("content-type"), Some("application/json"));
    assert_eq!(get.header("etag"), Some(format!("\"{HASH}\"").as_str()));
    assert_eq!(get.header("x-koor-version"), Some("1"));
    let again = site.send("PUT", "/api/state/put/a", " [ 1,\n2 ] ");
    assert_eq!(again.ok()["version"], 2);
    assert!(again.cursor() > put.cursor());
    assert_eq!(site.get("/api/state/put/a").text(), " [ 1,\n2 ] ");
    site.send("PUT", "/api/state/put/b", "").refused(400, "empty body");
    site.get("/api/state/put/b").refused(404, "key not found: put/b");
}

#[test]
fn a_value_keeps_its_content_type_and_its_bytes() {
    let server = SERVER.server();
    for (sent, body, kept) in [
        ("text/plain; charset=utf-8", &b"hello"[..], "text/plain; charset=utf-8"),
        ("application/octet-stream", &[0, 159, 146, 150, 13, 10], "application/octet-stream"),
        ("application/x-www-form-urlencoded", b"{\"a\": [1]}", "application/json"),
        ("application/x-www-form-urlencoded; charset=utf-8", b"7", "application/json"),
        ("application/x-www-form-urlencoded", b"a=1&b=2", "application/x-www-form-urlencoded"),
    ] {
        let put = server.site().with("Content-Type", sent).send("PUT", "/api/state/kind", body);
        assert_eq!(put.ok()["content_type"], kept);
        let get = server.site().get("/api/state/kind");
        assert_eq!((get.header("content-type"), &get.body[..]), (Some(kept), body));
    }
}

#[test]
fn a_key_is_the_rest_of_the_path_or_refused() {
    let server = SERVER.server();
    let site = server.site();
    for (path, key) in [
        ("names/a%20b", "names/a b"),
        ("names/a%2Fb", "names/a/b"),
        ("names/%C3%BC/x", "names/ü/x"),
        ("names/a+b:c@d", "names/a+b:c@d"),
    ] {
        assert_eq!(site.put(&format!("/api/state/{path}"), &json!(1)).ok()["key"], key);
        assert_eq!(site.get(&format!("/api/state/{path}")).ok(), 1);
    }
    let most = "k".repeat(512);
    site.put(&format!("/api/state/{most}"), &json!(1)).ok();
    for bad in
        ["a//b", "/a", "a/", "a/../b", "a/%2e%2e/b", "./a", "a%00b", "a%0Ab", "%FF", &format!("{most}k")]
    {
        for method in ["GET", "PUT", "DELETE"] {
            let body = if method == "PUT" { "1" } else { "" };
            site.send(method, &format!("/api/state/{bad}"), body).says(400, "");
        }
    }
}

#[test]
fn the_list_is_by_key_and_can_be_taken_in_parts() {
    let server = SERVER.server();
    let site = server.site();
    for key in ["list/c", "list/a", "list/b", "list/gone"] {
        site.put(&format!("/api/state/{key}"), &json!("x")).ok();
    }
    site.delete("/api/state/list/gone").ok();
    let entry = |key: &str| {
        json!({
            "key": key, "version": 1, "content_type": "application/json", "updated_at": "<time>", "hash": "<hash>",
            "size": 3, "updated_by": "",
        })
    };
    let (a, b, c) = (entry("list/a"), entry("list/b"), entry("list/c"));
    assert_eq!(site.get("/api/state?prefix=list/").steady(), json!([a, b, c]));
    assert_eq!(site.get("/api/state?prefix=list/&limit=2").steady(), json!([a, b]));
    assert_eq!(site.get("/api/state?prefix=list%2F&after=list/a").steady(), json!([b, c]));
    assert_eq!(site.get("/api/state?prefix=list/&after=list/a&limit=1").steady(), json!([b]));
    assert_eq!(site.get("/api/state?prefix=nothing/").ok(), json!([]));
}

#[test]
fn without_a_limit_the_list_has_every_key() {
    let server = Start::default().args(["--durability", "normal"]).start().unwrap();
    let site = server.site();
    for n in 0..120 {
        site.put(&format!("/api/state/{n:03}"), &json!(n)).ok();
    }
    let all = site.get("/api/state").ok();
    let keys: Vec<_> = all.as_array().unwrap().iter().map(|entry| entry["key"].clone()).collect();
    assert_eq!(keys, (0..120).map(|n| json!(format!("{n:03}"))).collect::<Vec<_>>());
}

#[test]
fn a_known_value_is_not_sent_again() {
    let server = SERVER.server();
    let site = server.site();
    site.send("PUT", "/api/state/known", "{\"a\":1}").ok();
    for tags in
        [format!("\"{HASH}\""), format!("W/\"{HASH}\""), format!("\"other\", \"{HASH}\""), "*".to_owned()]
    {
        let reply = site.with("If-None-Match", &tags).get("/api/state/known");
        assert_eq!(reply.status, 304, "{tags}");
        assert_eq!(reply.header("etag"), Some(format!("\"{HASH}\"").as_str()));
        assert_eq!(reply.header("x-koor-version"), Some("1"));
    }
    assert_eq!(site.with("If-None-Match", "\"other\"").get("/api/state/known").status, 200);
    assert_eq!(site.with("If-None-Match", "*").get("/api/state/unknown").status, 404);
}

#[test]
fn history_shows_every_version_newest_first() {
    let server = SERVER.server();
    let site = server.site();
    site.put("/api/state/past", &json!(1)).ok();
    site.with("Content-Type", "text/plain").send("PUT", "/api/state/past", "two").ok();
    assert_eq!(site.delete("/api/state/past").ok(), json!({"deleted": "past", "version": 3}));
    let revision = |version: u64, kind: &str, size: u64, deleted: bool| {
        json!({
            "key": "past", "version": version, "hash": "<hash>", "content_type": kind, "updated_at": "<time>",
            "updated_by": "", "size": size, "deleted": deleted,
        })
    };
    let history = site.get("/api/state/past?history=1").steady();
    let tombstone = history["versions"][0].clone();
    assert_eq!(
        (&tombstone["version"], &tombstone["deleted"], &tombstone["size"]),
        (&json!(3), &json!(true), &json!(0))
    );
    let older = [revision(2, "text/plain", 3, false), revision(1, "application/json", 1, false)];
    assert_eq!(history, json!({"key": "past", "versions": [tombstone, older[0], older[1]]}));
    let one = site.get("/api/state/past?history=1&limit=1").steady();
    assert_eq!(one, json!({"key": "past", "versions": [tombstone]}));
    assert_eq!(site.get("/api/state/never?history=1").ok(), json!({"key": "never", "versions": []}));
    let two = site.get("/api/state/past?version=2");
    assert_eq!(
        (two.text(), two.header("content-type"), two.number("x-koor-version")),
        ("two", Some("text/plain"), 2)
    );
    assert!(two.header("etag").is_some());
    site.get("/api/state/past?version=9").refused(404, "version 9 not found for key: past");
    site.get("/api/state/past").refused(404, "key not found: past");
    assert_eq!(site.put("/api/state/past", &json!(4)).ok()["version"], 4);
}

#[test]
fn a_diff_compares_any_two_json_versions() {
    let server = SERVER.server();
    let site = server.site();
    site.put("/api/state/diff", &json!({"a": {"b": [1, 2]}, "gone": true, "same": 0})).ok();
    site.put("/api/state/diff", &json!({"a": {"b": [3, 2]}, "new": null, "same": 0})).ok();
    site.send("PUT", "/api/state/diff", "not json").ok();
    site.put("/api/state/diff", &json!([1])).ok();
    let diff = site.get("/api/state/diff?diff=1,2").ok();
    let expected = json!({"key": "diff", "v1": 1, "v2": 2, "diffs": [
        {"path": "a.b.0", "kind": "changed", "old": 1, "new": 3},
        {"path": "gone", "kind": "removed", "old": true},
        {"path": "new", "kind": "added", "new": null},
    ]});
    assert_eq!(diff, expected);
    assert_eq!(site.get("/api/state/diff?diff=1,1").ok()["diffs"], json!([]));
    assert_eq!(site.get("/api/state/diff?diff=1,4").ok()["diffs"][0]["kind"], "changed");
    let patch = site.get("/api/state/diff?diff=2,1&format=json-patch").ok();
    let operations: Vec<_> =
        patch.as_array().unwrap().iter().map(|step| (&step["op"], &step["path"])).collect();
    for (operation, path) in [("replace", "/a/b/0"), ("add", "/gone"), ("remove", "/new")] {
        assert!(operations.contains(&(&json!(operation), &json!(path))), "{patch}");
    }
    site.get("/api/state/diff?diff=1,9").refused(404, "version 9 not found for key: diff");
    site.get("/api/state/diff?diff=1,3").says(400, "version 3 of diff is not JSON");
    for bad in ["1", "1,", "a,b", "0,1", "1,2,3", ""] {
        site.get(&format!("/api/state/diff?diff={bad}")).says(400, "diff");
    }
    site.get("/api/state/diff?diff=1,2&format=xml").says(400, "unknown format");
}

#[test]
fn a_rollback_brings_bytes_and_content_type_back_even_after_a_delete() {
    let server = SERVER.server();
    let site = server.site();
    site.with("Content-Type", "text/plain").send("PUT", "/api/state/back", "one").ok();
    site.put("/api/state/back", &json!(2)).ok();
    site.delete("/api/state/back").ok();
    let back = site.send("POST", "/api/state/back?rollback=1", "");
    let expected =
        json!({"key": "back", "version": 4, "hash": "<hash>", "rolled_back": 1, "updated_at": "<time>"});
    assert_eq!(back.steady(), expected);
    assert!(back.cursor() > 0);
    let get = site.get("/api/state/back");
    assert_eq!(
        (get.text(), get.header("content-type"), get.number("x-koor-version")),
        ("one", Some("text/plain"), 4)
    );
    site.send("POST", "/api/state/back?rollback=9", "").refused(404, "version 9 not found for key: back");
    site.send("POST", "/api/state/never?rollback=1", "").says(404, "not found");
    for bad in ["", "?rollback=", "?rollback=x", "?rollback=0", "?rollback=-1"] {
        site.send("POST", &format!("/api/state/back{bad}"), "").says(400, "rollback");
    }
}

#[test]
fn a_delete_answers_once() {
    let server = SERVER.server();
    let site = server.site();
    site.put("/api/state/del", &json!(1)).ok();
    let gone = site.delete("/api/state/del");
    assert_eq!(gone.ok(), json!({"deleted": "del", "version": 2}));
    assert!(gone.cursor() > 0);
    site.delete("/api/state/del").refused(404, "key not found: del");
    site.delete("/api/state/never").refused(404, "key not found: never");
}

#[test]
fn a_condition_that_does_not_hold_changes_nothing() {
    let server = SERVER.server();
    let site = server.site();
    let path = "/api/state/cond";
    let absent =
        json!({"error": "version conflict: cond is at version 0", "code": 412, "version": 0, "hash": ""});
    assert_eq!(site.with("If-Match", "*").put(path, &json!(1)).gives(412), absent);
    assert_eq!(site.put("/api/state/cond?if_version=3", &json!(1)).gives(412), absent);
    let first = site.put("/api/state/cond?if_version=0", &json!(1)).ok();
    let taken = json!({
        "error": "version conflict: cond is at version 1", "code": 412, "version": 1, "hash": first["hash"],
    });
    let (mine, other) = (tag(&first["hash"]), format!("\"{}\"", "0".repeat(64)));
    let none_match = site.with("If-None-Match", "*");
    assert_eq!(none_match.put(path, &json!(2)).gives(412), taken);
    assert_eq!(site.with("If-None-Match", &mine).put(path, &json!(2)).gives(412), taken);
    let other_hash = site.with("If-Match", &other);
    for refused in [
        other_hash.put(path, &json!(2)),
        other_hash.delete(path),
        other_hash.send("POST", "/api/state/cond?rollback=1", ""),
        site.put("/api/state/cond?if_version=0", &json!(2)),
        site.delete("/api/state/cond?if_version=2"),
        site.send("POST", "/api/state/cond?rollback=1&if_version=7", ""),
    ] {
        assert_eq!(refused.gives(412), taken);
    }
    assert_eq!(site.get("/api/state/cond?history=1").ok()["versions"].as_array().map(Vec::len), Some(1));
    let listed = format!("{other}, {mine}");
    assert_eq!(site.with("If-Match", &listed).put(path, &json!(2)).ok()["version"], 2);
    assert_eq!(site.put("/api/state/cond?if_version=2", &json!(3)).ok()["version"], 3);
    assert_eq!(site.with("If-Match", "*").delete("/api/state/cond?if_version=3").ok()["version"], 4);
    assert_eq!(none_match.put(path, &json!(5)).ok()["version"], 5);
    site.put("/api/state/cond?if_version=x", &json!(1)).says(400, "if_version");
}

#[test]
fn of_racing_writers_with_one_condition_one_wins() {
    let server = SERVER.server();
    let site = server.site();
    let statuses: Vec<_> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..8)
            .map(|n| {
                let site = &site;
                scope.spawn(move || site.put("/api/state/race?if_version=0", &json!(n)).status)
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 412).count(), 7, "{statuses:?}");
}

#[test]
fn a_long_poll_answers_with_the_change_or_when_the_time_is_up() {
    let server = SERVER.server();
    let site = server.site();
    site.put("/api/state/poll", &json!(1)).ok();
    let now = site.get("/api/state/poll?wait=30s&version=0");
    assert_eq!((now.status, now.text(), now.number("x-koor-version")), (200, "1", 1));
    assert_eq!(site.get("/api/state/poll?wait=50ms&version=1").status, 304);
    assert_eq!(site.get("/api/state/poll?wait=50ms").status, 304);
    assert_eq!(site.get("/api/state/absent?wait=50ms").status, 304);
    let woken = |path: &'static str, change: &dyn Fn()| {
        let waiting = site.clone();
        let waiting = std::thread::spawn(move || waiting.get(path));
        // Whether it waits already or not, it must see the change.
        change();
        waiting.join().unwrap()
    };
    let reply = woken("/api/state/poll?wait=30s&version=1", &|| drop(site.put("/api/state/poll", &json!(2))));
    assert_eq!((reply.status, reply.text(), reply.number("x-koor-version")), (200, "2", 2));
    let reply = woken("/api/state/poll?wait=30s&version=2", &|| drop(site.delete("/api/state/poll")));
    reply.refused(404, "key not found: poll");
    for bad in ["6m", "301s", "soon", ""] {
        site.get(&format!("/api/state/poll?wait={bad}")).says(400, "wait");
    }
}

#[test]
fn a_long_poll_without_a_version_waits_for_the_next_one() {
    let server = SERVER.server();
    let site = server.site();
    site.put("/api/state/next", &json!(0)).ok();
    // A missing key waits for its first version, an existing one for the version after the current one.
    for (path, now) in [("/api/state/next", 1), ("/api/state/first", 0)] {
        let waiting = {
            let site = site.clone();
            std::thread::spawn(move || site.get(&format!("{path}?wait=30s")))
        };
        // A test cannot see when the wait has begun, so it writes again and again.
        let mut last = now;
        while !waiting.is_finished() {
            last = site.put(path, &json!(last)).ok()["version"].as_u64().unwrap();
        }
        let reply = waiting.join().unwrap();
        assert_eq!(reply.status, 200, "{path}");
        assert!((now + 1..=last).contains(&reply.number("x-koor-version")), "{path}");
    }
}

#[test]
fn a_limit_of_history_keeps_the_newest_versions_and_the_current_one() {
    let server = Start::default().args(["--history-limit", "2"]).start().unwrap();
    let site = server.site();
    for n in 1..=5 {
        site.put("/api/state/k", &json!(n)).ok();
        site.put("/api/specs/p/s", &json!(n)).ok();
    }
    for path in ["/api/state/k", "/api/specs/p/s"] {
        let history = site.get(&format!("{path}?history=1")).ok();
        let versions: Vec<_> =
            history["versions"].as_array().into_iter().flatten().map(|v| v["version"].as_u64()).collect();
        assert_eq!(versions, [Some(5), Some(4), Some(3)], "{path}");
        site.get(&format!("{path}?version=2")).says(404, "version 2 not found");
        assert_eq!(site.get(&format!("{path}?version=3")).ok(), 3, "{path}");
    }
}
