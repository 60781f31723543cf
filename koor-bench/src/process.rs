//! Processes that are measured: started in a directory of their own, and ended with what started them.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long a process may take until it can be used.
const PATIENCE: Duration = Duration::from_secs(30);

/// A process. Dropping it ends it.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program; what it writes goes into a file in `directory`. `None` if there is no such program.
    pub(crate) fn start(directory: &Path, program: &Path, args: &[&str]) -> Option<Self> {
        fs::create_dir_all(directory).unwrap();
        let log = directory.join("output");
        let output = File::create(&log).unwrap();
        let started = Command::new(program)
            .args(args)
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn();
        match started {
            Ok(child) => Some(Self { child, log }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => panic!("cannot start {}: {error}", program.display()),
        }
    }

    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has written `before`, and answers the address that follows.
    pub(crate) fn address_after(&mut self, before: &str) -> SocketAddr {
        self.until(|log| {
            let text = fs::read_to_string(log).ok()?;
            let (_, rest) = text.split_once(before)?;
            let (address, _) = rest.split_once(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':'))?;
            address.parse().ok()
        })
    }

    /// Waits until the address accepts connections.
    pub(crate) fn listening(&mut self, port: u16) -> SocketAddr {
        let place = SocketAddr::from(([127, 0, 0, 1], port));
        self.until(|_| TcpStream::connect(place).ok().map(|_| place))
    }

    /// Waits until it has written that.
    pub(crate) fn written(&mut self, text: &str) {
        self.until(|log| fs::read_to_string(log).ok()?.contains(text).then_some(()));
    }

    fn until<T>(&mut self, find: impl Fn(&Path) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = find(&self.log) {
                return found;
            }
            let runs = self.child.try_wait().unwrap().is_none() && begun.elapsed() < PATIENCE;
            assert!(runs, "it does not start: {}", fs::read_to_string(&self.log).unwrap_or_default());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(mut self) {
        let told = Command::new("kill").arg(self.pid().to_string()).status().unwrap();
        assert!(told.success(), "cannot end process {}", self.pid());
        self.child.wait().unwrap();
    }

    /// What it takes up in memory now (`VmRSS`) or took up at most (`VmHWM`), in MB.
    pub(crate) fn memory(&self, which: &str) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(which)).expect("the system says so");
        let kilobytes: f64 = line.split_whitespace().next().unwrap().parse().unwrap();
        kilobytes * 1024.0 / 1e6
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already: then there is nothing left to do.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A port that is free at the moment.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
