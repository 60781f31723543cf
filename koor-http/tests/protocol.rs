//! What holds for every request, whatever it asks for.

mod common;

use std::time::Duration;

use common::{Client, Plan, Site, TOKEN};
use koor_http::{Asset, Assets, HttpSettings};
use serde_json::json;

#[tokio::test]
async fn unknown_paths_and_methods_are_json_errors() {
    let site = Site::open().await;
    let missing = site.get("/nope").await;
    assert_eq!((missing.status, missing.error().as_str()), (404, "no such endpoint: /nope"));
    let wrong = site.send("PATCH", "/api/state/k", &[], b"x").await;
    assert_eq!(wrong.status, 405);
    assert_eq!(wrong.header("allow"), Some("DELETE, GET, HEAD, OPTIONS, POST, PUT"));
    wrong.error();
    let options = site.send("OPTIONS", "/api/state", &[], b"").await;
    assert_eq!((options.status, options.header("allow")), (204, Some("GET, HEAD, OPTIONS")));
    assert_eq!(site.send("OPTIONS", "/nope", &[], b"").await.status, 404);
}

#[tokio::test]
async fn a_request_id_is_echoed_if_it_is_sane() {
    let site = Site::open().await;
    let echoed = site.send("GET", "/health", &[("x-request-id", "abc-1")], b"").await;
    assert_eq!(echoed.header("x-request-id"), Some("abc-1"));
    let made = site.send("GET", "/nope", &[("x-request-id", "a b")], b"").await;
    assert_ne!(made.header("x-request-id"), Some("a b"));
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_however_it_comes() {
    let site = Site::open().await;
    let large = vec![b'x'; (64 << 10) + 1];
    let told = site.send("PUT", "/api/state/k", &[], &large).await;
    assert_eq!((told.status, told.error().as_str()), (413, "body over 65536 bytes"));
    let mut client = site.client().await;
    let mut bytes = client.head("PUT", "/api/state/k", &[("transfer-encoding", "chunked")], 0);
    bytes.extend(format!("{:x}\r\n", large.len()).into_bytes());
    bytes.extend(&large);
    bytes.extend(b"\r\n0\r\n\r\n");
    client.write(&bytes).await;
    assert_eq!(client.read(false).await.status, 413);
    // Told so before it sends anything.
    let mut client = site.client().await;
    let head = client.head("PUT", "/api/state/k", &[("expect", "100-continue")], 100 << 20);
    client.write(&head).await;
    assert_eq!(client.read(false).await.status, 413);
    assert_eq!(site.get("/api/state/k").await.status, 404);
    let exact = vec![b'x'; 64 << 10];
    assert_eq!(site.send("PUT", "/api/state/k", &[], &exact).await.status, 200);
}

#[tokio::test]
async fn a_refusal_arrives_although_the_body_is_still_coming() {
    let site = Site::guarded().await;
    let large = vec![b'x'; 4 << 20];
    let refused = site.send("PUT", "/api/state/k", &[], &large).await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
}

#[tokio::test]
async fn a_slow_body_is_not_waited_for() {
    let site = Site::open().await;
    let mut client = site.client().await;
    let mut bytes = client.head("PUT", "/api/state/k", &[], 10);
    bytes.extend(b"123");
    client.write(&bytes).await;
    let answer = client.read(false).await;
    assert_eq!(answer.status, 408);
    answer.error();
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_slow_head_and_an_idle_connection_are_closed() {
    let http = HttpSettings {
        header_timeout: Duration::from_millis(100),
        idle_timeout: Duration::from_millis(300),
        ..HttpSettings::default()
    };
    let site = Site::with(Plan { http, ..Plan::default() }).await;
    let mut silent = site.client().await;
    assert!(silent.is_closed().await);
    let mut slow = site.client().await;
    slow.write(b"GET /health HTT").await;
    assert!(slow.is_closed().await);
    let mut idle = site.client().await;
    assert_eq!(idle.send("GET", "/health", &[], b"").await.status, 200);
    let since = std::time::Instant::now();
    assert!(idle.is_closed().await);
    assert!(since.elapsed() >= Duration::from_millis(250), "an idle connection has longer than a head");
    let mut late = site.client().await;
    assert_eq!(late.send("GET", "/health", &[], b"").await.status, 200);
    late.write(b"GET /hea").await;
    assert!(late.is_closed().await);
}

/// What a browser says of a request that a page of another site makes, and of one that a person makes.
const NO_CORS: &[(&str, &str)] = &[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "script")];
const NAVIGATION: &[(&str, &str)] = &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];

