//! `koor import`: the database of an original server becomes one of ours, and a server serves it.
//!
//! `fixtures/original.db` is made from `koor-store-sqlite/tests/original/newer.sql`.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::{fs, path::Path, process::Output};

use integration_tests::{Start, koor};
use serde_json::{Value, json};
use tempfile::TempDir;

const OLD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/original.db");

fn import(from: &Path, to: &Path) -> Output {
    std::process::Command::new(koor())
        .args(["import", "--from"])
        .arg(from)
        .arg("--data-dir")
        .arg(to)
        .current_dir(to.parent().unwrap())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_server_goes_on_where_the_original_stopped() {
    let directory = std::sync::Arc::new(TempDir::new().unwrap());
    let before = fs::read(OLD).unwrap();
    let data = directory.path().join("data");
    let done = import(Path::new(OLD), &data);
    assert_eq!((done.status.code(), said(&done).as_str()), (Some(0), ""));
    let counts: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&counts["state"], &counts["state_versions"]), (&json!(4), &json!(9)));
    assert_eq!(fs::read(OLD).unwrap(), before);

    let server = Start::default().within(&directory).args(["--data-dir", "data"]).start().unwrap();
    let site = server.site();
    assert_eq!(site.get("/api/state/Truck-Wash/plan").text(), "{\"step\":  3}");
    let agent = site.with("Authorization", "Bearer tok-123");
    let put = agent.put("/api/state/Truck-Wash/plan", &json!({"step": 4})).ok();
    assert_eq!(put["version"], 4);
    let listed = site.get("/api/state/Truck-Wash/plan?history=1").ok();
    let by = &listed["versions"][0]["updated_by"];
    assert_eq!(by, "0b3c8a9e-6b1f-4a55-9b0e-3f7b4f6f2a11", "the old token names the old instance");
    assert_eq!(site.get("/api/audit/verify").ok()["valid"], true);
}

#[test]
fn what_cannot_be_imported_leaves_the_data_directory_as_it_was() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    let text = directory.path().join("data.txt");
    fs::write(&text, "hello").unwrap();
    let refused = import(&text, &data);
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("no SQLite database"), "{}", said(&refused));
    assert!(!data.exists());

    assert_eq!(import(Path::new(OLD), &data).status.code(), Some(0));
    let twice = import(Path::new(OLD), &data);
    assert_eq!(twice.status.code(), Some(1));
    assert_eq!(
        said(&twice),
        "koor: nothing was imported: data already exists: an import needs an empty data directory\n"
    );
}
