//! `koor lease` and `koor msg`, typed in the directories of agents.

use integration_tests::{Server, Shell};
use serde_json::{Value, json};

/// The directories of two agents of one project.
fn two_agents(server: &Server) -> [Shell; 2] {
    ["one", "two"].map(|name| {
        let shell = Shell::at(server);
        shell.koor(&["register", name, "--workspace", "Truck-Wash", "--stack", "react"]).ok();
        shell
    })
}

#[test]
fn leases_are_taken_checked_listed_and_released() {
    let server = Server::start();
    let [one, two] = two_agents(&server);
    let taken = one.koor(&["lease", "take", "src/auth", "docs/*.md", "--reason", "login"]).json();
    assert_eq!(
        (&taken["project"], &taken["id"], &taken["mode"]),
        (&json!("Truck-Wash"), &json!(1), &json!("exclusive"))
    );
    assert_eq!((&taken["paths"], &taken["reason"]), (&json!(["src/auth", "docs/*.md"]), &json!("login")));
    let refused = two.koor(&["lease", "take", "src/auth/login.rs", "--wait", "10ms"]).refused();
    assert!(
        refused["error"].as_str().is_some_and(|said| said.starts_with("src/auth/login.rs is held by one"))
    );
    let check = two.koor(&["lease", "check", "src/auth/login.rs", "free.rs"]);
    assert_eq!((check.code, check.err.as_str()), (1, ""));
    let found: Value = serde_json::from_str(&check.out).unwrap();
    assert_eq!((&found["free"], &found["held"][0]["lease"]["name"]), (&json!(["free.rs"]), &json!("one")));
    assert_eq!(one.koor(&["lease", "check", "src/auth/login.rs"]).json()["held"], json!([]));
    assert_eq!(two.koor(&["lease", "list", "--path", "src/auth/x"]).json()[0]["name"], "one");
    assert_eq!(two.koor(&["lease", "list", "--name", "two"]).json(), json!([]));
    two.koor(&["lease", "take", "a", "--shared", "--lease", "10m"]).ok();
    one.koor(&["lease", "take", "a", "--shared"]).ok();
    assert_eq!(one.koor(&["lease", "release", "1"]).json(), json!({"released": 1}));
    one.koor(&["lease", "release"]).ok();
    let left = two.koor(&["lease", "list"]).json();
    assert_eq!((left.as_array().map(Vec::len), &left[0]["name"]), (Some(1), &json!("two")));
    // Elsewhere, the project must be named.
    let elsewhere = Shell::at(&server);
    elsewhere.koor(&["lease", "list"]).says(2, "which project?");
    assert_eq!(elsewhere.koor(&["lease", "list", "--project", "Truck-Wash"]).json(), left);
    let named = Shell::at(&server).env("KOOR_PROJECT", "Truck-Wash");
    assert_eq!(named.koor(&["lease", "list"]).json(), left);
}

#[test]
fn a_taker_waits_until_the_paths_are_free() {
    let server = Server::start();
    let [one, two] = two_agents(&server);
    one.koor(&["lease", "take", "src"]).ok();
    let waits = std::thread::spawn(move || two.koor(&["lease", "take", "src/a", "--wait", "30s"]).json());
    integration_tests::until(|| {
        let later = one.koor(&["lease", "take", "src/a/b", "--shared"]);
        later.err.contains("two waits for src/a and came first").then_some(())
    });
    one.koor(&["lease", "release"]).ok();
    assert!(waits.join().is_ok_and(|taken| taken["name"] == "two"));
}

#[test]
fn messages_are_sent_listed_read_and_acknowledged() {
    let server = Server::start();
    let [one, two] = two_agents(&server);
    let sent = one
        .koor(&["msg", "send", "two", "--subject", "login", "--body", "Look.", "--ack", "--urgent"])
        .json();
    assert_eq!((&sent["recipients"], &sent["urgent"]), (&json!(["Truck-Wash/two"]), &json!(true)));
    let id = sent["id"].to_string();
    let inbox = two.koor(&["msg", "inbox", "--wait", "10s"]).json();
    assert_eq!((&inbox[0]["id"], &inbox[0]["read_at"]), (&sent["id"], &json!(null)));
    assert_eq!(two.koor(&["msg", "read", &id]).json()[0]["body"], "Look.");
    assert_eq!(two.koor(&["msg", "inbox", "--unread"]).json(), json!([]));
    assert!(two.koor(&["msg", "ack", &id]).json()["acked_at"].is_string());
    assert!(one.koor(&["msg", "sent"]).json()[0]["acked_at"].is_string());
    let reply = two.koor(&["msg", "send", "one", "--body", "Done.", "--reply", &id]).json();
    assert_eq!((&reply["thread"], &reply["reply_to"]), (&sent["id"], &sent["id"]));
    let refused = one.koor(&["msg", "send", "stranger", "--body", "x"]).refused();
    assert_eq!(
        refused["error"],
        "there is no agent \"stranger\" in project Truck-Wash; the agents there are: one, two"
    );
    assert_eq!(two.koor(&["msg", "inbox", "--wait", "10ms"]).json(), json!([]));
}
