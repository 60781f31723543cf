//! What the tests of the adapter share: jobs as closures, and the rows they write.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use koor_core::{
    clock::Timestamp,
    domain::{
        Actor, ContentType, RawJson,
        audit::{AuditEntry, AuditFilter, ChainReport, ChainWalk, Outcome},
        events::Event,
        state::{Document, Revision},
    },
    ids::{AuditId, DocumentKey, EventId, Hash, StateKey, Topic, Version},
    ports::{ReadTx, Store, StoreResult, Verdict, WriteTx},
};
use koor_store_sqlite::{SqliteOptions, SqliteStore};

pub(crate) async fn open(directory: &Path) -> SqliteStore {
    SqliteStore::open(SqliteOptions::new(directory)).await.unwrap()
}

/// Runs a change, and answers what its last run said.
pub(crate) async fn execute<T: Send + 'static>(
    store: &dyn Store,
    mut change: impl FnMut(&mut dyn WriteTx) -> StoreResult<T> + Send + 'static,
) -> StoreResult<T> {
    let done = Arc::new(Mutex::new(None));
    let kept = done.clone();
    store
        .submit(Box::new(move |tx| {
            *kept.lock().unwrap() = Some(change(tx)?);
            Ok(Verdict::Keep)
        }))
        .await?;
    Ok(done.lock().unwrap().take().unwrap())
}

/// Asks a question.
pub(crate) async fn ask<T: Send + 'static>(
    store: &dyn Store,
    question: impl FnOnce(&mut dyn ReadTx) -> StoreResult<T> + Send + 'static,
) -> StoreResult<T> {
    let answer = Arc::new(Mutex::new(None));
    let kept = answer.clone();
    store
        .inspect(Box::new(move |tx| {
            *kept.lock().unwrap() = Some(question(tx)?);
            Ok(())
        }))
        .await?;
    Ok(answer.lock().unwrap().take().unwrap())
}

pub(crate) fn key(name: &str) -> DocumentKey {
    StateKey::new(name).unwrap().into()
}

/// The next version of a document.
pub(crate) fn next(newest: Option<&Revision>, key: &DocumentKey, value: Option<&[u8]>) -> Document {
    let bytes = Bytes::copy_from_slice(value.unwrap_or_default());
    let revision = Revision {
        version: Version::after(newest.map(|newest| newest.version)),
        hash: Hash::of(&bytes),
        content_type: ContentType::json(),
        size: bytes.len() as u64,
        updated_at: Timestamp::from_millis(1_700_000_000_000),
        updated_by: Actor::new("tester"),
        deleted: value.is_none(),
    };
    Document { key: key.clone(), revision, value: bytes }
}

/// Writes a version (a tombstone without a value), its audit entry and its event, as a command would.
pub(crate) fn put(tx: &mut dyn WriteTx, key: &DocumentKey, value: Option<&[u8]>) -> StoreResult<Version> {
    let newest = tx.revision(key)?;
    let document = next(newest.as_ref(), key, value);
    tx.append_document(&document)?;
    let version = document.revision.version;
    let last = tx.log_bounds()?.last;
    tx.append_event(&Event {
        id: EventId::new(last.get() + 1).unwrap(),
        topic: Topic::new("$change.state").unwrap(),
        data: RawJson::parse(&format!(r#"{{"key":"{key}","version":{version}}}"#)).unwrap(),
        source: "tester".into(),
        created_at: Timestamp::from_millis(1_700_000_000_000),
    })?;
    audit(tx, key, version)?;
    Ok(version)
}

/// Writes an audit entry.
pub(crate) fn audit(tx: &mut dyn WriteTx, key: &DocumentKey, version: Version) -> StoreResult<()> {
    let head = tx.audit_head()?;
    let entry = AuditEntry {
        id: AuditId::after(head.map(|head| head.id)),
        timestamp: Timestamp::from_millis(1_700_000_000_000),
        actor: Actor::new("tester"),
        action: "state.put".into(),
        resource: key.to_string(),
        detail: format!(r#"{{"version":{version}}}"#),
        outcome: Outcome::Success,
    };
    tx.append_audit(&entry.chain(head.map(|head| head.hash)))
}

pub(crate) async fn put_one(store: &dyn Store, name: &str, value: &[u8]) -> StoreResult<Version> {
    let (key, value) = (key(name), value.to_vec());
    execute(store, move |tx| put(tx, &key, Some(&value))).await
}

/// Walks over the whole audit log.
pub(crate) fn walk(tx: &mut dyn ReadTx) -> StoreResult<ChainReport> {
    let mut walk = ChainWalk::default();
    let mut filter = AuditFilter { after: Some(0), ..AuditFilter::default() };
    loop {
        let entries = tx.audit(&filter, 1000)?;
        let Some(last) = entries.last() else { return Ok(walk.report()) };
        filter.after = Some(last.entry.id.get());
        for entry in &entries {
            walk.step(entry);
        }
    }
}
