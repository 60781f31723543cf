//! Secrets that are used in every way there is, and then looked for in everything that the server wrote or said.

use std::fs;

use integration_tests::{Call, Ended, Mcp, Reply, Server, Service, Site, Start, until};
use serde_json::{Value, json};

use crate::doors::{House, ROWS};

/// The server's token.
const SERVER: &str = "canary-server-7f3a";
/// What an attacker guesses.
const GUESS: &str = "canary-guess-91bc";
/// The secret of a webhook as it is, and in the form of Standard Webhooks.
const HOOK: &str = "canary-hook-55d1";
const STANDARD: &str = "whsec_Y2FuYXJ5LXN0YW5kYXJkLTQ0YWE=";
/// What that means: the key that is signed with.
const STANDARD_KEY: &str = "canary-standard-44aa";

/// Everything that a client was told, by what it asked.
#[derive(Default)]
struct Told(Vec<(String, String)>);

impl Told {
    fn ask(&mut self, site: &Site, method: &str, path: &str, body: &Value) -> Value {
        let sent = if body.is_null() { String::new() } else { body.to_string() };
        let reply = site.send(method, path, sent);
        self.keep(&format!("{method} {path}"), &reply);
        serde_json::from_slice(&reply.body).unwrap_or_default()
    }

    fn keep(&mut self, asked: &str, reply: &Reply) {
        let text = String::from_utf8_lossy(&reply.body);
        self.0.push((asked.to_owned(), format!("{:?} {text}", reply.headers)));
    }
}

/// Makes every call there is, as an agent, as an admin and as one who guesses. Answers the tokens that were issued; the
/// answers that issued them are for the one who asked, and so are not kept.
fn use_every_door(house: &House, told: &mut Told) -> Vec<String> {
    let agent = |token: &str| house.server.site().token(token);
    let mut tokens = vec![house.me.1.clone(), house.other.1.clone()];
    let callers = [
        (agent(&house.me.1), &house.me.0),
        (house.admin.clone(), &house.other.0),
        (agent(GUESS), &house.other.0),
    ];
    for (mut caller, about) in callers {
        for row in ROWS {
            let reply = house.call(&caller, about, *row);
            let issued = match row.1 {
                "POST /api/instances/register" | "POST /api/instances/{id}/token" if reply.status == 200 => {
                    Some(reply.json()["token"].as_str().unwrap().to_owned())
                }
                _ => None,
            };
            let Some(token) = issued else {
                told.keep(row.1, &reply);
                continue;
            };
            if row.1.ends_with("/token") && *about == house.me.0 {
                caller = agent(&token);
            }
            tokens.push(token);
        }
    }
    let mcp = Mcp(house.admin.clone());
    let made = mcp.call("register_instance", &json!({"name": "by-mcp"}));
    tokens.push(made["token"].as_str().unwrap().to_owned());
    let rule = json!({"project": "p", "rule_id": "by-mcp", "pattern": "x", "message": "m"});
    for token in [SERVER, tokens.last().unwrap(), GUESS] {
        let call = json!({"name": "propose_rule", "arguments": rule});
        let ask = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call});
        told.keep("propose_rule", &Mcp(agent(token)).post(ask.to_string()));
    }
    tokens
}

