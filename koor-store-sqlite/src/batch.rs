//! What the jobs of one commit have written, and not yet all of it to the database.
//!
//! Everything here is gone when the batch is: the writer takes over heads and ends only after COMMIT.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use koor_core::{
    domain::{
        audit::{AuditHead, ChainedEntry},
        events::Event,
        state::Document,
    },
    ids::{DocumentKey, Version},
    ports::StoreResult,
};

use crate::{
    conn::{Conn, Statement, int, limit},
    heads::{Head, Heads, Tails, text_bytes},
    recent::Mark,
    rows::{audit, events, state},
    script::{MOST_ROWS, Scripts, Shape, TABLES, room},
    tx::Part,
};

/// More than this is not held back: it goes to the database, and the batch takes on no more jobs.
pub(crate) const MAX_BATCH_BYTES: usize = 8 << 20;

const BEGIN: &str = "BEGIN IMMEDIATE";
const COMMIT: &str = "COMMIT";
const ROLLBACK: &str = "ROLLBACK";

/// A key that is yet to be inserted.
pub(crate) struct NewKey {
    pub(crate) id: i64,
    pub(crate) key: DocumentKey,
    pub(crate) live: bool,
}

/// Rows of the hot tables that are yet to be inserted.
#[derive(Default)]
struct Pending {
    keys: Vec<NewKey>,
    versions: Vec<(i64, Arc<Document>)>,
    live: BTreeMap<i64, bool>,
    trims: BTreeMap<i64, Version>,
    /// The events of the whole batch, of which so many are inserted already: the observer wants all of them.
    events: Vec<Event>,
    events_done: usize,
    audit: Vec<ChainedEntry>,
}

/// One transaction and the jobs in it.
pub(crate) struct Batch<'w> {
    lasting: &'w mut Heads,
    scripts: &'w mut Scripts,
    heads: HashMap<DocumentKey, Head>,
    pub(crate) tails: Tails,
    pending: Pending,
    /// For the cache: the versions written, while there is room for them; else only their keys.
    written: Vec<Arc<Document>>,
    outgrown: Vec<DocumentKey>,
    audited: Vec<Mark>,
    buffered: usize,
    bytes: usize,
    begun: bool,
    /// Whether the job that is running has written anything.
    pub(crate) dirty: bool,
}

/// What a batch leaves to those who learn of it once it is durable.
pub(crate) struct Committed {
    pub(crate) tails: Tails,
    pub(crate) events: Vec<Event>,
    pub(crate) written: Vec<Arc<Document>>,
    pub(crate) outgrown: Vec<DocumentKey>,
    pub(crate) audited: Vec<Mark>,
    /// Whether anything was written at all.
    pub(crate) wrote: bool,
}

impl<'w> Batch<'w> {
    pub(crate) fn new(lasting: &'w mut Heads, scripts: &'w mut Scripts, tails: Tails) -> Self {
        Self {
            lasting,
            scripts,
            heads: HashMap::new(),
            tails,
            pending: Pending::default(),
            written: Vec::new(),
            outgrown: Vec::new(),
            audited: Vec::new(),
            buffered: 0,
            bytes: 0,
            begun: false,
            dirty: false,
        }
    }

