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
        state::{Document, Revision},
    },
    ids::{DocumentKey, Hash, Version},
    page::Limit,
    use_cases::DeleteDocument,
    use_cases::Diff,
};
use serde::Serialize;
use serde_json::json;
use tokio::select;

use crate::{
    body::Body,
    conditional::{etag, not_modified, precondition},
    error::Failure,
    query::{Query, to_version},
    request::Call,
    response::{self, Answer, JSON, X_KOOR_VERSION},
};

/// Answers a GET of a document: its value, its history, a diff, or a change of it.
pub(super) async fn read(call: &Call, key: DocumentKey) -> Result<Answer, Failure> {
    let (koor, query, headers) = (call.koor(), call.query(), &call.head.headers);
    if query.is_empty() {
        return Ok(shown(headers, &*koor.document(&key).await?));
    }
    // All of it is read, whatever is then asked for: what is wrong is never just ignored.
    let limit = query.limit("limit")?;
    let versions = query.get("diff")?.map(|versions| two_versions(&versions)).transpose()?;
    let form = DiffForm::asked(query)?;
    let (wait, version) = (query.span("wait")?, query.number("version")?);
    let wants_history = query.flag("history")?;
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
        return history(call, &key, limit).await;
    }
    if let Some((old, new)) = versions {
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
fn shown(asked: &HeaderMap, document: &Document) -> Answer {
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
    response::json(&json!({"key": key, "versions": versions}))
}

/// How a diff is written.
#[derive(Debug, Clone, Copy)]
enum DiffForm {
    Changes,
    JsonPatch,
}

impl DiffForm {
    fn asked(query: Query<'_>) -> Result<Self, Failure> {
        match query.get("format")?.as_deref() {
            None | Some("") => Ok(Self::Changes),
            Some("json-patch") => Ok(Self::JsonPatch),
            Some(other) => Err(Failure::invalid(format!("unknown format {other:?} (use json-patch)"))),
        }
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
        DiffForm::JsonPatch => response::json(&found.json_patch()),
        DiffForm::Changes => {
            response::json(&Changes { key: &name, v1: old, v2: new, diffs: found.changes() })
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

/// The version that a rollback goes back to.
pub(super) fn rollback_to(query: Query<'_>) -> Result<Version, Failure> {
    query
        .version("rollback")?
        .ok_or_else(|| Failure::invalid("rollback is required: the version to go back to"))
}

/// Deletes a document of either noun.
pub(super) async fn delete(call: &Call, key: DocumentKey) -> Result<Answer, Failure> {
    let condition = precondition(&call.head.headers, call.query())?;
    let done = call.koor().execute(&call.caller, DeleteDocument::new(key).only_if(condition)).await?;
    response::committed(
        &done.map(|written| json!({"deleted": written.key.to_string(), "version": written.revision.version})),
    )
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
