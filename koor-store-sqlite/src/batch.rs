//! The changes of one commit on their way into the database.
//!
//! Rows of the hot tables are held back and inserted many at a time; everything else is written as it comes. Everything
//! here is gone when the commit fails: the backend takes over what has become durable only after COMMIT.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use koor_core::{
    domain::{audit::ChainedEntry, events::Event, state::Document, usage::UsageRecord},
    ids::{DocumentKey, Version},
    ports::{Change, DocumentChange, EventChange, RunChange, StoreResult},
};

use crate::{
    audit_tail::FieldHashes,
    batch_sql::{BatchShape, BatchTexts, MOST_ROWS, TABLES, row_slots},
    conn::{Conn, Statement, int, limit},
    revision_cache::{LogTails, RevisionCache, text_bytes},
    rows::{
        audit, budgets, compliance, events, instances, leases, messages, metrics, rules,
        state::{self, Head, NewKey},
        tasks, templates, usage, webhooks,
    },
};

/// More bytes than this are not held back: they go to the database, and the transaction goes on.
const MAX_HELD_BYTES: usize = 8 << 20;

const BEGIN: &str = "BEGIN IMMEDIATE";
const COMMIT: &str = "COMMIT";
const ROLLBACK: &str = "ROLLBACK";

/// Rows of the hot tables that are yet to be inserted.
#[derive(Default)]
struct Pending<'c> {
    keys: Vec<NewKey<'c>>,
    versions: Vec<(i64, &'c Document)>,
    live: BTreeMap<i64, bool>,
    trims: BTreeMap<i64, Version>,
    events: Vec<&'c Event>,
    audit: Vec<&'c ChainedEntry>,
    usage: Vec<&'c UsageRecord>,
}

/// One transaction.
pub(crate) struct Batch<'w, 'c> {
    known: &'w mut RevisionCache,
    texts: &'w mut BatchTexts,
    heads: HashMap<&'c DocumentKey, Head>,
    tails: LogTails,
    pending: Pending<'c>,
    written: Vec<&'c Arc<Document>>,
    audited: Vec<FieldHashes>,
    held_bytes: usize,
    begun: bool,
}

/// What has become durable.
pub(crate) struct Written<'c> {
    pub(crate) tails: LogTails,
    pub(crate) documents: Vec<&'c Arc<Document>>,
    pub(crate) audited: Vec<FieldHashes>,
}

impl<'w, 'c> Batch<'w, 'c> {
    pub(crate) fn new(known: &'w mut RevisionCache, texts: &'w mut BatchTexts, tails: LogTails) -> Self {
        Self {
            known,
            texts,
            heads: HashMap::new(),
            tails,
            pending: Pending::default(),
            written: Vec::new(),
            audited: Vec::new(),
            held_bytes: 0,
            begun: false,
        }
    }

    /// Makes a change, or holds it back until the commit.
    pub(crate) fn add(&mut self, conn: &mut Conn, change: &'c Change) -> StoreResult<()> {
        match change {
            Change::Document(DocumentChange::Append(document)) => self.append_document(conn, document),
            Change::Document(DocumentChange::Trim { key, first_kept }) => {
                self.trim_document(conn, key, *first_kept)
            }
            Change::Event(EventChange::Append(event) | EventChange::Restore(event)) => {
                self.tails.ends.log.last = event.id.into();
                self.pending.events.push(event);
                self.hold(conn, event.data.as_str().len() + event.topic.as_str().len() + event.source.len())
            }
            Change::Event(EventChange::SetPruned { user, system }) => {
                events::set_pruned(self.begin(conn)?, &mut self.tails.ends.log, *user, *system)
            }
            Change::Event(EventChange::Prune { class, through }) => {
                events::prune(self.begin(conn)?, &mut self.tails.ends.log, *class, *through)
            }
            Change::AppendAudit(chained) => {
                self.tails.ends.audit = Some(chained.head());
                self.audited.push(FieldHashes::of(&chained.entry));
                self.pending.audit.push(chained);
                self.hold(conn, chained.entry.detail.len() + chained.entry.resource.len())
            }
            Change::Instance(change) => instances::write(self.begin(conn)?, change),
            Change::Rule(change) => rules::write(self.begin(conn)?, change),
            Change::Webhook(change) => webhooks::write(self.begin(conn)?, change),
            Change::Run(change) => {
                if let RunChange::Append(run) = change {
                    self.tails.ends.run = Some(run.id);
                }
                compliance::write(self.begin(conn)?, change)
            }
            Change::Template(change) => templates::write(self.begin(conn)?, change),
            Change::Task(change) => tasks::write(self.begin(conn)?, change),
            Change::Lease(change) => leases::write(self.begin(conn)?, change),
            Change::Message(change) => messages::write(self.begin(conn)?, change),
            Change::AddMetric(row) => metrics::add(self.begin(conn)?, row),
            Change::AppendUsage(record) => {
                self.tails.ends.usage = Some(record.id);
                self.pending.usage.push(record);
                self.hold(conn, record.request_id.len() + record.model.len() + record.session.len())
            }
            Change::AttributeUsage(record) => {
                // What waits to be inserted must be there before it is changed.
                if !self.pending.usage.is_empty() {
                    self.send(conn, false)?;
                }
                usage::attribute(self.begin(conn)?, record)
            }
            Change::PutSession(session) => usage::put_session(self.begin(conn)?, session),
            Change::Budget(change) => budgets::write(self.begin(conn)?, change),
        }
    }

