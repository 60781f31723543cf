//! The wizard without questions.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use integration_tests::{Server, Start, koor};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::run::{Ran, USER, run};

/// Where nothing listens.
const NOWHERE: &str = "http://localhost:9";

/// Every file below a directory but the user's own, by its path. What is no text is its length.
pub(crate) fn tree(base: &Path) -> BTreeMap<String, String> {
    fn walk(base: &Path, at: &Path, found: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with(USER) {
                continue;
            }
            if path.is_dir() {
                walk(base, &path, found);
                continue;
            }
            let name = path.strip_prefix(base).unwrap().display().to_string();
            let text = if name.ends_with("koor-cli") {
                format!("{} bytes", fs::metadata(&path).unwrap().len())
            } else {
                fs::read_to_string(&path).unwrap()
            };
            found.insert(name, text);
        }
    }
    let mut found = BTreeMap::new();
    walk(base, base, &mut found);
    found
}

fn init(directory: &Path, args: &[&str]) -> Ran {
    run(koor(), directory, &[&["init"], args].concat())
}

fn truck_wash(directory: &Path, server: &str) -> Ran {
    let agents = ["--agent", "frontend:goth", "--agent", "backend:go-api:postgres"];
    init(directory, &[&["--project", "Truck-Wash", "--server", server, "--yes"], &agents[..]].concat())
}

/// What every workspace has.
const EVERYWHERE: [&str; 13] = [
    ".claude/mcp.json",
    ".cursor/mcp.json",
    ".cursor/rules/koor.mdc",
    ".cursorrules",
    ".gitignore",
    ".kilo/kilo.json",
    ".kilocode/mcp.json",
    ".mcp.json",
    ".vscode/mcp.json",
    "AGENTS.md",
    "CLAUDE.md",
    "koor-cli",
    "settings.json",
];

#[test]
fn a_project_is_a_controller_and_a_workspace_for_each_agent() {
    let directory = TempDir::new().unwrap();
    let made = truck_wash(directory.path(), NOWHERE);
    let mut expected: Vec<String> = ["controller", "frontend", "backend"]
        .iter()
        .flat_map(|one| EVERYWHERE.map(|path| format!("truck-wash-{one}/{path}")))
        .chain(
            [
                "plan/overview.md",
                "plan/decisions/README.md",
                "status/README.md",
                "agents/frontend.md",
                "agents/backend.md",
            ]
            .map(|path| format!("truck-wash-controller/{path}")),
        )
        .collect();
    expected.sort();
    assert_eq!(tree(directory.path()).into_keys().collect::<Vec<_>>(), expected);
    let mut told: Vec<&str> =
        made.ok().lines().map(|line| line.strip_prefix("create      ").unwrap()).collect();
    told.sort_unstable();
    assert_eq!(told, expected);
    assert!(made.err.contains("no Koor server answers at http://localhost:9\n"), "{}", made.err);
    assert!(made.err.contains("truck-wash-controller/koor-cli serve --bind localhost:9 "), "{}", made.err);
}

#[test]
fn every_mcp_file_names_the_server_as_its_editor_wants_it() {
    let directory = TempDir::new().unwrap();
    truck_wash(directory.path(), "http://localhost:9/").ok();
    let url = "http://localhost:9/mcp";
    let http = json!({"mcpServers": {"koor": {"type": "http", "url": url}}});
    for (path, expected) in [
        (".mcp.json", http.clone()),
        (".claude/mcp.json", http.clone()),
        (".cursor/mcp.json", http),
        (".vscode/mcp.json", json!({"servers": {"koor": {"type": "http", "url": url}}})),
        (".kilocode/mcp.json", json!({"mcpServers": {"koor": {"type": "streamable-http", "url": url}}})),
        (".kilo/kilo.json", json!({"mcp": {"koor": {"type": "remote", "url": url}}})),
        ("settings.json", json!({"server": "http://localhost:9"})),
    ] {
        for workspace in ["truck-wash-controller", "truck-wash-backend"] {
            let text = fs::read_to_string(directory.path().join(workspace).join(path)).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected, "{workspace}/{path}");
        }
    }
}

