//! Versioned documents: state and specs.
//!
//! Both nouns are the same documents under two kinds of keys, so `StateRepo` keeps them all; `SpecRegistry` is what
//! specs have beyond that, a directory by project.

use std::sync::Arc;

use crate::{
    domain::state::{Document, Revision},
    ids::{DocumentKey, ProjectName, SpecName, StateKey, Version},
    ports::StoreResult,
};

/// A page of documents holds no more bytes of values than this, its last value aside: a caller that reads them all reads on
/// anyway, and a value may have ten times as many.
pub const DOCUMENT_PAGE_BYTES: usize = 1 << 20;

/// The documents.
pub trait StateRepo {
    /// The newest version without its bytes; a tombstone if the document was deleted, `None` if it never was.
    fn revision(&mut self, key: &DocumentKey) -> StoreResult<Option<Revision>>;

    /// The newest version; a tombstone if the document was deleted, `None` if it never was.
    fn document(&mut self, key: &DocumentKey) -> StoreResult<Option<Document>>;

    /// That version, if it is still kept.
    fn document_at(&mut self, key: &DocumentKey, version: Version) -> StoreResult<Option<Document>>;

    /// The kept versions without their bytes, newest first.
    fn revisions(&mut self, key: &DocumentKey, limit: usize) -> StoreResult<Vec<Revision>>;

    /// State documents that are there now, by key in the order of bytes: those that begin with `prefix`, from the
    /// first one after `after`.
    fn state_keys(
        &mut self,
        prefix: &str,
        after: Option<&StateKey>,
        limit: Option<usize>,
    ) -> StoreResult<Vec<(StateKey, Revision)>>;

    /// How many state documents are there now.
    fn state_count(&mut self) -> StoreResult<u64>;

    /// Every kept version of every document, tombstones included, in the order of (key, version) with state before
    /// specs: those after `after`, at most `limit`. The page ends with the version by which its values reach
    /// [`DOCUMENT_PAGE_BYTES`]; an empty page is the end.
    fn documents_after(
        &mut self,
        after: Option<(&DocumentKey, Version)>,
        limit: usize,
    ) -> StoreResult<Vec<Document>>;
}

/// A change of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DocumentChange {
    /// Append a version, which becomes the newest. Its number is greater than any the key has had; it need not be the
    /// next one. No version is ever changed.
    Append(Arc<Document>),
    /// Forget the versions of a key below `first_kept`. The newest is never among them.
    Trim {
        /// Of which document.
        key: DocumentKey,
        /// The oldest version that stays.
        first_kept: Version,
    },
}

/// What a project has, in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecProject {
    /// The project.
    pub project: ProjectName,
    /// How many specs are there now.
    pub specs: u64,
    /// How many rules it has, whatever their status.
    pub rules: u64,
}

/// The directory of specs.
pub trait SpecRegistry {
    /// The specs of a project that are there now, by name.
    fn specs(&mut self, project: &ProjectName) -> StoreResult<Vec<(SpecName, Revision)>>;

    /// Every project that has a spec now or a rule, by name.
    fn projects(&mut self) -> StoreResult<Vec<SpecProject>>;
}
