//! Webhooks: every call, by its answers, and what receivers get.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use integration_tests::{Call, Service, Shared, Site, Start, until};
use serde_json::{Value, json};
use sha2::Sha256;

static SERVER: Shared = Shared::new();

fn mac(key: &[u8], parts: &[&str]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    for part in parts {
        mac.update(part.as_bytes());
    }
    mac.finalize().into_bytes().to_vec()
}

fn receiver() -> Service {
    Service::new(|_| (200, String::new()))
}

fn hook(site: &Site, body: &Value) -> Value {
    let reply = site.post("/api/webhooks", body);
    assert!(reply.cursor() < u64::MAX);
    reply.ok()
}

fn publish(site: &Site, topic: &str, data: &Value) -> u64 {
    site.post("/api/events/publish", &json!({"topic": topic, "data": data, "source": "me"})).cursor()
}

#[test]
fn a_webhook_is_shown_whole_but_for_its_secret() {
    let server = SERVER.server();
    let site = server.site();
    let body =
        json!({"id": "shown", "url": "http://127.0.0.1:9/x", "patterns": ["never.*"], "secret": "hush-hush"});
    let created = integration_tests::steady(hook(&site, &body));
    let cursor = created["cursor"].clone();
    assert!(cursor.is_u64(), "{created}");
    let expected = json!({
        "id": "shown", "url": "http://127.0.0.1:9/x", "patterns": ["never.*"], "active": true, "created_at": "<time>",
        "fail_count": 0, "has_secret": true, "cursor": cursor, "pending": 0, "last_error": "",
    });
    assert_eq!(created, expected);
    let steadily = |mut webhook: Value| {
        // The log goes on meanwhile, with what it is not told of.
        assert!(webhook["cursor"].is_u64() && webhook["pending"].is_u64(), "{webhook}");
        webhook["cursor"] = cursor.clone();
        webhook["pending"] = json!(0);
        webhook
    };
    assert_eq!(steadily(site.get("/api/webhooks/shown").steady()), expected);
    let all = site.get("/api/webhooks").steady();
    let listed = all.as_array().unwrap().iter().find(|webhook| webhook["id"] == "shown").unwrap();
    assert_eq!(steadily(listed.clone()), expected);
    for path in ["/api/webhooks", "/api/audit", "/api/backup"] {
        assert!(!site.get(path).text().contains("hush-hush"), "{path}");
    }
    let bare = hook(&site, &json!({"id": "bare", "url": "http://127.0.0.1:9/x"}));
    assert_eq!((&bare["patterns"], &bare["has_secret"]), (&json!(["*"]), &json!(false)));
    assert_eq!(site.delete("/api/webhooks/bare").ok(), json!({"deleted": "bare"}));
}

#[test]
fn a_webhook_that_can_not_be_is_refused() {
    let server = SERVER.server();
    let site = server.site();
    for body in [json!({}), json!({"id": "a"}), json!({"url": "http://x/"}), json!({"id": "", "url": ""})] {
        site.post("/api/webhooks", &body).refused(400, "id and url are required");
    }
    for url in ["ftp://x/", "nonsense", "file:///etc/passwd", "javascript:alert(1)"] {
        site.post("/api/webhooks", &json!({"id": "a", "url": url})).says(400, "invalid url");
    }
    let with = |field: &str, value: Value| json!({"id": "a", "url": "http://x/", field: value});
    site.post("/api/webhooks", &with("patterns", json!(["[a"]))).says(400, "pattern");
    site.post("/api/webhooks", &with("secret", json!("whsec_%%%"))).says(400, "secret");
    site.post("/api/webhooks", &json!({"id": "a/b", "url": "http://x/"})).says(400, "'/' is not allowed");
    let twice = json!({"id": "twice", "url": "http://127.0.0.1:9/", "patterns": ["never"]});
    hook(&site, &twice);
    site.post("/api/webhooks", &twice).refused(409, "webhook already exists: twice");
}

#[test]
fn a_webhook_that_is_not_there_is_named() {
    let server = SERVER.server();
    let site = server.site();
    let text = "webhook not found: none";
    site.get("/api/webhooks/none").refused(404, text);
    site.get("/api/webhooks/none/deliveries").refused(404, text);
    site.delete("/api/webhooks/none").refused(404, text);
    site.post("/api/webhooks/none/test", &Value::Null).refused(404, text);
    site.post("/api/webhooks/none/enable", &Value::Null).refused(404, text);
}

