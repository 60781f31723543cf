//! Leases: which agent works on which paths.

use std::time::Duration;

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    domain::{LeaseTime, prose, string_enum},
    error::Invalid,
    ids::{AgentName, InstanceId, LeaseId, ProjectName, TaskNumber},
    paths::PathPattern,
};

/// The most paths of one lease: every lease is compared with every other that may overlap it.
const MAX_PATHS: usize = 100;

/// The most bytes that the paths of one lease have together, for the same reason.
const MAX_BYTES: usize = 16 << 10;

string_enum! {
    /// Whether others may hold the same paths.
    LeaseMode, "mode", {
        /// No other agent may.
        Exclusive = "exclusive",
        /// Other agents may hold them shared, too.
        Shared = "shared",
    }, "exclusive or shared"
}

/// Paths that an agent asks for or holds, all or none, and the mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathSet {
    /// The paths, each once.
    pub paths: Vec<PathPattern>,
    /// Whether others may hold them, too.
    pub mode: LeaseMode,
}

impl PathSet {
    /// Takes paths as a client writes them.
    ///
    /// # Errors
    /// When there are none or too many, or one does not parse.
    pub fn new(written: &[String], mode: LeaseMode) -> Result<Self, Invalid> {
        if written.is_empty() {
            return Err(Invalid::new("paths is required: at least one path"));
        }
        if written.len() > MAX_PATHS {
            let count = written.len();
            return Err(Invalid::new(format!("{count} paths were given, at most {MAX_PATHS} are allowed")));
        }
        let bytes: usize = written.iter().map(String::len).sum();
        if bytes > MAX_BYTES {
            return Err(Invalid::new(format!(
                "the paths are {bytes} bytes long together, at most {MAX_BYTES} are allowed"
            )));
        }
        let mut paths: Vec<PathPattern> = Vec::with_capacity(written.len());
        for path in written {
            let path = PathPattern::new(path)?;
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        Ok(Self { paths, mode })
    }

    /// Each path that overlaps one of the other's, with that one, where the modes do not fit together.
    pub(crate) fn conflicts<'a>(
        &'a self,
        other: &'a Self,
    ) -> impl Iterator<Item = (&'a PathPattern, &'a PathPattern)> {
        let both_shared = self.mode == LeaseMode::Shared && other.mode == LeaseMode::Shared;
        let own = self.paths.iter().filter(move |_| !both_shared);
        own.filter_map(|own| {
            let theirs = other.paths.iter().find(|theirs| own.overlaps(theirs))?;
            Some((own, theirs))
        })
    }
}

/// A lease: an agent holds paths of a project until it gives them back or is no longer heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The project.
    pub project: ProjectName,
    /// Its number in the project, which is also its fence: it grows with every lease.
    pub id: LeaseId,
    /// What is held.
    pub held: PathSet,
    /// The name of the agent that holds it.
    pub name: AgentName,
    /// Its instance.
    pub instance_id: InstanceId,
    /// What the agent wants the paths for.
    pub reason: String,
    /// The task that it is for: the lease ends with its claim.
    pub task: Option<TaskNumber>,
    /// When it was taken.
    pub created_at: Timestamp,
    /// When it ends, unless its holder is heard of.
    pub expires_at: Timestamp,
    /// For how long it lasts after its holder was last heard of.
    pub lease_time: LeaseTime,
}

impl Lease {
    /// Whether it keeps that instance from taking the paths; and if so, which of them.
    pub(crate) fn conflicts<'a>(
        &'a self,
        instance: Option<InstanceId>,
        wanted: &'a PathSet,
    ) -> impl Iterator<Item = (&'a PathPattern, &'a PathPattern)> {
        let own = instance == Some(self.instance_id);
        wanted.conflicts(&self.held).filter(move |_| !own)
    }

    /// The same lease, renewed at that time.
    #[must_use]
    pub(crate) fn renewed(self, now: Timestamp, lease_time: LeaseTime) -> Self {
        Self { expires_at: now.plus(lease_time.get()), lease_time, ..self }
    }
}

/// A lease as clients see it.
#[derive(Serialize, JsonSchema)]
struct Shown<'a> {
    project: &'a ProjectName,
    id: LeaseId,
    paths: &'a [PathPattern],
    mode: LeaseMode,
    name: &'a AgentName,
    instance_id: InstanceId,
    reason: &'a str,
    task: Option<TaskNumber>,
    fence: LeaseId,
    created_at: Timestamp,
    expires_at: Timestamp,
}

impl JsonSchema for Lease {
    fn schema_name() -> Cow<'static, str> {
        "Lease".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Shown::json_schema(generator)
    }
}

