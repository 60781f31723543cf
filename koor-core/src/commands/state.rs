//! Writing, rolling back and deleting documents: state and specs alike.

use bytes::Bytes;
use serde::Serialize;
use serde_json::json;

use crate::{
    announcement::Announcement,
    caller::Access,
    command::{Command, Done, Intent, Work},
    commands::specs::SchemaCheck,
    domain::{
        ContentType,
        audit::Action,
        metrics::Metric,
        state::{Document, Precondition, Revision},
    },
    error::{Error, Invalid},
    ids::{DocumentKey, Hash, ProjectName, SpecKey, SpecName, StateKey, Version},
    ports::WriteTx,
};

/// A version that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Of which document.
    pub key: DocumentKey,
    /// The version.
    pub revision: Revision,
}

/// A document that is to be changed, and what must hold for it.
#[derive(Debug)]
struct Target {
    key: DocumentKey,
    condition: Precondition,
}

impl Target {
    fn any(key: impl Into<DocumentKey>) -> Self {
        Self { key: key.into(), condition: Precondition::default() }
    }

    fn intent(&self, state: Action, spec: Action) -> Intent {
        let action = match self.key {
            DocumentKey::State(_) => state,
            DocumentKey::Spec(_) => spec,
        };
        Intent::to(action, &self.key, Access::Anyone)
    }

    /// The newest version, if the condition holds for it.
    fn newest(&self, work: &mut Work<'_>) -> Result<Option<Revision>, Error> {
        let newest = work.tx.revision(&self.key)?;
        self.condition.check(&self.key, newest.as_ref())?;
        Ok(newest)
    }
}

/// What a version holds.
#[derive(Debug, Clone)]
pub(crate) struct Payload {
    value: Bytes,
    hash: Hash,
    content_type: ContentType,
    deleted: bool,
}

impl Payload {
    /// These bytes.
    pub(crate) fn of(value: Bytes, content_type: ContentType) -> Self {
        Self { hash: Hash::of(&value), value, content_type, deleted: false }
    }

    /// Nothing any more.
    fn tombstone(content_type: ContentType) -> Self {
        Self { deleted: true, ..Self::of(Bytes::new(), content_type) }
    }
}

/// Stores bytes as the newest version of a document.
#[derive(Debug)]
pub struct PutDocument {
    target: Target,
    payload: Payload,
    schema: Option<SchemaCheck>,
}

impl PutDocument {
    /// To store a state document.
    ///
    /// # Errors
    /// When there are no bytes.
    pub fn state(key: StateKey, value: impl Into<Bytes>, content_type: ContentType) -> Result<Self, Invalid> {
        Self::new(key.into(), value.into(), content_type)
    }

    /// To store a spec that [`Koor::check_spec`](crate::Koor::check_spec) has looked at.
    ///
    /// # Errors
    /// When there are no bytes.
    pub fn spec(key: SpecKey, value: impl Into<Bytes>, schema: SchemaCheck) -> Result<Self, Invalid> {
        let put = Self::new(key.into(), value.into(), ContentType::json())?;
        Ok(Self { schema: Some(schema), ..put })
    }

    fn new(key: DocumentKey, value: Bytes, content_type: ContentType) -> Result<Self, Invalid> {
        if value.is_empty() {
            return Err(Invalid::new("empty body"));
        }
        Ok(Self { target: Target::any(key), payload: Payload::of(value, content_type), schema: None })
    }

    /// Only if this holds.
    #[must_use]
    pub fn only_if(mut self, condition: Precondition) -> Self {
        self.target.condition = condition;
        self
    }
}

impl Command for PutDocument {
    type Output = Written;

    fn intent(&self) -> Intent {
        self.target.intent(Action::StatePut, Action::SpecPut)
    }

    fn metric(&self) -> Option<Metric> {
        Some(Metric::StateWrites)
    }

    fn apply(&self, work: &mut Work<'_>) -> Result<Done<Written>, Error> {
        let newest = self.target.newest(work)?;
        if let Some(schema) = &self.schema {
            schema.still_holds(work.tx, &self.target.key)?;
        }
        let written = append(work, &self.target.key, newest.as_ref(), self.payload.clone())?;
        let version = written.revision.version;
        Ok(Done::with(written, json!({"version": version})))
    }
}

/// Makes the bytes of an older version the newest one, even where the document was deleted.
#[derive(Debug)]
pub struct RollbackDocument {
    target: Target,
    to: Version,
}

impl RollbackDocument {
    /// To roll back to that version.
    pub fn new(key: impl Into<DocumentKey>, to: Version) -> Self {
        Self { target: Target::any(key), to }
    }

