//! Calls that an attacker wants the server to make: to itself, to what is around it, to where clouds keep
//! credentials.

use integration_tests::{Server, Service, Site, Start};
use serde_json::{Value, json};

const CONTRACT: &str = r#"{"kind": "contract", "version": 1, "endpoints": {"GET /x": {"response": {}}}}"#;

/// This machine, in every way to write it that an address parser somewhere accepts.
const LOOPBACK: [&str; 17] = [
    "127.0.0.1",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "%31%32%37.0.0.1",
    "①②⑦.⓪.⓪.①",
    "127.9.9.9",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[64:ff9b::7f00:1]",
];

/// What the server never calls.
const NEVER: [&str; 22] = [
    "169.254.169.254",
    "169.254.170.2",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "169.254.43518",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::1]",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "[fd20:ce::254]",
    "[fd00:42::42]",
    "[fd00:c1::a9fe:a9fe]",
    "[fd00:a9fe:a9fe::1]",
    "[fd00:100::100:200]",
    "[64:ff9b:1:a9fe:a9:fe00::]",
    "100.100.100.200",
    "168.63.129.16",
    "0.0.0.0",
    "[::]",
];

/// What is refused where there is a token.
const PRIVATE: [&str; 7] =
    ["10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "[fd12::1]", "167772161", "0xac100001"];

/// What the server says when it is asked to call that host: by a webhook's test, and by a contract's.
fn ask(site: &Site, host: &str, port: u16) -> [String; 2] {
    let url = format!("http://{host}:{port}");
    let contract = json!({"endpoint": "GET /x", "base_url": url});
    let tested = site.post("/api/contracts/p/c/test", &contract);
    site.delete("/api/webhooks/h");
    let made = site.post("/api/webhooks", &json!({"id": "h", "url": url, "patterns": ["none"]}));
    let hooked = if made.status == 200 { site.post("/api/webhooks/h/test", &Value::Null) } else { made };
    assert!(matches!(hooked.status, 200 | 400), "{host}: {hooked:?}");
    let contract = if tested.status == 200 {
        let tested = tested.json();
        assert_eq!(tested["valid"] == json!(true), tested["error"] == json!(""), "{tested}");
        tested["error"].as_str().unwrap().to_owned()
    } else {
        assert_eq!(tested.status, 400, "{host}: {tested:?}");
        tested.text().to_owned()
    };
    [contract, if hooked.status == 200 { String::new() } else { hooked.text().to_owned() }]
}

/// Those of them that are no names at all to some resolvers, which is as good.
const UNKNOWN_TO_SOME: [&str; 1] = ["localhost."];

/// Holds that it was not even tried: a refused connection or a time-out would say something else.
fn refused(host: &str, said: &str) {
    let unknown =
        UNKNOWN_TO_SOME.contains(&host) && said.contains(&format!("cannot connect: {host} is unknown"));
    assert!(unknown || said.contains("address not allowed: "), "{host}: {said}");
}

/// A server with a contract, and its admin.
fn server(start: Start) -> (Server, Site) {
    let server = start.start().unwrap();
    let site = server.site().token("t");
    site.put("/api/contracts/p/c", &serde_json::from_str(CONTRACT).unwrap()).ok();
    (server, site)
}

#[test]
fn a_guarded_server_calls_nothing_private_however_it_is_written() {
    let service = Service::new(|_| (200, "{}".to_owned()));
    let port = service.url().rsplit(':').next().unwrap().parse().unwrap();
    let (_server, site) = server(Start::default().args(["--auth-token", "t"]));
    for host in LOOPBACK.iter().chain(&NEVER).chain(&PRIVATE) {
        for said in ask(&site, host, port) {
            refused(host, &said);
        }
        assert!(!service.was_called(), "{host}");
    }
    eprintln!(
        "trust: outbound: a guarded server called none of {} spellings of loopback, private and metadata addresses, by \
         webhook or by contract",
        LOOPBACK.len() + NEVER.len() + PRIVATE.len()
    );
}

#[test]
fn an_open_server_calls_this_machine_and_still_nobodys_credentials() {
    let service = Service::new(|_| (200, "{}".to_owned()));
    let port = service.url().rsplit(':').next().unwrap().parse().unwrap();
    let (_server, site) = server(Start::default());
    assert_eq!(ask(&site, "127.0.0.1", port), ["", ""]);
    assert_eq!([service.call().line, service.call().line], ["GET /x", "POST /"]);
    for host in NEVER {
        for said in ask(&site, host, port) {
            refused(host, &said);
        }
        assert!(!service.was_called(), "{host}");
    }
    eprintln!("trust: outbound: an open server called this machine, and none of {} others", NEVER.len());
}

#[test]
fn whoever_sends_the_server_elsewhere_is_not_followed() {
    let elsewhere = Service::new(|_| (200, "{}".to_owned()));
    // The other place is one that may be called: that it is not called is for no other reason.
    let (_server, site) = server(Start::default());
    let statuses = [301, 302, 303, 307, 308];
    for status in statuses {
        let sender = Service::redirecting(status, &format!("{}/x", elsewhere.url()));
        let port = sender.url().rsplit(':').next().unwrap().parse().unwrap();
        let [contract, hook] = ask(&site, "127.0.0.1", port);
        assert_eq!([sender.call().line, sender.call().line], ["GET /x", "POST /"], "{status}");
        assert!(hook.contains(&format!("the receiver answered {status}")), "{hook}");
        // It is held against the contract as it came: an empty object is what that asks for.
        assert_eq!(contract, "", "{status}");
        assert!(!elsewhere.was_called(), "{status} was followed");
    }
    eprintln!(
        "trust: outbound: {} kinds of redirects, followed by neither webhook nor contract",
        statuses.len()
    );
}

#[test]
fn a_url_that_is_no_web_address_is_no_webhook() {
    let (_server, site) = server(Start::default());
    let urls = [
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_SET",
        "ftp://127.0.0.1/",
        "unix:/run/docker.sock",
        "javascript:alert(1)",
        "//127.0.0.1/",
        "http://",
        "http:// a/",
        "http://a b/",
        "http://[::1/",
        "http://x:99999/",
        "http://a\r\nX-Evil: 1/",
    ];
    for url in urls {
        let hook = site.post("/api/webhooks", &json!({"id": "bad", "url": url}));
        assert_eq!(hook.status, 400, "{url:?}: {}", hook.text());
    }
    assert_eq!(site.get("/api/webhooks").ok(), json!([]));
    eprintln!("trust: outbound: {} URLs that are no web addresses became no webhooks", urls.len());
}

/// A machine on which names resolve to what its owner did not mean: another view of `/etc/hosts`.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs a mount of its own; .ci/suites/trust runs it"]
fn a_name_is_held_against_the_address_it_resolves_to() {
    use std::process::Stdio;

    let service = Service::new(|_| (200, "{}".to_owned()));
    let port = service.url().rsplit(':').next().unwrap().parse().unwrap();
    let start = Start::default().args(["--auth-token", "t"]);
    let hosts = "127.0.0.1 localhost\n127.0.0.1 inside.example\n::1 inside6.example\n\
        169.254.169.254 meta.example\n10.0.0.1 private.example\n";
    std::fs::write(start.directory().join("hosts"), hosts).unwrap();
    let script = "exec unshare --mount --map-root-user --user \
        sh -c 'mount --bind hosts /etc/hosts && exec \"$@\"' sh \"$@\"";
    let (_server, site) = server(start.through(script, Stdio::null()));
    let names = ["inside.example", "inside6.example", "meta.example", "private.example"];
    for host in names {
        for said in ask(&site, host, port) {
            refused(host, &said);
        }
        assert!(!service.was_called(), "{host}");
    }
    eprintln!(
        "trust: outbound: {} names that resolve to loopback, private and metadata addresses are not called",
        names.len()
    );
}