/// Uses every secret: in headers, in the query, rightly and wrongly. Answers all instance tokens there were.
fn use_all(server: &Server, service: &Service, told: &mut Told) -> Vec<String> {
    let admin = server.site().token(SERVER);
    let registered = admin.post("/api/instances/register", &json!({"name": "agent"})).ok();
    let text = |value: &Value, field: &str| value[field].as_str().unwrap().to_owned();
    let (id, old) = (text(&registered, "id"), text(&registered, "token"));
    let new = text(&admin.post(&format!("/api/instances/{id}/token"), &Value::Null).ok(), "token");
    let everybody =
        [admin.clone(), server.site().token(&old), server.site().token(&new), server.site().token(GUESS)];

    for (name, secret) in [("plain", HOOK), ("standard", STANDARD)] {
        let hook = json!({"id": name, "url": service.url(), "patterns": ["*"], "secret": secret});
        told.ask(&admin, "POST", "/api/webhooks", &hook);
        // Once more, which is a conflict; and so that its reader stumbles behind the secret.
        told.ask(&admin, "POST", "/api/webhooks", &hook);
        told.ask(&admin, "POST", "/api/webhooks", &json!({"secret": secret, "id": 5, "url": "x"}));
        told.ask(&admin, "POST", "/api/webhooks", &json!({"id": "x", "url": 7, "secret": [secret]}));
        told.ask(&admin, "POST", &format!("/api/webhooks/{name}/test"), &Value::Null);
    }
    for site in &everybody {
        let publish = json!({"topic": "canary", "data": 1});
        told.ask(site, "POST", "/api/events/publish", &publish);
        told.ask(site, "PUT", "/api/state/canary", &json!(1));
        told.ask(site, "PUT", "/api/state/canary?if_version=77", &json!(1));
        told.ask(site, "POST", "/api/backup/restore", &json!({"state": 5}));
        told.ask(site, "GET", "/api/nonsense", &Value::Null);
        told.ask(site, "PATCH", "/api/state/canary", &Value::Null);
        told.ask(site, "GET", "/api/events/wait?since=nonsense", &Value::Null);
    }
    for token in [SERVER, &old, &new, GUESS] {
        let query = format!("access_token={token}");
        for path in ["state/canary", "events/subscribe", "nonsense", "events/history?last=x"] {
            let sign = if path.contains('?') { '&' } else { '?' };
            told.ask(&server.site(), "GET", &format!("/api/{path}{sign}{query}"), &Value::Null);
        }
        let header = server.site().with("Authorization", token);
        told.ask(&header, "GET", "/api/state", &Value::Null);
        let named = server.site().with("Cookie", token).with("X-Request-Id", "mine");
        told.ask(&named, "GET", "/api/state", &Value::Null);
    }
    // Both receivers have been called, and their calls are written down.
    for name in ["plain", "standard"] {
        until(|| {
            let sent = admin.get(&format!("/api/webhooks/{name}/deliveries")).ok();
            (!sent.as_array()?.is_empty()).then_some(())
        });
    }
    for path in [
        "metrics",
        "api/metrics",
        "api/metrics/agents",
        "api/audit?limit=10000",
        "api/audit/summary",
        "api/backup",
        "api/events/history?last=10000",
        "api/events/history?last=10000&topic=$*",
        "api/instances",
        &format!("api/instances/{id}"),
        "api/webhooks",
        "api/webhooks/plain",
        "api/webhooks/plain/deliveries",
        "api/openapi.json",
        "health",
    ] {
        let asked = Value::Null;
        told.ask(&admin, "GET", &format!("/{path}"), &asked);
    }
    vec![old, new]
}

/// How a secret may look when it has got somewhere.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
    use sha2::{Digest as _, Sha256};
    vec![
        secret.as_bytes().to_vec(),
        STANDARD_NO_PAD.encode(secret).into_bytes(),
        hex::encode(secret).into_bytes(),
        hex::encode(Sha256::digest(secret)).into_bytes(),
    ]
}

fn holds(bytes: &[u8], form: &[u8]) -> bool {
    bytes.windows(form.len()).any(|window| window == form)
}

