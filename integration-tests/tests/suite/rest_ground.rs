//! The ground rules: what holds for every path of every listener.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::{io::Read as _, process::Stdio};

use flate2::read::GzDecoder;
use integration_tests::{Server, Shared, Site, Start};
use serde_json::json;

static SERVER: Shared = Shared::new();

fn dashboard(server: &Server) -> Site {
    Site::new(server.dashboard.as_ref().unwrap())
}

#[test]
fn an_unknown_path_is_a_json_404_on_both_listeners() {
    let server = SERVER.server();
    for path in ["/api/nonsense", "/api", "/api/", "/nonsense", "/api/instances/a/b/c"] {
        server.site().get(path).refused(404, &format!("no such endpoint: {path}"));
        dashboard(&server).get(path).says(404, "");
    }
}

#[test]
fn a_wrong_method_is_a_405_that_says_which_are_right() {
    let server = SERVER.server();
    for (method, path, allow) in [
        ("PUT", "/health", "GET, HEAD, OPTIONS"),
        ("DELETE", "/api/events/history", "GET, HEAD, OPTIONS"),
        ("PATCH", "/api/state/a", "GET, HEAD, PUT, POST, DELETE, OPTIONS"),
        ("GET", "/api/events/publish", "POST, OPTIONS"),
        ("GET", "/api/rules/a/b/accept", "POST, OPTIONS"),
    ] {
        for site in [server.site(), dashboard(&server)] {
            let reply = site.send(method, path, "");
            reply.says(405, "method not allowed");
            assert_eq!(sorted(reply.header("allow").unwrap()), sorted(allow), "{method} {path}");
        }
    }
}

fn sorted(list: &str) -> Vec<&str> {
    let mut words: Vec<_> = list.split(", ").collect();
    words.sort_unstable();
    words
}

#[test]
fn options_says_what_may_be_asked_and_head_says_what_get_would() {
    let server = SERVER.server();
    let site = server.site();
    site.put("/api/state/ground/head", &json!({"a": 1})).ok();
    let reply = site.send("OPTIONS", "/api/state/ground/head", "");
    assert_eq!(reply.status, 204);
    assert_eq!(sorted(reply.header("allow").unwrap()), ["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"]);
    site.send("OPTIONS", "/api/nonsense", "").says(404, "no such endpoint");
    for path in
        ["/api/state/ground/head", "/api/state", "/api/specs", "/api/instances", "/health", "/metrics"]
    {
        let (get, head) = (site.get(path), site.send("HEAD", path, ""));
        assert_eq!((get.status, head.status), (200, 200), "{path}");
        for name in ["content-type", "etag", "x-koor-version"] {
            assert_eq!(get.header(name), head.header(name), "{name} of {path}");
        }
        assert!(head.number("content-length") > 0, "{path}");
    }
    assert_eq!(site.send("HEAD", "/api/state/ground/missing", "").status, 404);
}

#[test]
fn bad_json_is_refused_with_its_line_and_column() {
    let server = SERVER.server();
    let site = server.site();
    for (path, body, place) in [
        ("/api/events/publish", "{\"topic\": \"a\",\n  nope}", "at line 2 column 3"),
        ("/api/events/publish", "{\"topic\": 1}", "at line 1 column"),
        ("/api/instances/register", "", "at line 1 column 0"),
        ("/api/rules/import", "{}", "at line 1 column"),
        ("/api/llm/usage", "[1]", "at line 1 column"),
        ("/api/webhooks", "{\"id\": \"a\"", "at line 1 column 10"),
        ("/api/validate/p", "\"text\"", "at line 1 column"),
        ("/api/templates", "{}}", "at line 1 column 3"),
        ("/api/contracts/p/c/validate", "{\"endpoint\": }", "at line 1 column 14"),
        ("/api/backup/restore", "{]", "at line 1 column 2"),
    ] {
        let reply = site.send("POST", path, body);
        reply.says(400, "invalid JSON body: ");
        reply.says(400, place);
    }
    site.send("PUT", "/api/specs/p/s", "{\n\"a\":}").says(400, "at line 2 column 5");
}

