//! A project from its beginning to its first finished task: its agents do exactly what the files say.

use std::{fs, path::Path, thread};

use integration_tests::{Mcp, Server, Site, Start, koor};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::wizard::{
    commands::{Worker, shell},
    run::{Ran, run},
};

fn json_of(ran: &Ran) -> Value {
    serde_json::from_str(ran.ok()).unwrap()
}

/// The MCP endpoint that a file of a workspace names, as it says.
fn mcp(workspace: &Path) -> Mcp {
    let text = fs::read_to_string(workspace.join(".mcp.json")).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let koor = &file["mcpServers"]["koor"];
    let base = koor["url"].as_str().unwrap().strip_suffix("/mcp").unwrap();
    let site = Site::new(base);
    Mcp(match koor["headers"]["Authorization"].as_str() {
        Some(header) => site.with("Authorization", header),
        None => site,
    })
}

/// Waits by a command of the instructions while another agent does something; what the command printed.
fn woken(worker: &Worker, parts: &[&str], meanwhile: impl FnOnce()) -> String {
    thread::scope(|scope| {
        let (directory, command) = (&worker.directory, worker.command(parts, &[]));
        let waiting = scope.spawn(move || shell(directory, &command));
        meanwhile();
        waiting.join().unwrap().ok().to_owned()
    })
}

