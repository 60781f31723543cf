//! The two verbs of a backend, on the one connection that writes.
//!
//! Optimistic first: facts come from memory and from single statements, and one statement compares `log_head.seq` and writes.
//! When another server was faster, the core asks again with the row locked: what the other servers have changed is forgotten,
//! and no one can be faster then.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use koor_core::{
    domain::events::{Event, EventFilter},
    ids::{Cursor, DocumentKey, EventId, RunId, UsageId},
    pattern::TopicFilter,
    ports::{
        Backend, Basis, Change, Ends, EventLog as _, FactSet, Facts, Outcome, Point, StoreError, StoreResult,
    },
};

use crate::{
    batch::{Batch, CommitId},
    conn::{Conn, Row},
    known::{Heads, LastCommit, LogHead},
    rows::{audit, events, state},
    snapshot::Snapshot,
    statement::Statement,
};

macro_rules! head {
    () => {
        "SELECT seq, last_event, pruned_user, pruned_system, last_audit, audit_hash, last_key, last_run, last_usage \
         FROM log_head"
    };
}

const SELECT_HEAD: &str = head!();
const LOCK_HEAD: &str = concat!("BEGIN; ", head!(), " FOR UPDATE");
const SELECT_COMMITS: &str = "SELECT seq, key_ids FROM commit_log WHERE seq > $1 AND seq <= $2";
const SELECT_SEQ: &str = "SELECT seq FROM log_head";
const FIND_COMMIT: &str = "SELECT seq FROM commit_log WHERE server = $1 AND batch = $2";
const PROBE: &str =
    "INSERT INTO write_probe (at) VALUES (now()) ON CONFLICT (one) DO UPDATE SET at = excluded.at";
const FORGET_COMMITS: &str = "DELETE FROM commit_log WHERE at < now() - interval '1 hour'";

/// Counts as a commit of a batch that no one looks for.
const MOVE_ON: &str = "WITH head AS (UPDATE log_head SET seq = seq + 1 WHERE one RETURNING seq, last_event) \
    INSERT INTO commit_log (seq, server, batch, last_event, key_ids) SELECT seq, $1, 0, last_event, '{}' FROM head";

/// The pauses before each look for a commit whose answer never came: a failover takes some seconds.
const RESOLVE_PAUSES: [Duration; 8] = [
    Duration::ZERO,
    Duration::from_millis(100),
    Duration::from_millis(400),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(3),
    Duration::from_secs(4),
    Duration::from_secs(5),
];

/// After so many commits, the old rows of `commit_log` are deleted.
const FORGET_EVERY: u32 = 1024;

/// Events of other servers that are read at a time.
const EVENT_PAGE: usize = 1024;

/// More commits of other servers than this are not looked at one by one: what is known is forgotten as a whole.
const MAX_MISSED: i64 = 10_000;

/// The write half of the store.
pub(crate) struct PostgresBackend {
    conn: Conn,
    server: [u8; 16],
    /// For the follower, which has to know whether the database still has it.
    last_commit: Arc<LastCommit>,
    /// How many commits were tried.
    batch: i64,
    /// What was true at the last commit that is known; `None` before the first.
    head: Option<LogHead>,
    heads: Heads,
    /// Whether a transaction is open that holds the lock on `log_head`.
    locked: bool,
    /// The connection that all this is known from.
    generation: u64,
    since_forgotten: u32,
}

fn read_log_head(row: Row<'_>) -> StoreResult<LogHead> {
    Ok(LogHead {
        seq: row.get("seq")?,
        ends: Ends {
            log: events::read_bounds(row)?,
            audit: audit::read_head(row)?,
            run: row.number_or_none("last_run", RunId::new)?,
            usage: row.number_or_none("last_usage", UsageId::new)?,
        },
        last_key: row.get("last_key")?,
    })
}

fn no_head() -> StoreError {
    StoreError::Corrupt { place: "table log_head: it has no row".into(), source: None }
}

fn point(head: &LogHead) -> Point {
    Point(head.seq.unsigned_abs())
}

impl PostgresBackend {
    /// A backend on that connection, for the server of that id.
    pub(crate) fn new(conn: Conn, server: [u8; 16], last_commit: Arc<LastCommit>) -> Self {
        Self {
            conn,
            server,
            last_commit,
            batch: 0,
            head: None,
            heads: Heads::default(),
            locked: false,
            generation: 0,
            since_forgotten: 0,
        }
    }

    /// Closes the connection.
    pub(crate) fn close(self) {
        self.conn.close();
    }

    /// Forgets everything: on another connection, the log may be another one.
    fn forget(&mut self) {
        (self.head, self.locked) = (None, false);
        self.heads.clear();
    }

