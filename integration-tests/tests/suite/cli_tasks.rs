//! Tasks from the shell: what an agent types, and what it reads.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::fs;

use integration_tests::{Ran, Server, Shell};
use serde_json::{Value, json};

fn claims(shell: &Shell) -> Value {
    serde_json::from_str(&fs::read_to_string(shell.directory().join(".koor/claims.json")).unwrap()).unwrap()
}

fn in_shop(shell: &Shell, words: &[&str]) -> Ran {
    shell.koor(&[words, &["--project", "Shop"]].concat())
}

#[test]
fn an_agent_takes_the_next_task_and_finishes_it() {
    let server = Server::start();
    let shell = Shell::at(&server);
    shell.koor(&["next"]).says(2, "which project?");
    shell.koor(&["register", "backend", "--workspace", "Shop"]).ok();
    shell.koor(&["next"]).says(1, "no task for this agent in Shop: 0 ready for others, 0 blocked, 0 claimed");
    shell.koor(&["done"]).says(1, "this agent holds no task of Shop");
    let made =
        shell.koor(&["task", "add", "Show free places", "--body", "On the first page.", "--key", "k"]).json();
    assert_eq!((&made["number"], &made["created_by"]), (&json!(1), &json!("backend")));
    let printed = shell.koor(&["next"]).ok();
    assert!(printed.starts_with("Shop/1: Show free places\nOn the first page.\n"), "{printed}");
    assert!(
        printed.ends_with("then: koor done [--note T] | koor fail --reason T | koor release\n"),
        "{printed}"
    );
    assert_eq!(claims(&shell)["Shop/1"]["fence"], 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let permissions = fs::metadata(shell.directory().join(".koor/claims.json")).unwrap().permissions();
        assert_eq!(permissions.mode() & 0o777, 0o600);
    }
    // With a task in hand, it is that one again, and its claim is the same.
    assert!(shell.koor(&["next"]).ok().starts_with("Shop/1: "));
    assert_eq!(shell.koor(&["next", "--json"]).json()["task"]["fence"], 1);
    let done = shell.koor(&["done", "--result", "{\"tests\": 3}", "--note", "ready"]).ok();
    assert_eq!(done, "Shop/1 done. next: koor next\n");
    assert_eq!(claims(&shell), json!({}));
    assert_eq!(server.site().get("/api/tasks/Shop/1").ok()["result"], json!({"tests": 3}));
}

