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

use crate::wizard::run::{Ran, USER, run};

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
const EVERYWHERE: [&str; 14] = [
    ".agents/skills/koor/SKILL.md",
    ".claude/skills/koor/SKILL.md",
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
    // No agent can change the program that a person starts.
    let serve = format!("{} serve --bind localhost:9 ", koor().display());
    assert!(made.err.contains(&serve), "{}", made.err);
}

#[test]
fn every_mcp_file_names_the_server_as_its_editor_wants_it() {
    let directory = TempDir::new().unwrap();
    truck_wash(directory.path(), "http://localhost:9/").ok();
    let url = "http://localhost:9/mcp";
    let http = json!({"mcpServers": {"koor": {"type": "http", "url": url}}});
    for (path, expected) in [
        (".mcp.json", http.clone()),
        (".cursor/mcp.json", http),
        (".vscode/mcp.json", json!({"servers": {"koor": {"type": "http", "url": url}}})),
        (".kilocode/mcp.json", json!({"mcpServers": {"koor": {"type": "streamable-http", "url": url}}})),
        (".kilo/kilo.json", json!({"mcp": {"koor": {"type": "remote", "enabled": true, "url": url}}})),
        ("settings.json", json!({"server": "http://localhost:9", "workspace": "Truck-Wash"})),
    ] {
        for agent in ["controller", "backend"] {
            let text =
                fs::read_to_string(directory.path().join(format!("truck-wash-{agent}")).join(path)).unwrap();
            let mut expected = expected.clone();
            if path == "settings.json" {
                expected["agent"] = json!(agent);
                expected["path_prefix"] = json!(format!("truck-wash-{agent}"));
            }
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected, "{agent}/{path}");
        }
    }
}

#[test]
fn made_twice_is_made_once() {
    let directory = TempDir::new().unwrap();
    truck_wash(directory.path(), NOWHERE).ok();
    let settings = directory.path().join("truck-wash-frontend/settings.json");
    let of_mine = json!({"server": "http://localhost:9", "instance_id": "of mine", "workspace": "Truck-Wash", "agent": "frontend", "path_prefix": "truck-wash-frontend"});
    fs::write(&settings, of_mine.to_string()).unwrap();
    let before = tree(directory.path());
    let again = truck_wash(directory.path(), NOWHERE);
    assert!(again.ok().lines().all(|line| line.starts_with("keep  ")), "{}", again.out);
    assert_eq!(tree(directory.path()), before);
}

#[test]
fn what_is_in_the_way_stays_unless_it_is_forced() {
    let directory = TempDir::new().unwrap();
    let mine = directory.path().join("truck-wash-frontend");
    fs::create_dir_all(mine.join(".cursor/rules")).unwrap();
    fs::write(mine.join(".cursor/rules/koor.mdc"), "mine").unwrap();
    fs::write(mine.join(".gitignore"), "/node_modules\n").unwrap();
    let before = tree(directory.path());
    let refused = truck_wash(directory.path(), NOWHERE);
    assert_eq!((refused.code, refused.out.as_str()), (1, ""));
    assert!(
        refused
            .err
            .contains("nothing was written: truck-wash-frontend/.cursor/rules/koor.mdc is there already and would change"),
        "{}",
        refused.err
    );
    assert_eq!(tree(directory.path()), before);

    let agent = ["--project", "Truck-Wash", "--agent", "frontend:goth", "--server", NOWHERE];
    let listed = init(directory.path(), &[&agent[..], &["--dry-run"]].concat());
    assert!(
        listed.ok().contains("in the way  truck-wash-frontend/.cursor/rules/koor.mdc\n"),
        "{}",
        listed.out
    );
    assert!(listed.out.contains("extend      truck-wash-frontend/.gitignore\n"), "{}", listed.out);
    assert_eq!(tree(directory.path()), before, "a list writes nothing");

    let forced = init(directory.path(), &[&agent[..], &["--yes", "--force"]].concat());
    assert!(
        forced.ok().contains("replace     truck-wash-frontend/.cursor/rules/koor.mdc\n"),
        "{}",
        forced.out
    );
    let after = tree(directory.path());
    assert!(after["truck-wash-frontend/.cursor/rules/koor.mdc"].starts_with("---\n"));
    assert!(after["truck-wash-frontend/.gitignore"].starts_with("/node_modules\n# Koor"));
}

