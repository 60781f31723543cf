//! The changes of one commit on their way into the database.
//!
//! Rows of the hot tables travel as arrays, all in the one statement that also moves `log_head` on: a batch of nothing else
//! is one round trip. Changes of other tables are written by statements of their own before it, in order.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use koor_core::{
    domain::{
        audit::{AuditEntry, ChainedEntry},
        events::{Event, EventClass},
        state::{Document, Revision},
    },
    ids::{DocumentKey, Version},
    ports::{Change, DocumentChange, EventChange, RunChange, StoreResult},
};

use crate::{
    conn::{Conn, int},
    known::{Heads, LogHead},
    rows::{
        budgets, compliance, events, instances, leases, messages, metrics, rules,
        state::{Head, parts},
        tasks, templates, usage, webhooks,
    },
    statement::{Statement, escape},
};

/// Moves `log_head` on if no other server has, and inserts everything only then. Every part of one statement sees the tables as
/// they were before it, so what one part inserts, no other part may change.
const COMMIT: &str = "WITH head AS (\
    UPDATE log_head SET seq = seq + 1, last_event = $2, pruned_user = $3, pruned_system = $4, last_audit = $5, \
        audit_hash = $6, last_key = $7, last_run = $8, last_usage = $9 WHERE one AND seq = $1 RETURNING seq), \
    logged AS (INSERT INTO commit_log (seq, server, batch, last_event, key_ids) \
        SELECT seq, $10, $11, $2, $12 FROM head), \
    new_keys AS (INSERT INTO document_key (id, space, project, name, live) \
        SELECT * FROM unnest($13::bigint[], $14::smallint[], $15::text[], $16::text[], $17::boolean[]) \
        WHERE EXISTS (SELECT FROM head)), \
    changed_keys AS (UPDATE document_key SET live = changed.live \
        FROM unnest($18::bigint[], $19::boolean[]) AS changed (id, live) \
        WHERE document_key.id = changed.id AND EXISTS (SELECT FROM head)), \
    versions AS (INSERT INTO document_version \
        (key_id, version, deleted, size, updated_at, hash, content_type, updated_by, value) \
        SELECT * FROM unnest($20::bigint[], $21::bigint[], $22::boolean[], $23::bigint[], $24::bigint[], $25::bytea[], \
            $26::text[], $27::text[], $28::bytea[]) WHERE EXISTS (SELECT FROM head)), \
    trimmed AS (DELETE FROM document_version USING unnest($29::bigint[], $30::bigint[]) AS trim (key_id, first) \
        WHERE document_version.key_id = trim.key_id AND document_version.version < trim.first \
        AND EXISTS (SELECT FROM head)), \
    events AS (INSERT INTO event (id, system, topic, source, created_at, data) \
        SELECT * FROM unnest($31::bigint[], $32::boolean[], $33::text[], $34::text[], $35::bigint[], $36::text[]) \
        WHERE EXISTS (SELECT FROM head)), \
    audited AS (INSERT INTO audit_log (id, timestamp, actor, action, resource, outcome, hash, detail) \
        SELECT * FROM unnest($37::bigint[], $38::bigint[], $39::text[], $40::text[], $41::text[], $42::text[], \
            $43::bytea[], $44::text[]) WHERE EXISTS (SELECT FROM head)) \
    SELECT seq, pg_notify('koor_' || current_schema(), encode($10, 'hex'))::text AS notified FROM head";

/// Which commit this is, so that it is found again when the connection is lost before the answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CommitId<'s> {
    /// The server that commits.
    pub(crate) server: &'s [u8],
    /// Counts the commits that it has tried.
    pub(crate) batch: i64,
}

#[derive(Default)]
struct NewKeys<'c> {
    ids: Vec<i64>,
    spaces: Vec<i16>,
    projects: Vec<&'c str>,
    names: Vec<&'c str>,
    live: Vec<bool>,
}

/// The changes of one commit.
pub(crate) struct Batch<'c> {
    /// As the changes leave it, but for `seq`.
    after: LogHead,
    heads: HashMap<&'c DocumentKey, Head>,
    new_keys: NewKeys<'c>,
    /// Where in `new_keys` each new key is.
    places: HashMap<i64, usize>,
    live: HashMap<i64, bool>,
    versions: Vec<(i64, &'c Arc<Document>)>,
    trims: HashMap<i64, Version>,
    events: Vec<&'c Event>,
    audit: Vec<&'c ChainedEntry>,
    plain: Vec<&'c Change>,
}

impl<'c> Batch<'c> {
    /// Sorts the changes of a commit that comes after `head`. `heads` knows the head of each key that is changed, if it is
    /// there.
    pub(crate) fn of(changes: &'c [Change], head: LogHead, heads: &Heads) -> Self {
        let mut batch = Self {
            after: head,
            heads: HashMap::new(),
            new_keys: NewKeys::default(),
            places: HashMap::new(),
            live: HashMap::new(),
            versions: Vec::new(),
            trims: HashMap::new(),
            events: Vec::new(),
            audit: Vec::new(),
            plain: Vec::new(),
        };
        for change in changes {
            batch.add(change, heads);
        }
        batch
    }