#[tokio::test]
async fn a_page_of_another_site_gets_nothing_although_it_sends_no_origin() {
    let site = Site::open().await;
    site.put("/api/state/script", "\"alert(1)\"").await;
    for from in ["cross-site", "same-site"] {
        for mode in [NO_CORS, NAVIGATION] {
            let headers = [&[("sec-fetch-site", from)], mode].concat();
            for (method, path) in [
                ("GET", "/api/state/script"),
                ("GET", "/api/backup"),
                ("GET", "/health"),
                ("POST", "/api/state/k"),
            ] {
                for door in [site.api, site.dashboard] {
                    let refused = Client::to(door).await.send(method, path, &headers, b"").await;
                    let expected = format!("request from another site not allowed: {from}");
                    assert_eq!((refused.status, refused.error()), (403, expected), "{mode:?} {path}");
                }
            }
        }
    }
    assert_eq!(site.audit().await.iter().filter(|entry| entry.contains("backup")).count(), 0);
    for from in ["none", "same-origin"] {
        let headers = [&[("sec-fetch-site", from)], NAVIGATION].concat();
        assert_eq!(site.send("GET", "/api/state/script", &headers, b"").await.status, 200, "{from}");
    }
}

#[tokio::test]
async fn a_link_from_another_site_opens_the_dashboard_and_nothing_embeds_it() {
    // A dashboard that answers every path with its page.
    let page = Asset { content_type: "text/html".into(), body: "<p>".into() };
    let assets = Assets::new(move |path| (path != "/nothing").then(|| page.clone()));
    let site = Site::made(Plan::default(), |server| server.assets(assets)).await;
    for from in ["cross-site", "same-site"] {
        let link = [&[("sec-fetch-site", from)], NAVIGATION].concat();
        for (path, status) in [
            ("/", 200),
            ("/state/k", 200),
            ("/api/state", 403),
            ("/api/nope", 403),
            ("/health", 403),
            ("/metrics", 403),
            ("/nothing", 403),
        ] {
            let opened = Client::to(site.dashboard).await.send("GET", path, &link, b"").await;
            assert_eq!(opened.status, status, "{from} {path}");
        }
        for dest in ["iframe", "embed", "script", "empty"] {
            let headers =
                [("sec-fetch-site", from), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", dest)];
            let embedded = Client::to(site.dashboard).await.send("GET", "/", &headers, b"").await;
            assert_eq!(embedded.status, 403, "{from} {dest}");
        }
        let posted = Client::to(site.dashboard).await.send("POST", "/", &link, b"").await;
        assert_eq!(posted.status, 403, "{from}");
    }
}

#[tokio::test]
async fn an_origin_that_is_allowed_is_answered_from_another_site() {
    let http = HttpSettings { allow_origins: vec!["https://app.example".to_owned()], ..Plan::default().http };
    let site = Site::with(Plan { http, ..Plan::default() }).await;
    let own = format!("http://{}", site.dashboard);
    for (origin, from, status) in [
        ("https://app.example", "cross-site", 200),
        (&own, "same-site", 200),
        ("https://other.example", "cross-site", 403),
    ] {
        let headers = [("origin", origin), ("sec-fetch-site", from), ("sec-fetch-mode", "cors")];
        assert_eq!(site.send("GET", "/api/state", &headers, b"").await.status, status, "{origin}");
    }
    let any = HttpSettings { allow_origins: vec!["*".to_owned()], ..Plan::default().http };
    let open = Site::with(Plan { http: any, ..Plan::default() }).await;
    let headers = [&[("sec-fetch-site", "cross-site")], NO_CORS].concat();
    assert_eq!(open.send("GET", "/api/state", &headers, b"").await.status, 200);
}

#[tokio::test]
async fn every_answer_keeps_other_origins_from_embedding_it() {
    let site = Site::open().await;
    site.put("/api/state/k", "1").await;
    for door in [site.api, site.dashboard] {
        for (method, path) in [
            ("GET", "/api/state/k"),
            ("GET", "/health"),
            ("GET", "/nope"),
            ("GET", "/"),
            ("HEAD", "/api/state"),
            ("OPTIONS", "/api/state"),
            ("PATCH", "/api/state/k"),
        ] {
            let answer = Client::to(door).await.send(method, path, &[], b"").await;
            let policy = answer.header("cross-origin-resource-policy");
            assert_eq!(policy, Some("same-origin"), "{method} {path}: {answer:?}");
        }
        let mut garbage = Client::to(door).await;
        garbage.write(b"nonsense\r\n\r\n").await;
        assert_eq!(garbage.read(false).await.header("cross-origin-resource-policy"), Some("same-origin"));
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let site = Site::open().await;
    let mut client = site.client().await;
    let mut bytes = Vec::new();
    for n in 0..20 {
        bytes.extend(client.head("PUT", &format!("/api/state/k{n}"), &[], 1));
        bytes.push(b'1');
        bytes.extend(client.head("GET", &format!("/api/state/k{n}"), &[], 0));
    }
    client.write(&bytes).await;
    for n in 0..20 {
        assert_eq!(client.read(false).await.json()["key"], format!("k{n}"));
        assert_eq!(client.read(false).await.text(), "1");
    }
}

#[tokio::test]
async fn deep_json_is_refused_and_crashes_nothing() {
    let site = Site::open().await;
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    for (method, target, body) in [
        ("POST", "/api/events/publish", format!("{{\"topic\":\"t\",\"data\":{}}}", deep(10_000))),
        ("POST", "/api/validate/p", deep(10_000)),
        ("PUT", "/api/specs/p/s", deep(10_000)),
        (
            "POST",
            "/api/contracts/p/s/validate",
            format!("{{\"endpoint\":\"x\",\"payload\":{}}}", deep(10_000)),
        ),
        ("POST", "/api/templates", format!("{{\"id\":\"x\",\"name\":\"y\",\"data\":{}}}", deep(10_000))),
        ("POST", "/api/backup/restore", format!("{{\"state\":{{\"k\":{}}}}}", deep(200))),
    ] {
        let answer = site.send(method, target, &[], body.as_bytes()).await;
        if target != "/api/backup/restore" {
            assert_eq!(answer.status, 400, "{target}");
            assert!(answer.error().starts_with("invalid JSON body: "), "{target}: {}", answer.error());
        }
    }
    assert_eq!(site.get("/health").await.status, 200);
}

#[tokio::test]
async fn evil_origins_and_rebound_hosts_are_refused_everywhere() {
    let site = Site::open().await;
    let upgrade = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    for evil in [("origin", "http://evil.example"), ("origin", "null"), ("host", "evil.example:9800")] {
        for (method, target) in [
            ("GET", "/health"),
            ("GET", "/api/state"),
            ("OPTIONS", "/api/state"),
            ("POST", "/api/events/publish"),
            ("GET", "/api/events/stream"),
            ("GET", "/api/events/subscribe"),
            ("GET", "/nope"),
        ] {
            let headers: Vec<_> = upgrade.into_iter().chain([evil]).collect();
            let answer = site.send(method, target, &headers, b"").await;
            assert_eq!(answer.status, 403, "{method} {target} {evil:?}");
            assert_eq!(answer.header("access-control-allow-origin"), None);
            answer.error();
        }
        let page = Client::to(site.dashboard).await.send("GET", "/", &[evil], b"").await;
        assert_eq!(page.status, 403);
    }
}

#[tokio::test]
async fn the_dashboard_and_listed_origins_may_call() {
    let mut plan = Plan::default();
    plan.http.allow_origins = vec!["https://app.example".into()];
    let site = Site::with(plan).await;
    let dashboard = format!("http://localhost:{}", site.dashboard.port());
    for origin in [dashboard.as_str(), "https://app.example"] {
        let got = site.send("GET", "/api/state", &[("origin", origin)], b"").await;
        assert_eq!((got.status, got.header("access-control-allow-origin")), (200, Some(origin)));
        let asked = [("origin", origin), ("access-control-request-method", "PUT")];
        let preflight = site.send("OPTIONS", "/api/state/k", &asked, b"").await;
        assert_eq!(preflight.status, 204);
        assert!(preflight.header("access-control-allow-methods").unwrap().contains("PUT"));
        assert!(preflight.header("access-control-allow-headers").unwrap().contains("if-match"));
    }
}

#[tokio::test]
async fn the_dashboard_has_the_api_beside_its_files() {
    let assets = Assets::new(|path| {
        let body = format!("<p>{}</p>", "x".repeat(3000)).into();
        (path == "/" || path == "/app.js").then(|| Asset { content_type: "text/html".into(), body })
    });
    let site = Site::made(Plan::guarded(), |server| server.assets(assets)).await;
    let mut visitor = Client::to(site.dashboard).await;
    let page = visitor.send("GET", "/", &[("accept-encoding", "gzip")], b"").await;
    assert_eq!((page.status, page.header("content-encoding")), (200, Some("gzip")));
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    let tag = page.header("etag").unwrap().to_owned();
    assert_eq!(visitor.send("GET", "/", &[("if-none-match", &tag)], b"").await.status, 304);
    assert_eq!(visitor.send("HEAD", "/app.js", &[], b"").await.header("content-length"), Some("3007"));
    assert_eq!(visitor.send("POST", "/", &[], b"").await.status, 405);
    assert_eq!(visitor.send("GET", "/nope.js", &[], b"").await.status, 404);
    assert_eq!(visitor.send("GET", "/api/nope", &[], b"").await.status, 404);
    assert_eq!(visitor.send("GET", "/api/state", &[], b"").await.status, 401);
    assert_eq!(visitor.send("GET", "/health", &[], b"").await.status, 200);
    let bearer = format!("Bearer {TOKEN}");
    let auth = [("authorization", bearer.as_str())];
    assert_eq!(visitor.send("GET", "/api/state", &auth, b"").await.status, 200);
    // None of that was a call of an agent; this is.
    assert_eq!(site.koor.token_tax().total_calls, 0);
    site.send("GET", "/api/state", &auth, b"").await;
    assert_eq!(site.koor.token_tax().rest_calls, 1);
    site.send("GET", "/api/metrics", &auth, b"").await;
    site.send("GET", "/metrics", &auth, b"").await;
    site.send("GET", "/health", &auth, b"").await;
    assert_eq!(site.koor.token_tax().total_calls, 1);
    assert_eq!(site.get("/").await.status, 404);
}

#[tokio::test]
async fn a_mounted_service_gets_the_caller_shares_every_check_and_says_what_is_a_call() {
    use http_body_util::{BodyExt as _, Full};
    use koor_core::Caller;
    use koor_http::MountAnswer;

    let site = Site::made(Plan::guarded(), |server| {
        server.mount("/mcp", |request| {
            Box::pin(async move {
                let caller = request.extensions().get::<Caller>().unwrap().clone();
                let peer: std::net::SocketAddr = *request.extensions().get().unwrap();
                assert!(peer.ip().is_loopback());
                let actor = caller.actor().to_string();
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let text = format!("{actor}:{}", String::from_utf8_lossy(&body));
                let body = Full::new(text.clone().into()).map_err(|never| match never {}).boxed_unsync();
                let called_by = Some(caller).filter(|_| text.ends_with("hello"));
                MountAnswer { response: hyper::Response::new(body), called_by }
            })
        })
    })
    .await;
    assert_eq!(site.post("/mcp", "x").await.status, 401);
    let bearer = format!("Bearer {TOKEN}");
    let auth = [("authorization", bearer.as_str())];
    let answer = site.send("POST", "/mcp", &auth, b"hello").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "admin:hello"));
    let tax = site.koor.token_tax();
    assert_eq!((tax.mcp_calls, tax.rest_calls, tax.measured.mcp_bytes), (1, 0, 11));
    assert_eq!(site.send("POST", "/mcp", &auth, b"list").await.status, 200);
    let tax = site.koor.token_tax();
    assert_eq!(
        (tax.mcp_calls, tax.rest_calls, tax.measured.mcp_bytes),
        (1, 0, 21),
        "what is no call is bytes"
    );
    let evil = [("authorization", bearer.as_str()), ("origin", "http://evil.example")];
    assert_eq!(site.send("POST", "/mcp", &evil, b"x").await.status, 403);
    assert_eq!(site.send("POST", "/mcp", &auth, &vec![b'x'; 65 << 10]).await.status, 413);
    assert_eq!(Client::to(site.dashboard).await.send("GET", "/mcp", &auth, b"").await.status, 404);
}

