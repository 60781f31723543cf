//! Who is there, what they did and what it cost.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::fs;

use integration_tests::{Receiver, Server, Shell, Start};
use serde_json::{Value, json};

fn settings(shell: &Shell) -> Value {
    serde_json::from_str(&fs::read_to_string(shell.directory().join("settings.json")).unwrap()).unwrap()
}

#[test]
fn a_directory_belongs_to_whom_was_registered_in_it() {
    let server = Server::start();
    let shell = Shell::at(&server);
    shell.file("settings.json", r#"{"bind": "localhost:1", "mine": [1]}"#);
    let words =
        ["register", "fe", "--workspace", "P", "--intent", "x", "--stack", "react", "--capabilities", "a,b"];
    let made = shell.koor(&words).json();
    let id = made["id"].as_str().unwrap();
    assert_eq!((&made["status"], &made["capabilities"]), (&json!("pending"), &json!(["a", "b"])));
    assert_eq!(
        settings(&shell),
        json!({"bind": "localhost:1", "mine": [1], "instance_id": id, "workspace": "P", "agent": "fe"})
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let permissions = fs::metadata(shell.directory().join("settings.json")).unwrap().permissions();
        assert_eq!(permissions.mode() & 0o777, 0o600);
    }
    assert_eq!(shell.koor(&["activate", id]).json(), json!({"id": id, "status": "active"}));
    assert_eq!(shell.koor(&["heartbeat"]).json(), json!({"id": id, "status": "ok"}));
    shell.koor(&["state", "set", "k", "--data", "1"]).json();
    assert_eq!(shell.koor(&["state", "list"]).json()[0]["updated_by"], id);
    assert_eq!(shell.koor(&["events", "publish", "a"]).json()["source"], "fe");
    assert_eq!(shell.koor(&["instances", "get", id]).json()["name"], "fe");
    assert_eq!(
        shell.koor(&["instances", "list", "--stack", "react", "--capability", "b"]).json()[0]["id"],
        id
    );
    assert_eq!(shell.koor(&["instances", "list", "--name", "be"]).json(), json!([]));
    assert_eq!(shell.koor(&["instances", "stale"]).json(), json!([]));
    assert_eq!(shell.koor(&["instances", "delete", id]).json(), json!({"deleted": id}));
    assert_eq!(settings(&shell), json!({"bind": "localhost:1", "mine": [1]}));
    shell.koor(&["heartbeat"]).says(2, "belongs to no instance");
}

#[test]
fn an_agents_directory_keeps_the_agents_own_token_alone() {
    let server = Start::default().args(["--auth-token", "admin"]).start().unwrap();
    let shell = Shell::at(&server);
    let refused = shell.koor(&["register", "fe"]).refused();
    assert_eq!(refused, json!({"error": "invalid or missing bearer token", "code": 401}));
    let made = shell.koor(&["register", "fe", "--token", "admin"]).json();
    let own = json!({"instance_id": made["id"], "token": made["token"], "server": server.api, "agent": "fe"});
    assert_eq!(settings(&shell), own);
    shell.koor(&["state", "set", "k", "--data", "1"]).json();
    assert_eq!(shell.koor(&["webhooks", "list"]).refused()["code"], 403);

    // The instance's token takes the place of the one that registered it.
    let shell = Shell::at(&server);
    shell.koor(&["config", "set", "token", "admin"]).ok();
    let made = shell.koor(&["register", "be"]).json();
    let own = json!({"instance_id": made["id"], "token": made["token"], "server": server.api, "agent": "be"});
    assert_eq!(settings(&shell), own);
    assert_eq!(shell.koor(&["webhooks", "list"]).refused()["code"], 403);
    let other = Shell::at(&server);
    let (id, token) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    other.koor(&["activate", id, "--token", token]).json();
    assert_eq!(settings(&other), json!({"instance_id": id, "token": token, "server": server.api}));
}

#[test]
fn an_instance_that_is_gone_is_warned_of() {
    let server = Server::start();
    let shell = Shell::at(&server);
    shell.file("settings.json", r#"{"instance_id": "550e8400-e29b-41d4-a716-446655440000"}"#);
    let ran = shell.koor(&["state", "list"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "[]\n"));
    assert!(ran.err.starts_with("koor: unknown instance") && ran.err.lines().count() == 1, "{}", ran.err);
}

#[test]
fn an_event_of_no_one_in_a_projects_directory_is_said_to_be_so() {
    let server = Server::start();
    let shell = Shell::nowhere();
    shell.file("settings.json", json!({"server": server.api}).to_string());
    let ran = shell.koor(&["events", "publish", "a"]);
    assert_eq!((ran.code, ran.err.lines().count()), (0, 1), "{ran:?}");
    assert!(
        ran.err.contains("settings.json names no instance") && ran.err.contains("koor register"),
        "{ran:?}"
    );
    shell.koor(&["events", "publish", "a", "--source", "me"]).json();
    shell.koor(&["register", "fe"]).json();
    assert_eq!(shell.koor(&["events", "publish", "a"]).json()["source"], "fe");
    // Where there is no project, nothing is missing.
    Shell::at(&server).koor(&["events", "publish", "a"]).json();
}

#[test]
fn a_directory_keeps_its_instance_when_the_same_name_is_registered_again() {
    let server = Start::default().args(["--auth-token", "admin"]).start().unwrap();
    let shell = Shell::at(&server);
    let first = shell.koor(&["register", "fe", "--workspace", "P", "--token", "admin"]).json();
    let before = settings(&shell);
    let again = shell.koor(&["register", "fe", "--workspace", "P", "--intent", "more"]).json();
    assert_eq!((&again["id"], &again["intent"]), (&first["id"], &json!("more")));
    assert_eq!(settings(&shell), before, "the same token");
    // Another name, or --new, is another one: an agent may not register it.
    for words in [&["register", "be"][..], &["register", "fe", "--workspace", "P", "--new"]] {
        assert_eq!(shell.koor(words).refused()["code"], 403);
    }
    let id = first["id"].as_str().unwrap();
    shell.koor(&["activate"]).json();
    let ran = shell.koor(&[
        "register",
        "fe",
        "--workspace",
        "P",
        "--new",
        "--token",
        "admin",
        "--server",
        &server.api,
    ]);
    assert!(ran.code == 0 && ran.err.contains(&format!("is called fe and active: {id}")), "{ran:?}");
    assert_ne!(settings(&shell)["instance_id"], first["id"]);
}

#[test]
fn webhooks_are_made_called_and_deleted() {
    let server = Server::start();
    let shell = Shell::at(&server);
    let receiver = Receiver::new();
    let url = receiver.url();
    shell.file("secret", "whsec_c2VjcmV0\n");
    let words =
        ["webhooks", "add", "--id", "w", "--url", &url, "--patterns", "a.*,b.*", "--secret-file", "secret"];
    let made = shell.koor(&words).json();
    assert_eq!((&made["patterns"], &made["has_secret"]), (&json!(["a.*", "b.*"]), &json!(true)));
    assert_eq!(shell.koor(&words).refused()["code"], 409);
    assert_eq!(shell.koor(&["webhooks", "list"]).json()[0]["id"], "w");
    assert_eq!(shell.koor(&["webhooks", "test", "w"]).json(), json!({"tested": "w", "status": "ok"}));
    assert_eq!(shell.koor(&["webhooks", "enable", "w"]).json()["active"], true);
    assert!(shell.koor(&["webhooks", "deliveries", "w"]).json().is_array());
    assert_eq!(shell.koor(&["webhooks", "delete", "w"]).json(), json!({"deleted": "w"}));
    assert_eq!(shell.koor(&["webhooks", "test", "w"]).refused()["code"], 404);
}

#[test]
fn the_audit_log_is_read_summed_up_and_verified() {
    let server = Server::start();
    let shell = Shell::at(&server);
    shell.koor(&["state", "set", "k", "--data", "1"]).json();
    shell.koor(&["state", "delete", "k"]).json();
    let log = shell.koor(&["audit", "--action", "state.put", "--limit", "1"]).json();
    assert_eq!((&log[0]["resource"], log.as_array().unwrap().len()), (&json!("k"), 1));
    assert_eq!(shell.koor(&["audit", "--actor", "no-one", "--from", "2001-01-01"]).json(), json!([]));
    assert_eq!(shell.koor(&["audit", "summary"]).json()["total_entries"], 2);
    assert_eq!(shell.koor(&["audit", "verify"]).json()["valid"], true);
}

#[test]
fn usage_is_recorded_listed_and_summed_up() {
    let server = Server::start();
    let shell = Shell::at(&server);
    let words = [
        "llm",
        "record",
        "--provider",
        "p",
        "--model",
        "m",
        "--tokens-in",
        "10",
        "--tokens_out",
        "5",
        "--cost-usd",
        "0.5",
        "--project",
        "P",
        "--session",
        "s",
    ];
    assert_eq!(shell.koor(&words).json()["recorded"], true);
    let records = shell.koor(&["llm", "usage", "--project", "P", "--session", "s", "--limit", "5"]).json();
    assert_eq!((&records[0]["tokens_in"], &records[0]["session_tag"]), (&json!(10), &json!("s")));
    let sums = shell.koor(&["llm", "summary", "--by", "session_tag"]).json();
    assert_eq!(sums["groups"]["s"]["total_tokens_out"], 5);
    assert_eq!(shell.koor(&["llm", "summary"]).json()["group_by"], "project");
    shell.koor(&["llm", "summary", "--by", "weather"]).says(2, "possible values: model, instance, project");
}

#[test]
fn metrics_are_the_servers_or_its_agents() {
    let server = Server::start();
    let shell = Shell::at(&server);
    let id = shell.koor(&["register", "fe"]).json()["id"].clone();
    let id = id.as_str().unwrap();
    shell.koor(&["state", "set", "k", "--data", "1"]).json();
    assert_eq!(shell.koor(&["metrics"]).json()["state_keys"], 1);
    let all = shell.koor(&["metrics", "agents"]).json();
    assert_eq!((&all[0]["instance_id"], &all[0]["metrics"]["state_writes"]), (&json!(id), &json!(1)));
    let one = shell.koor(&["metrics", "agents", id]).json();
    assert!(one.as_array().unwrap().iter().any(|row| row["metric_name"] == "state_writes"), "{one}");
    assert_eq!(shell.koor(&["metrics", "agents", "--instance_id", id, "--period", "1999"]).json(), json!([]));
}
