//! Names, headers and files made to mean something else at the next reader.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use integration_tests::{Server, Shared, Site};
use serde_json::json;

static SERVER: Shared = Shared::new();

/// What comes back for these bytes, until the server closes.
fn raw(server: &Server, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.api.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    // A server that closes with bytes unread resets the connection: what came before is the answer.
    drop(stream.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).into_owned()
}

fn statuses(answer: &str) -> Vec<&str> {
    answer.split("HTTP/1.1 ").skip(1).map(|rest| &rest[..3]).collect()
}

#[test]
fn a_path_leads_nowhere_but_to_the_key_that_it_is() {
    let server = SERVER.server();
    let sites = [server.site(), Site::new(server.dashboard.as_ref().unwrap())];
    let paths = [
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/..%5c..%5cetc%5cpasswd",
        "/assets/../../../etc/passwd",
        "/.%00/etc/passwd",
        "//etc/passwd",
        "/data.lock",
        "/./data.lock",
        "/settings.json",
    ];
    for path in paths {
        for site in &sites {
            let reply = site.get(path);
            assert!(matches!(reply.status, 400 | 404), "{path}: {}", reply.status);
            assert!(!reply.text().contains("root:"), "{path}");
        }
    }
    let keys =
        ["%0d%0aX-Evil:%201", "a%00b", "a/../b", "%2e%2e/b", "a//b", "a%1b[31m", "%ff%fe", "%c0%ae%c0%ae/b"];
    for key in keys {
        let reply = server.site().put(&format!("/api/state/{key}"), &json!(1));
        assert_eq!(reply.status, 400, "{key}: {}", reply.text());
        assert_eq!(reply.header("x-evil"), None);
    }
    // An odd one that may be is kept as it is, and found under no other name.
    let odd = "a%2fb%20%3Cscript%3E%22%27%3b%20DROP%20TABLE%20x;%E2%80%AE";
    server.site().put(&format!("/api/state/{odd}"), &json!("odd")).ok();
    assert_eq!(server.site().get(&format!("/api/state/{odd}")).ok(), "odd");
    let kept = server.site().get("/api/state?prefix=a/b%20").ok();
    assert_eq!(kept[0]["key"], "a/b <script>\"'; DROP TABLE x;\u{202e}");
    let rules = json!({"project": "p'; DROP TABLE rules; --", "rule_id": "r\" OR 1=1", "pattern": "x"});
    server.site().post("/api/rules/propose", &rules).ok();
    assert_eq!(server.site().get("/api/rules?project=p'%20OR%20'1'='1").ok(), json!([]));
    eprintln!(
        "trust: injection: {} paths lead nowhere, {} keys are refused, and an odd one is itself",
        paths.len() * sites.len(),
        keys.len()
    );
}

#[test]
fn nothing_that_a_client_sent_becomes_a_header_or_a_line_of_the_log() {
    let server = Server::start();
    let site = server.site();
    for (name, value) in [("X-Request-Id", "a\u{85}b"), ("X-Koor-Instance", "\u{ff}\u{1}x")] {
        // Bytes beyond ASCII, and a control character, as they come.
        let request = format!(
            "GET /api/state HTTP/1.1\r\nHost: localhost\r\n{name}: {value}\r\nConnection: close\r\n\r\n"
        );
        let answer = raw(&server, request.as_bytes());
        assert!(["200", "400"].contains(&statuses(&answer)[0]), "{answer}");
    }
    let reply = site.instance("a\tX-Evil: 1").put("/api/state/k", &json!(1));
    assert_eq!(reply.header("x-evil"), None);
    for content_type in [
        "text/html; charset=utf-8",
        "text/html\u{a0}",
        "a\tb",
        "x".repeat(300).as_str(),
        "text/html, text/plain",
    ] {
        let reply = site.with("Content-Type", content_type).send(
            "PUT",
            "/api/state/page",
            "<script>alert(1)</script>",
        );
        if reply.status == 200 {
            let page = site.get("/api/state/page");
            assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
            assert_eq!(page.header("content-security-policy"), Some("sandbox; default-src 'none'"));
        } else {
            assert_eq!(reply.status, 400, "{content_type:?}: {}", reply.text());
        }
    }
    // A restore is a door like any other.
    let page = "<script>alert(1)</script>";
    let version = |key: &str, content_type: &str| {
        json!({"state": [{"key": key, "version": 1, "hash": sha256(page), "content_type": content_type,
            "updated_at": "2026-01-01T00:00:00.000Z", "text": page}]})
    };
    for (key, content_type) in
        [("../x", "text/plain"), ("a\r\nb", "text/plain"), ("evil", "text/html\r\nX-Evil: 1"), ("evil", "")]
    {
        let reply = site.post("/api/backup/restore", &version(key, content_type));
        assert_eq!(reply.status, 400, "{key:?} {content_type:?}: {}", reply.text());
    }
    site.post("/api/backup/restore", &version("restored", "text/html")).ok();
    assert_eq!(
        site.get("/api/state/restored").header("content-security-policy"),
        Some("sandbox; default-src 'none'")
    );
    // Whatever is asked for, the log keeps one line for each thing that happened.
    let paths = [
        "/api/state/%0d%0a2026-01-01T00:00:00Z%20%20INFO%20forged",
        "/api/state/%1b%5b31m",
        "/nonsense%0aforged",
    ];
    for path in paths {
        let _ = site.get(path);
    }
    let name = json!({"name": "x\n2026-01-01T00:00:00Z  INFO forged", "workspace": "w"});
    site.post("/api/instances/register", &name);
    let forged = "GET /api/state HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: a\u{1b}[31m\r\nConnection: close\r\n\r\n";
    assert_eq!(statuses(&raw(&server, forged.as_bytes())), ["400"]);
    let log = server.stop().log;
    for line in &log {
        assert!(line.starts_with("20") && !line.contains('\u{1b}'), "{line:?}");
        assert!(!line.contains("INFO forged") || line.contains("koor_http"), "{line:?}");
    }
    eprintln!("trust: injection: no header is forged, and none of {} lines of the log", log.len());
}

