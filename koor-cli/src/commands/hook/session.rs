//! What hooks remember from one moment of a session to the next.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use koor_core::clock::Timestamp;
use serde::{Deserialize, Serialize};

use crate::settings::session::{Identity, SessionId, directory};

/// How long a session counts as running after its last sign of life, where the client's process is not known.
const SILENCE: Duration = Duration::from_mins(1);

/// The largest file of a session that is read.
const LARGEST: u64 = 1 << 20;

/// What is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Memory {
    pub(super) client: String,
    /// The process of the client, or of the shell by which it calls hooks.
    pub(super) process: u32,
    /// The instance that this session works as, where another session is the agent of the directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) identity: Option<Identity>,
    /// The instance that the session is bound to, its name, project and stack.
    pub(super) instance_id: String,
    pub(super) name: String,
    pub(super) project: String,
    pub(super) stack: String,
    /// When a hook of it last ran, and when its agent was last heard of by the server, in milliseconds since 1970.
    pub(super) seen_at: i64,
    pub(super) renewed_at: i64,
    /// When the shell command began that runs or ran last.
    pub(super) shell_at: i64,
    /// The leases that hooks have taken, by path.
    pub(super) leases: BTreeMap<String, u64>,
    /// How many stops in a row were answered with more work, and with which words the last time.
    pub(super) stops: u32,
    pub(super) reason: String,
    pub(super) interrupted: bool,
    /// Whether the agent was told that something could not be checked.
    pub(super) told: bool,
    /// The last brief that the agent was shown: the same again is no news.
    pub(super) brief: String,
    /// Whether the session has ended. Its own identity can serve another one then.
    pub(super) ended: bool,
    /// A brief that was answered, and that the client has not yet shown to have taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unconfirmed: Option<Unconfirmed>,
}

/// A brief that was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Unconfirmed {
    pub(super) cursor: u64,
    pub(super) messages: Vec<u64>,
}

/// A session, whose memory is in a file that its hooks share.
#[derive(Debug)]
pub(super) struct Session {
    path: PathBuf,
    pub(super) memory: Memory,
}

impl Session {
    /// The session of that id in the directory of an agent. A file that can't be read is as good as none.
    pub(super) fn open(settings: &Path, id: &SessionId) -> Self {
        let path = id.path(settings);
        let memory = fs::File::open(&path).and_then(|file| read(&file)).unwrap_or_default();
        Self { path, memory }
    }

    /// Changes what is remembered. Hooks may run at the same time: the change is made to what is in the file now.
    pub(super) fn update(&mut self, change: impl Fn(&mut Memory)) {
        change(&mut self.memory);
        // A hook that can't remember still answers: at worst, something is said twice.
        if let Ok(written) = self.write(change) {
            self.memory = written;
        }
    }

    fn write(&self, change: impl Fn(&mut Memory)) -> io::Result<Memory> {
        if let Some(directory) = self.path.parent() {
            make_directory(directory)?;
        }
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&self.path)?;
        file.lock()?;
        let mut memory = read(&file).unwrap_or_default();
        change(&mut memory);
        let text = serde_json::to_vec(&memory)?;
        file.rewind()?;
        file.set_len(0)?;
        file.write_all(&text)?;
        Ok(memory)
    }

    /// Forgets the session, but for an identity of its own.
    pub(super) fn end(&mut self) {
        if self.memory.identity.is_none() {
            // One that is not there is forgotten already.
            drop(fs::remove_file(&self.path));
            return;
        }
        self.update(|memory| {
            let identity = memory.identity.take();
            *memory = Memory { identity, ended: true, ..Memory::default() };
        });
    }

    /// Whether another session of this directory's agent is running, as the agent itself.
    pub(super) fn has_rival(&self, settings: &Path, instance_id: &str, now: Timestamp) -> bool {
        all(settings).into_iter().filter(|(path, _)| *path != self.path).any(|(_, memory)| {
            memory.identity.is_none() && memory.instance_id == instance_id && memory.is_running(now)
        })
    }
}

/// Notes that a hook of a client has run in an agent's directory.
pub(super) fn mark_fired(settings: &Path, client: &str) {
    // It is only for people who look.
    drop(fs::write(fired_path(settings, client), ""));
}

/// The file whose age says when a hook of a client last ran.
pub(crate) fn fired_path(settings: &Path, client: &str) -> PathBuf {
    settings.with_file_name(".koor").join(format!("fired-{client}"))
}

