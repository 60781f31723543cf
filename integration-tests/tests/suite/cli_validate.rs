//! `koor validate`: files against rules.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::{
    fs,
    time::{Duration, Instant},
};

use integration_tests::{Server, Shared, Shell};
use serde_json::{Value, json};

static SERVER: Shared = Shared::new();

/// A tree of that many files, and fifty rules of which one is broken once.
fn many(server: &Server, files: usize) -> Shell {
    let rules: Vec<_> = (0..50)
        .map(|n| json!({"rule_id": format!("r{n:02}"), "pattern": format!("forbidden_{n}\\("), "message": "no"}))
        .collect();
    server.site().put("/api/validate/many/rules", &json!(rules)).ok();
    let shell = Shell::at(server);
    for n in 0..files {
        let directory = shell.directory().join(format!("d{:02}", n / 50));
        fs::create_dir_all(&directory).unwrap();
        let mut text = "fn work(input: &str) -> usize { input.len() }\n".repeat(40);
        if n == files / 2 {
            text += "forbidden_7();\n";
        }
        fs::write(directory.join(format!("f{n:04}.rs")), text).unwrap();
    }
    shell
}

fn rules(server: &Server) {
    let rules = json!([
        {"rule_id": "no-todo", "pattern": "TODO", "message": "do it: now"},
        {"rule_id": "license", "match_type": "missing", "pattern": "MIT", "severity": "warning", "applies_to": ["*.rs"]},
        {"rule_id": "go-only", "pattern": "panic", "stack": "go-api"},
    ]);
    server.site().put("/api/validate/p/rules", &rules).ok();
}

#[test]
fn a_broken_rule_is_a_line_and_ends_with_one() {
    let server = SERVER.server();
    rules(&server);
    let shell = Shell::at(&server);
    shell.file("b.rs", "// MIT\n\n// TODO later\n");
    shell.file("a.rs", "panic\n");
    let ran = shell.koor(&["validate", "p", "b.rs", "./a.rs"]);
    assert_eq!(ran.out, "b.rs:3: error no-todo: do it: now\na.rs: error go-only: pattern 'panic' matched\n".replace(
        "a.rs: error go-only: pattern 'panic' matched\n", 
        "a.rs:1: error go-only: pattern 'panic' matched\na.rs: warning license: required pattern 'MIT' not found\n"));
    assert_eq!((ran.code, ran.err.as_str()), (1, "koor: 2 files checked: 2 errors, 1 warning\n"));
    // A warning alone is no reason to stop.
    let ran = shell.koor(&["validate", "p", "--stack", "react", "a.rs"]);
    assert_eq!(ran.out, "a.rs: warning license: required pattern 'MIT' not found\n");
    assert_eq!((ran.code, ran.err.as_str()), (0, "koor: 1 file checked: 0 errors, 1 warning\n"));
}

#[test]
fn directories_are_searched_and_what_is_no_text_is_skipped() {
    let server = SERVER.server();
    rules(&server);
    let shell = Shell::at(&server);
    shell.file(".gitignore", "out/\n");
    for (file, text) in [("src/z.txt", &b"TODO"[..]), ("src/a.bin", b"TODO\0"), ("out/x.txt", b"TODO")] {
        let path = shell.directory().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    shell.file("large.txt", vec![b'a'; (4 << 20) + 1]);
    let ran = shell.koor(&["validate", "p", "."]);
    assert_eq!(ran.out, "src/z.txt:1: error no-todo: do it: now\n");
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (
            1,
            "koor: large.txt: skipped: over 4 MiB\nkoor: src/a.bin: skipped: binary\n\
             koor: 2 files checked, 2 skipped: 1 error, 0 warnings\n"
        )
    );
}

#[test]
fn stdin_is_checked_under_the_name_it_is_given() {
    let server = SERVER.server();
    rules(&server);
    let shell = Shell::at(&server);
    let ran = shell.fed(&["validate", "p", "-", "--filename", "src/x.rs", "--format", "github"], b"TODO");
    assert_eq!(
        ran.out,
        "::warning file=src/x.rs,title=license::required pattern 'MIT' not found\n\
         ::error file=src/x.rs,line=1,title=no-todo::do it: now\n"
    );
    assert_eq!(ran.code, 1);
}

#[test]
fn programs_get_one_object() {
    let server = SERVER.server();
    rules(&server);
    let shell = Shell::at(&server);
    shell.file("a.txt", "TODO");
    for words in [&["validate", "p", "a.txt", "--format", "json"][..], &["validate", "p", "a.txt", "--json"]]
    {
        let ran = shell.koor(words);
        let found: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!((&found["errors"], &found["violations"][0]["file"]), (&json!(1), &json!("a.txt")));
        assert_eq!(ran.code, 1);
    }
}

#[test]
fn what_can_not_be_asked_or_read_is_one_line() {
    let server = SERVER.server();
    rules(&server);
    let shell = Shell::at(&server);
    shell.file("a.txt", "");
    shell.koor(&["validate", "p", "a.txt", "gone.txt"]).says(2, "cannot read gone.txt: ");
    shell.koor(&["validate", "p", "a.txt", "--server", "http://localhost:1"]).says(3, "cannot reach");
    assert_eq!(shell.koor(&["validate", "p"]).code, 2);
    let ran = shell.koor(&["validate", "P", "a.txt"]);
    assert_eq!(ran.code, 0);
    assert!(ran.err.starts_with("koor: project P has no rules of its own"), "{}", ran.err);
}

#[test]
fn a_thousand_files_and_fifty_rules_take_no_time_to_speak_of() {
    let server = Server::start();
    let shell = many(&server, 1_000);
    let begun = Instant::now();
    let ran = shell.koor(&["validate", "many", "."]);
    let took = begun.elapsed();
    assert_eq!(ran.out, "d10/f0500.rs:41: error r07: no\n");
    assert_eq!((ran.code, ran.err.as_str()), (1, "koor: 1000 files checked: 1 error, 0 warnings\n"));
    // Without optimisation, beside other tests. What it takes with it is in docs/performance.md.
    assert!(took < Duration::from_secs(30), "{took:?}");
}