impl Serialize for Lease {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { project, id, held, name, instance_id, reason, task, created_at, expires_at, .. } = self;
        let shown = Shown {
            project,
            id: *id,
            paths: &held.paths,
            mode: held.mode,
            name,
            instance_id: *instance_id,
            reason,
            task: *task,
            fence: *id,
            created_at: *created_at,
            expires_at: *expires_at,
        };
        shown.serialize(serializer)
    }
}

/// The last number of a lease that was given in a project, in a backup.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SavedLastLease {
    /// The project.
    pub project: ProjectName,
    /// The number.
    pub last: LeaseId,
}

/// A lease in a backup, with the time that answers leave out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SavedLease {
    project: ProjectName,
    id: LeaseId,
    #[serde(flatten)]
    held: PathSet,
    name: AgentName,
    instance_id: InstanceId,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    task: Option<TaskNumber>,
    created_at: Timestamp,
    expires_at: Timestamp,
    lease: LeaseTime,
}

impl From<Lease> for SavedLease {
    fn from(lease: Lease) -> Self {
        let Lease { project, id, held, name, instance_id, reason, task, created_at, expires_at, .. } = lease;
        let lease = lease.lease_time;
        Self { project, id, held, name, instance_id, reason, task, created_at, expires_at, lease }
    }
}

impl SavedLease {
    /// The lease, if it is such as could have been taken.
    ///
    /// # Errors
    /// When it is not.
    pub fn into_lease(self) -> Result<Lease, Invalid> {
        let Self { project, id, held, name, instance_id, reason, task, created_at, expires_at, lease } = self;
        let written: Vec<String> = held.paths.into_iter().map(String::from).collect();
        Ok(Lease {
            project,
            id,
            held: PathSet::new(&written, held.mode)?,
            name,
            instance_id,
            reason: prose("reason", reason)?,
            task,
            created_at,
            expires_at,
            lease_time: lease,
        })
    }
}

/// A lease, and when its holder was last heard of: every call of the holder renews it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLease {
    /// The lease as it was last written.
    pub lease: Lease,
    /// When the holder was last heard of; `None` where its instance is not known.
    pub last_seen: Option<Timestamp>,
}

impl HeldLease {
    /// When it ends, if its holder is not heard of again.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        let Lease { expires_at, lease_time, .. } = &self.lease;
        self.last_seen.map_or(*expires_at, |seen| seen.plus(lease_time.get()).max(*expires_at))
    }

    /// The lease with the time at which it really ends.
    #[must_use]
    pub fn into_lease(self) -> Lease {
        let expires_at = self.ends_at();
        Lease { expires_at, ..self.lease }
    }
}

/// A path that is wanted and held, and by which lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HeldPath {
    /// The path as it was asked for.
    pub path: PathPattern,
    /// The lease that holds it.
    pub lease: Lease,
}

/// Which paths can be taken, and which are held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PathCheck {
    /// Those that no other agent's lease overlaps.
    pub free: Vec<PathPattern>,
    /// The others, once for each lease.
    pub held: Vec<HeldPath>,
}

/// An agent that waits for paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WaitingFor {
    /// The path that it waits for.
    pub path: PathPattern,
    /// Its name.
    pub name: AgentName,
}

/// How often leases are looked at that have ended: this, and what a crash can lose of a holder's activity, are less than the
/// five seconds in which a lease has to end.
pub const EXPIRY_INTERVAL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn set(paths: &[&str], mode: LeaseMode) -> PathSet {
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        PathSet::new(&paths, mode).unwrap()
    }

    #[test]
    fn paths_conflict_unless_both_are_shared() {
        use LeaseMode::{Exclusive, Shared};
        let count = |own: LeaseMode, other: LeaseMode| {
            set(&["src/a", "docs"], own).conflicts(&set(&["src/*", "docs/x"], other)).count()
        };
        assert_eq!(count(Shared, Shared), 0);
        assert_eq!(count(Shared, Exclusive), 2);
        assert_eq!(count(Exclusive, Shared), 2);
        assert_eq!(set(&["src/a"], Exclusive).conflicts(&set(&["src/b"], Exclusive)).count(), 0);
    }

    #[test]
    fn the_paths_of_a_lease_are_bounded_and_each_is_there_once() {
        let said = |paths: &[String]| PathSet::new(paths, LeaseMode::Shared).unwrap_err().to_string();
        assert_eq!(said(&[]), "paths is required: at least one path");
        assert_eq!(said(&vec!["a".to_owned(); 101]), "101 paths were given, at most 100 are allowed");
        let long = vec!["x".repeat(1024); 17];
        assert_eq!(said(&long), "the paths are 17408 bytes long together, at most 16384 are allowed");
        let once = PathSet::new(&["./a".to_owned(), "a".to_owned()], LeaseMode::Shared).unwrap();
        assert_eq!(once.paths.len(), 1);
    }
}
