//! A server in a process of its own.

use std::{
    io::{BufRead as _, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, Mutex, PoisonError, Weak},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{binary::koor, client::Client, site::Site};

/// How long a server may take to start or to end before a test gives up: far more than either takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often a process is asked whether it has ended.
const ASK_EVERY: Duration = Duration::from_millis(5);

/// A server that is about to be started: on free ports, in a fresh directory, with an environment without `KOOR_…`.
#[derive(Debug)]
pub struct Start {
    program: PathBuf,
    before: Vec<String>,
    ports: [Vec<String>; 2],
    args: Vec<String>,
    environment: Vec<(String, String)>,
    directory: Arc<TempDir>,
    stdin: Option<Stdio>,
}

impl Default for Start {
    fn default() -> Self {
        let port = |flag: &str| vec![flag.to_owned(), "localhost:0".to_owned()];
        Self {
            program: koor().to_owned(),
            before: vec!["serve".to_owned()],
            ports: [port("--bind"), port("--dashboard-bind")],
            args: Vec::new(),
            environment: Vec::new(),
            directory: Arc::new(TempDir::new().unwrap()),
            stdin: None,
        }
    }
}

impl Start {
    /// With these flags.
    #[must_use]
    pub fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Without flags that say where to listen: the environment or a file does.
    #[must_use]
    pub fn no_ports(mut self) -> Self {
        self.ports = Default::default();
        self
    }

    /// With this variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// In the directory of another server, which may be gone.
    #[must_use]
    pub fn within(mut self, directory: &Arc<TempDir>) -> Self {
        self.directory = Arc::clone(directory);
        self
    }

    /// Through a shell: `script` must `exec "$@"`, and finds that as its standard input.
    #[must_use]
    pub fn through(mut self, script: &str, stdin: Stdio) -> Self {
        let program = std::mem::replace(&mut self.program, PathBuf::from("/bin/sh"));
        let mut before =
            vec!["-c".to_owned(), script.to_owned(), "sh".to_owned(), program.display().to_string()];
        before.append(&mut self.before);
        self.before = before;
        self.stdin = Some(stdin);
        self
    }

    /// The directory it will run in, to put something there first.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The same directory, to be looked at when the server has ended.
    #[must_use]
    pub fn shared_directory(&self) -> &Arc<TempDir> {
        &self.directory
    }

    /// Starts it, and waits until it answers.
    ///
    /// # Errors
    /// When it ends instead.
    ///
    /// # Panics
    /// When it can't be started, or does neither.
    pub fn start(self) -> Result<Server, Ended> {
        let mut command = Command::new(&self.program);
        command
            .args(self.before)
            .args(self.ports.concat())
            .args(self.args)
            .current_dir(self.directory.path());
        for (name, _) in std::env::vars_os() {
            let ours = name.to_str().is_some_and(|name| {
                name.starts_with("KOOR_") || name.starts_with("LISTEN_") || name == "NOTIFY_SOCKET"
            });
            if ours {
                command.env_remove(name);
            }
        }
        // As the systemd unit and the image do: what is freed goes back to the system, and memory can be measured.
        command.env("MALLOC_MMAP_THRESHOLD_", "1048576");
        command.envs(self.environment).stdin(self.stdin.unwrap_or_else(Stdio::null));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = Lines::follow(child.stdout.take().unwrap());
        let log = Lines::follow(child.stderr.take().unwrap());
        let mut server =
            Server { child, out, log, directory: self.directory, api: String::new(), dashboard: None };
        let Some(line) = server.log.wait_for(|line| line.contains("listening") && line.contains("api"))
        else {
            return Err(server.wait());
        };
        let field = |name: &str| {
            let (_, rest) =
                line.split_once(&format!("{name}\":\"")).or_else(|| line.split_once(&format!("{name}=")))?;
            Some(rest.split(['"', ' ']).next()?.to_owned())
        };
        server.api = field("api").expect("the start line names the API");
        server.dashboard = field("dashboard").filter(|dashboard| dashboard != "off");
        Ok(server)
    }
}

/// How a server ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code; `None` when a signal killed it.
    pub code: Option<i32>,
    /// Everything it wrote to stderr, by line.
    pub log: Vec<String>,
    /// Everything it wrote to stdout, by line.
    pub out: Vec<String>,
}