#[test]
fn deep_json_is_refused_and_unknown_fields_are_ignored() {
    let server = SERVER.server();
    let site = server.site();
    let deep = format!("{{\"topic\": \"deep\", \"data\": {}1{}}}", "[".repeat(5000), "]".repeat(5000));
    site.send("POST", "/api/events/publish", &deep).says(400, "invalid JSON body: nested too deep at line 1");
    site.send("PUT", "/api/specs/p/deep", "[".repeat(100_000)).says(400, "invalid JSON body: ");
    let event = site.post("/api/events/publish", &json!({"topic": "known", "colour": {"unknown": [1]}})).ok();
    assert_eq!(event["topic"], "known");
    assert!(site.get("/health").ok()["status"] == "ok");
}

#[test]
fn json_is_read_as_json_whatever_its_content_type_says() {
    let server = SERVER.server();
    for kind in ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data", ""] {
        let site = server.site().with("Content-Type", kind);
        assert_eq!(site.post("/api/events/publish", &json!({"topic": "form"})).ok()["topic"], "form");
    }
}

#[test]
fn a_number_or_a_time_that_can_not_be_meant_is_refused_by_name() {
    let server = SERVER.server();
    let site = server.site();
    for bad in ["0", "10001", "-1", "1.5", "ten", "", "99999999999999999999"] {
        for (path, name) in [
            ("/api/state?limit=", "limit"),
            ("/api/state/k?history=1&limit=", "limit"),
            ("/api/events/history?last=", "last"),
            ("/api/events/wait?limit=", "limit"),
            ("/api/audit?limit=", "limit"),
            ("/api/llm/usage?limit=", "limit"),
            ("/api/compliance/history?limit=", "limit"),
        ] {
            site.get(&format!("{path}{bad}")).says(400, &format!("{name} must be "));
        }
    }
    for (path, name) in [
        ("/api/state/k?version=", "version"),
        ("/api/events/history?after=", "after"),
        ("/api/events/wait?since=", "since"),
        ("/api/events/stream?since=", "since"),
        ("/api/events/subscribe?since=", "since"),
        ("/api/audit?after=", "after"),
    ] {
        site.get(&format!("{path}soon")).says(400, &format!("{name} must be "));
    }
    for path in ["events/history", "audit", "audit/summary", "llm/usage", "llm/usage/summary"] {
        for name in ["from", "to"] {
            for bad in ["yesterday", "2026-13-01", "2026-02-16T25:00:00", "1700000000"] {
                let path = format!("/api/{path}?{name}={bad}");
                site.get(&path).says(400, &format!("invalid {name} {bad:?}"));
            }
            for good in
                ["2026-02-16", "2026-02-16T14:00:00", "2026-02-16T14:00:00.5Z", "2026-02-16T14:00:00%2B01:00"]
            {
                site.get(&format!("/api/{path}?{name}={good}")).ok();
            }
        }
    }
}

#[test]
fn a_body_over_the_limit_is_refused_however_it_comes_and_nothing_is_stored() {
    let server = Start::default().args(["--max-body", "64KiB"]).start().unwrap();
    let site = server.site();
    let (fits, large) = ("x".repeat(64 << 10), "x".repeat((64 << 10) + 1));
    site.send("PUT", "/api/state/large", &large).says(413, "65536 bytes");
    let half = large.as_bytes().split_at(40_000);
    site.send_chunked("PUT", "/api/state/large", &[half.0, half.1]).says(413, "65536 bytes");
    // Before the body is sent at all.
    let told = site.with("Content-Length", "1000000000000").with("Expect", "100-continue");
    told.send("PUT", "/api/state/large", "").says(413, "65536 bytes");
    site.post("/api/events/publish", &json!({"topic": "a", "data": large})).says(413, "65536 bytes");
    site.get("/api/state/large").refused(404, "key not found: large");
    assert_eq!(site.get("/api/events/history").ok(), json!([]));
    site.send("PUT", "/api/state/fits", &fits).ok();
    site.send_chunked("PUT", "/api/state/pieces", &[b"{\"a\":", b" 1}"]).ok();
    assert_eq!(site.get("/api/state/pieces").text(), "{\"a\": 1}");
    assert_eq!(site.get("/api/state/fits").body, fits.as_bytes());
}