#[test]
fn an_existing_repository_is_merged_into() {
    let directory = TempDir::new().unwrap();
    let mine = directory.path().join("truck-wash-frontend");
    fs::create_dir_all(mine.join(".vscode")).unwrap();
    fs::create_dir_all(mine.join(".claude")).unwrap();
    fs::write(mine.join("AGENTS.md"), "# House rules\n\nUse tabs.\n").unwrap();
    fs::write(mine.join("CLAUDE.md"), "Be brief.").unwrap();
    fs::write(mine.join(".vscode/mcp.json"), "{\n  // Ours.\n  \"servers\": {},\n}\n").unwrap();
    fs::write(mine.join(".claude/settings.json"), "{\n  \"model\": \"opus\" // for now\n}\n").unwrap();
    let flags = ["init", "--project", "Truck-Wash", "--agent", "frontend:goth", "--server", NOWHERE];
    let init = |more: &[&str]| run(koor(), directory.path(), &[&flags[..], more].concat());
    let made = init(&["--yes", "--allow-koor"]);
    assert!(made.ok().contains("extend      truck-wash-frontend/AGENTS.md\n"), "{}", made.out);
    let files = tree(directory.path());
    let file = |name: &str| files[&format!("truck-wash-frontend/{name}")].as_str();
    let instructions = file("AGENTS.md");
    assert!(instructions.starts_with("# House rules\n\nUse tabs.\n\n<!-- koor: begin"), "{instructions}");
    assert!(instructions.contains("\n# frontend: an agent of Truck-Wash\n"), "{instructions}");
    assert!(file("CLAUDE.md").starts_with("Be brief.\n\n<!-- koor: begin"), "{}", file("CLAUDE.md"));
    let entry = file(".vscode/mcp.json");
    assert!(entry.starts_with("{\n  // Ours.\n  \"servers\": {\n    \"koor\": {"), "{entry}");
    let settings = file(".claude/settings.json");
    assert!(settings.contains("\"opus\", // for now") && settings.contains("\"Bash(koor:*)\""), "{settings}");

    // What is outside of the block is the repository's; the block is updated in place.
    let edited =
        instructions.replace("Use tabs.", "Use spaces.").replace("an agent of Truck-Wash", "outdated");
    fs::write(mine.join("AGENTS.md"), edited + "\nThe end.\n").unwrap();
    init(&["--yes", "--allow-koor"]).ok();
    let expected = instructions.replace("Use tabs.", "Use spaces.") + "\nThe end.\n";
    assert_eq!(tree(directory.path())["truck-wash-frontend/AGENTS.md"], expected);
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

fn wash(directory: &Path, server: &str, token: Option<&str>) -> Ran {
    let mut args = vec!["--project", "p", "--agent", "a:rust", "--yes", "--server", server];
    args.extend(token.into_iter().flat_map(|token| ["--token", token]));
    init(directory, &args)
}

#[test]
fn no_workspace_holds_the_servers_token_and_each_agent_acts_as_itself() {
    let server = Start::default().args(["--auth-token", "s3cret"]).start().unwrap();
    let directory = TempDir::new().unwrap();
    let args = ["--project", "Wash", "--agent", "fe:goth", "--agent", "be:go-api", "--yes"];
    let made = init(directory.path(), &[&args[..], &["--server", &server.api, "--token", "s3cret"]].concat());
    assert!(!(made.ok().to_owned() + &made.err).contains("s3cret"));
    assert!(made.err.contains("Done: 3 workspaces of Wash; 3 agents registered."), "{}", made.err);
    let files = tree(directory.path());
    let holders: Vec<_> = files.iter().filter(|(_, text)| text.contains("s3cret")).collect();
    assert!(holders.is_empty(), "{holders:#?}");
    // The person's own configuration has it, for that server alone.
    let kept = fs::read_to_string(directory.path().join(USER).join("koor/servers.json")).unwrap();
    let kept: Value = serde_json::from_str(&kept).unwrap();
    assert_eq!(kept, json!({"servers": {server.api.as_str(): {"token": "s3cret"}}}));

    let admin = server.site().token("s3cret");
    let mut tokens = std::collections::BTreeSet::new();
    for (folder, name, stack) in
        [("wash-controller", "controller", ""), ("wash-fe", "fe", "goth"), ("wash-be", "be", "go-api")]
    {
        let workspace = directory.path().join(folder);
        let settings: Value = serde_json::from_str(&files[&format!("{folder}/settings.json")]).unwrap();
        let (id, token) = (settings["instance_id"].as_str().unwrap(), settings["token"].as_str().unwrap());
        assert!(tokens.insert(token.to_owned()));
        // Its files name it and no other, are its owner's alone, and are not for git.
        for path in EVERYWHERE.iter().filter(|path| files[&format!("{folder}/{path}")].contains(token)) {
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt as _;
                let bits = fs::metadata(workspace.join(path)).unwrap().permissions().mode();
                assert_eq!(bits & 0o777, 0o600, "{path}");
            }
            let ignored = &files[&format!("{folder}/.gitignore")];
            assert!(ignored.lines().any(|line| line == format!("/{path}")), "{path} is not ignored by git");
        }
        let entries: Value = serde_json::from_str(&files[&format!("{folder}/.mcp.json")]).unwrap();
        assert_eq!(entries["mcpServers"]["koor"]["headers"]["Authorization"], format!("Bearer {token}"));
        let there = admin.get(&format!("/api/instances/{id}")).ok();
        assert_eq!(
            (&there["name"], &there["workspace"], &there["stack"]),
            (&json!(name), &json!("Wash"), &json!(stack))
        );

        let cli = workspace.join("koor-cli");
        run(&cli, &workspace, &["activate"]).ok();
        run(&cli, &workspace, &["state", "set", &format!("Wash/{name}"), "--data", "1"]).ok();
        let log = admin.get(&format!("/api/audit?actor={id}")).ok();
        let actions: Vec<_> =
            log.as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
        assert_eq!(actions, ["state.put", "instance.activate"]);
        let denied = run(&cli, &workspace, &["backup", "--output", "everything"]);
        assert!(denied.code == 1 && denied.err.contains("\"code\":403"), "{denied:#?}");
        assert!(!workspace.join("everything").exists());
        let denied = server.site().token(token).get("/api/backup");
        assert_eq!(denied.status, 403);
    }
    // What only an administrator may do for them is done.
    let rules = admin.get("/api/rules?project=Wash").ok();
    let of = |stack: &str| rules.as_array().unwrap().iter().filter(|rule| rule["stack"] == stack).count();
    assert!(of("goth") > 3 && of("go-api") > 3 && of("") > 3, "{rules}");

    // Again is as good as once; an agent more needs no token on the line.
    let again = init(directory.path(), &[&args[..], &["--server", &server.api]].concat());
    assert!(again.ok().lines().all(|line| line.starts_with("keep  ")), "{}", again.out);
    assert_eq!(tree(directory.path()), files);
    init(directory.path(), &["--project", "Wash", "--add", "qa:generic", "--yes"]).ok();
    let settings: Value = serde_json::from_str(&tree(directory.path())["wash-qa/settings.json"]).unwrap();
    let there = admin.get(&format!("/api/instances/{}", settings["instance_id"].as_str().unwrap())).ok();
    assert_eq!(there["name"], "qa");
    assert_eq!(admin.get("/api/instances").ok().as_array().unwrap().len(), 4);
}

