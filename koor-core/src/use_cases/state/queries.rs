//! Reading documents: state and specs alike.

use std::{pin::pin, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::select;

use crate::{
    announcement::SystemTopic,
    app::Koor,
    diff,
    domain::json::{MOST_TREE, tree},
    domain::state::{Document, Revision},
    error::{Error, Invalid},
    ids::{DocumentKey, StateKey, Version},
    page::Limit,
    pattern::{Pattern, TopicFilter},
    use_cases::state::commands::no_such_version,
};

/// The part of the list of state documents that is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StateQuery {
    /// Those whose keys begin so.
    pub prefix: String,
    /// Those after this key.
    pub after: Option<StateKey>,
    /// So many; all, without it.
    pub limit: Option<Limit>,
}

/// Two versions of a document side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct Diff {
    /// The first version's value.
    pub old: Value,
    /// The second version's value.
    pub new: Value,
}

impl Diff {
    /// What changed, path by path.
    #[must_use]
    pub fn changes(&self) -> Vec<diff::Change> {
        diff::diff(&self.old, &self.new)
    }

    /// What changed, as RFC 6902 writes it.
    #[must_use]
    pub fn json_patch(&self) -> json_patch::Patch {
        diff::json_patch(&self.old, &self.new)
    }
}

/// The longest anybody may wait in one call.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// Refuses a wait that is too long, by the name under which it was asked for.
pub(crate) fn check_wait(name: &str, wait: Duration) -> Result<Duration, Invalid> {
    if wait > LONGEST_WAIT {
        return Err(Invalid::new(format!("{name} must be at most 5m")));
    }
    Ok(wait)
}

impl Koor {
    /// The newest version of a document.
    ///
    /// # Errors
    /// When there is none, or it was deleted.
    pub async fn document(&self, key: &DocumentKey) -> Result<Arc<Document>, Error> {
        self.newest(key).await?.ok_or_else(|| Error::not_found(key.what(), key))
    }

    /// As [`document`](Self::document), where absence is an answer.
    pub(crate) async fn newest(&self, key: &DocumentKey) -> Result<Option<Arc<Document>>, Error> {
        let newest = self.inner.store.latest_document(key).await?;
        Ok(newest.filter(|document| !document.revision.deleted))
    }

    /// That version of a document.
    ///
    /// # Errors
    /// When there is no such version, or it is a tombstone.
    pub async fn document_at(&self, key: &DocumentKey, version: Version) -> Result<Document, Error> {
        let asked = key.clone();
        self.read(move |tx| tx.document_at(&asked, version))
            .await?
            .filter(|document| !document.revision.deleted)
            .ok_or_else(|| no_such_version(key, version))
    }

    /// The versions of a document that are kept, newest first; none, if it never was.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn history(&self, key: &DocumentKey, limit: Limit) -> Result<Vec<Revision>, Error> {
        let key = key.clone();
        self.read(move |tx| tx.revisions(&key, limit.get())).await
    }

    /// Two versions of a document, compared; `render` says what is made of it.
    ///
    /// # Errors
    /// When one of them is not there, or not JSON.
    pub async fn compare<T: Send + 'static>(
        &self,
        key: &DocumentKey,
        old: Version,
        new: Version,
        render: impl FnOnce(&Diff) -> T + Send + 'static,
    ) -> Result<T, Error> {
        // First: many who wait must not hold two documents each meanwhile.
        let turn = self.permit(2 * MOST_TREE).await?;
        let (before, after) = (self.document_at(key, old).await?, self.document_at(key, new).await?);
        let key = key.clone();
        turn.work(move || {
            let parse = |version: Version, document: Document| {
                tree(&document.value)
                    .map_err(|error| Invalid::new(format!("version {version} of {key} is not JSON: {error}")))
            };
            Ok(render(&Diff { old: parse(old, before)?, new: parse(new, after)? }))
        })
        .await
    }

    /// The state documents, by key.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn state_list(&self, query: StateQuery) -> Result<Vec<(StateKey, Revision)>, Error> {
        self.read(move |tx| tx.state_keys(&query.prefix, query.after.as_ref(), query.limit.map(Limit::get)))
            .await
    }

    /// Waits until a document is past that version (without one: past the version it has now), at most so long.
    /// `None` when the time is up.
    ///
    /// # Errors
    /// When the document was deleted in the meantime, or the wait is too long to ask for.
    pub async fn wait_for(
        &self,
        key: &DocumentKey,
        past: Option<u64>,
        wait: Duration,
    ) -> Result<Option<Arc<Document>>, Error> {
        let mut time_is_up = pin!(self.inner.clock.sleep(check_wait("wait", wait)?));
        let topic = match key {
            DocumentKey::State(_) => SystemTopic::StateChanged,
            DocumentKey::Spec(_) => SystemTopic::SpecChanged,
        };
        let pattern = Pattern::new(topic.as_str())?;
        // Before the first look: what changes after it is heard of.
        let mut changes = self.subscribe(TopicFilter::new(vec![pattern]), None);
        let mut past = past;
        loop {
            let newest = self.inner.store.latest_document(key).await?;
            let version = newest.as_ref().map_or(0, |document| document.revision.version.get());
            if version > *past.get_or_insert(version) {
                return match newest.filter(|document| !document.revision.deleted) {
                    Some(document) => Ok(Some(document)),
                    None => Err(Error::not_found(key.what(), key)),
                };
            }
            let heard = select! {
                heard = changes.next(1024) => heard?,
                () = &mut time_is_up => return Ok(None),
            };
            if heard.is_empty() {
                return Ok(None);
            }
        }
    }
}
