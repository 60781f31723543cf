//! Writing, rolling back and deleting documents: state and specs alike.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde_json::json;

use crate::{
    announcement::SystemTopic,
    caller::Access,
    command::{Applied, Command, CommandContext, Operation},
    domain::{
        ContentType,
        audit::Action,
        metrics::Metric,
        state::{Document, Precondition, Revision},
    },
    error::{Error, Invalid},
    ids::{DocumentKey, Hash, ProjectName, SpecKey, SpecName, StateKey, Version},
    ports::{Change, DocumentChange, FactSet},
    use_cases::specs::SchemaCheck,
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

    fn intent(&self, state: Action, spec: Action) -> Operation {
        let action = match self.key {
            DocumentKey::State(_) => state,
            DocumentKey::Spec(_) => spec,
        };
        Operation::to(action, &self.key, Access::Anyone)
    }

    fn reads(&self, wanted: &mut FactSet) {
        wanted.revisions.insert(self.key.clone());
    }

    /// The newest version, if the condition holds for it.
    fn newest(&self, cx: &mut CommandContext<'_>) -> Result<Option<Revision>, Error> {
        let newest = cx.revision(&self.key)?;
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

    fn operation(&self) -> Operation {
        self.target.intent(Action::StatePut, Action::SpecPut)
    }

    fn metric(&self) -> Option<Metric> {
        Some(Metric::StateWrites)
    }

    fn reads(&self, wanted: &mut FactSet) {
        self.target.reads(wanted);
        if let Some((schema, _)) = self.schema.as_ref().and_then(|schema| schema.against.as_ref()) {
            wanted.revisions.insert(schema.clone().into());
        }
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Written>, Error> {
        let newest = self.target.newest(cx)?;
        if let Some(schema) = &self.schema {
            schema.still_holds(cx, &self.target.key)?;
        }
        let written = append(cx, &self.target.key, newest.as_ref(), self.payload.clone())?;
        let version = written.revision.version;
        Ok(Applied::with(written, json!({"version": version})))
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

    fn operation(&self) -> Operation {
        self.target.intent(Action::StateRollback, Action::SpecRollback)
    }

    fn metric(&self) -> Option<Metric> {
        Some(Metric::Rollbacks)
    }

    fn reads(&self, wanted: &mut FactSet) {
        self.target.reads(wanted);
        wanted.versions.insert((self.target.key.clone(), self.to));
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Written>, Error> {
        let newest = self.target.newest(cx)?;
        let key = &self.target.key;
        let old = cx
            .document_at(key, self.to)?
            .filter(|document| !document.revision.deleted)
            .ok_or_else(|| no_such_version(key, self.to))?;
        let Document { value, revision: Revision { hash, content_type, .. }, .. } = old;
        let payload = Payload { value, hash, content_type, deleted: false };
        let written = append(cx, key, newest.as_ref(), payload)?;
        let version = written.revision.version;
        Ok(Applied::with(written, json!({"from_version": self.to, "new_version": version})))
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

    fn operation(&self) -> Operation {
        self.target.intent(Action::StateDelete, Action::SpecDelete)
    }

    fn metric(&self) -> Option<Metric> {
        Some(Metric::StateWrites)
    }

    fn reads(&self, wanted: &mut FactSet) {
        self.target.reads(wanted);
    }

    fn apply(&self, cx: &mut CommandContext<'_>) -> Result<Applied<Written>, Error> {
        let newest = self.target.newest(cx)?;
        let key = &self.target.key;
        let live =
            newest.filter(|revision| !revision.deleted).ok_or_else(|| Error::not_found(key.what(), key))?;
        let payload = Payload::tombstone(live.content_type.clone());
        append(cx, key, Some(&live), payload).map(Applied::new)
    }
}

/// Makes the payload the version after `newest`.
pub(crate) fn append(
    cx: &mut CommandContext<'_>,
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
        updated_at: cx.now,
        updated_by: cx.caller.actor().clone(),
        deleted,
    };
    keep(cx, Document { key: key.clone(), revision, value })
}

/// Keeps a version as it is, trims the history behind it, and announces it.
pub(crate) fn keep(cx: &mut CommandContext<'_>, document: Document) -> Result<Written, Error> {
    cx.append_document(document.clone());
    trim(cx, &document);
    let Document { key, revision, .. } = document;
    let (version, hash, deleted) = (revision.version, revision.hash, revision.deleted);
    match &key {
        DocumentKey::State(key) => {
            cx.announce(SystemTopic::StateChanged, &StateChanged { key, version, hash, deleted })?;
        }
        DocumentKey::Spec(SpecKey { project, name }) => {
            cx.announce(SystemTopic::SpecChanged, &SpecChanged { project, name, version, hash, deleted })?;
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

fn trim(cx: &mut CommandContext<'_>, document: &Document) {
    let first_kept = cx
        .settings
        .history_limit
        .and_then(|limit| document.revision.version.get().checked_sub(limit))
        .and_then(Version::new)
        .filter(|first| *first > Version::FIRST);
    if let Some(first_kept) = first_kept {
        cx.trim_document(document.key.clone(), first_kept);
    }
}

pub(crate) fn no_such_version(key: &DocumentKey, version: Version) -> Error {
    Error::NoSuchVersion { noun: key.what(), name: key.to_string(), version }
}

impl CommandContext<'_> {
    /// The newest revision of a document, tombstone included; `None` if it never was.
    ///
    /// # Errors
    /// When it has not been fetched yet: pass the error on.
    pub fn revision(&mut self, key: &DocumentKey) -> Result<Option<Revision>, Error> {
        Ok(self.view().revisions(key)?)
    }

    /// A certain version of a document, if it is still kept.
    ///
    /// # Errors
    /// When it has not been fetched yet: pass the error on.
    pub fn document_at(&mut self, key: &DocumentKey, version: Version) -> Result<Option<Document>, Error> {
        Ok(self.view().versions(key, version)?)
    }

    /// Appends a version, which becomes the newest. Its number is greater than any the key has had.
    pub fn append_document(&mut self, document: Document) {
        self.push(Change::Document(DocumentChange::Append(Arc::new(document))));
    }

    /// Forgets the versions of a document below `first_kept`, the newest aside.
    pub fn trim_document(&mut self, key: DocumentKey, first_kept: Version) {
        self.push(Change::Document(DocumentChange::Trim { key, first_kept }));
    }
}
