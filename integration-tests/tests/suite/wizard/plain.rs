//! The wizard in plain lines.

use std::{collections::BTreeMap, fs};

use integration_tests::{Start, koor};
use tempfile::TempDir;

use crate::wizard::{
    flags::tree,
    run::{USER, run, run_with},
};

#[test]
fn answers_in_plain_lines_make_what_flags_make() {
    let [by_lines, by_flags] = [(); 2].map(|()| TempDir::new().unwrap());
    let answers = "Truck Wash\nTruck-Wash\nfrontend\ngoth\ny\nfrontend\nbackend\ngo-api\npostgres\nn\nhttp://localhost:9\n3\nn\nyes\n";
    let asked = run_with(koor(), by_lines.path(), &["init", "--accessible"], answers);
    asked.ok();
    assert!(asked.out.is_empty(), "questions are no results: {}", asked.out);
    for told in [
        "Not possible: \"Truck Wash\" has a space in it",
        "Not possible: there is an agent \"frontend\" already.",
        "No server answers at http://localhost:9 yet.",
        "truck-wash-backend     go-api (postgres)",
        "Done: 3 workspaces of Truck-Wash.",
    ] {
        assert!(asked.err.contains(told), "{told:?} is not in {}", asked.err);
    }
    let flags =
        ["--agent", "frontend:goth", "--agent", "backend:go-api:postgres", "--server", "http://localhost:9"];
    let args = [&["init", "--project", "Truck-Wash", "--yes"], &flags[..]].concat();
    crate::wizard::run::run(koor(), by_flags.path(), &args).ok();
    assert_eq!(tree(by_lines.path()), tree(by_flags.path()));
}

#[test]
fn a_no_at_the_end_writes_nothing() {
    for answers in ["p\na\nc\nn\n\n3\n\nno\n", "p\na\nc\n"] {
        let directory = TempDir::new().unwrap();
        let asked = run_with(
            koor(),
            directory.path(),
            &["init", "--accessible", "--server", "http://localhost:9"],
            answers,
        );
        assert_eq!(asked.code, 1, "{}", asked.err);
        assert!(asked.err.contains("cancelled: nothing was written"), "{}", asked.err);
        assert_eq!(tree(directory.path()), BTreeMap::new());
    }
}

#[test]
fn a_token_is_asked_for_until_the_server_takes_it() {
    let closed = Start::default().args(["--auth-token", "s3cret"]).start().unwrap();
    let directory = TempDir::new().unwrap();
    let answers = "wrong\ns3cret\ny\nyes\n";
    let args = ["init", "--accessible", "--project", "p", "--agent", "a:c", "--server", &closed.api];
    let asked = run_with(koor(), directory.path(), &args, answers);
    asked.ok();
    assert!(asked.err.contains("That is not it. "), "{}", asked.err);
    let files = tree(directory.path());
    assert!(files["p-a/.mcp.json"].contains("\"Authorization\": \"Bearer "));
    assert!(files["p-a/.claude/settings.json"].contains("\"Bash(koor:*)\""));
    assert!(!files.values().any(|text| text.contains("s3cret")));
}

#[test]
fn an_agent_is_added_to_a_project_that_is_there() {
    let directory = TempDir::new().unwrap();
    let args =
        ["init", "--project", "Truck-Wash", "--agent", "a:c", "--server", "http://localhost:9", "--yes"];
    crate::wizard::run::run(koor(), directory.path(), &args).ok();
    let asked =
        run_with(koor(), directory.path(), &["init", "--accessible"], "2\na\nmobile\nflutter\nn\n3\nn\ny\n");
    asked.ok();
    assert!(asked.err.contains("2. An agent for Truck-Wash"), "{}", asked.err);
    assert!(asked.err.contains("there is an agent \"a\" already"), "{}", asked.err);
    assert!(tree(directory.path()).contains_key("truck-wash-mobile/AGENTS.md"));
}

#[test]
fn hooks_are_offered_for_the_clients_that_are_here_and_have_none() {
    let directory = TempDir::new().unwrap();
    let home = directory.path().join(USER);
    for client in [".claude", ".codex"] {
        fs::create_dir_all(home.join(client)).unwrap();
    }
    let settings = |client: &str| fs::read_to_string(home.join(client)).unwrap_or_default();
    let args = ["init", "--accessible", "--server", "http://localhost:9"];
    let asked = run_with(koor(), directory.path(), &args, "p\na\nc\nn\n3\nn\nno\nyes\n");
    asked.ok();
    assert!(asked.err.contains("in your own settings of Claude Code, Codex?"), "{}", asked.err);
    assert_eq!((settings(".claude/settings.json"), settings(".codex/hooks.json")), Default::default());

    let flags = ["init", "--project", "q", "--agent", "a:c", "--server", "http://localhost:9", "--yes"];
    run(koor(), directory.path(), &[&flags[..], &["--hooks", "claude-code"]].concat()).ok();
    assert!(settings(".claude/settings.json").contains(" hook claude-code"));

    let asked = run_with(koor(), directory.path(), &args, "1\nr\na\nc\nn\n3\nn\nyes\nyes\n");
    asked.ok();
    assert!(asked.err.contains("in your own settings of Codex?"), "{}", asked.err);
    assert!(settings(".codex/hooks.json").contains(" hook codex"));
}