#[test]
fn the_default_limit_is_ten_mebibytes() {
    let server = SERVER.server();
    let site = server.site();
    let most = vec![b' '; 10 << 20];
    site.send("PUT", "/api/state/ground/most", &most).ok();
    assert_eq!(site.get("/api/state/ground/most").body.len(), most.len());
    site.send("PUT", "/api/state/ground/more", [&most[..], b" "].concat()).says(413, "10485760 bytes");
    site.get("/api/state/ground/more").says(404, "key not found");
}

#[test]
fn large_answers_are_packed_for_those_who_ask_for_it() {
    let server = SERVER.server();
    let site = server.site();
    let (large, small) = (json!({"text": "koor ".repeat(1000)}).to_string(), "{\"a\":1}");
    site.send("PUT", "/api/state/ground/large", &large).ok();
    site.send("PUT", "/api/state/ground/small", small).ok();
    let packed = site.with("Accept-Encoding", "gzip").get("/api/state/ground/large");
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    let mut unpacked = String::new();
    GzDecoder::new(&packed.body[..]).read_to_string(&mut unpacked).unwrap();
    assert_eq!(unpacked, large);
    for plain in [
        site.get("/api/state/ground/large"),
        site.with("Accept-Encoding", "gzip;q=0").get("/api/state/ground/large"),
    ] {
        assert_eq!((plain.header("content-encoding"), plain.text()), (None, &large[..]));
    }
    let plain = site.with("Accept-Encoding", "gzip").get("/api/state/ground/small");
    assert_eq!((plain.header("content-encoding"), plain.text()), (None, small));
}

#[test]
fn every_answer_has_a_request_id_and_the_log_line_has_it_too() {
    let server = SERVER.server();
    let own = server.site().with("X-Request-Id", "trace-abc/1");
    for reply in [own.get("/health"), own.get("/api/nonsense"), own.send("OPTIONS", "/api/state", "")] {
        assert_eq!(reply.header("x-request-id"), Some("trace-abc/1"));
    }
    assert!(
        server.wait_for_log(|line| line.contains("trace-abc/1") && line.contains("/api/nonsense")).is_some()
    );
    let insane = "x".repeat(5000);
    for bad in ["two words", insane.as_str()] {
        let reply = server.site().with("X-Request-Id", bad).get("/health");
        assert_ne!(reply.header("x-request-id"), Some(bad));
    }
    let (one, two) = (server.site().get("/health"), server.site().get("/health"));
    assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
}

#[test]
fn health_says_how_long_and_which_version() {
    let server = SERVER.server();
    for site in [server.site(), dashboard(&server)] {
        let mut health = site.get("/health").ok();
        let uptime = health["uptime"].take();
        assert!(is_go_duration(uptime.as_str().unwrap()), "{uptime}");
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(health, json!({"status": "ok", "uptime": null, "version": version}));
    }
}

/// `0s`, `59s`, `1m0s`, `3h24m10s`.
fn is_go_duration(text: &str) -> bool {
    let Some(rest) = text.strip_suffix('s') else { return false };
    rest.split(['h', 'm']).all(|number| number.parse::<u64>().is_ok())
}

#[test]
fn the_dashboard_listener_has_the_api_and_its_calls_do_not_count() {
    let server = Server::start();
    let (api, dashboard) = (server.site(), dashboard(&server));
    let calls = || api.get("/api/metrics").ok()["token_tax"]["rest_calls"].clone();
    dashboard.put("/api/state/a", &json!(1)).ok();
    assert_eq!(dashboard.get("/api/state/a").ok(), 1);
    dashboard.get("/api/metrics").ok();
    dashboard.get("/api/nonsense").refused(404, "no such endpoint: /api/nonsense");
    assert_eq!(dashboard.get("/").status, 200);
    api.get("/health").ok();
    assert_eq!(api.get("/metrics").status, 200);
    assert_eq!(calls(), 0);
    api.get("/api/state/a").ok();
    api.get("/api/state/b").says(404, "key not found: b");
    assert_eq!(calls(), 2);
    assert_eq!(api.get("/api/audit").ok().as_array().map(Vec::len), Some(1));
}

