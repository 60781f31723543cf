//! `koor state` and `koor specs`: documents with versions.

use integration_tests::{Server, Shell, steady};
use serde_json::json;

#[test]
fn a_value_comes_back_byte_for_byte() {
    let server = Server::start();
    let shell = Shell::at(&server);
    let value = "{ \"b\": 1.0,\n  \"a\": 123456789012345678901 }";
    let put = shell.koor(&["state", "set", "Truck Wash/plan?#ü", "--data", value]).json();
    assert_eq!(
        steady(put),
        json!({"key": "Truck Wash/plan?#ü", "version": 1, "hash": "<hash>", "content_type": "application/json",
            "updated_at": "<time>"})
    );
    assert_eq!(shell.koor(&["state", "get", "Truck Wash/plan?#ü"]).ok(), format!("{value}\n"));
    let pretty = "{\n  \"b\": 1.0,\n  \"a\": 123456789012345678901\n}\n";
    assert_eq!(shell.koor(&["--pretty", "state", "get", "Truck Wash/plan?#ü"]).ok(), pretty);
    assert_eq!(shell.koor(&["state", "get", "Truck Wash/plan?#ü", "--pretty"]).ok(), pretty);
}

#[test]
fn a_value_comes_from_a_line_a_file_or_standard_input() {
    let server = Server::start();
    let shell = Shell::at(&server);
    let bytes: Vec<u8> = (0..=255).cycle().take(3 << 20).collect();
    shell.file("blob", &bytes);
    let kind = |ran: integration_tests::Ran| ran.json()["content_type"].clone();
    assert_eq!(kind(shell.koor(&["state", "set", "a", "--data", "-5"])), "application/json");
    assert_eq!(kind(shell.fed(&["state", "set", "b", "--data", "-"], b"[1]\n")), "application/json");
    assert_eq!(kind(shell.fed(&["state", "set", "c", "--file", "-"], b"two\n")), "text/plain; charset=utf-8");
    assert_eq!(kind(shell.koor(&["state", "set", "d", "--file", "blob"])), "application/octet-stream");
    assert_eq!(
        kind(shell.koor(&["state", "set", "e", "--data", "@blob", "--content_type", "text/x"])),
        "text/x"
    );
    for (key, value) in [("a", "-5\n"), ("b", "[1]\n"), ("c", "two\n"), ("e", "@blob")] {
        assert_eq!(shell.koor(&["state", "get", key]).ok(), value, "{key}");
    }
    shell.koor(&["state", "get", "d", "--output", "copy"]).ok();
    assert!(std::fs::read(shell.directory().join("copy")).unwrap() == bytes);
    let copied = shell.line("$koor state get d | cmp - blob");
    assert_eq!((copied.code, copied.err.as_str()), (0, ""), "{copied:?}");
}

#[test]
fn what_is_typed_is_json_unless_it_is_said_to_be_something_else() {
    let server = Server::start();
    let shell = Shell::at(&server);
    shell.file("plan.json", "1");
    let set = |words: &[&str]| shell.koor(&[&["state", "set", "k"], words].concat());
    set(&["--data", "{id: 1}"]).says(2, "the data is no JSON: key must be a string at line 1 column 2");
    set(&["--data", "@plan.json"]).says(2, "for a file, --file plan.json");
    set(&["--data", "a", "--content-type", "application/ld+json"]).says(2, "the data is no JSON");
    shell.fed(&["state", "set", "k", "--data", "-"], b"{").says(2, "the data is no JSON");
    assert_eq!(shell.koor(&["state", "list"]).ok(), "[]\n");
    set(&["--data", "{id: 1}", "--content-type", "text/plain"]).json();
    assert_eq!(shell.koor(&["state", "get", "k"]).ok(), "{id: 1}");
}

#[test]
fn a_condition_that_does_not_hold_changes_nothing() {
    let server = Server::start();
    let shell = Shell::at(&server);
    let hash = shell.koor(&["state", "set", "k", "--data", "1", "--create"]).json()["hash"].clone();
    let hash = hash.as_str().unwrap();
    let refused = shell.koor(&["state", "set", "k", "--data", "2", "--create"]).refused();
    assert_eq!(
        (&refused["code"], &refused["version"], &refused["hash"]),
        (&json!(412), &json!(1), &json!(hash))
    );
    shell.koor(&["state", "set", "k", "--data", "2", "--if-match", "00"]).refused();
    shell.koor(&["state", "set", "k", "--data", "2", "--if-version", "7"]).refused();
    shell.koor(&["state", "delete", "k", "--if-version", "7"]).refused();
    assert_eq!(shell.koor(&["state", "set", "k", "--data", "2", "--if-match", hash]).json()["version"], 2);
    assert_eq!(shell.koor(&["state", "set", "k", "--data", "3", "--if_version", "2"]).json()["version"], 3);
    shell
        .koor(&["state", "set", "k", "--data", "3", "--if-version", "2", "--create"])
        .says(2, "cannot be used with");
}

