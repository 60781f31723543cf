//! `koor hooks`: installed, listed, taken out, and the guard before a commit.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use integration_tests::{Ran, Server, Shell};
use serde_json::{Value, json};

const CLIENTS: [(&str, &str); 6] = [
    ("claude-code", ".claude/settings.json"),
    ("codex", ".codex/hooks.json"),
    ("gemini", ".gemini/settings.json"),
    ("cursor", ".cursor/hooks.json"),
    ("opencode", ".opencode/plugins/koor.js"),
    ("kilo", ".kilo/plugins/koor.js"),
];

const SETTINGS: &str = "{\n  // mine\n  \"model\": \"opus\",\n  \"hooks\": {\n    \"Stop\": [{ \"hooks\": [] }], /* later */\n  \
    },\n}";

/// Every file below a directory, with its content.
fn tree(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            found.push((path, Vec::new()));
        } else {
            let content = fs::read(&path).unwrap();
            found.push((path, content));
        }
    }
    found.sort();
    found
}

fn at_home(shell: Shell) -> Shell {
    let home = shell.directory().join("home");
    fs::create_dir_all(&home).unwrap();
    shell.env("HOME", home.to_str().unwrap())
}

#[test]
fn a_second_time_changes_nothing_and_uninstall_restores_every_byte() {
    let shell = at_home(Shell::nowhere());
    for (client, file) in CLIENTS {
        for before in [None, Some(SETTINGS)] {
            if before.is_some() && file.contains("plugins") {
                continue;
            }
            let path = shell.directory().join(file);
            if let Some(before) = before {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, before).unwrap();
            }
            let untouched = tree(shell.directory());
            let dry = shell.koor(&["hooks", "install", client, "--project", "--dry-run"]).ok();
            assert!(dry.contains("hook"), "{dry}");
            assert_eq!(tree(shell.directory()), untouched, "{client}: a dry run writes nothing");
            let install = ["hooks", "install", client, "--project", "--policy", "work"];
            assert_eq!(shell.koor(&install).code, 0);
            let installed = tree(shell.directory());
            assert_ne!(installed, untouched);
            assert!(shell.koor(&install).out.contains(": unchanged"), "{client}");
            assert_eq!(tree(shell.directory()), installed, "{client}: the second time");
            // Another policy takes the place of the first.
            assert_eq!(shell.koor(&["hooks", "install", client, "--project", "--policy", "wait"]).code, 0);
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains("wait") && !text.contains("work\""), "{text}");
            shell.koor(&["hooks", "uninstall", client, "--project"]).ok();
            assert_eq!(tree(shell.directory()), untouched, "{client}: {before:?}");
            if before.is_some() {
                fs::remove_dir_all(path.parent().unwrap()).unwrap();
            }
        }
    }
}

#[test]
fn what_was_changed_meanwhile_stays() {
    let shell = at_home(Shell::nowhere());
    fs::create_dir(shell.directory().join(".claude")).unwrap();
    shell.file(".claude/settings.json", SETTINGS);
    shell.koor(&["hooks", "install", "claude-code", "--project"]).ok();
    let path = shell.directory().join(".claude/settings.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"opus\"", "\"sonnet\" /* cheaper */")).unwrap();
    shell.koor(&["hooks", "uninstall", "claude-code", "--project"]).ok();
    let left = fs::read_to_string(&path).unwrap();
    assert!(
        left.contains("/* cheaper */") && left.contains("/* later */") && !left.contains("koor"),
        "{left}"
    );
}

#[test]
fn the_user_has_hooks_for_all_projects_and_status_lists_them() {
    let shell = at_home(Shell::nowhere());
    let home = shell.directory().join("home");
    let said = shell.koor(&["hooks", "install", "claude-code", "codex", "opencode"]);
    assert_eq!(said.code, 0);
    assert!(said.err.contains("type /hooks in Codex"), "{}", said.err);
    let settings: Value =
        serde_json::from_str(&fs::read_to_string(home.join(".claude/settings.json")).unwrap()).unwrap();
    let command = settings["hooks"]["SessionStart"][0]["hooks"][0]["command"].as_str().unwrap();
    assert!(command.ends_with("/koor hook claude-code") && command.starts_with('/'), "{command}");
    assert!(shell.home().join("opencode/plugins/koor.js").exists(), "below XDG_CONFIG_HOME");
    let status = shell.koor(&["hooks", "status"]).json();
    let of =
        |client: &str| status.as_array().unwrap().iter().find(|row| row["client"] == client).unwrap().clone();
    let row = of("claude-code");
    assert_eq!(
        (&row["scope"], &row["installed"], &row["trusted"]),
        (&json!("user"), &json!(true), &json!(null))
    );
    assert!(row["version"].is_string(), "{row}");
    assert_eq!((&of("codex")["trusted"], &of("gemini")["installed"]), (&json!(false), &json!(false)));
}

#[test]
fn a_file_that_cannot_be_understood_is_left_alone() {
    let shell = at_home(Shell::nowhere());
    fs::create_dir(shell.directory().join(".claude")).unwrap();
    shell.file(".claude/settings.json", "{'a': 1}");
    shell.koor(&["hooks", "install", "claude-code", "--project"]).says(1, "It was left as it is");
    assert_eq!(fs::read_to_string(shell.directory().join(".claude/settings.json")).unwrap(), "{'a': 1}");
}

/// A repository in the directory of an agent.
fn repository(server: &Server, name: &str) -> Shell {
    let shell = at_home(Shell::at(server));
    shell.koor(&["register", name, "--workspace", "Guard"]).ok();
    let init = "git init -q . && git config user.email a@example && git config user.name a && echo settings.json >> \
        .git/info/exclude && echo home >> .git/info/exclude";
    assert_eq!(shell.line(init).code, 0);
    shell
}