    /// Connects, if there is no connection.
    fn connect(&mut self) -> StoreResult<()> {
        self.conn.begin_anew();
        self.conn.connect()?;
        if self.conn.generation() != self.generation {
            self.generation = self.conn.generation();
            self.forget();
        }
        Ok(())
    }

    /// The head that the facts are based on.
    fn basis(&mut self, basis: Basis) -> StoreResult<LogHead> {
        match (basis, self.head) {
            (Basis::Newest, Some(head)) => Ok(head),
            (Basis::Locked, Some(head)) if self.locked => Ok(head),
            (Basis::Newest, None) => {
                let statement = Statement::new("read the head of the log", SELECT_HEAD);
                let head = self.conn.row(statement, "log_head", read_log_head)?.ok_or_else(no_head)?;
                self.head = Some(head);
                Ok(head)
            }
            (Basis::Locked, _) => self.lock(),
        }
    }

    /// Locks the head, and learns what the other servers have done.
    fn lock(&mut self) -> StoreResult<LogHead> {
        let lock = LOCK_HEAD.to_owned();
        let head = self.conn.script("lock the head of the log", lock, "log_head", read_log_head)?;
        self.locked = true;
        let head = head.into_iter().next().ok_or_else(no_head)?;
        // In a statement of its own: one that waits for a lock sees everything else as it was before the wait.
        self.catch_up(&head)?;
        self.head = Some(head);
        Ok(head)
    }

    /// Forgets the keys that other servers have changed since.
    fn catch_up(&mut self, to: &LogHead) -> StoreResult<()> {
        let Some(known) = self.head else {
            self.heads.clear();
            return Ok(());
        };
        if known.seq == to.seq {
            return Ok(());
        }
        let missed = to.seq - known.seq;
        let commits = if (0..=MAX_MISSED).contains(&missed) {
            let statement = Statement::new("read the commits of other servers", SELECT_COMMITS);
            self.conn.rows(statement.bind(known.seq).bind(to.seq), "commit_log", |row| {
                row.get::<Vec<i64>>("key_ids")
            })?
        } else {
            Vec::new()
        };
        if i64::try_from(commits.len()) != Ok(missed) {
            self.heads.clear();
            return Ok(());
        }
        for id in commits.into_iter().flatten() {
            self.heads.forget(id);
        }
        Ok(())
    }

    /// Learns the heads of keys that are not known; those that are not there stay unknown.
    fn learn_heads<'k>(&mut self, keys: impl Iterator<Item = &'k DocumentKey>) -> StoreResult<()> {
        let unknown: Vec<_> = keys.filter(|key| self.heads.get(key).is_none()).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        for (key, head) in state::heads(&mut self.conn, unknown.into_iter())? {
            self.heads.put(key, head);
        }
        Ok(())
    }

    fn look_up(&mut self, wanted: &FactSet, basis: Basis) -> StoreResult<Facts> {
        let head = self.basis(basis)?;
        self.learn_heads(wanted.revisions.iter())?;
        let Self { conn, heads, .. } = self;
        let mut snapshot = Snapshot { conn };
        let newest = |_: &mut Snapshot<'_>, key: &_| Ok(heads.get(key).and_then(|head| head.newest.clone()));
        let mut facts = wanted.look_up(&mut snapshot, newest)?;
        (facts.point, facts.ends) = (point(&head), head.ends);
        Ok(facts)
    }

    fn write(&mut self, at: Point, changes: &[Change]) -> StoreResult<Outcome> {
        let same_log = self.conn.is_connected() && self.conn.generation() == self.generation;
        let Some(head) = self.head.filter(|head| same_log && point(head) == at) else {
            return Ok(Outcome::Stale);
        };
        self.conn.begin_anew();
        if changes.is_empty() {
            return self.is_newest(&head);
        }
        self.learn_heads(Batch::keys(changes))?;
        let batch = Batch::of(changes, head, &self.heads);
        self.batch += 1;
        let id = CommitId { server: &self.server, batch: self.batch };
        let conn = &mut self.conn;
        conn.begin_anew();
        let written = if batch.is_one_statement() && !self.locked {
            batch.write_rest(conn, id)?
        } else {
            if !self.locked {
                let lock = format!("BEGIN; SELECT seq FROM log_head WHERE seq = {} FOR UPDATE", head.seq);
                if conn
                    .script("lock the head of the log", lock, "log_head", |row| row.get::<i64>("seq"))?
                    .is_empty()
                {
                    conn.roll_back();
                    return Ok(Outcome::Stale);
                }
                self.locked = true;
            }
            batch.write_plain(conn)?;
            let written = batch.write_rest(conn, id)?;
            conn.script("commit", "COMMIT".to_owned(), "", |_| Ok(()))?;
            self.locked = false;
            written
        };
        if !written {
            return Ok(Outcome::Stale);
        }
        let head = batch.committed(&mut self.heads);
        self.last_commit.set(head.seq, self.batch);
        self.head = Some(head);
        self.since_forgotten += 1;
        Ok(Outcome::Committed)
    }

    fn is_newest(&mut self, head: &LogHead) -> StoreResult<Outcome> {
        let statement = Statement::new("read the head of the log", SELECT_SEQ);
        let seq = self.conn.row(statement, "log_head", |row| row.get::<i64>("seq"))?;
        Ok(if seq == Some(head.seq) { Outcome::Committed } else { Outcome::Stale })
    }

    fn end_transaction(&mut self) {
        if std::mem::take(&mut self.locked) {
            self.conn.roll_back();
        }
        self.conn.begin_anew();
    }
}

