//! What state and specs have in common.

use std::time::Duration;

use hyper::{
    HeaderMap, StatusCode,
    header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderValue, X_CONTENT_TYPE_OPTIONS},
};
use koor_core::{
    clock::Timestamp,
    diff::Change,
    domain::{
        Actor, ContentType,
        state::{Document as Stored, Precondition, Revision},
    },
    ids::{DocumentKey, Hash, Version},
    page::Limit,
    use_cases::DeleteDocument,
    use_cases::Diff,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::select;

use crate::{
    body::Body,
    conditional::{etag, not_modified},
    error::Failure,
    query::to_version,
    query_value::{Needed, Parameter, query},
    request::Call,
    response::{self, Answer, JSON, Written, X_KOOR_VERSION},
    shape::{Output, Reply, Schemas, Shape},
};

query! {
    /// What is asked for. All of it is read, whatever is then answered: what is wrong is never just ignored.
    struct ReadQuery {
        /// List the versions instead.
        history: bool,
        /// How many at most.
        limit: Option<Limit>,
        /// This version; with wait: a version greater than this.
        version: Option<VersionOrNone>,
        /// What differs between these two versions.
        diff: Option<TwoVersions>,
        /// The diff as an RFC 6902 patch.
        format: Option<DiffForm>,
        /// Wait for a change, at most so long.
        wait: Option<Duration>,
    }
}

/// What a GET of a document answers: its bytes, or JSON about it.
pub(crate) struct Document(Answer);

impl Output for Document {
    fn into_answer(self) -> Answer {
        self.0
    }

    fn describe(shape: &mut Shape, _: &mut Schemas) {
        shape.reply = Reply::Document;
    }
}

/// Answers a GET of a document: its value, its history, a diff, or a change of it.
pub(super) async fn read(call: &Call, query: ReadQuery, key: DocumentKey) -> Result<Document, Failure> {
    answer(call, query, key).await.map(Document)
}

async fn answer(call: &Call, query: ReadQuery, key: DocumentKey) -> Result<Answer, Failure> {
    let (koor, headers) = (call.koor(), &call.head.headers);
    let ReadQuery { history: wants_history, limit, version, diff: versions, format, wait } = query;
    let version = version.map(|VersionOrNone(version)| version);
    let form = format.unwrap_or(DiffForm::Changes);
    if let Some(wait) = wait {
        let changed = select! {
            biased;
            changed = koor.wait_for(&key, version, wait) => changed?,
            () = call.no_use_in_waiting() => koor.wait_for(&key, version, Duration::ZERO).await?,
        };
        return Ok(match changed {
            Some(document) => shown(&HeaderMap::new(), &document),
            None => response::empty(StatusCode::NOT_MODIFIED),
        });
    }
    let version = version.map(|version| to_version("version", version)).transpose()?;
    if wants_history {
        return history(call, &key, limit.unwrap_or_default()).await;
    }
    if let Some(TwoVersions(old, new)) = versions {
        return diff(call, &key, old, new, form).await;
    }
    if let Some(version) = version {
        return Ok(shown(headers, &koor.document_at(&key, version).await?));
    }
    Ok(shown(headers, &*koor.document(&key).await?))
}

/// As many headers as a document is shown with.
const SHOWN_HEADERS: usize = 10;

/// The value of a document, or that the client has it already.
fn shown(asked: &HeaderMap, document: &Stored) -> Answer {
    let revision = &document.revision;
    let mut answer = if not_modified(asked, revision.hash) {
        response::empty(StatusCode::NOT_MODIFIED)
    } else {
        let mut answer = Answer::new(Body::Full(document.value.clone()));
        let headers = answer.headers_mut();
        // Room for all that is still to come, at once.
        headers.reserve(SHOWN_HEADERS);
        headers.insert(CONTENT_TYPE, media_type(&revision.content_type));
        // Whatever was stored here, no browser must take it for a page of ours.
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
        answer
    };
    let headers = answer.headers_mut();
    headers.insert(ETAG, etag(revision.hash));
    headers.insert(X_KOOR_VERSION, HeaderValue::from(revision.version.get()));
    answer
}

fn media_type(content_type: &ContentType) -> HeaderValue {
    match content_type.as_str() {
        "application/json" => JSON,
        other => HeaderValue::from_str(other)
            .unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream")),
    }
}

#[derive(Serialize)]
struct ShownRevision<'a> {
    key: &'a str,
    version: Version,
    hash: Hash,
    content_type: &'a str,
    updated_at: Timestamp,
    updated_by: &'a Actor,
    size: u64,
    deleted: bool,
}