/// Holds the headers of a call against what every call has, and its signatures against the key.
fn check_signed(call: &Call, secret: &str, key: &[u8]) {
    assert_eq!(call.header("content-type"), Some("application/json"));
    assert_eq!(call.header("x-koor-event"), Some("true"));
    assert!(call.header("x-koor-delivery").is_some_and(|id| !id.is_empty()));
    let signature = hex::encode(mac(secret.as_bytes(), &[&call.body]));
    assert_eq!(call.header("x-koor-signature"), Some(signature.as_str()));
    let (id, at) = (call.header("webhook-id").unwrap(), call.header("webhook-timestamp").unwrap());
    assert!(at.parse::<u64>().is_ok_and(|at| at > 1_700_000_000), "{at}");
    let standard = STANDARD.encode(mac(key, &[id, ".", at, ".", &call.body]));
    assert_eq!(call.header("webhook-signature"), Some(format!("v1,{standard}").as_str()));
}

#[test]
fn a_receiver_gets_what_matches_signed_and_in_order() {
    let server = SERVER.server();
    let site = server.site();
    let (plain, prefixed) = (receiver(), receiver());
    let prefix_secret = format!("whsec_{}", STANDARD.encode(b"the key itself"));
    let url = |service: &Service| format!("{}/hook?x=1", service.url());
    hook(&site, &json!({"id": "plain", "url": url(&plain), "patterns": ["sent.*"], "secret": "s3cret"}));
    hook(
        &site,
        &json!({"id": "prefixed", "url": url(&prefixed), "patterns": ["sent.*"], "secret": prefix_secret}),
    );
    publish(&site, "other", &json!(0));
    let ids = [publish(&site, "sent.a", &json!({"n": 1})), publish(&site, "sent.b", &json!([2]))];
    for (id, (topic, data)) in ids.iter().zip([("sent.a", json!({"n": 1})), ("sent.b", json!([2]))]) {
        let call = plain.call();
        assert_eq!(call.line, "POST /hook?x=1");
        let body = integration_tests::steady(serde_json::from_str(&call.body).unwrap());
        let expected =
            json!({"topic": topic, "data": data, "source": "me", "event_id": id, "created_at": "<time>"});
        assert_eq!(body, expected);
        check_signed(&call, "s3cret", b"s3cret");
        check_signed(&prefixed.call(), &prefix_secret, b"the key itself");
    }
    let well = until(|| {
        let webhook = site.get("/api/webhooks/plain").steady();
        (webhook["cursor"].as_u64() >= Some(ids[1])).then_some(webhook)
    });
    assert_eq!((&well["last_fired"], &well["fail_count"]), (&json!("<time>"), &json!(0)));
    let deliveries = site.get("/api/webhooks/plain/deliveries").steady();
    let attempts = deliveries.as_array().unwrap();
    assert_eq!(attempts.len(), 2, "{deliveries}");
    for attempt in attempts {
        assert!(ids.contains(&attempt["event_id"].as_u64().unwrap()), "{attempt}");
        assert!(attempt["duration_ms"].is_u64(), "{attempt}");
        let rest = (&attempt["attempt"], &attempt["status"], &attempt["at"], attempt.get("error"));
        assert_eq!(rest, (&json!(1), &json!(200), &json!("<time>"), None));
    }
    for id in ["plain", "prefixed"] {
        assert_eq!(site.delete(&format!("/api/webhooks/{id}")).ok(), json!({"deleted": id}));
    }
    publish(&site, "sent.c", &json!(3));
    site.get("/api/webhooks/plain").refused(404, "webhook not found: plain");
    assert!(!plain.was_called());
}

#[test]
fn a_receiver_without_a_secret_gets_no_signature() {
    let server = SERVER.server();
    let site = server.site();
    let service = receiver();
    hook(&site, &json!({"id": "unsigned", "url": service.url(), "patterns": ["unsigned"]}));
    publish(&site, "unsigned", &Value::Null);
    let call = service.call();
    assert_eq!((call.header("x-koor-signature"), call.header("webhook-signature")), (None, None));
    assert_eq!(call.header("x-koor-event"), Some("true"));
}