fn commit(shell: &Shell, file: &str, text: &str) -> Ran {
    let path = shell.directory().join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    shell.line(&format!("git add '{file}' && git commit -q -m x"))
}

#[test]
fn the_guard_refuses_held_paths_and_broken_rules() {
    let server = Server::start();
    let (one, two) = (repository(&server, "one"), repository(&server, "two"));
    one.koor(&["hooks", "install", "git"]).ok();
    assert!(one.koor(&["hooks", "install", "git"]).ok().contains("unchanged"));
    assert_eq!(commit(&one, "src/free.rs", "x").code, 0);
    two.koor(&["lease", "take", "src/held \\[1\\].rs"]).ok();
    let refused = commit(&one, "src/held [1].rs", "x");
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("\"src/held [1].rs\" is held by \"two\""), "{}", refused.err);
    two.koor(&["lease", "release"]).ok();
    assert_eq!(commit(&one, "src/held [1].rs", "y").code, 0);
    let rule = json!([{"rule_id": "no-todo", "pattern": "TODO", "severity": "error", "message": "no TODO"}]);
    server.site().put("/api/validate/Guard/rules", &rule).ok();
    let refused = commit(&one, "a.rs", "// TODO\n");
    assert!(refused.code == 1 && refused.err.contains("a.rs:1: error no-todo: no TODO"), "{}", refused.err);
    assert_eq!(commit(&one, "a.rs", "// done\n").code, 0);
    assert_eq!(server.stop().code, Some(0));
    let warned = commit(&one, "b.rs", "x");
    assert_eq!(warned.code, 0);
    assert!(warned.err.contains("The commit goes on, unchecked"), "{}", warned.err);
    one.koor(&["hooks", "install", "git", "--policy", "strict"]).ok();
    let refused = commit(&one, "c.rs", "x");
    assert!(refused.code == 1 && refused.err.contains("the guard is strict"), "{}", refused.err);
    one.koor(&["hooks", "uninstall", "git"]).ok();
    assert_eq!(commit(&one, "c.rs", "x").code, 0);
    assert!(!one.directory().join(".git/hooks/pre-commit").exists());
}

#[test]
fn a_script_of_ones_own_still_runs_after_the_guard() {
    let server = Server::start();
    let one = repository(&server, "one");
    fs::create_dir_all(one.directory().join(".git/hooks")).unwrap();
    let script = "#!/bin/sh\ntouch ran\n";
    one.file(".git/hooks/pre-commit", script);
    let hook = one.directory().join(".git/hooks/pre-commit");
    Command::new("chmod").arg("+x").arg(&hook).status().unwrap();
    one.koor(&["hooks", "install", "git"]).ok();
    assert_eq!(commit(&one, "a", "x").code, 0);
    assert!(one.directory().join("ran").exists());
    one.koor(&["hooks", "uninstall", "git"]).ok();
    assert_eq!(fs::read_to_string(&hook).unwrap(), script);
    one.file(".git/hooks/pre-commit", "#!/usr/bin/env python3\n");
    one.koor(&["hooks", "install", "git"]).says(1, "not that of a shell script");
}

#[test]
fn the_doctor_runs_each_hook_and_finds_a_moved_program() {
    let shell = at_home(Shell::nowhere());
    shell.koor(&["hooks", "install", "claude-code"]).ok();
    let hooks = || -> Vec<Value> {
        let found: Value = serde_json::from_str(&shell.koor(&["doctor", "--json"]).out).unwrap();
        found.as_array().unwrap().iter().filter(|one| one["name"] == "hooks").cloned().collect()
    };
    let found = hooks();
    assert_eq!((found.len(), &found[0]["level"]), (1, &json!("ok")), "{found:?}");
    let path = shell.directory().join("home/.claude/settings.json");
    let moved = fs::read_to_string(&path).unwrap().replace("/koor hook", "/moved/koor hook");
    fs::write(&path, moved).unwrap();
    let found = hooks();
    assert_eq!(found[0]["level"], "fail", "{found:?}");
    assert!(found[0]["advice"].as_str().unwrap().contains("koor hooks install claude-code"), "{found:?}");
}

#[test]
fn the_skill_is_written_where_clients_look_and_never_over_anothers() {
    let shell = at_home(Shell::nowhere());
    let paths = [".agents/skills/koor/SKILL.md", ".claude/skills/koor/SKILL.md"];
    assert_eq!(shell.koor(&["skill", "install"]).ok(), format!("{}\n{}\n", paths[0], paths[1]));
    assert!(shell.koor(&["skill", "install"]).ok().lines().all(|line| line.ends_with(": unchanged")));
    let text = fs::read_to_string(shell.directory().join(paths[0])).unwrap();
    assert_eq!(shell.koor(&["skill", "install", "--dry-run"]).ok(), text);
    shell.file(paths[1], "---\nname: koor\ndescription: of an older version\n---\n");
    shell.file(paths[0], "---\nname: mine\n---\n");
    shell.koor(&["skill", "install"]).says(1, "is not Koor's");
    assert_eq!(fs::read_to_string(shell.directory().join(paths[0])).unwrap(), "---\nname: mine\n---\n");
    shell.file(paths[0], &text);
    shell.koor(&["skill", "install"]).ok();
    assert_eq!(fs::read_to_string(shell.directory().join(paths[1])).unwrap(), text);
    shell.koor(&["skill", "install", "--user"]).ok();
    assert!(shell.directory().join("home").join(paths[0]).exists());
}