#[expect(clippy::too_many_lines, reason = "it is one story, in the order in which it happens")]
fn play(server: &Server, token: Option<&str>) {
    let directory = TempDir::new().unwrap();
    let mut args =
        vec!["init", "--project", "Truck-Wash", "--agent", "frontend:goth", "--agent", "backend:go-api"];
    args.extend(["--yes", "--server", &server.api]);
    args.extend(token.into_iter().flat_map(|token| ["--token", token]));
    run(koor(), directory.path(), &args).ok();
    let place = |name: &str| directory.path().join(format!("truck-wash-{name}"));
    let controller = Worker::new(place("controller"), &["agents/frontend.md", "agents/backend.md"]);
    let frontend = Worker::new(place("frontend"), &[]);
    let backend = Worker::new(place("backend"), &[]);

    // setup agents, at the controller: the wizard has registered it, and given the project its rules.
    controller.run(&["activate"], &[]).ok();
    let rules = json_of(&controller.run(&["rules list"], &[]));
    assert!(rules.as_array().unwrap().len() > 12, "{rules}");
    for set in ["_global", "goth", "go-api"] {
        let imported = controller.run(&["rules import", &format!("--set {set}")], &[]);
        match token {
            None => assert!(json_of(&imported)["imported"].as_u64().unwrap() > 3),
            Some(_) => assert!(imported.code == 1 && imported.err.contains("admin role required")),
        }
    }
    controller.run(&["contract --help"], &[]).ok();

    // setup agents, at the frontend: there is no task yet, so it waits, and is woken by its own task only.
    frontend.run(&["activate"], &[]).ok();
    let seen = mcp(&frontend.directory).call("discover_instances", &json!({"name": "frontend"}));
    assert_eq!(
        seen["count"].as_u64().or(seen["instances"].as_array().map(|all| all.len() as u64)),
        Some(1),
        "{seen}"
    );
    let nothing = frontend.command(&["next"], &[("100s", "1s")]);
    let nothing = shell(&frontend.directory, &nothing);
    assert_eq!((nothing.code, nothing.out.as_str()), (1, ""));
    assert!(nothing.err.contains("no task for this agent"), "{}", nothing.err);
    let assign = |agent: &str, title: &str| {
        let values = [("AGENT", agent), ("TITLE", title)];
        json_of(&controller.run(&["task add", "--review --body"], &values))
    };
    assign("backend", "List of trucks");
    let task = woken(&frontend, &["next"], || drop(assign("frontend", "Page of trucks")));
    assert!(task.contains("Truck-Wash/2: Page of trucks\nWhat to do, what it may rely on."), "{task}");
    // With a task in hand, it is told that one again.
    assert!(frontend.run(&["next"], &[]).ok().contains("Truck-Wash/2: Page of trucks"));

    // It does it: rules say what is wrong with it, and no other agent edits what it has leased.
    let page = frontend.directory.join("page.templ");
    fs::write(&page, "@templ.Raw(comment)\n").unwrap();
    let broken = frontend.run(&["validate"], &[("FILE", "page.templ")]);
    assert_eq!(broken.code, 1, "{}", broken.err);
    assert!(broken.out.contains("page.templ:1: error goth-no-raw-html:"), "{}", broken.out);
    fs::write(&page, "{ comment }\n").unwrap();
    frontend.run(&["validate"], &[("FILE", "page.templ")]).ok();
    frontend.run(&["lease take"], &[("PATH", "docs/api.md")]).ok();
    let refused = backend.run(&["lease take"], &[("PATH", "docs/api.md")]);
    assert!(refused.code == 1 && refused.err.contains("is held by frontend"), "{refused:?}");

    // It asks; the controller hears of it, and answers; the answer waits for the frontend.
    frontend.run(&["msg send"], &[]).ok();
    let news = controller.run(&["brief"], &[]);
    assert!(news.ok().contains("message from Truck-Wash/frontend"), "{news:?}");
    let asked = json_of(&controller.run(&["msg inbox"], &[]));
    assert_eq!(asked[0]["body"], "what you need, and why");
    let id = asked[0]["id"].to_string();
    controller.run(&["msg send"], &[("AGENT", "frontend"), ("MESSAGE", &id)]).ok();
    let answer = json_of(&frontend.run(&["msg inbox"], &[]));
    assert_eq!(
        (&answer[0]["reply_to"], &answer[0]["from"]),
        (&asked[0]["id"], &json!("Truck-Wash/controller"))
    );

    // It reports; next, at the controller, is a review, which sends it back once.
    let reported = frontend.run(&["done"], &[]);
    assert!(reported.ok().contains("Truck-Wash/2 review"), "{reported:?}");
    let news = controller.run(&["brief"], &[]);
    assert!(news.ok().contains("koor task approve 2"), "{news:?}");
    assert_eq!(json_of(&controller.run(&["task show"], &[("NUMBER", "2")]))["status"], "review");
    let again = woken(&frontend, &["next"], || {
        controller.run(&["task reject"], &[("NUMBER", "2")]).ok();
    });
    assert!(again.contains("Truck-Wash/2: Page of trucks"), "{again}");
    frontend.run(&["done"], &[]).ok();
    let after = [("AGENT", "frontend"), ("TITLE", "Form"), ("NUMBER", "2")];
    let held_back = json_of(&controller.run(&["task add", "--after"], &after));
    assert_eq!(held_back["blocked_by"], json!([2]));
    let form = woken(&frontend, &["next"], || {
        controller.run(&["task approve"], &[("NUMBER", "2")]).ok();
    });
    assert!(form.contains("Truck-Wash/3: Form"), "{form}");

    // What it can't do goes to another agent.
    frontend.run(&["fail"], &[("WHY", "no")]).ok();
    controller.run(&["task edit"], &[("NUMBER", "3"), ("AGENT", "backend")]).ok();
    let plan = controller.directory.join("tasks.jsonl");
    fs::write(
        &plan,
        "{\"title\": \"Mail\", \"key\": \"mail\"}\n{\"title\": \"Send it\", \"after\": [\"mail\"]}\n",
    )
    .unwrap();
    controller.run(&["task import"], &[("FILE", "tasks.jsonl")]).ok();
    let tree = controller.run(&["task tree"], &[]);
    assert!(tree.ok().contains("Send it"), "{tree:?}");
    for (agent, numbers) in [("frontend", vec![2]), ("backend", vec![1, 3])] {
        let listed = json_of(&controller.run(&["task list", agent], &[]));
        let found: Vec<u64> =
            listed.as_array().unwrap().iter().map(|task| task["number"].as_u64().unwrap()).collect();
        assert_eq!(found, numbers, "{agent}");
    }
    frontend.run(&["contract list"], &[]).ok();

    // An agent that registers again is the one that it was.
    let id = |worker: &Worker| {
        let text = fs::read_to_string(worker.directory.join("settings.json")).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["instance_id"].clone()
    };
    for (worker, words) in [
        (&backend, "register backend"),
        (&frontend, "register frontend"),
        (&controller, "register controller"),
    ] {
        let before = id(worker);
        assert_eq!(json_of(&worker.run(&[words], &[]))["id"], before);
        assert_eq!(id(worker), before);
    }
    backend.run(&["activate"], &[]).ok();
    assert!(backend.run(&["next"], &[]).ok().contains("Truck-Wash/1: List of trucks"));

    // Each is there, as it is called.
    let there = server_site(server, token).get("/api/instances").gives(200);
    let mut names: Vec<(&str, &str)> = there
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["name"].as_str().unwrap(), one["status"].as_str().unwrap()))
        .collect();
    names.sort_unstable();
    assert_eq!(names, [("backend", "active"), ("controller", "active"), ("frontend", "active")]);
    assert_eq!(frontend.left(), [""; 0], "a command that was not run");
    assert_eq!(controller.left(), [""; 0], "a command that was not run");
}