    /// The keys whose heads a batch of these changes has to know.
    pub(crate) fn keys(changes: &[Change]) -> impl Iterator<Item = &DocumentKey> {
        changes.iter().filter_map(|change| match change {
            Change::Document(DocumentChange::Append(document)) => Some(&document.key),
            Change::Document(DocumentChange::Trim { key, .. }) => Some(key),
            _ => None,
        })
    }

    fn add(&mut self, change: &'c Change, known: &Heads) {
        let ends = &mut self.after.ends;
        match change {
            Change::Document(DocumentChange::Append(document)) => self.append_document(document, known),
            Change::Document(DocumentChange::Trim { key, first_kept }) => {
                self.trim_document(key, *first_kept, known);
            }
            Change::Event(EventChange::Append(event) | EventChange::Restore(event)) => {
                ends.log.last = event.id.into();
                self.events.push(event);
            }
            Change::Event(EventChange::SetPruned { user, system }) => ends.log.set_pruned(*user, *system),
            Change::Event(EventChange::Prune { class, through }) => {
                match class {
                    EventClass::User => ends.log.pruned_user = (*through).into(),
                    EventClass::System => ends.log.pruned_system = (*through).into(),
                }
                self.plain.push(change);
            }
            Change::AppendAudit(chained) => {
                ends.audit = Some(chained.head());
                self.audit.push(chained);
            }
            Change::Run(RunChange::Append(run)) => {
                ends.run = Some(run.id);
                self.plain.push(change);
            }
            Change::AppendUsage(record) => {
                ends.usage = Some(record.id);
                self.plain.push(change);
            }
            Change::Run(RunChange::Prune { .. })
            | Change::Instance(_)
            | Change::Rule(_)
            | Change::Webhook(_)
            | Change::Template(_)
            | Change::Task(_)
            | Change::Lease(_)
            | Change::Message(_)
            | Change::AttributeUsage(_)
            | Change::PutSession(_)
            | Change::Budget(_)
            | Change::AddMetric(_) => self.plain.push(change),
        }
    }

    fn head(&self, key: &DocumentKey, known: &Heads) -> Option<Head> {
        self.heads.get(key).or_else(|| known.get(key)).cloned()
    }

    fn append_document(&mut self, document: &'c Arc<Document>, known: &Heads) {
        let head = self.head(&document.key, known);
        let was_live =
            head.as_ref().and_then(|head| head.newest.as_ref()).is_some_and(|newest| !newest.deleted);
        let live = !document.revision.deleted;
        let key_id = if let Some(id) = head.and_then(|head| head.key_id) {
            match self.places.get(&id) {
                Some(place) => self.new_keys.live[*place] = live,
                None if was_live != live => drop(self.live.insert(id, live)),
                None => {}
            }
            id
        } else {
            self.after.last_key += 1;
            let id = self.after.last_key;
            let (space, project, name) = parts(&document.key);
            let keys = &mut self.new_keys;
            self.places.insert(id, keys.ids.len());
            keys.ids.push(id);
            keys.spaces.push(space);
            keys.projects.push(project);
            keys.names.push(name);
            keys.live.push(live);
            id
        };
        let newest = Some(document.revision.clone());
        self.heads.insert(&document.key, Head { key_id: Some(key_id), newest });
        self.versions.push((key_id, document));
    }

    fn trim_document(&mut self, key: &DocumentKey, first_kept: Version, known: &Heads) {
        let Some(Head { key_id: Some(key_id), newest: Some(newest) }) = self.head(key, known) else { return };
        let first_kept = first_kept.min(newest.version);
        let trim = self.trims.entry(key_id).or_insert(first_kept);
        *trim = first_kept.max(*trim);
        // What this very statement inserts, it cannot delete.
        self.versions.retain(|(id, document)| *id != key_id || document.revision.version >= first_kept);
    }

    /// Whether there is nothing beside the one statement.
    pub(crate) fn is_one_statement(&self) -> bool {
        self.plain.is_empty()
    }

    /// Writes what has statements of its own.
    pub(crate) fn write_plain(&self, conn: &mut Conn) -> StoreResult<()> {
        for change in &self.plain {
            match change {
                Change::Event(EventChange::Prune { class, through }) => {
                    events::prune(conn, *class, *through)?;
                }
                Change::Instance(change) => instances::write(conn, change)?,
                Change::Rule(change) => rules::write(conn, change)?,
                Change::Webhook(change) => webhooks::write(conn, change)?,
                Change::Run(change) => compliance::write(conn, change)?,
                Change::Template(change) => templates::write(conn, change)?,
                Change::Task(change) => tasks::write(conn, change)?,
                Change::Lease(change) => leases::write(conn, change)?,
                Change::Message(change) => messages::write(conn, change)?,
                Change::AddMetric(row) => metrics::add(conn, row)?,
                Change::AppendUsage(record) => usage::append(conn, record)?,
                Change::AttributeUsage(record) => usage::attribute(conn, record)?,
                Change::PutSession(session) => usage::put_session(conn, session)?,
                Change::Budget(change) => budgets::write(conn, change)?,
                // These travel in the one statement.
                Change::Document(_) | Change::Event(_) | Change::AppendAudit(_) => {}
            }
        }
        Ok(())
    }