#[test]
fn made_twice_is_made_once() {
    let directory = TempDir::new().unwrap();
    truck_wash(directory.path(), NOWHERE).ok();
    let settings = directory.path().join("truck-wash-frontend/settings.json");
    fs::write(&settings, r#"{"server": "http://localhost:9", "instance_id": "of mine"}"#).unwrap();
    let before = tree(directory.path());
    let again = truck_wash(directory.path(), NOWHERE);
    assert!(again.ok().lines().all(|line| line.starts_with("keep  ")), "{}", again.out);
    assert_eq!(tree(directory.path()), before);
}

#[test]
fn what_is_in_the_way_stays_unless_it_is_forced() {
    let directory = TempDir::new().unwrap();
    let mine = directory.path().join("truck-wash-frontend");
    fs::create_dir(&mine).unwrap();
    fs::write(mine.join("AGENTS.md"), "mine").unwrap();
    fs::write(mine.join(".gitignore"), "/node_modules\n").unwrap();
    let before = tree(directory.path());
    let refused = truck_wash(directory.path(), NOWHERE);
    assert_eq!((refused.code, refused.out.as_str()), (1, ""));
    assert!(
        refused
            .err
            .contains("nothing was written: truck-wash-frontend/AGENTS.md is there already and would change"),
        "{}",
        refused.err
    );
    assert_eq!(tree(directory.path()), before);

    let agent = ["--project", "Truck-Wash", "--agent", "frontend:goth", "--server", NOWHERE];
    let listed = init(directory.path(), &[&agent[..], &["--dry-run"]].concat());
    assert!(listed.ok().contains("in the way  truck-wash-frontend/AGENTS.md\n"), "{}", listed.out);
    assert!(listed.out.contains("extend      truck-wash-frontend/.gitignore\n"), "{}", listed.out);
    assert_eq!(tree(directory.path()), before, "a list writes nothing");

    let forced = init(directory.path(), &[&agent[..], &["--yes", "--force"]].concat());
    assert!(forced.ok().contains("replace     truck-wash-frontend/AGENTS.md\n"), "{}", forced.out);
    let after = tree(directory.path());
    assert!(after["truck-wash-frontend/AGENTS.md"].starts_with("# frontend: an agent of Truck-Wash\n"));
    assert!(after["truck-wash-frontend/.gitignore"].starts_with("/node_modules\n# Koor"));
}

#[test]
fn an_agent_more_leaves_everybody_else_alone() {
    let directory = TempDir::new().unwrap();
    let missing = init(directory.path(), &["--add", "mobile:flutter", "--project", "Truck-Wash", "--yes"]);
    assert_eq!((missing.code, tree(directory.path())), (1, BTreeMap::new()));
    assert!(missing.err.contains("there is no project Truck-Wash in "), "{}", missing.err);

    truck_wash(directory.path(), NOWHERE).ok();
    let before = tree(directory.path());
    let args = ["--add", "mobile:flutter", "--project", "Truck-Wash", "--yes"];
    init(directory.path(), &args).ok();
    let mut after = tree(directory.path());
    // It meets the others where they are.
    assert!(after["truck-wash-mobile/settings.json"].contains(NOWHERE));
    assert!(after.remove("truck-wash-controller/agents/mobile.md").is_some());
    after.retain(|path, _| !path.starts_with("truck-wash-mobile/"));
    assert_eq!(after, before);
}

#[test]
fn wrong_usage_is_one_line_and_writes_nothing() {
    let directory = TempDir::new().unwrap();
    let project = ["--project", "Truck-Wash", "--yes"];
    for (args, expected) in [
        (vec!["--yes"], "--project NAME is needed"),
        (project.to_vec(), "at least one agent is needed: --agent NAME:STACK"),
        (vec!["--project", "Truck Wash", "--agent", "a:c", "--yes"], "\"Truck Wash\" has a space in it"),
        (vec!["--project", "", "--agent", "a:c", "--yes"], "a name is needed"),
        ([&project[..], &["--agent", "a/b:c"]].concat(), "\"a/b\" has a slash in it"),
        (
            [&project[..], &["--agent", "a:c", "--agent", "A:rust"]].concat(),
            "there is an agent \"a\" already",
        ),
        ([&project[..], &["--agent", "a:go-api:mysql"]].concat(), "unknown database \"mysql\""),
        ([&project[..], &["--agent", "a:c", "--server", "ftp://x"]].concat(), "invalid --server"),
        (
            [&project[..], &["--agent", "a:c", "--server", "https://koor.invalid", "--start", "script"]]
                .concat(),
            "--start starts a server on this machine",
        ),
        (vec!["--project", "Truck-Wash", "--agent", "a:c"], "there is no terminal to ask on"),
    ] {
        let ran = init(directory.path(), &args);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}: {}", ran.err);
        let told: Vec<&str> =
            ran.err.lines().filter(|line| !line.contains("no Koor server answers")).collect();
        assert!(told.len() == 1 && told[0].contains(expected), "{args:?}: {}", ran.err);
        assert_eq!(tree(directory.path()), BTreeMap::new());
    }
}

