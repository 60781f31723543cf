//! Where tokens go: only to the server they were set for. And which settings hold in a directory.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    path::Path,
    sync::{Arc, Mutex},
    thread,
};

use integration_tests::{Server, Shell, Start};
use serde_json::{Value, json};

/// Someone who writes down what is sent, and answers everything as if all were well. Lives as long as the test's process.
struct Listener {
    url: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Listener {
    fn new() -> Self {
        const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&heard);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut asked = Vec::new();
                let mut byte = [0];
                while !asked.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                    asked.extend(byte);
                }
                written.lock().unwrap().push(String::from_utf8_lossy(&asked).into_owned());
                drop(stream.write_all(ANSWER.as_bytes()));
            }
        });
        Self { url, heard }
    }

    /// What was heard since the last time; something was.
    fn heard(&self) -> String {
        let heard = std::mem::take(&mut *self.heard.lock().unwrap()).concat();
        assert!(!heard.is_empty(), "nothing came");
        heard
    }
}

fn json_of(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn a_checkout_does_not_get_a_token_that_was_set_for_another_server() {
    let stranger = Listener::new();
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    for (environment, flags) in [("secret", &[][..]), ("", &["--token", "secret"])] {
        let shell = Shell::nowhere().env("KOOR_TOKEN", environment);
        shell.file("settings.json", json!({"server": stranger.url}).to_string());
        for (words, input) in [(&["status"][..], ""), (&["state", "list"], ""), (&["mcp", "stdio"], list)] {
            let ran = shell.fed(&[words, flags].concat(), format!("{input}\n").as_bytes());
            let heard = stranger.heard();
            assert!(!heard.contains("secret") && !heard.to_lowercase().contains("authorization"), "{heard}");
            assert_eq!(ran.code, 0, "{ran:?}");
            let said = ran.err.matches("is not sent: the server http://127.0.0.1").count();
            assert_eq!((said, ran.err.lines().count()), (1, 1), "{ran:?}");
        }
    }
}

#[test]
fn a_token_goes_along_with_the_server_that_is_named_beside_it() {
    let listener = Listener::new();
    let url = listener.url.as_str();
    let sent = |shell: &Shell, words: &[&str]| {
        shell.koor(words).ok();
        listener.heard().contains("Bearer secret")
    };
    let shell = Shell::nowhere();
    shell.file("settings.json", json!({"server": url, "token": "secret"}).to_string());
    assert!(sent(&shell, &["state", "list"]), "by the same file");
    assert!(sent(&shell, &["state", "list", "--server", url]), "the same server");
    let flags = ["state", "list", "--server", url, "--token", "secret"];
    assert!(sent(&Shell::nowhere(), &flags), "by flags");
    let named = Shell::nowhere().env("KOOR_SERVER", url).env("KOOR_TOKEN", "secret");
    assert!(sent(&named, &["state", "list"]), "by the environment");
    let token = Shell::nowhere().env("KOOR_TOKEN", "secret");
    assert!(sent(&token, &["state", "list", "--server", url]), "the token had no server of its own");

    // What was set for another server stays here.
    let elsewhere = Shell::nowhere().env("KOOR_SERVER", "http://localhost:1").env("KOOR_TOKEN", "secret");
    let ran = elsewhere.koor(&["state", "list", "--server", url]);
    assert!(!listener.heard().contains("secret") && ran.err.contains("KOOR_TOKEN is not sent"), "{ran:?}");
    let other = Shell::nowhere();
    other.file("settings.json", json!({"server": "http://localhost:1", "token": "secret"}).to_string());
    let ran = other.koor(&["state", "list", "--server", url]);
    assert!(!listener.heard().contains("secret") && ran.err.lines().count() == 1, "{ran:?}");
}

#[test]
fn another_server_takes_the_token_of_the_last_one_out_of_the_file() {
    let shell = Shell::nowhere();
    shell.koor(&["config", "set", "server", "http://a:1"]).ok();
    shell.koor(&["config", "set", "token", "t"]).ok();
    let file = shell.directory().join("settings.json");
    shell.koor(&["config", "set", "server", "http://a:1"]).ok();
    assert_eq!(json_of(&file), json!({"server": "http://a:1", "token": "t"}));
    let ran = shell.koor(&["config", "set", "server", "http://b:1"]);
    assert!(ran.code == 0 && ran.err.contains("it was set for http://a:1"), "{ran:?}");
    assert_eq!(json_of(&file), json!({"server": "http://b:1"}));
    // One that is set stands beside the server it is for.
    shell.koor(&["config", "set", "token", "t", "--server", "http://c:1"]).ok();
    assert_eq!(json_of(&file), json!({"server": "http://c:1", "token": "t"}));
}

#[test]
fn a_token_of_the_user_is_kept_outside_of_projects_and_not_for_agents() {
    let server = Start::default().args(["--auth-token", "admin"]).start().unwrap();
    let shell = Shell::at(&server);
    let ran = shell.koor(&["config", "set", "token", "admin", "--user"]);
    assert!(ran.code == 0 && ran.err.contains("kept the token"), "{ran:?}");
    let kept = shell.home().join("koor/servers.json");
    assert_eq!(json_of(&kept), json!({"servers": {server.api.as_str(): {"token": "admin"}}}));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(fs::read_dir(shell.directory()).unwrap().count(), 0);
    assert_eq!(shell.koor(&["webhooks", "list"]).ok(), "[]\n");
    let shown: Value = serde_json::from_str(&shell.koor(&["config", "show"]).ok()).unwrap();
    assert_eq!(shown["token_from"], "user");
    // A server that a file names gets it as well: it was set for that one.
    shell.file("settings.json", json!({"server": server.api}).to_string());
    assert_eq!(shell.koor(&["webhooks", "list"]).ok(), "[]\n");
    // An agent's directory has the agent's own token, or none.
    let made = shell.koor(&["register", "fe"]).json();
    assert_eq!(json_of(&shell.directory().join("settings.json"))["token"], made["token"]);
    assert_eq!(shell.koor(&["webhooks", "list"]).refused()["code"], 403);
    shell.file("settings.json", json!({"server": server.api, "instance_id": made["id"]}).to_string());
    assert_eq!(shell.koor(&["state", "list"]).refused()["code"], 401);
}

#[test]
fn settings_hold_in_every_directory_below() {
    let server = Server::start();
    let shell = Shell::nowhere();
    fs::create_dir_all(shell.directory().join("src/deep")).unwrap();
    let file = shell.directory().join("settings.json");
    let here = shell.directory().join("src/deep/settings.json");
    shell.koor(&["config", "set", "server", &server.api]).ok();
    let id = shell.koor(&["register", "fe"]).json()["id"].clone();
    let below = |words: &str| shell.line(&format!("cd src/deep && \"$koor\" {words}"));
    assert_eq!(below("events publish a").json()["source"], "fe");
    let changed = below("config set token t");
    assert!(changed.code == 0 && changed.err.contains("changed /"), "{changed:?}");
    assert_eq!(json_of(&file)["token"], "t");
    below("config set token ''").says(0, "changed /");
    assert!(!here.exists());

    // Another identity belongs to the directory in which it was made, with the server it was made at.
    let other = below("register be").json()["id"].clone();
    assert_eq!(json_of(&here), json!({"instance_id": other, "server": server.api, "agent": "be"}));
    assert_eq!(json_of(&file), json!({"server": server.api, "instance_id": id, "agent": "fe"}));
    assert_eq!(below("events publish a").json()["source"], "be");
    assert_eq!(shell.koor(&["events", "publish", "a"]).json()["source"], "fe");
    below(&format!("instances delete {}", other.as_str().unwrap())).json();
    assert_eq!(json_of(&here), json!({"server": server.api}));
}