/// A server that runs. Dropping it kills it.
#[derive(Debug)]
pub struct Server {
    child: Child,
    out: Lines,
    log: Lines,
    directory: Arc<TempDir>,
    /// Where its API is: `http://localhost:41234`.
    pub api: String,
    /// Where its dashboard is, if it has one.
    pub dashboard: Option<String>,
}

impl Server {
    /// One with nothing special about it.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start() -> Self {
        Start::default().start().unwrap()
    }

    /// One in the directory of one before.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_within(directory: &Arc<TempDir>) -> Self {
        Start::default().within(directory).start().unwrap()
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The directory that it runs in, and keeps its data in.
    #[must_use]
    pub fn directory(&self) -> &Arc<TempDir> {
        &self.directory
    }

    /// A client of its API.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(&self.api)
    }

    /// Its API, for requests that are put on the wire as they are.
    #[must_use]
    pub fn site(&self) -> Site {
        Site::new(&self.api)
    }

    /// What it has written to stderr so far, by line.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.log.so_far()
    }

    /// Waits until it has written such a line to stderr; `None` when it ended without.
    ///
    /// # Panics
    /// When neither happens.
    pub fn wait_for_log(&self, wanted: impl Fn(&str) -> bool) -> Option<String> {
        self.log.wait_for(wanted)
    }

    /// Sends it a signal: `TERM`, `INT`, `KILL`, `STOP`.
    ///
    /// # Panics
    /// When that fails.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status();
        assert!(sent.unwrap().success(), "cannot send SIG{name}");
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    pub fn wait(mut self) -> Ended {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end: {:#?}", self.log());
            thread::sleep(ASK_EVERY);
        };
        Ended { code: status.code(), log: self.log.to_the_end(), out: self.out.to_the_end() }
    }

    /// Asks it to end, and waits until it has.
    #[must_use]
    pub fn stop(self) -> Ended {
        self.signal("TERM");
        self.wait()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("the log of process {}: {:#?}", self.child.id(), self.log.so_far());
        }
    }
}

/// A server that the tests of a file share: it lives for as long as one of them has it.
#[derive(Debug)]
pub struct Shared(Mutex<Weak<Server>>);

impl Shared {
    /// None yet.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it is for statics")]
    pub const fn new() -> Self {
        Self(Mutex::new(Weak::new()))
    }

    /// The server: the one that another test has, or a new one.
    #[must_use]
    pub fn server(&self) -> Arc<Server> {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let server = Arc::new(Server::start());
            *shared = Arc::downgrade(&server);
            server
        })
    }
}

/// What a process writes, line by line.
#[derive(Debug, Clone)]
struct Lines(Arc<(Mutex<Written>, Condvar)>);

#[derive(Debug, Default)]
struct Written {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    fn follow(pipe: impl Read + Send + 'static) -> Self {
        let lines = Self(Arc::default());
        let writer = lines.clone();
        thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                writer.change(|written| written.lines.push(line));
            }
            writer.change(|written| written.ended = true);
        });
        lines
    }

    fn change(&self, change: impl FnOnce(&mut Written)) {
        let (written, changed) = &*self.0;
        change(&mut written.lock().unwrap_or_else(PoisonError::into_inner));
        changed.notify_all();
    }

    fn so_far(&self) -> Vec<String> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).lines.clone()
    }

    fn to_the_end(&self) -> Vec<String> {
        self.wait_for(|_| false);
        self.so_far()
    }

    fn wait_for(&self, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let (written, changed) = &*self.0;
        let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = Instant::now();
        loop {
            if let Some(line) = written.lines.iter().find(|line| wanted(line)) {
                return Some(line.clone());
            }
            if written.ended {
                return None;
            }
            let left = PATIENCE.saturating_sub(begun.elapsed());
            assert!(!left.is_zero(), "waited too long; so far: {:#?}", written.lines);
            written = changed.wait_timeout(written, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
