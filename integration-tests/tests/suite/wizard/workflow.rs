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

/// The number that instructions keep in a file, 0 if there is none.
fn cursor(worker: &Worker, file: &str) -> String {
    fs::read_to_string(worker.directory.join(file)).unwrap_or_else(|_| "0".to_owned())
}

/// Waits as the instructions say, and keeps the cursor as they say.
fn wait(worker: &Worker, file: &str) -> Vec<Value> {
    let answer = json_of(&worker.run(&["events wait"], &[("CURSOR", &cursor(worker, file))]));
    fs::write(worker.directory.join(file), answer["cursor"].to_string()).unwrap();
    answer["events"].as_array().unwrap().clone()
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

    // setup agents, at the frontend: there is no task yet, so it waits.
    frontend.run(&["activate"], &[]).ok();
    let seen = mcp(&frontend.directory).call("discover_instances", &json!({"name": "frontend"}));
    assert_eq!(
        seen["count"].as_u64().or(seen["instances"].as_array().map(|all| all.len() as u64)),
        Some(1),
        "{seen}"
    );
    let none = frontend.run(&["state get"], &[]);
    assert_eq!((none.code, none.out.as_str()), (1, ""));
    assert!(none.err.contains("key not found"), "{}", none.err);
    assert_eq!(json_of(&frontend.run(&["events history"], &[])), json!([]));
    let nothing = frontend.command(&["events wait"], &[("CURSOR", "0"), ("100s", "1s")]);
    let nothing = shell(&frontend.directory, &nothing);
    assert_eq!(nothing.code, 1);
    assert!(nothing.err.contains("no event within"), "{}", nothing.err);
    // Others' tasks are none of its business, whether they are there before it waits or after.
    let assign = |agent: &str, task: &str| {
        let values = [("AGENT", agent), ("TASK_ID", task)];
        controller.run(&["state set"], &values).ok();
        controller.run(&["events publish", ".task "], &values).ok();
    };
    assign("backend", "1");
    let woken = thread::scope(|scope| {
        let command = frontend.command(&["events wait"], &[("CURSOR", "0")]);
        let directory = &frontend.directory;
        let waiting = scope.spawn(move || shell(directory, &command));
        assign("frontend", "1");
        json_of(&waiting.join().unwrap())
    });
    assert_eq!(woken["events"].as_array().unwrap().len(), 1, "{woken}");
    assert_eq!(woken["events"][0]["topic"], "truck-wash.controller.frontend.task");
    assert_eq!(woken["events"][0]["source"], "controller");
    fs::write(frontend.directory.join(".koor-cursor"), woken["cursor"].to_string()).unwrap();
    let task = json_of(&frontend.run(&["state get"], &[]));
    assert_eq!(task, json!({"id": 1, "title": "…", "details": "…", "done_when": "…"}));

    // It does it: rules say what is wrong with it.
    let page = frontend.directory.join("page.templ");
    fs::write(&page, "@templ.Raw(comment)\n").unwrap();
    let broken = frontend.run(&["validate"], &[("FILE", "page.templ")]);
    assert_eq!(broken.code, 1, "{}", broken.err);
    assert!(broken.out.contains("page.templ:1: error goth-no-raw-html:"), "{}", broken.out);
    fs::write(&page, "{ comment }\n").unwrap();
    frontend.run(&["validate"], &[("FILE", "page.templ")]).ok();
    let done = json_of(&frontend.run(&["events publish", ".done "], &[("TASK_ID", "1")]));
    assert_eq!((&done["source"], &done["data"]["task"]), (&json!("frontend"), &json!(1)));
    // From now on, `next` finds that the task is done, and waits.
    let last = json_of(&frontend.run(&["events history"], &[]));
    assert_eq!(last[0]["data"]["task"], task["id"]);

    // next, at the controller.
    let reports = wait(&controller, "status/cursor");
    assert_eq!(reports, [done]);
    for look in ["instances list", "state list", "rules list"] {
        let listed = json_of(&controller.run(&[look], &[]));
        assert!(!listed.as_array().unwrap().is_empty(), "{look}: {listed}");
    }
    json_of(&controller.run(&["state get"], &[("AGENT", "frontend")]));

    // Requests, and what comes of them.
    for answer in ["yes", "no"] {
        let asked = json_of(&frontend.run(&["events publish", ".request "], &[]));
        let requests = wait(&controller, "status/cursor");
        assert_eq!(requests, std::slice::from_ref(&asked));
        let request = asked["id"].to_string();
        let values = [("AGENT", "frontend"), ("REQUEST_ID", request.as_str())];
        controller.run(&["events publish", &format!(".{answer} ")], &values).ok();
        let answers = wait(&frontend, ".koor-cursor");
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert_eq!(answers[0]["topic"], format!("truck-wash.controller.frontend.{answer}"));
        assert_eq!(answers[0]["data"]["request"], asked["id"]);
    }
    // A cursor of another log, or one that pruning has passed, is mended as the instructions say.
    let expired = frontend.run(&["events wait"], &[("CURSOR", "999999")]);
    assert_eq!(expired.code, 1);
    assert!(expired.err.contains("cursor expired"), "{}", expired.err);
    let expired: Value = serde_json::from_str(&expired.err).unwrap();
    let mended = (expired["oldest"].as_u64().unwrap() - 1).to_string();
    let kept = json_of(&frontend.run(&["events wait"], &[("CURSOR", &mended)]));
    assert_eq!(kept["events"].as_array().unwrap().len(), 3, "{kept}");
    for share in ["state list", "specs list", "contract list"] {
        frontend.run(&[share], &[]).ok();
    }

    // Who registers again is who it was.
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
    assert_eq!(json_of(&backend.run(&["state get"], &[]))["id"], 1);

    // Everybody is there, as they are called.
    let there = json_of(&controller.run(&["instances list"], &[]));
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

#[test]
fn a_project_goes_from_its_first_word_to_its_first_finished_task() {
    play(&Server::start(), None);
}

#[test]
fn so_does_one_whose_server_asks_for_a_token() {
    let server = Start::default().args(["--auth-token", "s3cret"]).start().unwrap();
    play(&server, Some("s3cret"));
}