#[tokio::test]
async fn an_instance_is_known_by_its_token_or_named_beside_the_servers() {
    let site = Site::guarded().await;
    let (id, token) = site.agent("bob").await;
    let own = format!("Bearer {token}");
    site.send("PUT", "/api/state/a", &[("authorization", &own)], b"1").await;
    let server = format!("bearer {TOKEN}");
    site.send("PUT", "/api/state/b", &[("authorization", &server), ("x-koor-instance", &id)], b"1").await;
    site.send("PUT", "/api/state/c", &[("authorization", &server)], b"1").await;
    let unknown = [("authorization", server.as_str()), ("x-koor-instance", "no-one")];
    let warned = site.send("PUT", "/api/state/d", &unknown, b"1").await;
    assert_eq!(warned.header("x-koor-warning"), Some("unknown instance no-one"));
    let written: Vec<_> = site.audit().await.into_iter().take(4).collect();
    assert_eq!(
        written,
        [
            "admin state.put d success".to_owned(),
            "admin state.put c success".to_owned(),
            format!("{id} state.put b success"),
            format!("{id} state.put a success"),
        ]
    );
    for wrong in ["Bearer x", "Basic x", "Bearer"] {
        let refused = site.send("GET", "/api/state", &[("authorization", wrong)], b"").await;
        assert_eq!(refused.json(), json!({"error": "invalid or missing bearer token", "code": 401}));
    }
    assert_eq!(site.get(&format!("/api/state?access_token={TOKEN}")).await.status, 401);
}

#[tokio::test]
async fn a_request_in_flight_is_answered_when_the_server_stops() {
    let mut site = Site::open().await;
    let mut waiting = site.client().await;
    let head = waiting.head("GET", "/api/events/wait?timeout=60s", &[], 0);
    waiting.write(&head).await;
    while site.clock.sleepers() == 0 {
        tokio::task::yield_now().await;
    }
    let mut idle = site.client().await;
    idle.send("GET", "/health", &[], b"").await;
    site.begin_to_stop();
    let answer = waiting.read(false).await;
    assert_eq!((answer.status, answer.json()["events"].clone()), (200, json!([])));
    assert!(idle.is_closed().await);
    let api = site.api;
    site.stop().await;
    assert!(tokio::net::TcpStream::connect(api).await.is_err());
}