    /// Only if this holds.
    #[must_use]
    pub fn only_if(mut self, condition: Precondition) -> Self {
        self.target.condition = condition;
        self
    }
}

impl Command for RollbackDocument {
    type Output = Written;

    fn intent(&self) -> Intent {
        self.target.intent(Action::StateRollback, Action::SpecRollback)
    }

    fn metric(&self) -> Option<Metric> {
        Some(Metric::Rollbacks)
    }

    fn apply(&self, work: &mut Work<'_>) -> Result<Done<Written>, Error> {
        let newest = self.target.newest(work)?;
        let key = &self.target.key;
        let old = work
            .tx
            .document_at(key, self.to)?
            .filter(|document| !document.revision.deleted)
            .ok_or_else(|| no_such_version(key, self.to))?;
        let Document { value, revision: Revision { hash, content_type, .. }, .. } = old;
        let payload = Payload { value, hash, content_type, deleted: false };
        let written = append(work, key, newest.as_ref(), payload)?;
        let version = written.revision.version;
        Ok(Done::with(written, json!({"from_version": self.to, "new_version": version})))
    }
}

/// Deletes a document: its newest version becomes a tombstone, and its history stays.
#[derive(Debug)]
pub struct DeleteDocument {
    target: Target,
}

impl DeleteDocument {
    /// To delete that document.
    pub fn new(key: impl Into<DocumentKey>) -> Self {
        Self { target: Target::any(key) }
    }

    /// Only if this holds.
    #[must_use]
    pub fn only_if(mut self, condition: Precondition) -> Self {
        self.target.condition = condition;
        self
    }
}

impl Command for DeleteDocument {
    type Output = Written;

    fn intent(&self) -> Intent {
        self.target.intent(Action::StateDelete, Action::SpecDelete)
    }

    fn metric(&self) -> Option<Metric> {
        Some(Metric::StateWrites)
    }

    fn apply(&self, work: &mut Work<'_>) -> Result<Done<Written>, Error> {
        let newest = self.target.newest(work)?;
        let key = &self.target.key;
        let live =
            newest.filter(|revision| !revision.deleted).ok_or_else(|| Error::not_found(key.what(), key))?;
        let payload = Payload::tombstone(live.content_type.clone());
        append(work, key, Some(&live), payload).map(Done::new)
    }
}

/// Makes the payload the version after `newest`.
pub(super) fn append(
    work: &mut Work<'_>,
    key: &DocumentKey,
    newest: Option<&Revision>,
    payload: Payload,
) -> Result<Written, Error> {
    let Payload { value, hash, content_type, deleted } = payload;
    let revision = Revision {
        version: Version::after(newest.map(|revision| revision.version)),
        hash,
        content_type,
        size: value.len() as u64,
        updated_at: work.now,
        updated_by: work.caller.actor().clone(),
        deleted,
    };
    keep(work, Document { key: key.clone(), revision, value })
}

/// Keeps a version as it is, trims the history behind it, and announces it.
pub(super) fn keep(work: &mut Work<'_>, document: Document) -> Result<Written, Error> {
    work.tx.append_document(&document)?;
    trim(work.tx, work.settings.history_limit, &document)?;
    let Document { key, revision, .. } = document;
    let (version, hash, deleted) = (revision.version, revision.hash, revision.deleted);
    match &key {
        DocumentKey::State(key) => {
            work.announce(Announcement::StateChanged, &StateChanged { key, version, hash, deleted })?;
        }
        DocumentKey::Spec(SpecKey { project, name }) => {
            work.announce(Announcement::SpecChanged, &SpecChanged { project, name, version, hash, deleted })?;
        }
    }
    Ok(Written { key, revision })
}

#[derive(Serialize)]
struct StateChanged<'a> {
    key: &'a StateKey,
    version: Version,
    hash: Hash,
    deleted: bool,
}

#[derive(Serialize)]
struct SpecChanged<'a> {
    project: &'a ProjectName,
    name: &'a SpecName,
    version: Version,
    hash: Hash,
    deleted: bool,
}

fn trim(tx: &mut dyn WriteTx, limit: Option<u64>, document: &Document) -> Result<(), Error> {
    let first_kept = limit
        .and_then(|limit| document.revision.version.get().checked_sub(limit))
        .and_then(Version::new)
        .filter(|first| *first > Version::FIRST);
    if let Some(first) = first_kept {
        tx.trim_document(&document.key, first)?;
    }
    Ok(())
}

pub(crate) fn no_such_version(key: &DocumentKey, version: Version) -> Error {
    Error::NoSuchVersion { noun: key.what(), name: key.to_string(), version }
}