#[test]
fn the_servers_own_token_in_an_older_workspace_is_replaced() {
    let server = Start::default().args(["--auth-token", "s3cret"]).start().unwrap();
    let directory = TempDir::new().unwrap();
    // As earlier versions wrote it.
    wash(directory.path(), NOWHERE, None).ok();
    for path in ["p-controller", "p-a"] {
        let settings = json!({"server": server.api, "token": "s3cret"}).to_string();
        fs::write(directory.path().join(path).join("settings.json"), settings).unwrap();
        let entry = json!({"type": "http", "url": format!("{}/mcp", server.api), "headers": {"Authorization": "Bearer s3cret"}});
        let file = json!({"mcpServers": {"mine": {"command": "x"}, "koor": entry}}).to_string();
        fs::write(directory.path().join(path).join(".mcp.json"), file).unwrap();
    }
    wash(directory.path(), &server.api, Some("s3cret")).ok();
    let files = tree(directory.path());
    assert!(!files.values().any(|text| text.contains("s3cret")));
    assert!(files["p-a/.mcp.json"].contains("\"mine\":{\"command\":\"x\"}"), "{}", files["p-a/.mcp.json"]);
}

#[test]
fn what_cannot_be_registered_with_is_refused_and_nothing_is_written() {
    let closed = Start::default().args(["--auth-token", "s3cret"]).start().unwrap();
    let admin = closed.site().token("s3cret");
    let agent = admin.post("/api/instances/register", &json!({"name": "a"})).ok();
    let agent = agent["token"].as_str().unwrap();
    let directory = TempDir::new().unwrap();
    for (token, expected) in [
        (None, "asks for a token: give"),
        (Some("wrong"), "asks for a token, and not for this one"),
        (Some(agent), "the token is that of one agent"),
    ] {
        let refused = wash(directory.path(), &closed.api, token);
        assert_eq!((refused.code, tree(directory.path())), (1, BTreeMap::new()));
        assert!(refused.err.contains(expected), "{}", refused.err);
    }
    // What is in the way is found before anything is registered.
    fs::create_dir_all(directory.path().join("p-a/.cursor/rules")).unwrap();
    fs::write(directory.path().join("p-a/.cursor/rules/koor.mdc"), "mine").unwrap();
    assert_eq!(wash(directory.path(), &closed.api, Some("s3cret")).code, 1);
    assert_eq!(admin.get("/api/instances").ok().as_array().unwrap().len(), 1);
}

