//! State with its history, and specs, out of the original's tables.

use std::collections::BTreeMap;

use super::convert::Sorting;
use crate::{
    domain::{
        Actor, ContentType,
        original::{Original, Row},
        state::{Document, Revision},
    },
    error::Invalid,
    ids::{DocumentKey, Hash, ProjectName, SpecKey, SpecName, StateKey, Version},
};

/// The columns that may hold the bytes of a document.
const VALUE: [&str; 3] = ["value", "data", "content"];

/// The columns that may say when a version was written.
const WRITTEN: [&str; 3] = ["updated_at", "created_at", "archived_at"];

/// Every version of every document, oldest first for each key; and how many had to get another number.
///
/// The original begins to count again after a delete, so a number can be there twice: it is the later one that moves on.
pub(super) fn sort(original: &mut Original, sorting: &mut Sorting) -> (Vec<Document>, u64) {
    let past = sorting.each(original, "state_history", |row, now| version(row, state_key(row)?, now));
    let present = sorting.each(original, "state", |row, now| version(row, state_key(row)?, now));
    let specs = sorting.each(original, "specs", |row, now| version(row, spec_key(row)?, now));

    let mut keys: BTreeMap<DocumentKey, (Vec<Document>, bool)> = BTreeMap::new();
    for document in past {
        keys.entry(document.key.clone()).or_default().0.push(document);
    }
    for document in present.into_iter().chain(specs) {
        let (versions, live) = keys.entry(document.key.clone()).or_default();
        // The newest one may have been archived, too.
        let archived = versions.last().is_some_and(|last| {
            last.revision.version == document.revision.version && last.revision.hash == document.revision.hash
        });
        if archived {
            versions.pop();
        }
        versions.push(document);
        *live = true;
    }
    let mut renumbered = 0;
    let mut documents = Vec::new();
    for (versions, live) in keys.into_values() {
        let from = documents.len();
        let mut last: Option<Version> = None;
        for mut document in versions {
            if last.is_some_and(|last| document.revision.version <= last) {
                document.revision.version = Version::after(last);
                renumbered += 1;
            }
            last = Some(document.revision.version);
            documents.push(document);
        }
        if !live && let Some(newest) = documents.get(from..).and_then(<[Document]>::last) {
            let tombstone = tombstone_after(newest);
            documents.push(tombstone);
        }
    }
    (documents, renumbered)
}

fn state_key(row: &Row) -> Result<DocumentKey, Invalid> {
    Ok(StateKey::new(row.text("key")?)?.into())
}

fn spec_key(row: &Row) -> Result<DocumentKey, Invalid> {
    let key =
        SpecKey { project: ProjectName::new(row.text("project")?)?, name: SpecName::new(row.text("name")?)? };
    Ok(key.into())
}

fn version(row: &Row, key: DocumentKey, now: crate::clock::Timestamp) -> Result<Document, Invalid> {
    let value = row.bytes(&VALUE).ok_or_else(|| Invalid::new("it has no value"))?;
    let hash = Hash::of(&value);
    if let Some(said) = row.given("hash")?.filter(|said| !said.is_empty())
        && !said.eq_ignore_ascii_case(&hash.to_string())
    {
        return Err(Invalid::new("its bytes do not have its hash"));
    }
    let number = if row.given("version")?.is_some() { row.count("version")? } else { 1 };
    let content_type = match row.text("content_type")? {
        none if none.is_empty() => ContentType::json(),
        given => ContentType::new(&given)?,
    };
    if matches!(key, DocumentKey::Spec(_)) {
        serde_json::from_slice::<serde::de::IgnoredAny>(&value)
            .map_err(|error| Invalid::new(format!("it is not JSON: {error}")))?;
    }
    let revision = Revision {
        version: Version::new(number).ok_or_else(|| Invalid::new(format!("version {number} cannot be")))?,
        hash,
        content_type,
        size: value.len() as u64,
        updated_at: row.time(&WRITTEN)?.unwrap_or(now),
        updated_by: Actor::new(row.text("updated_by")?),
        deleted: false,
    };
    Ok(Document { key, revision, value: value.into() })
}

/// What we keep of a deleted key. The time of its deletion is unknown.
fn tombstone_after(newest: &Document) -> Document {
    let revision = Revision {
        version: newest.revision.version.next(),
        hash: Hash::of(&[]),
        size: 0,
        deleted: true,
        ..newest.revision.clone()
    };
    Document { key: newest.key.clone(), revision, value: bytes::Bytes::new() }
}