fn sha256(text: &str) -> String {
    use sha2::{Digest as _, Sha256};
    hex::encode(Sha256::digest(text))
}

#[test]
fn one_request_is_one_request_whatever_its_framing_says() {
    let server = SERVER.server();
    let smuggled = "GET /api/state/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let framings = [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Content-Length: 0x5\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding: xchunked\r\n",
        " Transfer-Encoding: chunked\r\n",
        "X: 1\r\n Transfer-Encoding: chunked\r\n",
    ];
    for framing in framings {
        let request = format!(
            "POST /api/events/publish HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n0\r\n\r\n{smuggled}"
        );
        let answer = raw(&server, request.as_bytes());
        assert_eq!(statuses(&answer), ["400"], "{framing:?}: {answer}");
    }
    // With both, the length counts for nothing and the connection for no more than this request.
    let both = format!(
        "POST /api/events/publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n\
         0\r\n\r\n{smuggled}"
    );
    let answer = raw(&server, both.as_bytes());
    assert!(!answer.contains("smuggled") || statuses(&answer)[0] == "400", "{answer}");
    let heads = [
        "GET /api/state HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        "GET http://evil.example/api/state HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /api/state HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "GET /api/state HTTP/1.1\r\nHost: localhost@evil.example\r\n\r\n",
        "CONNECT evil.example:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "TRACE /api/state HTTP/1.1\r\nHost: localhost\r\nCookie: a=b\r\n\r\n",
        "GET /api/state\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\r\n\r\n",
    ];
    for head in heads {
        let answer = raw(&server, head.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes());
        let refused = statuses(&answer).iter().all(|status| status.starts_with('4') || *status == "505");
        assert!(refused, "{head:?}: {answer}");
        assert!(!answer.contains("a=b"), "{answer}");
    }
    server.site().get("/health").ok();
    eprintln!(
        "trust: injection: {} false framings and {} false heads are refused, and no second request is read",
        framings.len() + 1,
        heads.len()
    );
}

#[test]
fn every_file_of_the_dashboard_comes_with_the_policy_that_keeps_foreign_code_out() {
    let server = SERVER.server();
    let dashboard = Site::new(server.dashboard.as_ref().unwrap());
    let page = dashboard.get("/").text().to_owned();
    // No script and no style stands in the page itself, so that the policy need not allow any there.
    assert!(
        !page.contains("<script>")
            && !page.contains("<style")
            && !page.contains(" style=")
            && !page.contains(" on")
    );
    let files = page
        .split(['"', '\''])
        .filter(|text| text.starts_with('/') && text.contains('.') && !text.starts_with("/api"));
    let files: Vec<_> = std::iter::once("/").chain(files).collect();
    assert!(files.len() > 2, "{page}");
    for file in &files {
        let reply = dashboard.get(file);
        assert_eq!(reply.status, 200, "{file}");
        let policy = reply.header("content-security-policy").unwrap();
        let directives: Vec<_> = policy.split(';').map(str::trim).collect();
        for wanted in [
            "default-src 'none'",
            "script-src 'self'",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(directives.contains(&wanted), "{file}: {policy}");
        }
        assert!(
            !policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http"),
            "{file}: {policy}"
        );
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{file}");
        assert_eq!(reply.header("referrer-policy"), Some("no-referrer"), "{file}");
    }
    // An error at the same door is no page.
    assert_eq!(dashboard.get("/<script>").header("content-type"), Some("application/json"));
    eprintln!("trust: injection: {} files of the dashboard come with its policy", files.len());
}