#[test]
fn where_the_server_asks_for_no_token_agents_are_registered_and_none_is_written() {
    let open = Server::start();
    let directory = TempDir::new().unwrap();
    wash(directory.path(), &open.api, Some("s3cret")).ok();
    let files = tree(directory.path());
    assert!(!files.values().any(|text| text.contains("s3cret")), "it asks for none");
    let settings: Value = serde_json::from_str(&files["p-a/settings.json"]).unwrap();
    let id = settings["instance_id"].as_str().unwrap();
    assert_eq!(settings["server"], open.api.as_str());
    assert_eq!(
        settings.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["agent", "instance_id", "path_prefix", "server", "workspace"]
    );
    assert_eq!(open.site().get(&format!("/api/instances/{id}")).ok()["name"], "a");
    let workspace = directory.path().join("p-a");
    assert!(run(&workspace.join("koor-cli"), &workspace, &["activate"]).ok().contains(id));
}

#[test]
fn agents_that_could_not_be_registered_are_registered_by_the_same_command_again() {
    let directory = TempDir::new().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = format!("http://127.0.0.1:{port}");
    let made = wash(directory.path(), &server, Some("s3cret"));
    made.ok();
    let command = format!("koor init --project p --agent a:rust --server {server} --dir ");
    assert!(made.err.contains(&command), "{}", made.err);
    let before = tree(directory.path());
    assert!(!before.values().any(|text| text.contains("s3cret") || text.contains("instance_id\":")));
    let bind = format!("127.0.0.1:{port}");
    let args = ["--bind", &bind, "--dashboard-bind", "", "--auth-token", "s3cret"];
    let running = Start::default().no_ports().args(args).start().unwrap();
    // The token is in the person's own configuration by now.
    let again = wash(directory.path(), &server, None);
    assert!(again.err.contains("2 agents registered"), "{}", again.err);
    let changed: Vec<&str> = again.ok().lines().filter(|line| !line.starts_with("keep ")).collect();
    assert!(changed.iter().all(|line| line.starts_with("extend ")) && changed.len() == 14, "{changed:#?}");
    let workspace = directory.path().join("p-a");
    run(&workspace.join("koor-cli"), &workspace, &["activate"]).ok();
    drop(running);
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
    let user = directory.path().join(USER).join("koor");
    let token = fs::read_to_string(user.join(format!("127-0-0-1-{port}.token"))).unwrap();
    assert_eq!(token, "s3cret\n");
    let files = ["p-a", "p-controller"].map(|workspace| tree(&base.join(workspace)));
    assert!(!files.iter().flat_map(BTreeMap::values).any(|text| text.contains("s3cret")));
    assert!(!fs::read_to_string(base.join("start-koor.sh")).unwrap().contains("s3cret"));
    let list = ["state", "list", "--server", &server, "--token", "s3cret"];
    let list = run(koor(), directory.path(), &list);
    started.kill().unwrap();
    started.wait().unwrap();
    assert!(listening);
    assert_eq!(list.ok(), "[]\n");
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
    let program = koor().display();
    let start = format!("ExecStart={program} serve --bind localhost:9 --data-dir {base}/koor-data\n");
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