#[test]
fn no_secret_is_in_a_log_an_answer_the_audit_log_a_backup_or_the_metrics() {
    let service = Service::new(|_| (500, "{}".to_owned()));
    let start = Start::default();
    fs::write(start.directory().join("token"), SERVER).unwrap();
    let flags = ["--auth-token-file", "token", "--log-level", "trace", "--allow-outbound", "127.0.0.1"];
    let server = start.args(flags).start().unwrap();
    let mut told = Told::default();
    let mut tokens = use_all(&server, &service, &mut told);
    let house = House::furnish(server, SERVER, HOOK);
    tokens.extend(use_every_door(&house, &mut told));
    let House { server, service: own, .. } = house;
    let calls = [service.calls(), own.calls()].concat();
    let directory = server.directory().clone();
    // The database as a thief finds it, with its log.
    let files = |directory: &std::path::Path| -> Vec<(String, Vec<u8>)> {
        let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        let ours = entries.filter(|path| path.is_file() && !path.ends_with("token"));
        ours.map(|path| (path.display().to_string(), fs::read(path).unwrap())).collect()
    };
    let mut kept = files(directory.path());
    let Ended { code, log, out } = server.stop();
    assert_eq!(code, Some(0));
    kept.extend(files(directory.path()));
    assert!(kept.iter().any(|(_, bytes)| holds(bytes, b"canary")), "this looks where something is");
    assert!(log.len() > 100, "the log says a lot");

    assert!(calls.len() > 4, "receivers are called: {calls:?}");
    let signed = |call: &Call| call.header("webhook-signature").is_some();
    assert!(calls.iter().any(signed), "and told with a signature");
    let mut secrets = vec![SERVER, GUESS, HOOK, STANDARD, STANDARD_KEY];
    secrets.extend(tokens.iter().map(String::as_str));
    for secret in &secrets {
        for form in forms(secret) {
            let shown = String::from_utf8_lossy(&form).into_owned();
            for (asked, answer) in &told.0 {
                // What a client puts into a path or a query of its own it may be told again.
                assert!(!holds(answer.as_bytes(), &form), "{shown} is in the answer to {asked}: {answer}");
            }
            for call in &calls {
                assert!(!holds(format!("{call:?}").as_bytes(), &form), "{shown} is in the call {call:?}");
            }
            for line in log.iter().chain(&out) {
                assert!(!holds(line.as_bytes(), &form), "{shown} is in the log: {line}");
            }
        }
        // A webhook's secret must be kept, to sign with it; a token need not be and is not.
        if ![HOOK, STANDARD].contains(secret) {
            for (file, bytes) in &kept {
                assert!(!holds(bytes, secret.as_bytes()), "{secret} is in {file}");
            }
        }
    }
    eprintln!(
        "trust: secrets: {} secrets, each in four forms, are in none of {} answers to every route, {} calls of receivers and \
         {} lines of the log, and no token is in the {} files of data",
        secrets.len(),
        told.0.len(),
        calls.len(),
        log.len() + out.len(),
        kept.len()
    );
}

#[cfg(unix)]
#[test]
fn no_file_that_the_server_writes_is_for_others_to_read() {
    use std::{os::unix::fs::PermissionsExt as _, process::Stdio};

    let mut files = 0;
    for umask in ["000", "022", "077"] {
        let script = format!("umask {umask}; exec \"$@\"");
        let start = Start::default().through(&script, Stdio::null()).args(["--data-dir", "fresh/data"]);
        let server = start.start().unwrap();
        let site = server.site();
        site.put("/api/state/a", &json!("x".repeat(100_000))).ok();
        // A backup is read from a copy.
        site.get("/api/backup").ok();
        let data = server.directory().path().join("fresh/data");
        let mut seen = Vec::new();
        for entry in fs::read_dir(&data).unwrap() {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            let mode = metadata.permissions().mode() & 0o777;
            let most = if metadata.is_dir() { 0o700 } else { 0o600 };
            seen.push(entry.file_name().into_string().unwrap());
            assert_eq!(mode & !most, 0, "umask {umask}: {} has {mode:o}", entry.path().display());
        }
        for expected in ["data.db", "data.db-wal", "data.lock"] {
            assert!(seen.iter().any(|name| name == expected), "{expected} is none of {seen:?}");
        }
        let mode = fs::metadata(&data).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o700, "umask {umask}: the directory has {mode:o}");
        files += seen.len();
    }
    eprintln!("trust: secrets: {files} files under three umasks are their owner's alone");
}