fn server_site(server: &Server, token: Option<&str>) -> Site {
    match token {
        Some(token) => server.site().with("Authorization", &format!("Bearer {token}")),
        None => server.site(),
    }
}

/// What workspaces of earlier versions were told to do: tasks in state keys, reports as events, a cursor in a file.
#[test]
fn a_project_on_state_keys_goes_on_as_before() {
    let server = Server::start();
    let directory = TempDir::new().unwrap();
    let args =
        ["init", "--project", "Truck-Wash", "--agent", "frontend:goth", "--yes", "--server", &server.api];
    run(koor(), directory.path(), &args).ok();
    let controller = directory.path().join("truck-wash-controller");
    let frontend = directory.path().join("truck-wash-frontend");
    // It was made by an earlier version.
    let text = fs::read_to_string(frontend.join("AGENTS.md")).unwrap();
    let (head, rest) = text.split_once("## Your stack").unwrap();
    let (first, _) = head.split_once('\n').unwrap();
    fs::write(frontend.join("AGENTS.md"), format!("{first}\n# frontend: of old\n\n## Your stack{rest}"))
        .unwrap();
    fs::write(frontend.join(".gitignore"), "/koor-cli\n/settings.json\n/.koor-cursor\n").unwrap();
    fs::write(frontend.join(".koor-cursor"), "7").unwrap();

    let say = |place: &Path, line: &str| shell(place, &format!("./koor-cli {line}")).ok().to_owned();
    say(&controller, r#"state set Truck-Wash/frontend-task --data '{"id": 1, "title": "Page"}'"#);
    say(&controller, r#"events publish truck-wash.controller.frontend.task --data '{"task": 1}'"#);
    let told = say(&frontend, "events wait 'truck-wash.controller.frontend.*' --since 0 --timeout 100s");
    assert_eq!(serde_json::from_str::<Value>(&told).unwrap()["events"][0]["data"]["task"], 1);
    let task = say(&frontend, "state get Truck-Wash/frontend-task");
    assert_eq!(serde_json::from_str::<Value>(&task).unwrap()["title"], "Page");
    say(&frontend, r#"events publish truck-wash.frontend.done --data '{"task": 1, "summary": "there"}'"#);
    let reports = say(&controller, "events wait 'truck-wash.*.done' --since 0 --timeout 100s");
    assert_eq!(serde_json::from_str::<Value>(&reports).unwrap()["events"][0]["source"], "frontend");

    // The same command again brings the instructions of today, and takes nothing away.
    run(koor(), directory.path(), &args).ok();
    let now = fs::read_to_string(frontend.join("AGENTS.md")).unwrap();
    assert_eq!(now, text);
    let ignored = fs::read_to_string(frontend.join(".gitignore")).unwrap();
    assert!(ignored.starts_with("/koor-cli\n/settings.json\n/.koor-cursor\n"), "{ignored}");
    assert!(ignored.lines().any(|line| line == "/.koor/"), "{ignored}");
    assert_eq!(fs::read_to_string(frontend.join(".koor-cursor")).unwrap(), "7");
    say(&controller, "task add 'Form' --assignee frontend");
    assert!(say(&frontend, "next").contains("Truck-Wash/1: Form"));
}

#[test]
fn a_project_goes_from_its_first_word_to_its_first_finished_task() {
    play(&Server::start(), None);
}

#[test]
fn so_does_one_whose_server_asks_for_a_token() {
    let server = Start::default().args(["--auth-token", "s3cret"]).start().unwrap();
    play(&server, Some("s3cret"));
}
