//! Versioned documents: what state and specs both are.

use bytes::Bytes;

use crate::{
    clock::Timestamp,
    domain::{Actor, ContentType},
    error::Error,
    ids::{DocumentKey, Hash, Version},
};

/// All of a version of a document but its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// Counts 1, 2, 3… per key and never twice.
    pub version: Version,
    /// The SHA-256 of the bytes; of no bytes, for a tombstone.
    pub hash: Hash,
    /// What the bytes are.
    pub content_type: ContentType,
    /// How many bytes there are.
    pub size: u64,
    /// When it was written.
    pub updated_at: Timestamp,
    /// Who wrote it.
    pub updated_by: Actor,
    /// Whether this version is a delete: a tombstone.
    pub deleted: bool,
}

/// One version of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// What it is the document of.
    pub key: DocumentKey,
    /// Everything about this version.
    pub revision: Revision,
    /// The bytes as they were sent; none for a tombstone.
    pub value: Bytes,
}

/// What a writer demands of a document before it is changed. The empty one demands nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Precondition {
    /// `If-Match`.
    pub matches: Option<Tags>,
    /// `If-None-Match`.
    pub matches_none: Option<Tags>,
    /// `if_version`; zero demands that there is no document.
    pub version: Option<u64>,
}

/// The hashes that a condition names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tags {
    /// `*`: whatever is there.
    Any,
    /// Any of these.
    Of(Vec<Hash>),
}

impl Tags {
    /// Whether a document is one of those named; an absent one never is.
    #[must_use]
    pub fn name(&self, hash: Option<Hash>) -> bool {
        match (self, hash) {
            (_, None) => false,
            (Self::Any, Some(_)) => true,
            (Self::Of(tags), Some(hash)) => tags.contains(&hash),
        }
    }
}

impl Precondition {
    /// Demands that the document is absent.
    #[must_use]
    pub fn absent() -> Self {
        Self { version: Some(0), ..Self::default() }
    }

    /// Demands that the document is at this version.
    #[must_use]
    pub fn at(version: Version) -> Self {
        Self { version: Some(version.get()), ..Self::default() }
    }

    /// Holds the newest version against the demand; a tombstone counts as absent.
    ///
    /// # Errors
    /// [`Error::VersionConflict`] with what is there instead.
    pub fn check(&self, key: &DocumentKey, newest: Option<&Revision>) -> Result<(), Error> {
        let live = newest.filter(|revision| !revision.deleted);
        let hash = live.map(|revision| revision.hash);
        let version = live.map(|revision| revision.version);
        let holds = self.matches.as_ref().is_none_or(|tags| tags.name(hash))
            && self.matches_none.as_ref().is_none_or(|tags| !tags.name(hash))
            && self.version.is_none_or(|wanted| wanted == version.map_or(0, Version::get));
        if holds { Ok(()) } else { Err(Error::VersionConflict { name: key.to_string(), version, hash }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::StateKey;

    fn revision(version: u64, bytes: &[u8], deleted: bool) -> Revision {
        Revision {
            version: Version::new(version).unwrap(),
            hash: Hash::of(bytes),
            content_type: ContentType::json(),
            size: bytes.len() as u64,
            updated_at: Timestamp::from_millis(0),
            updated_by: Actor::default(),
            deleted,
        }
    }

    fn holds(condition: &Precondition, newest: Option<&Revision>) -> bool {
        condition.check(&StateKey::new("k").unwrap().into(), newest).is_ok()
    }

    #[test]
    fn conditions_hold_for_what_they_name() {
        let (live, gone) = (revision(7, b"x", false), revision(8, b"", true));
        let tags = |tags| Precondition { matches: Some(tags), ..Precondition::default() };
        let none = |tags| Precondition { matches_none: Some(tags), ..Precondition::default() };
        let version = |n| Precondition { version: Some(n), ..Precondition::default() };
        let (x, y) = (Hash::of(b"x"), Hash::of(b"y"));
        for (condition, on_live, on_gone) in [
            (Precondition::default(), true, true),
            (tags(Tags::Any), true, false),
            (tags(Tags::Of(vec![y, x])), true, false),
            (tags(Tags::Of(vec![y])), false, false),
            (none(Tags::Any), false, true),
            (none(Tags::Of(vec![x])), false, true),
            (none(Tags::Of(vec![y])), true, true),
            (version(7), true, false),
            (version(8), false, false),
            (version(0), false, true),
        ] {
            assert_eq!(holds(&condition, Some(&live)), on_live, "{condition:?} on a live document");
            assert_eq!(holds(&condition, Some(&gone)), on_gone, "{condition:?} on a tombstone");
            assert_eq!(holds(&condition, None), on_gone, "{condition:?} on nothing");
        }
    }

    #[test]
    fn a_conflict_says_what_is_there() {
        let live = revision(7, b"x", false);
        let key = StateKey::new("k").unwrap().into();
        let error = Precondition::absent().check(&key, Some(&live)).unwrap_err();
        assert_eq!(error.to_string(), "version conflict: k is at version 7");
        let error = Precondition::at(live.version).check(&key, None).unwrap_err();
        assert_eq!(error.to_string(), "version conflict: k is at version 0");
    }
}