#[test]
fn an_unknown_stack_is_generic_and_told() {
    let directory = TempDir::new().unwrap();
    let made =
        init(directory.path(), &["--project", "p", "--agent", "ui:svelte", "--server", NOWHERE, "--yes"]);
    assert!(
        made.err.contains("unknown stack \"svelte\" for ui: it becomes generic (known: goth, "),
        "{}",
        made.err
    );
    assert!(tree(directory.path())["p-ui/AGENTS.md"].contains("--stack generic"));
}

#[test]
fn a_token_is_written_only_where_the_server_asks_for_one() {
    let open = Server::start();
    let closed = Start::default().args(["--auth-token", "s3cret"]).start().unwrap();
    let args = |server: &str| {
        ["--project", "p", "--agent", "a:rust", "--yes", "--server", server].map(str::to_owned).to_vec()
    };
    let init = |directory: &TempDir, server: &str, token: Option<&str>| {
        let mut args = args(server);
        args.extend(token.into_iter().flat_map(|token| ["--token".to_owned(), token.to_owned()]));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        self::init(directory.path(), &args)
    };

    let directory = TempDir::new().unwrap();
    init(&directory, &open.api, Some("s3cret")).ok();
    assert!(!tree(directory.path()).values().any(|text| text.contains("s3cret")), "it asks for none");

    let directory = TempDir::new().unwrap();
    for (token, expected) in
        [(None, "asks for a token: give"), (Some("wrong"), "asks for a token, and not for this one")]
    {
        let refused = init(&directory, &closed.api, token);
        assert_eq!((refused.code, tree(directory.path())), (1, BTreeMap::new()));
        assert!(refused.err.contains(expected), "{}", refused.err);
    }
    let made = init(&directory, &closed.api, Some("s3cret"));
    assert!(!(made.ok().to_owned() + &made.err).contains("s3cret"));
    let files = tree(directory.path());
    let holders: Vec<&str> = files
        .iter()
        .filter(|(path, text)| path.starts_with("p-a/") && text.contains("s3cret"))
        .map(|(path, _)| path.as_str())
        .collect();
    let expected = [
        ".claude/mcp.json",
        ".cursor/mcp.json",
        ".kilo/kilo.json",
        ".kilocode/mcp.json",
        ".mcp.json",
        ".vscode/mcp.json",
        "settings.json",
    ];
    assert_eq!(holders, expected.map(|path| format!("p-a/{path}")));
    for path in holders {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let bits = fs::metadata(directory.path().join(path)).unwrap().permissions().mode();
            assert_eq!(bits & 0o777, 0o600, "{path}");
        }
        let inside = path.strip_prefix("p-a").unwrap();
        assert!(files["p-a/.gitignore"].lines().any(|line| line == inside), "{inside} is not ignored by git");
    }
    // What is in every file is what the server takes.
    let status =
        run(&directory.path().join("p-a/koor-cli"), &directory.path().join("p-a"), &["state", "list"]);
    assert_eq!(status.ok(), "[]\n");
}