    /// The connection, with the transaction open.
    fn begin<'k>(&mut self, conn: &'k mut Conn) -> StoreResult<&'k mut Conn> {
        if !self.begun {
            conn.execute(Statement::new("begin a transaction", BEGIN))?;
            self.begun = true;
        }
        Ok(conn)
    }

    /// What is known of a key, asking the database at most once.
    fn head(&mut self, conn: &mut Conn, key: &DocumentKey) -> StoreResult<Head> {
        if let Some(head) = self.heads.get(key) {
            return Ok(head.clone());
        }
        // This batch has not written to the key, so what is found is durable, whatever becomes of the batch.
        self.known.head(conn, key)
    }

    fn append_document(&mut self, conn: &mut Conn, document: &'c Arc<Document>) -> StoreResult<()> {
        let head = self.head(conn, &document.key)?;
        let live = !document.revision.deleted;
        let key_id = if let Some(key_id) = head.key_id {
            if head.newest.is_some_and(|newest| !newest.deleted) != live {
                self.pending.live.insert(key_id, live);
            }
            key_id
        } else {
            self.tails.key_id += 1;
            let id = self.tails.key_id;
            self.pending.keys.push(NewKey { id, key: &document.key, live });
            id
        };
        let newest = Some(document.revision.clone());
        self.heads.insert(&document.key, Head { key_id: Some(key_id), newest });
        self.pending.versions.push((key_id, document));
        self.written.push(document);
        self.hold(conn, document.value.len() + text_bytes(&document.key))
    }

    fn trim_document(&mut self, conn: &mut Conn, key: &DocumentKey, first_kept: Version) -> StoreResult<()> {
        let head = self.head(conn, key)?;
        let (Some(key_id), Some(newest)) = (head.key_id, head.newest) else { return Ok(()) };
        let first_kept = first_kept.min(newest.version);
        let trim = self.pending.trims.entry(key_id).or_insert(first_kept);
        *trim = first_kept.max(*trim);
        Ok(())
    }

    /// Takes note of so many more bytes; sends everything on when they are too many to hold.
    fn hold(&mut self, conn: &mut Conn, bytes: usize) -> StoreResult<()> {
        self.held_bytes += bytes;
        if self.held_bytes > MAX_HELD_BYTES {
            self.send(conn, false)?;
            self.held_bytes = 0;
        }
        Ok(())
    }

    /// Inserts everything that is held back, and commits.
    pub(crate) fn commit(mut self, conn: &mut Conn) -> StoreResult<Written<'c>> {
        self.send(conn, true)?;
        for (key, head) in self.heads {
            self.known.put(key.clone(), head);
        }
        Ok(Written { tails: self.tails, documents: self.written, audited: self.audited })
    }

    fn send(&mut self, conn: &mut Conn, commit: bool) -> StoreResult<()> {
        loop {
            let pending = &self.pending;
            let counts = [
                pending.keys.len(),
                pending.versions.len(),
                pending.events.len(),
                pending.audit.len(),
                pending.usage.len(),
            ];
            let last = counts.iter().all(|count| *count <= MOST_ROWS);
            let rows = counts.map(|count| count.min(MOST_ROWS));
            let shape = BatchShape {
                begin: !self.begun,
                row_slots: rows.map(row_slots),
                // Keys and versions that wait for their turn must be there before they are changed.
                live: last && !pending.live.is_empty(),
                trim: last && !pending.trims.is_empty(),
                commit: commit && last,
            };
            let nothing = rows == [0; TABLES.len()] && !shape.live && !shape.trim;
            if nothing && (!self.begun || !commit) {
                return Ok(());
            }
            if nothing {
                return conn.execute(Statement::new("commit", COMMIT)).map(drop);
            }
            let text = self.texts.text(shape);
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

/// Undoes everything, after which the connection is as good as new.
pub(crate) fn roll_back(conn: &mut Conn) {
    conn.begin_anew();
    // Always: a failing COMMIT may leave the transaction open. Or else a failure has rolled it back already, and then
    // this fails.
    if let Err(error) = conn.execute(Statement::new("roll back", ROLLBACK)) {
        tracing::debug!(%error, "nothing left to roll back");
    }
    conn.begin_anew();
}

impl Pending<'_> {
    /// Binds, in the order of the shape's text, and takes out what it binds.
    fn bind(&mut self, statement: &mut Statement, rows: &[usize; TABLES.len()], shape: BatchShape) {
        for (index, count) in rows.iter().copied().enumerate() {
            match index {
                0 => self.keys.drain(..count).for_each(|new| state::bind_key(statement, &new)),
                1 => {
                    for (key_id, document) in self.versions.drain(..count) {
                        state::bind_version(statement, key_id, document);
                    }
                }
                2 => self.events.drain(..count).for_each(|event| events::bind(statement, event)),
                3 => self.audit.drain(..count).for_each(|entry| audit::bind(statement, entry)),
                _ => self.usage.drain(..count).for_each(|record| usage::bind(statement, record)),
            }
            let slots = shape.row_slots[index];
            if slots > 1 {
                for _ in 0..(slots - count) * TABLES[index].columns {
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