#[test]
fn the_fence_of_a_claim_is_sent_and_a_lost_one_is_told() {
    let server = Server::start();
    let shell = Shell::at(&server);
    shell.koor(&["register", "backend", "--workspace", "Shop"]).ok();
    for title in ["a", "b"] {
        shell.koor(&["task", "add", title]).json();
    }
    shell.koor(&["task", "claim", "1"]).json();
    shell.koor(&["task", "claim", "2"]).json();
    shell.koor(&["release"]).says(2, "this agent holds several tasks of Shop, say which: 1, 2");
    assert_eq!(shell.koor(&["release", "2", "--delay", "1h"]).ok(), "Shop/2 open. next: koor next\n");
    // Taken away and claimed again by the same agent from elsewhere: the fence of this directory is old.
    let site = server.site();
    site.send("PATCH", "/api/tasks/Shop/1", r#"{"assignee": "backend"}"#).ok();
    let settings = fs::read_to_string(shell.directory().join("settings.json")).unwrap();
    let id = serde_json::from_str::<Value>(&settings).unwrap()["instance_id"].as_str().unwrap().to_owned();
    site.instance(&id).post("/api/tasks/Shop/claim", &json!({"number": 1})).ok();
    let lost = shell.koor(&["done", "1"]).refused();
    assert_eq!(lost["error"], "claim lost: you hold task 1 by a newer claim (fence 3)");
    assert_eq!(
        shell.koor(&["fail", "1", "--reason", "broken", "--no-retry"]).ok(),
        "Shop/1 failed. next: koor next\n"
    );
    assert_eq!(shell.koor(&["task", "reopen", "1"]).json()["status"], "open");
    assert_eq!(shell.koor(&["task", "cancel", "1", "--note", "no need"]).json()["reason"], "no need");
}

#[test]
fn tasks_are_imported_listed_changed_and_drawn() {
    let server = Server::start();
    let shell = Shell::at(&server);
    shell.file(
        "tasks.jsonl",
        "{\"title\": \"a\", \"key\": \"a\"}\n\n{\"title\": \"b\", \"after\": [\"a\"]}\n",
    );
    let made = in_shop(&shell, &["task", "import", "--file", "tasks.jsonl"]).json();
    assert_eq!(made.as_array().unwrap().len(), 2);
    shell.file("broken.jsonl", "{\"title\": \"a\"}\n{\n");
    in_shop(&shell, &["task", "import", "--file", "broken.jsonl"]).says(2, "broken.jsonl, line 2");
    assert_eq!(in_shop(&shell, &["task", "list", "--ready"]).json()[0]["number"], 1);
    let edited =
        in_shop(&shell, &["task", "edit", "2", "--title", "c", "--priority", "0", "--review"]).json();
    assert_eq!(
        (&edited["title"], &edited["priority"], &edited["review"]),
        (&json!("c"), &json!(0), &json!(true))
    );
    assert_eq!(in_shop(&shell, &["task", "note", "2", "see a"]).json()["text"], "see a");
    assert_eq!(in_shop(&shell, &["task", "tree"]).ok(), "2 c [open]\n└─ 1 a [open]\n");
    let shown = in_shop(&shell, &["task", "show", "2", "--table"]).ok();
    assert!(shown.starts_with("Shop/2: c\n  status: open\n"), "{shown}");
    assert!(shown.contains(": see a"), "{shown}");
}

/// The tokens of a text, as models count them.
fn tokens(text: &str) -> usize {
    tiktoken_rs::o200k_base_singleton().encode_ordinary(text).len()
}

#[test]
fn a_task_costs_few_tokens_to_find_claim_and_finish() {
    let server = Server::start();
    let shell = Shell::at(&server);
    shell.koor(&["register", "backend", "--workspace", "Truck-Wash"]).ok();
    let title = "Show the free places of every car park on the first page, newest first";
    let body = "Read them from the API. ".repeat(100);
    shell.koor(&["task", "add", title, "--body", &body]).json();
    let printed = shell.koor(&["next"]).ok();
    let around = printed.replace(body.trim(), "");
    assert!(printed.contains(body.trim()) && tokens(&around) <= 60, "{} tokens: {around}", tokens(&around));
    let again = shell.koor(&["next"]).ok();
    assert_eq!(again.replace(body.trim(), "").lines().next(), around.lines().next());
    let done = shell.koor(&["done", "--note", "n"]).ok();
    // Both commands as an agent types them, and all it reads but the task's own text.
    let typed = "koor next\nkoor done --note 'the page shows them, with tests'\n";
    let total = tokens(typed) + tokens(&around.replace(title, "")) + tokens(&done);
    assert!(total <= 120, "{total} tokens: {typed}{around}{done}");
    eprintln!("one task: {total} tokens beside its own text, {} around its body", tokens(&around));
}

#[test]
fn the_brief_comes_before_the_next_task_and_repeats_nothing() {
    let server = Server::start();
    let (shell, other) = (Shell::at(&server), Shell::at(&server));
    shell.koor(&["register", "backend", "--workspace", "Shop"]).ok();
    other.koor(&["register", "frontend", "--workspace", "Shop"]).ok();
    // The first brief of an agent has no changes; what follows is new to it.
    shell.koor(&["next"]).says(1, "no task for this agent");
    let sent = other.koor(&["msg", "send", "backend", "--body", "Look at this.", "--urgent"]).json();
    for title in ["a", "b"] {
        shell.koor(&["task", "add", title]).json();
    }
    let message = format!("urgent message from Shop/frontend: Look at this.: koor msg read {}", sent["id"]);
    let printed = shell.koor(&["next"]).ok();
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!((lines[0], lines[1]), (message.as_str(), "Shop/1: a"), "{printed}");
    assert!(!printed.contains("koor next"), "{printed}");
    // With a task in hand, the brief does not name it once more.
    let again = shell.koor(&["next"]).ok();
    assert!(again.starts_with(&format!("{message}\nShop/1: a\n")), "{again}");
    assert!(!again.contains(": koor done 1"), "{again}");
    // A program that asks for JSON has not read the brief: nothing is marked as shown.
    other.koor(&["msg", "send", "backend", "--body", "And at this."]).json();
    shell.koor(&["next", "--json"]).json();
    let inbox = shell.koor(&["msg", "inbox"]).json();
    let surfaced: Vec<bool> =
        inbox.as_array().unwrap().iter().map(|message| message["surfaced_at"].is_string()).collect();
    assert_eq!(surfaced, [true, false]);
    shell.koor(&["msg", "read", sent["id"].to_string().as_str()]).ok();
    // A brief that is all that there is comes before the line which says that there is no task.
    let nothing = other.koor(&["next", "--label", "none"]);
    assert_eq!(nothing.code, 1);
    assert!(nothing.out.is_empty() && nothing.err.contains("no task for this agent"), "{nothing:?}");
}