/// All sessions of an agent's directory, with their files.
fn all(settings: &Path) -> Vec<(PathBuf, Memory)> {
    let Ok(entries) = fs::read_dir(directory(settings)) else { return Vec::new() };
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    let read = |path: PathBuf| {
        let memory = fs::File::open(&path).and_then(|file| read(&file)).ok()?;
        Some((path, memory))
    };
    paths.filter_map(read).collect()
}

/// The first name with a number that no running session has, and an identity of that name that an ended session has left.
pub(super) fn spare_identity(
    settings: &Path,
    base: &str,
    server: &str,
    now: Timestamp,
) -> (String, Option<Identity>) {
    let mut sessions = all(settings);
    let is_taken = |name: &str, memory: &Memory| {
        let own = memory.identity.as_ref().is_some_and(|own| own.name == name);
        own && !memory.ended && memory.is_running(now)
    };
    let free = (2..).map(|number: u32| format!("{base}-{number}"));
    let name = free.into_iter().find(|name| !sessions.iter().any(|(_, memory)| is_taken(name, memory)));
    let name = name.unwrap_or_else(|| base.to_owned());
    let left = sessions.iter_mut().find_map(|(path, memory)| {
        let fits = |own: &Identity| own.name == name && own.server == server;
        memory.identity.take().filter(fits).map(|identity| (path.clone(), identity))
    });
    let identity = left.map(|(path, identity)| {
        // At worst, the file of an ended session stays.
        drop(fs::remove_file(path));
        identity
    });
    (name, identity)
}

impl Memory {
    fn is_running(&self, now: Timestamp) -> bool {
        now.since(Timestamp::from_millis(self.seen_at)) < SILENCE || process_runs(self.process)
    }
}

#[cfg(unix)]
fn process_runs(process: u32) -> bool {
    let id = i32::try_from(process).ok().and_then(rustix::process::Pid::from_raw);
    id.is_some_and(|id| rustix::process::test_kill_process(id).is_ok())
}

#[cfg(not(unix))]
fn process_runs(_: u32) -> bool {
    false
}

/// The process that called this hook, as far as the system says.
pub(super) fn calling_process() -> u32 {
    #[cfg(unix)]
    return std::os::unix::process::parent_id();
    #[cfg(not(unix))]
    return 0;
}

fn read(file: &fs::File) -> io::Result<Memory> {
    let mut text = Vec::new();
    file.take(LARGEST).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

/// Makes the directory of sessions, which no repository should hold.
fn make_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)?;
    match directory.parent() {
        Some(parent) if !parent.join(".gitignore").exists() => fs::write(parent.join(".gitignore"), "*\n"),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn session(base: &TempDir, id: &str) -> Session {
        Session::open(&base.path().join("settings.json"), &SessionId::new(id).unwrap())
    }

    #[test]
    fn hooks_that_run_at_the_same_time_lose_nothing() {
        let base = TempDir::new().unwrap();
        let (mut one, mut two) = (session(&base, "s"), session(&base, "s"));
        one.update(|memory| memory.leases.extend([("a".to_owned(), 1)]));
        two.update(|memory| memory.leases.extend([("b".to_owned(), 2)]));
        assert_eq!(session(&base, "s").memory.leases.len(), 2);
        assert_eq!(two.memory.leases.len(), 2);
        one.end();
        assert_eq!(session(&base, "s").memory, Memory::default());
        assert_eq!(fs::read_to_string(base.path().join(".koor/.gitignore")).unwrap(), "*\n");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_as_good_as_none() {
        let base = TempDir::new().unwrap();
        let mut one = session(&base, "s");
        one.update(|memory| memory.stops = 3);
        fs::write(base.path().join(".koor/sessions/s.json"), "{\"stops\": \"x\"").unwrap();
        let mut again = session(&base, "s");
        assert_eq!(again.memory, Memory::default());
        again.update(|memory| memory.told = true);
        assert!(session(&base, "s").memory.told);
    }

    #[test]
    fn a_running_session_of_the_same_instance_is_a_rival() {
        let base = TempDir::new().unwrap();
        let settings = base.path().join("settings.json");
        let now = Timestamp::from_millis(1_000_000);
        let mut other = session(&base, "other");
        let own = session(&base, "own");
        assert!(!own.has_rival(&settings, "i", now));
        let never = u32::MAX >> 1;
        for (instance, seen_at, process, expected) in [
            ("i", 990_000, never, true),
            ("j", 990_000, never, false),
            ("i", 0, never, false),
            ("i", 0, std::process::id(), cfg!(unix)),
        ] {
            other.update(|memory| {
                memory.instance_id = instance.to_owned();
                (memory.seen_at, memory.process) = (seen_at, process);
            });
            assert_eq!(own.has_rival(&settings, "i", now), expected, "{instance} {seen_at} {process}");
        }
    }
}
