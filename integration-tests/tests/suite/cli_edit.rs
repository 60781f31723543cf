//! `koor state edit`: an editor, and no lost update.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::fs;

use integration_tests::{Server, Shared, Shell};
use serde_json::json;

static SERVER: Shared = Shared::new();

/// Where the editor is that script: the file is `$1`.
fn editor(server: &Server, script: &str) -> Shell {
    let shell = Shell::at(server);
    shell.file("editor", script);
    let path = shell.directory().join("editor");
    let temporary = shell.directory().to_str().unwrap().to_owned();
    shell.env("EDITOR", &format!("sh '{}'", path.display())).env("VISUAL", "").env("TMPDIR", &temporary)
}

#[test]
fn what_is_saved_is_written_if_nobody_else_wrote() {
    let server = SERVER.server();
    server.site().put("/api/state/e/plan", &json!({"a": 1})).ok();
    let shell = editor(&server, "stat -c %a \"$1\" > mode; echo \"$1\" > name; sed -i s/1/2/ \"$1\"");
    let written = shell.koor(&["state", "edit", "e/plan"]).json();
    assert_eq!((&written["version"], &written["content_type"]), (&json!(2), &json!("application/json")));
    assert_eq!(server.site().get("/api/state/e/plan").text(), "{\n  \"a\": 2\n}");
    assert_eq!(fs::read_to_string(shell.directory().join("mode")).unwrap(), "600\n");
    let name = fs::read_to_string(shell.directory().join("name")).unwrap();
    assert_eq!(name.trim_end().rsplit_once('.').unwrap().1, "json");
    assert!(!fs::exists(name.trim_end()).unwrap());
}

#[test]
fn a_new_key_is_created() {
    let server = SERVER.server();
    let shell = editor(&server, "echo hello > \"$1\"");
    assert_eq!(shell.koor(&["state", "edit", "e/new.md"]).json()["content_type"], "text/markdown");
    assert_eq!(server.site().get("/api/state/e/new.md").text(), "hello\n");
}

#[test]
fn nothing_changed_is_nothing_written() {
    let server = SERVER.server();
    server.site().put("/api/state/e/same", &json!({"a": 1})).ok();
    for script in ["true", "echo >> \"$1\""] {
        let ran = editor(&server, script).koor(&["state", "edit", "e/same"]);
        assert_eq!((ran.code, ran.out.as_str()), (0, ""));
        assert_eq!(ran.err, "koor: e/same is unchanged: nothing was written\n");
    }
    assert_eq!(server.site().get("/api/state/e/same").number("x-koor-version"), 1);
}

#[test]
fn a_change_that_came_meanwhile_stays_and_the_text_is_kept() {
    let server = SERVER.server();
    let site = server.site();
    site.put("/api/state/e/race", &json!(1)).ok();
    let script =
        "KOOR_TOKEN= \"$koor\" state set e/race --data 2 > /dev/null; echo mine3 | tr -d a-z > \"$1\"";
    let ran = editor(&server, script).koor(&["state", "edit", "e/race"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{}", ran.err);
    let lines: Vec<_> = ran.err.lines().collect();
    let kept = lines[0].strip_prefix("koor: nothing was written; the text is kept in ").unwrap();
    // It lies in the directory of a shell that is gone by now.
    assert!(kept.contains("koor-edit-"), "{kept}");
    assert!(
        lines[1].starts_with("koor: e/race was changed while it was edited: it is at version 2"),
        "{}",
        ran.err
    );
    assert_eq!(site.get("/api/state/e/race").ok(), 2);
}

#[test]
fn the_text_that_was_kept_is_the_one_that_was_edited() {
    let server = SERVER.server();
    server.site().put("/api/state/e/broken", &json!({"a": 1})).ok();
    let shell = editor(&server, "echo '{broken' > \"$1\"");
    let ran = shell.koor(&["state", "edit", "e/broken"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("koor: it is not JSON any more: "), "{}", ran.err);
    let kept = ran.err.lines().next().unwrap().rsplit_once(" in ").unwrap().1;
    assert_eq!(fs::read_to_string(kept).unwrap(), "{broken\n");
    assert_eq!(server.site().get("/api/state/e/broken").ok(), json!({"a": 1}));
}

#[test]
fn an_editor_that_fails_writes_nothing() {
    let server = SERVER.server();
    let site = server.site();
    site.put("/api/state/e/fails", &json!(1)).ok();
    let ran = editor(&server, "echo 2 > \"$1\"; exit 3").koor(&["state", "edit", "e/fails"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("ended with exit status: 3"), "{}", ran.err);
    assert_eq!(site.get("/api/state/e/fails").ok(), 1);
    site.with("Content-Type", "image/png").send("PUT", "/api/state/e/bytes", [0, 255]).ok();
    editor(&server, "true").koor(&["state", "edit", "e/bytes"]).says(1, "e/bytes is no text (image/png)");
}
