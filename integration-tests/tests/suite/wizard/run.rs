//! `koor` as a shell runs it: in a directory, with a clean environment, to its end.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

/// The user's configuration directory, within the one that a command runs in.
pub(crate) const USER: &str = ".user";

/// How a command ended, and what it wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ran {
    /// Its exit code.
    pub(crate) code: i32,
    /// What it wrote to stdout.
    pub(crate) out: String,
    /// What it wrote to stderr.
    pub(crate) err: String,
}

impl Ran {
    fn new(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_owned()).unwrap();
        Self { code: output.status.code().unwrap(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// What it wrote to stdout, when all went well.
    ///
    /// # Panics
    /// When it did not.
    pub(crate) fn ok(&self) -> &str {
        assert_eq!(self.code, 0, "{self:#?}");
        &self.out
    }
}

/// Runs a program with these arguments in a directory, and nothing on its standard input.
///
/// # Panics
/// When it can't be started.
pub(crate) fn run(program: &Path, directory: &Path, args: &[&str]) -> Ran {
    let mut command = clean(program, directory);
    Ran::new(&command.args(args).stdin(Stdio::null()).output().unwrap())
}

/// Runs a program with these arguments in a directory, and lines on its standard input.
///
/// # Panics
/// When it can't be started.
pub(crate) fn run_with(program: &Path, directory: &Path, args: &[&str], input: &str) -> Ran {
    let mut command = clean(program, directory);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A program need not read its input to the end.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    Ran::new(&child.wait_with_output().unwrap())
}

fn clean(program: &Path, directory: &Path) -> Command {
    let mut command = Command::new(program);
    let user = directory.join(USER);
    command.current_dir(directory).env("XDG_CONFIG_HOME", &user).env("HOME", user);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("KOOR_")) {
            command.env_remove(name);
        }
    }
    command
}
