//! The commands that instructions contain, taken out of them.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::wizard::run::{Ran, run};

/// Every `./koor-cli` in a text: the lines of its shell blocks, and what stands between backticks.
pub(crate) fn commands(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut in_block = false;
    for line in text.lines() {
        if line.starts_with("```") {
            in_block = line == "```sh";
        } else if in_block {
            found.insert(line.to_owned());
        } else {
            let spans = line.split('`').skip(1).step_by(2);
            found.extend(spans.filter(|span| span.starts_with("./koor-cli ")).map(str::to_owned));
        }
    }
    found
}

/// An agent in a workspace that does what the files there say.
pub(crate) struct Worker {
    pub(crate) directory: PathBuf,
    commands: BTreeSet<String>,
    done: RefCell<BTreeSet<String>>,
}

impl Worker {
    /// With the instructions of these files, `AGENTS.md` and others.
    pub(crate) fn new(directory: PathBuf, others: &[&str]) -> Self {
        let read = |path: &str| fs::read_to_string(directory.join(path)).unwrap();
        let texts = std::iter::once("AGENTS.md").chain(others.iter().copied()).map(read);
        let commands = texts.flat_map(|text| commands(&text)).collect();
        Self { directory, commands, done: RefCell::default() }
    }

    /// The one command of the instructions that has all these parts, with the words in capitals filled in.
    pub(crate) fn command(&self, parts: &[&str], values: &[(&str, &str)]) -> String {
        let fitting: Vec<&String> =
            self.commands.iter().filter(|command| parts.iter().all(|part| command.contains(part))).collect();
        let [command] = fitting[..] else {
            panic!("{parts:?} is not one command: {fitting:?} of {:?}", self.commands)
        };
        self.done.borrow_mut().insert(command.clone());
        let mut filled = command.clone();
        for (name, value) in values {
            assert!(filled.contains(name), "{name} is not in {filled}");
            filled = filled.replace(name, value);
        }
        let left = filled.split(|c: char| !c.is_ascii_uppercase() && c != '_').find(|word| word.len() > 3);
        assert_eq!(left, None, "{filled} still has a placeholder");
        filled
    }

    /// Runs that command, as a shell does.
    pub(crate) fn run(&self, parts: &[&str], values: &[(&str, &str)]) -> Ran {
        shell(&self.directory, &self.command(parts, values))
    }

    /// The commands that have not been run.
    pub(crate) fn left(&self) -> Vec<String> {
        self.commands.difference(&self.done.borrow()).cloned().collect()
    }
}

/// Runs a line in a directory.
pub(crate) fn shell(directory: &Path, line: &str) -> Ran {
    run(Path::new("/bin/sh"), directory, &["-c", line])
}
