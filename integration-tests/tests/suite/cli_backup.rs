//! `koor backup` and `koor restore`.

use std::fs;

use integration_tests::{Server, Shell, Start};
use serde_json::json;

#[test]
fn a_backup_is_restored_on_another_server() {
    let (old, new) = (Server::start(), Server::start());
    old.site().put("/api/state/a/b", &json!({"n": 1})).ok();
    old.site().put("/api/state/a/b", &json!({"n": 2})).ok();
    old.site().put("/api/specs/p/s", &json!({})).ok();
    let shell = Shell::at(&old);
    let saved = shell.koor(&["backup", "--output", "koor.json"]).json();
    for (name, wanted) in [("state", 1), ("state_versions", 2), ("specs", 1), ("rules", 0)] {
        assert_eq!(saved[name], wanted, "{name}");
    }
    let path = shell.directory().join("koor.json");
    assert_eq!(saved["bytes"], fs::metadata(&path).unwrap().len());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(fs::read_dir(shell.directory()).unwrap().count(), 1, "nothing is left beside it");
    let restored = shell.koor(&["restore", "--file", "koor.json", "--server", &new.api]).json();
    assert_eq!((&restored["state"], &restored["state_versions"]), (&json!(1), &json!(2)));
    assert_eq!(new.site().get("/api/state/a/b?version=1").ok(), json!({"n": 1}));
    // A person sees a line for each.
    let shown = shell.koor(&["backup", "--output", "other.json", "--table"]).ok();
    assert!(shown.lines().any(|line| line == "saved state_versions  2"), "{shown}");
}

#[test]
fn a_file_is_replaced_only_by_force() {
    let server = Server::start();
    let shell = Shell::at(&server);
    shell.file("koor.json", "precious");
    shell.koor(&["backup", "--output", "koor.json"]).says(1, "koor.json is there already");
    assert_eq!(fs::read_to_string(shell.directory().join("koor.json")).unwrap(), "precious");
    shell.koor(&["backup", "--output", "koor.json", "--force"]).ok();
    shell.koor(&["backup", "--output", "no/such/koor.json"]).says(1, "cannot write no/such/koor.json");
    shell.koor(&["backup", "--output", "x", "--server", "http://localhost:1"]).says(3, "cannot reach");
    assert!(!shell.directory().join("x").exists());
}

#[test]
fn a_server_that_holds_state_is_left_alone_without_force() {
    let server = Server::start();
    let site = server.site();
    site.put("/api/state/mine", &json!(1)).ok();
    let shell = Shell::at(&server);
    // As the original's client wrote it.
    shell.file("old.json", json!({"state": {"theirs": 2}, "rules": []}).to_string());
    shell.koor(&["restore", "--file", "old.json"]).says(1, "holds state already");
    assert_eq!(site.get("/api/state/theirs").status, 404);
    assert_eq!(shell.koor(&["restore", "--file", "old.json", "--force"]).json()["state"], 1);
    assert_eq!((site.get("/api/state/mine").ok(), site.get("/api/state/theirs").ok()), (json!(1), json!(2)));
}

#[test]
fn a_backup_comes_from_stdin_too() {
    let server = Server::start();
    let shell = Shell::at(&server);
    let file = json!({"state": {"k": 1}}).to_string();
    assert_eq!(shell.fed(&["restore", "--file", "-"], file.as_bytes()).json()["state"], 1);
    assert_eq!(server.site().get("/api/state/k").ok(), 1);
}

#[test]
fn what_is_no_backup_or_not_allowed_changes_nothing() {
    let server = Start::default().args(["--auth-token", "right"]).start().unwrap();
    let shell = Shell::at(&server).env("KOOR_TOKEN", "right");
    shell.file("broken.json", "{\"state\": [");
    assert_eq!(shell.koor(&["restore", "--file", "broken.json"]).refused()["code"], 400);
    shell.koor(&["restore", "--file", "gone.json"]).says(2, "cannot read gone.json");
    assert_eq!(shell.koor(&["backup", "--output", "b", "--token", "wrong"]).refused()["code"], 401);
    assert!(!shell.directory().join("b").exists());
}