/// How a commit whose answer never came turned out.
enum Found {
    /// It is there.
    Committed,
    /// It is not, and never will be.
    Absent,
}

impl PostgresBackend {
    /// Finds out what became of a commit whose answer never came. Where it is not there, moves the head on: a statement that
    /// still waits for the lock finds another `seq` than it expects.
    fn resolve(&mut self) -> StoreResult<Outcome> {
        self.forget();
        for pause in RESOLVE_PAUSES {
            std::thread::sleep(pause);
            match self.look_for_commit() {
                Ok(Found::Committed) => {
                    tracing::info!("the commit whose answer was lost is there");
                    return Ok(Outcome::Committed);
                }
                Ok(Found::Absent) => return Ok(Outcome::Stale),
                Err(error) => tracing::debug!(%error, "cannot find out yet what became of a commit"),
            }
            self.conn.roll_back();
        }
        Err(StoreError::Unresolved)
    }

    fn look_for_commit(&mut self) -> StoreResult<Found> {
        let Self { conn, server, batch, .. } = self;
        conn.begin_anew();
        // First the lock: what holds it may be the commit that is looked for.
        conn.script("lock the head of the log", LOCK_HEAD.to_owned(), "log_head", read_log_head)?;
        let find = Statement::new("look for a commit", FIND_COMMIT).bind(server.as_slice()).bind(*batch);
        if conn.row(find, "commit_log", |row| row.get::<i64>("seq"))?.is_some() {
            conn.roll_back();
            return Ok(Found::Committed);
        }
        conn.execute(Statement::new("move the head of the log on", MOVE_ON).bind(server.as_slice()))?;
        conn.script("commit", "COMMIT".to_owned(), "", |_| Ok(()))?;
        Ok(Found::Absent)
    }
}

#[async_trait]
impl Backend for PostgresBackend {
    async fn fetch(&mut self, wanted: &FactSet, basis: Basis) -> StoreResult<Facts> {
        let mut facts = self.connect().and_then(|()| self.look_up(wanted, basis));
        if facts.is_err() && !self.conn.is_connected() {
            // Once more: the connection may have been gone for long. Nothing was written.
            self.forget();
            facts = self.connect().and_then(|()| self.look_up(wanted, basis));
        }
        if facts.is_err() {
            self.end_transaction();
        }
        facts
    }

    async fn commit(&mut self, at: Point, changes: &[Change]) -> StoreResult<Outcome> {
        let tried = self.batch;
        let written = self.write(at, changes);
        match written {
            Ok(Outcome::Committed) => written,
            Err(_) if self.batch > tried && !self.conn.is_connected() => self.resolve(),
            Ok(Outcome::Stale) | Err(_) => {
                self.end_transaction();
                written
            }
        }
    }

    async fn events_between(&mut self, after: Cursor, before: EventId) -> StoreResult<Vec<Event>> {
        let everything = EventFilter { topics: TopicFilter::everything(), ..EventFilter::default() };
        let page = Snapshot { conn: &mut self.conn }.events_after(after, &everything, EVENT_PAGE);
        self.conn.begin_anew();
        let mut events = page?.events;
        events.truncate(events.partition_point(|event| event.id < before));
        Ok(events)
    }

    async fn rollback(&mut self) {
        self.end_transaction();
    }

    async fn probe(&mut self) -> StoreResult<()> {
        let probe = |conn: &mut Conn| conn.execute(Statement::new("try to write", PROBE)).map(drop);
        let probed = self.connect().and_then(|()| probe(&mut self.conn));
        self.conn.begin_anew();
        probed
    }

    fn has_other_writers(&self) -> bool {
        true
    }

    async fn tend(&mut self) -> bool {
        if self.since_forgotten < FORGET_EVERY {
            return false;
        }
        self.since_forgotten = 0;
        if let Err(error) = self.conn.execute(Statement::new("forget old commits", FORGET_COMMITS)) {
            tracing::warn!(%error, "cannot delete old rows of commit_log; trying again later");
        }
        self.conn.begin_anew();
        false
    }
}