    /// Moves the head on and inserts all rows of the hot tables; answers whether it was still where it was expected.
    pub(crate) fn write_rest(&self, conn: &mut Conn, id: CommitId<'_>) -> StoreResult<bool> {
        Ok(conn.row(self.statement(id), "log_head", |row| row.get::<i64>("seq"))?.is_some())
    }

    fn statement(&self, id: CommitId<'_>) -> Statement {
        let LogHead { seq, ends, last_key } = self.after;
        let keys = &self.new_keys;
        let mut changed: Vec<i64> =
            self.versions.iter().map(|(id, _)| *id).chain(self.trims.keys().copied()).collect();
        changed.sort_unstable();
        changed.dedup();
        let statement = Statement::new("commit", COMMIT)
            .bind(seq)
            .bind(int(ends.log.last.get()))
            .bind(int(ends.log.pruned_user.get()))
            .bind(int(ends.log.pruned_system.get()))
            .bind(ends.audit.map_or(0, |head| int(head.id.get())))
            .bind(ends.audit.map_or(Vec::new(), |head| head.hash.as_bytes().to_vec()))
            .bind(last_key)
            .bind(ends.run.map_or(0, |run| int(run.get())))
            .bind(ends.usage.map_or(0, |usage| int(usage.get())))
            .bind(id.server)
            .bind(id.batch)
            .bind(changed)
            .bind(&keys.ids)
            .bind(&keys.spaces)
            .bind(&keys.projects)
            .bind(&keys.names)
            .bind(&keys.live)
            .bind(self.live.keys().copied().collect::<Vec<_>>())
            .bind(self.live.values().copied().collect::<Vec<_>>());
        self.bind_audit(self.bind_events(self.bind_versions(statement)))
    }

    fn bind_versions(&self, statement: Statement) -> Statement {
        let revisions = || self.versions.iter().map(|(_, document)| &document.revision);
        statement
            .bind(self.versions.iter().map(|(id, _)| *id).collect::<Vec<_>>())
            .bind(revisions().map(|revision| int(revision.version.get())).collect::<Vec<_>>())
            .bind(revisions().map(|revision| revision.deleted).collect::<Vec<_>>())
            .bind(revisions().map(|revision| int(revision.size)).collect::<Vec<_>>())
            .bind(revisions().map(|revision| revision.updated_at.millis()).collect::<Vec<_>>())
            .bind(revisions().map(|revision| revision.hash.as_bytes().as_slice()).collect::<Vec<_>>())
            .bind(revisions().map(|revision| revision.content_type.as_str()).collect::<Vec<_>>())
            .bind(revisions().map(updated_by).collect::<Vec<_>>())
            .bind(self.versions.iter().map(|(_, document)| &document.value[..]).collect::<Vec<_>>())
            .bind(self.trims.keys().copied().collect::<Vec<_>>())
            .bind(self.trims.values().map(|first| int(first.get())).collect::<Vec<_>>())
    }

    fn bind_events(&self, statement: Statement) -> Statement {
        let events = &self.events;
        statement
            .bind(events.iter().map(|event| int(event.id.get())).collect::<Vec<_>>())
            .bind(events.iter().map(|event| event.topic.is_system()).collect::<Vec<_>>())
            .bind(events.iter().map(|event| event.topic.as_str()).collect::<Vec<_>>())
            .bind(events.iter().map(|event| escape(&event.source)).collect::<Vec<_>>())
            .bind(events.iter().map(|event| event.created_at.millis()).collect::<Vec<_>>())
            .bind(events.iter().map(|event| event.data.as_str()).collect::<Vec<_>>())
    }

    fn bind_audit(&self, statement: Statement) -> Statement {
        let entries = || self.audit.iter().map(|chained| &chained.entry);
        let texts =
            |of: fn(&AuditEntry) -> &str| entries().map(|entry| escape(of(entry))).collect::<Vec<_>>();
        statement
            .bind(entries().map(|entry| int(entry.id.get())).collect::<Vec<_>>())
            .bind(entries().map(|entry| entry.timestamp.millis()).collect::<Vec<_>>())
            .bind(texts(|entry| entry.actor.as_str()))
            .bind(texts(|entry| &entry.action))
            .bind(texts(|entry| &entry.resource))
            .bind(entries().map(|entry| entry.outcome.as_str()).collect::<Vec<_>>())
            .bind(self.audit.iter().map(|chained| chained.hash.as_bytes().as_slice()).collect::<Vec<_>>())
            .bind(texts(|entry| &entry.detail))
    }

    /// What is known once the batch is durable.
    pub(crate) fn committed(self, heads: &mut Heads) -> LogHead {
        for (key, head) in self.heads {
            heads.put(key.clone(), head);
        }
        LogHead { seq: self.after.seq + 1, ..self.after }
    }
}

fn updated_by(revision: &Revision) -> Cow<'_, str> {
    escape(revision.updated_by.as_str())
}