    /// Whether it holds so much that it should be committed before another job is taken on.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes > MAX_BATCH_BYTES
    }

    /// Opens the transaction, where it isn't open yet, for a job that writes.
    pub(crate) fn begin(&mut self, conn: &mut Conn) -> StoreResult<()> {
        conn.check()?;
        self.dirty = true;
        if !self.begun {
            conn.execute(Statement::new("begin a transaction", BEGIN))?;
            self.begun = true;
        }
        Ok(())
    }

    /// What is known of a key, asking the database at most once.
    pub(crate) fn head(&mut self, conn: &mut Conn, key: &DocumentKey) -> StoreResult<Head> {
        conn.check()?;
        if let Some(head) = self.heads.get(key) {
            return Ok(head.clone());
        }
        if let Some(head) = self.lasting.get(key) {
            return Ok(head);
        }
        // This batch has not written to the key, so what is found is durable, whatever becomes of the batch.
        let head = state::head(conn, key)?;
        self.lasting.put(key.clone(), head.clone());
        Ok(head)
    }

    pub(crate) fn append_document(&mut self, conn: &mut Conn, document: &Document) -> StoreResult<()> {
        let head = self.head(conn, &document.key)?;
        self.dirty = true;
        let live = !document.revision.deleted;
        let key_id = if let Some(key_id) = head.key_id {
            if head.newest.is_some_and(|newest| !newest.deleted) != live {
                self.pending.live.insert(key_id, live);
            }
            key_id
        } else {
            self.tails.key_id += 1;
            let id = self.tails.key_id;
            self.pending.keys.push(NewKey { id, key: document.key.clone(), live });
            id
        };
        let newest = Some(document.revision.clone());
        self.heads.insert(document.key.clone(), Head { key_id: Some(key_id), newest });
        let document = Arc::new(document.clone());
        self.pending.versions.push((key_id, document.clone()));
        let bytes = document.value.len() + text_bytes(&document.key);
        self.written.push(document);
        self.grow(conn, bytes)
    }

    pub(crate) fn trim_document(
        &mut self,
        conn: &mut Conn,
        key: &DocumentKey,
        first_kept: Version,
    ) -> StoreResult<()> {
        let head = self.head(conn, key)?;
        let (Some(key_id), Some(newest)) = (head.key_id, head.newest) else { return Ok(()) };
        self.dirty = true;
        let first_kept = first_kept.min(newest.version);
        let trim = self.pending.trims.entry(key_id).or_insert(first_kept);
        *trim = first_kept.max(*trim);
        Ok(())
    }

    pub(crate) fn append_event(&mut self, conn: &mut Conn, event: &Event) -> StoreResult<()> {
        conn.check()?;
        self.dirty = true;
        self.tails.bounds.last = event.id.into();
        let bytes = event.data.as_str().len() + event.topic.as_str().len() + event.source.len();
        self.pending.events.push(event.clone());
        self.grow(conn, bytes)
    }

    pub(crate) fn append_audit(&mut self, conn: &mut Conn, entry: &ChainedEntry) -> StoreResult<()> {
        conn.check()?;
        self.dirty = true;
        self.tails.audit = Some(AuditHead { id: entry.entry.id, hash: entry.hash });
        let bytes = entry.entry.detail.len() + entry.entry.resource.len();
        self.audited.push(Mark::of(&entry.entry));
        self.pending.audit.push(entry.clone());
        self.grow(conn, bytes)
    }

    /// Takes note of so many more bytes; sends everything on when they are too many to hold.
    fn grow(&mut self, conn: &mut Conn, bytes: usize) -> StoreResult<()> {
        self.buffered += bytes;
        self.bytes += bytes;
        if self.buffered > MAX_BATCH_BYTES {
            self.send(conn, &[Part::Documents, Part::Events, Part::Audit], false)?;
            self.outgrown.extend(self.written.drain(..).map(|document| document.key.clone()));
            self.buffered = 0;
        }
        Ok(())
    }

    /// Inserts what is held back of a part.
    pub(crate) fn flush(&mut self, conn: &mut Conn, part: Part) -> StoreResult<()> {
        self.send(conn, &[part], false)
    }

    /// Inserts everything that is held back, and commits.
    pub(crate) fn commit(mut self, conn: &mut Conn) -> StoreResult<Committed> {
        self.send(conn, &[Part::Documents, Part::Events, Part::Audit], true)?;
        for (key, head) in self.heads {
            self.lasting.put(key, head);
        }
        Ok(Committed {
            tails: self.tails,
            events: self.pending.events,
            written: self.written,
            outgrown: self.outgrown,
            audited: self.audited,
            wrote: self.begun,
        })
    }

    fn send(&mut self, conn: &mut Conn, parts: &[Part], commit: bool) -> StoreResult<()> {
        conn.check()?;
        loop {
            let pending = &self.pending;
            let mut counts = [0; TABLES.len()];
            if parts.contains(&Part::Documents) {
                counts[0] = pending.keys.len();
                counts[1] = pending.versions.len();
            }
            if parts.contains(&Part::Events) {
                counts[2] = pending.events.len() - pending.events_done;
            }
            if parts.contains(&Part::Audit) {
                counts[3] = pending.audit.len();
            }
            let last = counts.iter().all(|count| *count <= MOST_ROWS);
            let rows = counts.map(|count| count.min(MOST_ROWS));
            // Keys and versions that wait for their turn must be there before they are changed.
            let change = last && parts.contains(&Part::Documents);
            let shape = Shape {
                begin: !self.begun,
                rooms: rows.map(room),
                live: change && !pending.live.is_empty(),
                trim: change && !pending.trims.is_empty(),
                commit: commit && last,
            };
            let nothing = rows == [0; TABLES.len()] && !shape.live && !shape.trim;
            if nothing && (!self.begun || !commit) {
                return Ok(());
            }
            if nothing {
                conn.execute(Statement::new("commit", COMMIT))?;
                return Ok(());
            }
            let text = self.scripts.text(shape);
            let attempted = if shape.commit { "commit" } else { "write what a batch holds" };
            let mut statement = Statement::assembled(attempted, text);
            self.pending.bind(&mut statement, &rows, shape);
            // Even where it fails: then there may be something to roll back.
            self.begun = true;
            conn.execute(statement)?;
            if last {
                return Ok(());
            }
        }
    }
}