#[test]
fn a_store_that_can_not_write_is_degraded_and_says_so_without_particulars() {
    // A file may not grow over that many blocks here: as good as a full disk.
    let full = r#"trap '' XFSZ; ulimit -f 4096; exec "$@""#;
    let server = Start::default().through(full, Stdio::null()).start().unwrap();
    let site = server.site();
    site.put("/api/state/kept", &json!(1)).ok();
    // Smaller and smaller values, until nothing fits any more.
    for size in [1 << 20, 64 << 10, 4 << 10, 1] {
        let value = "x".repeat(size);
        let mut puts = (0..4096).map(|n| site.send("PUT", &format!("/api/state/{size}/{n}"), &value));
        let refused = puts.find(|put| put.status != 200).expect("the disk is full at some time");
        assert_eq!(refused.status, 503, "{}", refused.text());
    }
    let mut health = site.get("/health").gives(503);
    for field in ["uptime", "version", "reason", "error"] {
        assert!(health[field].take().as_str().is_some_and(|text| !text.is_empty()), "{field}");
    }
    let expected = json!({
        "status": "degraded", "code": 503, "uptime": null, "version": null, "reason": null, "error": null,
    });
    assert_eq!(health, expected);
    // What is there can still be read.
    assert_eq!(site.get("/api/state/kept").ok(), 1);
}

#[test]
fn without_a_number_a_list_has_fifty() {
    let server = Start::default().args(["--durability", "normal"]).start().unwrap();
    let site = server.site();
    for n in 0..51 {
        site.put("/api/state/k", &json!(n)).ok();
        site.put(
            &format!("/api/specs/p/c{n}"),
            &json!({"kind": "contract", "endpoints": {"GET /": {"response": {}}}}),
        )
        .ok();
        site.post("/api/events/publish", &json!({"topic": "a", "data": n})).ok();
        site.post("/api/llm/usage", &json!({"provider": "p", "model": "m"})).ok();
    }
    let worker = site.post("/api/instances/register", &json!({"name": "worker", "workspace": "p"})).ok();
    site.send("POST", &format!("/api/instances/{}/activate", worker["id"].as_str().unwrap()), "").ok();
    assert_eq!(site.send("POST", "/api/compliance/run", "").ok()["count"], 51);
    let length = |list: &serde_json::Value| list.as_array().unwrap().len();
    for (path, more) in [
        ("/api/events/history?topic=a", "&last=10000"),
        ("/api/audit?action=state.put", "&limit=10000"),
        ("/api/llm/usage", "?limit=10000"),
        ("/api/compliance/history", "?limit=10000"),
    ] {
        assert_eq!(length(&site.get(path).ok()), 50, "{path}");
        assert_eq!(length(&site.get(&format!("{path}{more}")).ok()), 51, "{path}{more}");
    }
    for path in ["/api/state/k?history=1", "/api/specs/p/c1?history=1"] {
        let expected = if path.contains("state") { 50 } else { 1 };
        assert_eq!(length(&site.get(path).ok()["versions"]), expected, "{path}");
    }
}

#[test]
fn both_ends_of_a_range_of_time_are_in_it() {
    let server = SERVER.server();
    let site = server.site();
    site.put("/api/state/ground/when", &json!(1)).ok();
    site.post("/api/llm/usage", &json!({"provider": "p", "model": "m", "project": "when"})).ok();
    site.post("/api/events/publish", &json!({"topic": "ground.when"})).ok();
    for (list, field) in [
        ("/api/audit?resource=ground/when", "timestamp"),
        ("/api/llm/usage?project=when", "created_at"),
        ("/api/events/history?topic=ground.when", "created_at"),
    ] {
        let listed = site.get(list).ok();
        let at = listed[0][field].as_str().unwrap().to_owned();
        let has = |range: String| site.get(&format!("{list}&{range}")).ok()[0][field] == at.as_str();
        let (day, second) = (&at[..10], &at[..19]);
        assert!(has(format!("from={at}&to={at}")), "{list} at {at}");
        assert!(has(format!("from={second}")), "{list} from {second}");
        // A day that ends a range is in it to its last moment.
        assert!(has(format!("from={day}&to={day}")), "{list} on {day}");
        assert!(!has("to=2026-01-01".to_owned()), "{list}");
    }
}
