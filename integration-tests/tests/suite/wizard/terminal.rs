//! The wizard on a terminal, key by key.

use std::{collections::BTreeMap, path::Path, process::Command};

use integration_tests::koor;
use rexpect::{
    reader::Options,
    session::{PtySession, spawn_with_options},
};
use tempfile::TempDir;

use crate::wizard::{flags::tree, run::USER};

/// How long a screen may take to say something.
const PATIENCE_MS: u64 = 30_000;

const ENTER: &str = "\r";
const DOWN: &str = "\x1b[B";
const BACKSPACE: &str = "\x7f";
const ESCAPE: &str = "\x1b";
const CTRL_C: &str = "\x03";

struct Terminal(PtySession);

impl Terminal {
    fn start(directory: &Path, args: &[&str]) -> Self {
        let mut command = Command::new(koor());
        command.arg("init").args(args).current_dir(directory).env("NO_COLOR", "1").env("TERM", "xterm");
        // No client of the user's is here.
        command.env("HOME", directory.join(USER));
        for name in ["KOOR_SERVER", "KOOR_TOKEN"] {
            command.env_remove(name);
        }
        let options = Options::new().timeout_ms(Some(PATIENCE_MS)).strip_ansi_escape_codes(true);
        Self(spawn_with_options(command, options).unwrap())
    }

    /// Waits for a text on the screen.
    fn see(&mut self, text: &str) -> &mut Self {
        self.0.exp_string(text).unwrap_or_else(|error| panic!("{text:?} is not on the screen: {error}"));
        self
    }

    fn press(&mut self, keys: &str) -> &mut Self {
        self.0.send(keys).unwrap();
        self.0.flush().unwrap();
        self
    }

    fn code(mut self) -> i32 {
        self.0.exp_eof().unwrap();
        // Its type is that of a crate which is not ours.
        let status = format!("{:?}", self.0.process().wait().unwrap());
        let code = status.strip_prefix("Exited(").and_then(|rest| rest.split_once(", ")?.1.strip_suffix(')'));
        code.unwrap_or_else(|| panic!("{status}")).parse().unwrap()
    }
}

#[test]
fn arrow_keys_and_names_make_a_project() {
    let directory = TempDir::new().unwrap();
    let mut terminal = Terminal::start(directory.path(), &["--server", "http://localhost:9"]);
    terminal.see("What is the project called?").press("Truck ").see("has a space in it").press(BACKSPACE);
    terminal.press("-Wash").press(ENTER);
    terminal.see("What is the agent called?").press("frontend").press(ENTER);
    terminal.see("What does frontend build with?").press(ENTER);
    terminal.see("Another agent?").press("y");
    terminal
        .see("the next agent called?")
        .press("frontend")
        .see("there is an agent")
        .press(&BACKSPACE.repeat(8));
    terminal.press("backend").press(ENTER);
    terminal.see("What does backend build with?").press(DOWN).press(ENTER);
    terminal.see("Where does it keep its data?").press(DOWN).press(ENTER);
    terminal.see("Another agent?").press("n");
    terminal.see("What shall start it?").press(ENTER);
    terminal.see("May Claude Code run koor").press("n");
    terminal
        .see("This is what comes now")
        .see("Project Truck-Wash, at http://localhost:9 (does not answer yet)");
    terminal.see("truck-wash-frontend").see("goth").see("go-api (postgres)");
    terminal.see("Write it?").press(ENTER);
    terminal.see("What comes next").see("start-koor.sh").see("Done: 3 workspaces of Truck-Wash.");
    assert_eq!(terminal.code(), 0);
    let files = tree(directory.path());
    assert!(files["truck-wash-backend/AGENTS.md"].contains("a Go API on PostgreSQL"));
    assert!(files.contains_key("start-koor.sh"));
}

#[test]
fn flags_answer_their_questions() {
    let directory = TempDir::new().unwrap();
    let args = ["--project", "p", "--agent", "a:rust", "--server", "https://koor.invalid"];
    let mut terminal = Terminal::start(directory.path(), &args);
    terminal.see("May Claude Code run koor").press("y");
    terminal.see("does not answer yet").see("Write it?").press("y").see("Done: 2 workspaces of p.");
    assert_eq!(terminal.code(), 0);
    let files = tree(directory.path());
    assert!(files.contains_key("p-a/AGENTS.md") && files.contains_key("p-a/.claude/settings.json"));
}

#[test]
fn whoever_turns_back_finds_nothing_written() {
    for keys in [ESCAPE, CTRL_C, "n"] {
        let directory = TempDir::new().unwrap();
        let args = ["--project", "p", "--agent", "a:rust", "--server", "https://koor.invalid"];
        let mut terminal = Terminal::start(directory.path(), &args);
        terminal.see("May Claude Code run koor").press("n");
        terminal.see("Write it?").press(keys).see("cancelled: nothing was written");
        assert_eq!(terminal.code(), 1);
        assert_eq!(tree(directory.path()), BTreeMap::new());
    }
}