/// Undoes everything, after which the connection is as good as new; answers whether it had failed for want of room.
pub(crate) fn roll_back(conn: &mut Conn) -> Option<&'static str> {
    let trouble = conn.trouble();
    conn.begin_anew();
    // Always: a failing COMMIT may leave the transaction open. Or else a failure has rolled it back already, and then
    // this fails.
    if let Err(error) = conn.execute(Statement::new("roll back", ROLLBACK)) {
        tracing::debug!(%error, "nothing left to roll back");
    }
    conn.begin_anew();
    trouble
}

impl Pending {
    /// Binds, in the order of the shape's text, and takes out what it binds.
    fn bind(&mut self, statement: &mut Statement, rows: &[usize; TABLES.len()], shape: Shape) {
        for (index, count) in rows.iter().copied().enumerate() {
            match index {
                0 => {
                    for new in self.keys.drain(..count) {
                        state::bind_key(statement, &new);
                    }
                }
                1 => {
                    for (key_id, document) in self.versions.drain(..count) {
                        state::bind_version(statement, key_id, &document);
                    }
                }
                2 => {
                    for event in &self.events[self.events_done..self.events_done + count] {
                        events::bind(statement, event);
                    }
                    self.events_done += count;
                }
                _ => {
                    for entry in self.audit.drain(..count) {
                        audit::bind(statement, &entry);
                    }
                }
            }
            let room = shape.rooms[index];
            if room > 1 {
                for _ in 0..(room - count) * TABLES[index].columns {
                    statement.push(None::<i64>);
                }
                statement.push(limit(count));
            }
            if index == 1 && shape.live {
                let live = std::mem::take(&mut self.live);
                statement.push(pairs(live.into_iter().map(|(id, live)| (id, i64::from(live)))));
            }
            if index == 1 && shape.trim {
                let trims = std::mem::take(&mut self.trims);
                statement.push(pairs(trims.into_iter().map(|(id, first)| (id, int(first.get())))));
            }
        }
    }
}

/// A JSON array of pairs.
fn pairs(pairs: impl Iterator<Item = (i64, i64)>) -> String {
    let pairs: Vec<String> = pairs.map(|(left, right)| format!("[{left},{right}]")).collect();
    format!("[{}]", pairs.join(","))
}