#[test]
fn every_version_can_be_listed_read_compared_and_brought_back() {
    let server = Server::start();
    let shell = Shell::at(&server);
    for value in ["{\"a\":1}", "{\"a\":2}"] {
        shell.koor(&["state", "set", "k", "--data", value]).json();
    }
    let history = shell.koor(&["state", "history", "k"]).json();
    assert_eq!(
        (&history["versions"][0]["version"], &history["versions"][1]["version"]),
        (&json!(2), &json!(1))
    );
    let one = shell.koor(&["state", "history", "k", "--limit", "1"]).json();
    assert_eq!(one["versions"].as_array().unwrap().len(), 1);
    assert_eq!(shell.koor(&["state", "get", "k", "--version", "1"]).ok(), "{\"a\":1}\n");
    let diff = shell.koor(&["state", "diff", "k", "--v1", "1", "--v2", "2"]).json();
    assert_eq!(diff["diffs"], json!([{"path": "a", "kind": "changed", "old": 1, "new": 2}]));
    let patch =
        shell.koor(&["state", "diff", "k", "--v1", "1", "--v2", "2", "--format", "json-patch"]).json();
    assert_eq!(patch, json!([{"op": "replace", "path": "/a", "value": 2}]));
    assert_eq!(shell.koor(&["state", "rollback", "k", "--version", "1"]).json()["version"], 3);
    assert_eq!(shell.koor(&["state", "delete", "k"]).json(), json!({"deleted": "k", "version": 4}));
    assert_eq!(
        shell.koor(&["state", "get", "k"]).refused(),
        json!({"error": "key not found: k", "code": 404})
    );
}

#[test]
fn a_list_can_be_narrowed() {
    let server = Server::start();
    let shell = Shell::at(&server);
    for key in ["a/1", "a/2", "b/1"] {
        shell.koor(&["state", "set", key, "--data", "1"]).json();
    }
    let keys = |words: &[&str]| {
        let list = shell.koor(words).json();
        let keys = list.as_array().unwrap().iter().map(|one| one["key"].as_str().unwrap().to_owned());
        keys.collect::<Vec<_>>()
    };
    assert_eq!(keys(&["state", "list"]), ["a/1", "a/2", "b/1"]);
    assert_eq!(keys(&["state", "list", "--prefix", "a/"]), ["a/1", "a/2"]);
    assert_eq!(keys(&["state", "list", "--prefix", "a/", "--limit", "1"]), ["a/1"]);
    assert_eq!(shell.koor(&["state", "list", "--limit", "0"]).refused()["code"], 400);
}

#[test]
fn a_wait_ends_with_the_change_or_with_its_time() {
    let server = Server::start();
    let shell = Shell::at(&server);
    shell.koor(&["state", "set", "k", "--data", "1"]).json();
    assert_eq!(shell.koor(&["state", "wait", "k", "--after", "0"]).ok(), "1\n");
    shell.koor(&["state", "wait", "k", "--timeout", "100ms"]).says(1, "k did not change within 100ms");
    let changed = shell.line(
        "$koor state wait k --after 1 --timeout 30s > got & $koor state set k --data 2 > put; wait $! && cat got",
    );
    assert_eq!(changed.ok(), "2\n");
    for (span, told) in [("0", "within 0"), ("0s 5ms", "within 0s 5ms"), ("0.1s", "within 0.1s")] {
        shell.koor(&["state", "wait", "k", "--timeout", span]).says(1, told);
    }
    shell.koor(&["state", "wait", "k", "--timeout", "soon"]).says(2, "write 30s, 5m, 1h30m");
}

#[test]
fn specs_are_documents_too() {
    let server = Server::start();
    let shell = Shell::at(&server);
    assert_eq!(shell.koor(&["specs", "set", "P/s", "--data", "{\"a\":1}"]).json()["version"], 1);
    shell.file("two.json", "{\"a\":2}");
    assert_eq!(shell.koor(&["specs", "set", "P/s", "--file", "two.json"]).json()["version"], 2);
    assert_eq!(shell.koor(&["specs", "get", "P/s"]).ok(), "{\"a\":2}\n");
    assert_eq!(shell.koor(&["specs", "get", "P/s", "--version", "1"]).ok(), "{\"a\":1}\n");
    assert_eq!(
        steady(shell.koor(&["specs", "list", "P"]).json()),
        json!({"project": "P", "specs": [{"name": "s", "version": 2, "updated_at": "<time>"}]})
    );
    assert_eq!(shell.koor(&["specs", "list"]).json()["projects"][0]["project"], "P");
    assert_eq!(shell.koor(&["specs", "history", "P/s"]).json()["versions"][0]["version"], 2);
    assert_eq!(
        shell.koor(&["specs", "diff", "P/s", "--v1", "1", "--v2", "2"]).json()["diffs"][0]["path"],
        "a"
    );
    assert_eq!(shell.koor(&["specs", "rollback", "P/s", "--version", "1"]).json()["version"], 3);
    assert_eq!(shell.koor(&["specs", "wait", "P/s", "--after", "2"]).ok(), "{\"a\":1}\n");
    assert_eq!(shell.koor(&["specs", "delete", "P/s"]).json()["deleted"], "P/s");
    assert_eq!(shell.koor(&["specs", "get", "P/s"]).refused()["code"], 404);
    shell.koor(&["specs", "set", "P/s", "--data", "no json"]).says(2, "the data is no JSON");
    shell.file("none", "no json");
    assert_eq!(shell.koor(&["specs", "set", "P/s", "--file", "none"]).refused()["code"], 400);
    shell.koor(&["specs", "get", "P"]).says(2, "write two names with a slash between them");
}
