//! A user of the command line: a program, or a person at a terminal.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
    thread,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{binary::koor, server::Server};

/// A directory in which commands are typed, with an environment without `KOOR_…`.
#[derive(Debug)]
pub struct Shell {
    directory: TempDir,
    /// Where the user's own settings are.
    home: TempDir,
    environment: Vec<(String, String)>,
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Its exit code; 128 and the signal's number if one killed it.
    pub code: i32,
    /// What it wrote to stdout.
    pub out: String,
    /// What it wrote to stderr.
    pub err: String,
}

impl Shell {
    /// Where nothing is set.
    ///
    /// # Panics
    /// When there is no place for it.
    #[must_use]
    pub fn nowhere() -> Self {
        let [directory, home] = [(); 2].map(|()| TempDir::new().unwrap());
        Self { directory, home, environment: Vec::new() }
    }

    /// Where `KOOR_SERVER` names that server.
    #[must_use]
    pub fn at(server: &Server) -> Self {
        Self::nowhere().env("KOOR_SERVER", &server.api)
    }

    /// With this variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The user's configuration directory.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Puts a file there.
    ///
    /// # Panics
    /// When it can't.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.directory().join(name), content).unwrap();
    }

    /// Runs `koor` with these words, in a pipe.
    ///
    /// # Panics
    /// When it can't be started.
    #[must_use]
    pub fn koor(&self, words: &[&str]) -> Ran {
        self.fed(words, b"")
    }

    /// The same, with that on its standard input.
    ///
    /// # Panics
    /// When it can't be started.
    #[must_use]
    pub fn fed(&self, words: &[&str], input: &[u8]) -> Ran {
        let mut command = self.command(koor());
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        // Whether it reads its input to the end is its own affair.
        let feeder = thread::spawn(move || drop(stdin.write_all(&input)));
        let ran = child.wait_with_output().unwrap().into();
        feeder.join().unwrap();
        ran
    }

    /// Runs a line of shell, in which `$koor` is the program.
    ///
    /// # Panics
    /// When it can't be started.
    #[must_use]
    pub fn line(&self, line: &str) -> Ran {
        self.command(Path::new("bash")).args(["-c", line]).stdin(Stdio::null()).output().unwrap().into()
    }

    /// Runs `koor` with these words at a terminal that is so wide. Both outputs are one there: `out`.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn at_terminal(&self, columns: u16, words: &[&str]) -> Ran {
        let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let line = format!("stty cols {columns} rows 50; exec \"$koor\" {}", words.join(" "));
        let mut command = self.command(Path::new("script"));
        command.env("TERM", "xterm").env("PAGER", "").env("SHELL", "/bin/sh");
        let mut ran: Ran = command
            .args(["--quiet", "--return", "--command", &line, "/dev/null"])
            .stdin(Stdio::null())
            .output()
            .unwrap()
            .into();
        ran.out = ran.out.replace("\r\n", "\n");
        ran
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            let ours = name.to_str().is_some_and(|name| name.starts_with("KOOR_") || name == "NO_COLOR");
            if ours {
                command.env_remove(name);
            }
        }
        command
            .current_dir(self.directory())
            .env("XDG_CONFIG_HOME", self.home())
            .env("koor", koor())
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let code = output.status.code();
        #[cfg(unix)]
        let code = code.or_else(|| {
            std::os::unix::process::ExitStatusExt::signal(&output.status).map(|signal| 128 + signal)
        });
        Self {
            code: code.unwrap(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ran {
    /// What it printed, of a command that must succeed and say nothing else.
    ///
    /// # Panics
    /// When it did not.
    #[expect(clippy::must_use_candidate, reason = "that it succeeds may be all that is wanted")]
    pub fn ok(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{}", self.out);
        self.out
    }

    /// The one line of JSON it printed, of a command that must succeed.
    ///
    /// # Panics
    /// When it did not.
    #[expect(clippy::must_use_candidate, reason = "that it succeeds may be all that is wanted")]
    pub fn json(self) -> Value {
        let out = self.ok();
        assert!(out.ends_with('\n') && out.lines().count() == 1, "{out:?}");
        serde_json::from_str(&out).unwrap()
    }

    /// The error that the server gave, of a command that must be refused and print nothing else.
    ///
    /// # Panics
    /// When it was not.
    #[expect(clippy::must_use_candidate, reason = "that it is refused may be all that is wanted")]
    pub fn refused(self) -> Value {
        assert_eq!((self.code, self.out.as_str()), (1, ""), "{}", self.err);
        assert_eq!(self.err.lines().count(), 1, "{}", self.err);
        serde_json::from_str(&self.err).unwrap_or_else(|error| panic!("{error}: {}", self.err))
    }

    /// The one line it said, of a command that must end with that code and print nothing.
    ///
    /// # Panics
    /// When it did not.
    #[expect(clippy::must_use_candidate, reason = "that it fails so may be all that is wanted")]
    pub fn says(self, code: i32, part: &str) -> String {
        assert_eq!((self.code, self.out.as_str()), (code, ""), "{}", self.err);
        assert!(self.err.starts_with("koor: ") && self.err.lines().count() == 1, "{}", self.err);
        assert!(self.err.contains(part), "{:?} does not say {part:?}", self.err);
        self.err
    }
}