#[test]
fn the_token_of_an_agent_is_told_to_be_one() {
    let closed = Start::default().args(["--auth-token", "s3cret"]).start().unwrap();
    let client = closed.client().token("s3cret");
    let agent = client.ok("POST", "/api/instances/register", r#"{"name": "a"}"#).json();
    let directory = TempDir::new().unwrap();
    let token = agent["token"].as_str().unwrap();
    let made = init(
        directory.path(),
        &["--project", "p", "--agent", "a:c", "--yes", "--server", &closed.api, "--token", token],
    );
    made.ok();
    assert!(made.err.contains("the token is that of one agent"), "{}", made.err);
}

#[test]
fn the_script_starts_the_server_that_the_files_name() {
    let directory = TempDir::new().unwrap();
    let base = directory.path().join("with space");
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = format!("http://127.0.0.1:{port}");
    let base_text = base.display().to_string();
    let made = init(
        directory.path(),
        &[
            "--project",
            "p",
            "--agent",
            "a:c",
            "--yes",
            "--server",
            &server,
            "--start",
            "script",
            "--token",
            "s3cret",
            "--dir",
            &base_text,
        ],
    );
    assert!(made.ok().contains("create      start-koor.sh\n"), "{}", made.out);
    let mut started = Command::new(base.join("start-koor.sh"))
        .args(["--dashboard-bind", ""])
        .current_dir(directory.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log = BufReader::new(started.stderr.take().unwrap());
    let listening = log.lines().map_while(Result::ok).any(|line| line.contains("listening"));
    let workspace = base.join("p-a");
    let status = run(&workspace.join("koor-cli"), &workspace, &["state", "list"]);
    started.kill().unwrap();
    started.wait().unwrap();
    assert!(listening);
    assert_eq!(status.ok(), "[]\n");
    assert!(base.join("koor-data/data.db").is_file());
}

#[test]
fn the_unit_has_everything_that_systemd_asks_for() {
    let directory = TempDir::new().unwrap();
    let made = init(
        directory.path(),
        &["--project", "p", "--agent", "a:c", "--yes", "--server", NOWHERE, "--start", "systemd"],
    );
    let base = directory.path().display();
    let expected = format!("systemctl --user enable --now {base}/koor.service");
    assert!(made.err.contains(&expected), "{}", made.err);
    let unit = fs::read_to_string(directory.path().join("koor.service")).unwrap();
    let start = format!(
        "ExecStart={base}/p-controller/koor-cli serve --bind localhost:9 --data-dir {base}/koor-data\n"
    );
    assert!(unit.contains(&start), "{unit}");
    assert!(unit.contains("Type=notify\n") && unit.contains("WantedBy=default.target\n"), "{unit}");
}

#[test]
fn the_name_of_the_original_wizard_starts_the_wizard() {
    let directory = TempDir::new().unwrap();
    let wizard = directory.path().join("koor-wizard");
    fs::hard_link(koor(), &wizard).or_else(|_| fs::copy(koor(), &wizard).map(drop)).unwrap();
    let made = run(
        &wizard,
        directory.path(),
        &["--project", "p", "--agent", "a:c", "--server", NOWHERE, "--dry-run"],
    );
    assert!(made.ok().contains("create      p-a/AGENTS.md\n"));
    assert!(!directory.path().join("p-a").exists());
}