async fn history(call: &Call, key: &DocumentKey, limit: Limit) -> Result<Answer, Failure> {
    let revisions = call.koor().history(key, limit).await?;
    let key = key.to_string();
    let versions: Vec<_> = revisions
        .iter()
        .map(|revision: &Revision| ShownRevision {
            key: &key,
            version: revision.version,
            hash: revision.hash,
            content_type: revision.content_type.as_str(),
            updated_at: revision.updated_at,
            updated_by: &revision.updated_by,
            size: revision.size,
            deleted: revision.deleted,
        })
        .collect();
    Ok(response::json(&json!({"key": key, "versions": versions}))?.into_inner())
}

/// How a diff is written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum DiffForm {
    Changes,
    JsonPatch,
}

impl Parameter for DiffForm {
    const EMPTY_IS_ABSENT: bool = true;

    fn read(_: &str, text: &str) -> Result<Self, Failure> {
        match text {
            "json-patch" => Ok(Self::JsonPatch),
            other => Err(Failure::invalid(format!("unknown format {other:?} (use json-patch)"))),
        }
    }

    fn schema() -> Value {
        json!({"type": "string", "enum": ["json-patch"]})
    }
}

/// A version; with a wait, zero stands for none.
pub(crate) struct VersionOrNone(u64);

impl Parameter for VersionOrNone {
    const EMPTY_IS_ABSENT: bool = false;

    fn read(name: &str, text: &str) -> Result<Self, Failure> {
        u64::read(name, text).map(Self)
    }

    fn schema() -> Value {
        Version::schema()
    }
}

/// An older version and a newer one.
pub(crate) struct TwoVersions(Version, Version);

impl Parameter for TwoVersions {
    const EMPTY_IS_ABSENT: bool = false;

    fn read(_: &str, text: &str) -> Result<Self, Failure> {
        two_versions(text).map(|(old, new)| Self(old, new))
    }

    fn schema() -> Value {
        json!({"type": "string", "pattern": "^[1-9][0-9]{0,17},[1-9][0-9]{0,17}$"})
    }
}

/// Written as it is: as values, a hundred thousand changes would fill a hundred megabytes.
#[derive(Serialize)]
struct Changes<'a> {
    key: &'a str,
    v1: Version,
    v2: Version,
    diffs: Vec<Change>,
}

async fn diff(
    call: &Call,
    key: &DocumentKey,
    old: Version,
    new: Version,
    form: DiffForm,
) -> Result<Answer, Failure> {
    let name = key.to_string();
    let render = move |found: &Diff| match form {
        DiffForm::JsonPatch => response::json_with(StatusCode::OK, &found.json_patch()),
        DiffForm::Changes => {
            let changes = Changes { key: &name, v1: old, v2: new, diffs: found.changes() };
            response::json_with(StatusCode::OK, &changes)
        }
    };
    call.koor().compare(key, old, new, render).await?
}

fn two_versions(text: &str) -> Result<(Version, Version), Failure> {
    let number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    let two = text.split_once(',').and_then(|(old, new)| Some((number(old)?, number(new)?)));
    let (old, new) = two.ok_or_else(|| {
        Failure::invalid(format!("invalid diff {text:?}: use two versions, as in diff=1,3"))
    })?;
    Ok((to_version("diff", old)?, to_version("diff", new)?))
}

query! {
    struct RollbackQuery {
        /// The version to go back to.
        rollback: Needed<Version>,
    }
}

impl RollbackQuery {
    /// The version that a rollback goes back to.
    pub(super) fn to(&self) -> Version {
        self.rollback.0
    }
}

/// Which document was deleted, and the version that says so.
#[derive(Serialize, JsonSchema)]
pub(crate) struct DeletedVersion {
    deleted: String,
    version: Version,
}

/// Deletes a document of either noun.
pub(super) async fn delete(
    call: &Call,
    condition: Precondition,
    key: DocumentKey,
) -> Result<Written<DeletedVersion>, Failure> {
    let done = call.koor().execute(&call.caller, DeleteDocument::new(key).only_if(condition)).await?;
    response::committed(&done.map(|written| DeletedVersion {
        deleted: written.key.to_string(),
        version: written.revision.version,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_names_two_versions() {
        let (old, new) = two_versions("1,3").unwrap();
        assert_eq!((old.get(), new.get()), (1, 3));
        for bad in ["", "1", "1,", ",3", "1,3,4", "a,b", "-1,2", "0,1", "1, 2"] {
            assert!(two_versions(bad).is_err(), "{bad}");
        }
    }
}