#[test]
fn a_test_call_says_how_it_went() {
    let server = SERVER.server();
    let site = server.site();
    let service = receiver();
    hook(&site, &json!({"id": "tested", "url": service.url(), "patterns": ["never"], "secret": "s"}));
    let tested = site.post("/api/webhooks/tested/test", &Value::Null);
    assert_eq!(tested.ok(), json!({"tested": "tested", "status": "ok"}));
    let call = service.call();
    let body: Value = serde_json::from_str(&call.body).unwrap();
    assert_eq!(
        (&body["topic"], &body["data"], &body["source"]),
        (&json!("webhook.test"), &json!({"webhook_id": "tested", "test": true}), &json!("koor"))
    );
    check_signed(&call, "s", b"s");
    for (id, status) in [("broken", 500), ("moved", 302)] {
        let service = Service::new(move |_| (status, String::new()));
        hook(&site, &json!({"id": id, "url": service.url(), "patterns": ["never"]}));
        let path = format!("/api/webhooks/{id}/test");
        site.post(&path, &Value::Null).says(400, "webhook test failed: ");
        site.post(&path, &Value::Null).says(400, &status.to_string());
    }
    hook(&site, &json!({"id": "unreachable", "url": "http://127.0.0.1:1/", "patterns": ["never"]}));
    site.post("/api/webhooks/unreachable/test", &Value::Null).says(400, "webhook test failed: ");
}

#[test]
fn a_failure_is_counted_and_shown_and_enable_begins_anew() {
    let server = SERVER.server();
    let site = server.site();
    let service = Service::new(|_| (503, String::new()));
    hook(&site, &json!({"id": "failing", "url": service.url(), "patterns": ["failing"]}));
    let id = publish(&site, "failing", &json!(1));
    let failing = until(|| {
        let webhook = site.get("/api/webhooks/failing").ok();
        (webhook["fail_count"].as_u64() >= Some(1)).then_some(webhook)
    });
    assert!(failing["last_error"].as_str().unwrap().contains("503"), "{failing}");
    assert!(failing["pending"].as_u64() >= Some(1) && failing["active"] == true, "{failing}");
    let attempt = &site.get("/api/webhooks/failing/deliveries").ok()[0];
    assert_eq!((&attempt["event_id"], &attempt["status"]), (&json!(id), &json!(503)));
    assert!(attempt["error"].as_str().unwrap().contains("503"), "{attempt}");
    let enabled = site.post("/api/webhooks/failing/enable", &Value::Null).ok();
    assert_eq!(
        (&enabled["id"], &enabled["active"], &enabled["fail_count"]),
        (&json!("failing"), &json!(true), &json!(0))
    );
    site.delete("/api/webhooks/failing").ok();
}

#[test]
fn metadata_addresses_are_never_called() {
    let server = SERVER.server();
    let site = server.site();
    for (id, url) in [("meta", "http://169.254.169.254/latest"), ("link", "http://[fe80::1]/")] {
        hook(&site, &json!({"id": id, "url": url, "patterns": ["never"]}));
        let path = format!("/api/webhooks/{id}/test");
        site.post(&path, &Value::Null).says(400, "webhook test failed: address not allowed");
    }
}

#[test]
fn the_last_fifty_attempts_are_kept_newest_first() {
    let server = Start::default().args(["--durability", "normal"]).start().unwrap();
    let site = server.site();
    let service = receiver();
    hook(&site, &json!({"id": "busy", "url": service.url(), "patterns": ["busy"]}));
    let ids: Vec<_> = (0..52).map(|n| publish(&site, "busy", &json!(n))).collect();
    let attempts = until(|| {
        let attempts = site.get("/api/webhooks/busy/deliveries").ok();
        (attempts[0]["event_id"] == ids[51]).then_some(attempts)
    });
    let shown: Vec<_> =
        attempts.as_array().unwrap().iter().map(|a| a["event_id"].as_u64().unwrap()).collect();
    let expected: Vec<_> = ids[2..].iter().rev().copied().collect();
    assert_eq!(shown, expected);
}
