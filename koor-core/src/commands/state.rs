//! Writing, rolling back and deleting documents: state and specs alike.

use bytes::Bytes;
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
    ids::{DocumentKey, Hash, SpecKey, StateKey, Version},
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

/// Stores bytes as the newest version of a document.
#[derive(Debug)]
pub struct PutDocument {
    key: DocumentKey,
    value: Bytes,
    hash: Hash,
    content_type: ContentType,
    condition: Precondition,
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
        let hash = Hash::of(&value);
        Ok(Self { key, value, hash, content_type, condition: Precondition::default(), schema: None })
    }

    /// Only if this holds.
    #[must_use]
    pub fn only_if(mut self, condition: Precondition) -> Self {
        self.condition = condition;
        self
    }
}

impl Command for PutDocument {
    type Output = Written;

    fn intent(&self) -> Intent {
        let action = match self.key {
            DocumentKey::State(_) => Action::StatePut,
            DocumentKey::Spec(_) => Action::SpecPut,
        };
        Intent::to(action, &self.key, Access::Anyone)
    }

    fn metric(&self) -> Option<Metric> {
        Some(Metric::StateWrites)
    }

    fn apply(&self, work: &mut Work<'_>) -> Result<Done<Written>, Error> {
        let newest = work.tx.revision(&self.key)?;
        self.condition.check(&self.key, newest.as_ref())?;
        if let Some(schema) = &self.schema {
            schema.still_holds(work.tx, &self.key)?;
        }
        let version = Version::after(newest.map(|revision| revision.version));
        let written = append(
            work,
            Document {
                key: self.key.clone(),
                revision: Revision {
                    version,
                    hash: self.hash,
                    content_type: self.content_type.clone(),
                    size: self.value.len() as u64,
                    updated_at: work.now,
                    updated_by: work.caller.actor().clone(),
                    deleted: false,
                },
                value: self.value.clone(),
            },
        )?;
        Ok(Done::with(written, json!({"version": version})))
    }
}

/// Makes the bytes of an older version the newest one, even where the document was deleted.
#[derive(Debug)]
pub struct RollbackDocument {
    key: DocumentKey,
    to: Version,
    condition: Precondition,
}

impl RollbackDocument {
    /// To roll back to that version.
    pub fn new(key: impl Into<DocumentKey>, to: Version) -> Self {
        Self { key: key.into(), to, condition: Precondition::default() }
    }

    /// Only if this holds.
    #[must_use]
    pub fn only_if(mut self, condition: Precondition) -> Self {
        self.condition = condition;
        self
    }
}

impl Command for RollbackDocument {
    type Output = Written;

    fn intent(&self) -> Intent {
        let action = match self.key {
            DocumentKey::State(_) => Action::StateRollback,
            DocumentKey::Spec(_) => Action::SpecRollback,
        };
        Intent::to(action, &self.key, Access::Anyone)
    }

    fn metric(&self) -> Option<Metric> {
        Some(Metric::Rollbacks)
    }

    fn apply(&self, work: &mut Work<'_>) -> Result<Done<Written>, Error> {
        let newest = work.tx.revision(&self.key)?;
        self.condition.check(&self.key, newest.as_ref())?;
        let old = work
            .tx
            .document_at(&self.key, self.to)?
            .filter(|document| !document.revision.deleted)
            .ok_or_else(|| no_such_version(&self.key, self.to))?;
        let version = Version::after(newest.map(|revision| revision.version));
        let written = append(
            work,
            Document {
                revision: Revision {
                    version,
                    updated_at: work.now,
                    updated_by: work.caller.actor().clone(),
                    ..old.revision
                },
                ..old
            },
        )?;
        Ok(Done::with(written, json!({"from_version": self.to, "new_version": version})))
    }
}

/// Deletes a document: its newest version becomes a tombstone, and its history stays.
#[derive(Debug)]
pub struct DeleteDocument {
    key: DocumentKey,
    condition: Precondition,
}

impl DeleteDocument {
    /// To delete that document.
    pub fn new(key: impl Into<DocumentKey>) -> Self {
        Self { key: key.into(), condition: Precondition::default() }
    }

    /// Only if this holds.
    #[must_use]
    pub fn only_if(mut self, condition: Precondition) -> Self {
        self.condition = condition;
        self
    }
}

impl Command for DeleteDocument {
    type Output = Written;

    fn intent(&self) -> Intent {
        let action = match self.key {
            DocumentKey::State(_) => Action::StateDelete,
            DocumentKey::Spec(_) => Action::SpecDelete,
        };
        Intent::to(action, &self.key, Access::Anyone)
    }

    fn metric(&self) -> Option<Metric> {
        Some(Metric::StateWrites)
    }

    fn apply(&self, work: &mut Work<'_>) -> Result<Done<Written>, Error> {
        let newest = work.tx.revision(&self.key)?;
        self.condition.check(&self.key, newest.as_ref())?;
        let live = newest
            .filter(|revision| !revision.deleted)
            .ok_or_else(|| Error::not_found(self.key.what(), &self.key))?;
        let written = append(
            work,
            Document {
                key: self.key.clone(),
                revision: Revision {
                    version: live.version.next(),
                    hash: Hash::of(b""),
                    content_type: live.content_type,
                    size: 0,
                    updated_at: work.now,
                    updated_by: work.caller.actor().clone(),
                    deleted: true,
                },
                value: Bytes::new(),
            },
        )?;
        Ok(Done::new(written))
    }
}

/// Appends a version, trims the history behind it, and announces it.
pub(super) fn append(work: &mut Work<'_>, document: Document) -> Result<Written, Error> {
    work.tx.append_document(&document)?;
    trim(work.tx, work.settings.history_limit, &document)?;
    let Document { key, revision, .. } = document;
    let (version, hash, deleted) = (revision.version, revision.hash, revision.deleted);
    match &key {
        DocumentKey::State(key) => work.announce(
            Announcement::StateChanged,
            &json!({"key": key, "version": version, "hash": hash, "deleted": deleted}),
        )?,
        DocumentKey::Spec(key) => work.announce(
            Announcement::SpecChanged,
            &json!({
                "project": key.project, "name": key.name,
                "version": version, "hash": hash, "deleted": deleted,
            }),
        )?,
    }
    Ok(Written { key, revision })
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
