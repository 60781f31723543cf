//! Dependencies point inward: held against the graph that cargo builds from, and against the sources of each crate.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, in its helpers too")]

mod modules;

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

/// What has no place in the core: every technology of an adapter.
const NOT_IN_THE_CORE: [&str; 9] =
    ["hyper", "hyper-util", "http", "sqlx", "clap", "tungstenite", "tokio-tungstenite", "ureq", "rmcp"];

/// The adapters: each knows the core, and none knows another.
const ADAPTERS: [&str; 5] =
    ["koor-store-sqlite", "koor-store-postgres", "koor-http", "koor-mcp", "koor-dashboard"];

fn metadata() -> Metadata {
    MetadataCommand::new().manifest_path("../Cargo.toml").exec().unwrap()
}

/// The packages that each package is built from, without what only its tests need.
fn graph(metadata: &Metadata) -> BTreeMap<&PackageId, Vec<&PackageId>> {
    let nodes = &metadata.resolve.as_ref().unwrap().nodes;
    let built_in = |dependency: &&cargo_metadata::NodeDep| {
        dependency.dep_kinds.iter().any(|kind| kind.kind != DependencyKind::Development)
    };
    nodes
        .iter()
        .map(|node| (&node.id, node.deps.iter().filter(built_in).map(|dep| &dep.pkg).collect()))
        .collect()
}

/// The names of everything that a package is built from, however far away.
fn built_from<'a>(metadata: &'a Metadata, package: &str) -> BTreeSet<&'a str> {
    let graph = graph(metadata);
    let root = metadata.packages.iter().find(|one| one.name == package).expect("a package of the workspace");
    let mut open = vec![&root.id];
    let mut found = BTreeSet::new();
    while let Some(id) = open.pop() {
        for next in &graph[id] {
            if found.insert(*next) {
                open.push(next);
            }
        }
    }
    found.iter().map(|id| metadata[id].name.as_str()).collect()
}

#[test]
fn the_core_knows_no_technology() {
    let metadata = metadata();
    let found = built_from(&metadata, "koor-core");
    assert!(found.contains("serde_json"), "the graph is not what it seems: {found:?}");
    let wrong: Vec<&str> = NOT_IN_THE_CORE.into_iter().filter(|name| found.contains(name)).collect();
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn adapters_know_the_core_and_not_each_other() {
    let metadata = metadata();
    for adapter in ADAPTERS {
        let found = built_from(&metadata, adapter);
        let wrong: Vec<&str> =
            ADAPTERS.into_iter().filter(|other| *other != adapter && found.contains(other)).collect();
        assert_eq!(wrong, [""; 0], "{adapter} knows another adapter");
    }
}

#[test]
fn the_command_line_is_the_one_place_that_knows_them_all() {
    let metadata = metadata();
    for store in ["koor-store-sqlite", "koor-store-postgres"] {
        let users: Vec<&str> = metadata
            .workspace_packages()
            .into_iter()
            .filter(|package| built_from(&metadata, &package.name).contains(store))
            .map(|package| package.name.as_str())
            .collect();
        assert_eq!(users, ["koor-cli"], "{store}");
    }
}

/// Crates without a cycle among their modules.
const WITHOUT_CYCLES: [&str; 7] = [
    "koor-bench",
    "koor-cli",
    "koor-core",
    "koor-http",
    "koor-mcp",
    "koor-store-postgres",
    "koor-store-sqlite",
];

#[test]
fn modules_do_not_depend_on_each_other_in_a_circle() {
    for krate in WITHOUT_CYCLES {
        let sources = modules::sources(krate);
        assert!(sources.len() > 9, "{krate} has more modules than {:?}", sources.keys());
        assert_eq!(modules::cycles(&sources), [[""; 0]; 0], "modules of {krate} that can reach each other");
    }
}

#[test]
fn a_circle_of_modules_is_found_also_through_re_exports() {
    let source = |name: &str, text: &str| {
        let module = name.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
        (module, text.to_owned())
    };
    let crate_root = source("", "mod app; mod ports; pub use app::App;");
    let ports = source("ports", "mod job; mod store; pub use job::Job; pub use store::Store;");
    let job = source("ports::job", "pub struct Job;");
    let app = source("app", "use crate::ports::{Job, Store}; pub struct App(Job, Store);");
    let sound = source("ports::store", "use super::Job; pub struct Store(Job);");
    let sources = [crate_root.clone(), ports.clone(), job.clone(), app.clone(), sound];
    assert_eq!(modules::cycles(&sources.into()), [[""; 0]; 0]);
    for circular in [
        "pub struct Store(crate::App);",
        "use crate::app; pub struct Store(app::App);",
        "pub struct Store; impl Store { fn app() -> crate::app::App { todo!() } }",
    ] {
        let sources =
            [crate_root.clone(), ports.clone(), job.clone(), app.clone(), source("ports::store", circular)];
        assert_eq!(modules::cycles(&sources.into()), [["app", "ports::store"]], "{circular}");
    }
    let tests_only = "#[cfg(test)] mod tests { use crate::App; } pub struct Store;";
    let sources = [crate_root, ports, job, app, source("ports::store", tests_only)];
    assert_eq!(modules::cycles(&sources.into()), [[""; 0]; 0]);
}
