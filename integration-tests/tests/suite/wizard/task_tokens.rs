//! What one task costs an agent: to find it, claim it, finish it and report it, by the instructions of today and by those before.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use integration_tests::{Server, koor};
use serde_json::Value;
use tempfile::TempDir;

use crate::wizard::{commands::shell, run::run};

/// What a task may cost beside its own text.
const MOST: usize = 120;

const TITLE: &str = "Page of trucks";
const BODY: &str = "Show what GET /api/trucks answers, newest first. Done when a test holds it.";
const REPORT: &str = "The page is there, with tests.";

const DOCUMENT: &str = "docs/multi-agent-workflow.md";
const BEGIN: &str =
    "<!-- written by `KOOR_REWRITE=1 cargo test -p integration-tests --test suite task_tokens`: begin -->\n";
const END: &str = "<!-- end -->\n";

fn tokens(text: &str) -> usize {
    tiktoken_rs::o200k_base_singleton().encode_ordinary(text).len()
}

/// What an agent types, and what it reads for it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Cost {
    typed: usize,
    read: usize,
}

impl Cost {
    fn all(self) -> usize {
        self.typed + self.read
    }

    /// Without what the task says, and what its report says.
    fn beside(self) -> usize {
        self.all() - [TITLE, BODY, REPORT].map(tokens).iter().sum::<usize>()
    }
}

/// The commands of one task, as an agent runs them in its directory.
fn cost(directory: &Path, lines: &[&str]) -> Cost {
    let mut cost = Cost::default();
    for line in lines {
        let ran = shell(directory, line);
        let text = ran.ok();
        cost.typed += tokens(line);
        cost.read += tokens(text.trim_end());
    }
    cost
}

/// A project with one agent: the directories of its controller and its agent.
fn project(server: &Server, base: &Path) -> (PathBuf, PathBuf) {
    let args =
        ["init", "--project", "Truck-Wash", "--agent", "frontend:goth", "--yes", "--server", &server.api];
    run(koor(), base, &args).ok();
    let place = |name: &str| base.join(format!("truck-wash-{name}"));
    (place("controller"), place("frontend"))
}

fn by_tasks() -> Cost {
    let (server, base) = (Server::start(), TempDir::new().unwrap());
    let (controller, frontend) = project(&server, base.path());
    shell(&controller, &format!("./koor-cli task add '{TITLE}' --body '{BODY}' --assignee frontend")).ok();
    cost(&frontend, &["./koor-cli next --wait 100s", &format!("./koor-cli done --note '{REPORT}'")])
}

/// The instructions before had tasks in state, reports as events, and a cursor in a file. `waits`: the agent looks before there
/// is a task, as it does after each report; else the task is there already.
fn by_state_keys(waits: bool) -> Cost {
    let (server, base) = (Server::start(), TempDir::new().unwrap());
    let (controller, frontend) = project(&server, base.path());
    let assign = |id: u8| {
        let task = format!(r#"{{"id": {id}, "title": "{TITLE}", "details": "{BODY}", "done_when": ""}}"#);
        shell(&controller, &format!("./koor-cli state set Truck-Wash/frontend-task --data '{task}'")).ok();
        let told = format!(
            "./koor-cli events publish truck-wash.controller.frontend.task --data '{{\"task\": {id}}}'"
        );
        shell(&controller, &told).ok();
    };
    let look = [
        "./koor-cli state get Truck-Wash/frontend-task",
        "./koor-cli events history --last 1 --topic truck-wash.frontend.done",
    ];
    let done = |id: u8| {
        let data = format!(r#"{{"task": {id}, "summary": "{REPORT}"}}"#);
        format!("./koor-cli events publish truck-wash.frontend.done --data '{data}'")
    };
    if !waits {
        assign(1);
        return cost(&frontend, &[look[0], look[1], &done(1)]);
    }
    // The task before is done, which is what it finds; then it is told of the next one.
    assign(1);
    let wait = |since: &str| {
        format!("./koor-cli events wait 'truck-wash.controller.frontend.*' --since {since} --timeout 100s")
    };
    let first = shell(&frontend, &wait("0"));
    let cursor = serde_json::from_str::<Value>(first.ok()).unwrap()["cursor"].to_string();
    shell(&frontend, &done(1)).ok();
    let mut all = cost(&frontend, &look);
    assign(2);
    let woken =
        cost(&frontend, &[&wait(&cursor), &format!("echo {cursor} > .koor-cursor"), look[0], &done(2)]);
    all.typed += woken.typed;
    all.read += woken.read;
    all
}

#[test]
fn task_tokens_are_few_and_the_document_says_how_many() {
    let (now, there, waiting) = (by_tasks(), by_state_keys(false), by_state_keys(true));
    let row = |name: &str, cost: Cost| {
        format!("| {name} | {} | {} | **{}** |\n", cost.typed, cost.read, cost.beside())
    };
    let table = format!(
        "| one task | typed | read | beside its own text |\n|---|---:|---:|---:|\n{}{}{}",
        row("tasks: `next`, `done`", now),
        row("before: state and events, the task is there", there),
        row("before: state and events, the agent waits for it", waiting),
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(DOCUMENT);
    let document = fs::read_to_string(&path).unwrap();
    let (head, rest) = document.split_once(BEGIN).unwrap();
    let (was, tail) = rest.split_once(END).unwrap();
    if env::var_os("KOOR_REWRITE").is_some() {
        fs::write(&path, format!("{head}{BEGIN}{table}{END}{tail}")).unwrap();
    } else {
        assert_eq!(
            was, table,
            "{DOCUMENT}: KOOR_REWRITE=1 cargo test -p integration-tests --test suite task_tokens"
        );
    }
    assert!(now.beside() <= MOST, "{now:?}");
    assert!(now.beside() < there.beside(), "{now:?}, {there:?}");
    assert!(3 * now.beside() < waiting.beside(), "{now:?}, {waiting:?}");
}
