//! State: any bytes, under any key.

use hyper::header::CONTENT_TYPE;
use koor_core::{
    clock::Timestamp,
    domain::{Actor, ContentType},
    ids::{Hash, StateKey, Version},
    use_cases::StateQuery,
    use_cases::{PutDocument, RollbackDocument},
};
use serde::{Serialize, de::IgnoredAny};
use serde_json::json;

use crate::{
    conditional::precondition,
    error::Failure,
    request::Call,
    response::{self, Answer},
    routes::documents,
};

#[derive(Serialize)]
struct Listed<'a> {
    key: &'a StateKey,
    version: Version,
    content_type: &'a str,
    updated_at: Timestamp,
    hash: Hash,
    size: u64,
    updated_by: &'a Actor,
}

pub(crate) async fn list(call: Call) -> Result<Answer, Failure> {
    let query = call.query();
    let query = StateQuery {
        prefix: query.text("prefix")?.unwrap_or_default(),
        after: query.parse("after")?,
        limit: query.limit_if_any("limit")?,
    };
    let found = call.koor().state_list(query).await?;
    let listed: Vec<_> = found
        .iter()
        .map(|(key, revision)| Listed {
            key,
            version: revision.version,
            content_type: revision.content_type.as_str(),
            updated_at: revision.updated_at,
            hash: revision.hash,
            size: revision.size,
            updated_by: &revision.updated_by,
        })
        .collect();
    response::json(&listed)
}

pub(crate) async fn get(call: Call) -> Result<Answer, Failure> {
    let key: StateKey = call.name(0)?;
    documents::read(&call, key.into()).await
}

#[derive(Serialize)]
struct Put<'a> {
    key: &'a str,
    version: Version,
    hash: Hash,
    content_type: &'a str,
    updated_at: Timestamp,
}

pub(crate) async fn put(mut call: Call) -> Result<Answer, Failure> {
    let body = call.bytes().await?;
    let key: StateKey = call.name(0)?;
    let condition = precondition(&call.head.headers, call.query())?;
    let content_type = content_type(&call, &body)?;
    // Hashing megabytes takes milliseconds: not on a thread that others wait for.
    let put = if body.len() > response::HEAVY {
        response::off_thread(move || Ok(PutDocument::state(key, body, content_type)?)).await?
    } else {
        PutDocument::state(key, body, content_type)?
    };
    let done = call.koor().execute(&call.caller, put.only_if(condition)).await?;
    let revision = &done.output.revision;
    let key = done.output.key.to_string();
    let mut answer = response::json(&Put {
        key: &key,
        version: revision.version,
        hash: revision.hash,
        content_type: revision.content_type.as_str(),
        updated_at: revision.updated_at,
    })?;
    response::set_cursor(&mut answer, done.cursor);
    Ok(answer)
}

/// What a value is, as its sender says; without a word from it, JSON.
fn content_type(call: &Call, body: &[u8]) -> Result<ContentType, Failure> {
    let Some(given) = call.head.headers.get(CONTENT_TYPE) else { return Ok(ContentType::json()) };
    let given = String::from_utf8_lossy(given.as_bytes());
    if given.trim().is_empty() {
        return Ok(ContentType::json());
    }
    let form = given.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(FORM));
    // What `curl -d` says of everything.
    if form && serde_json::from_slice::<IgnoredAny>(body).is_ok() {
        return Ok(ContentType::json());
    }
    Ok(ContentType::new(&given)?)
}

const FORM: &str = "application/x-www-form-urlencoded";

pub(crate) async fn rollback(call: Call) -> Result<Answer, Failure> {
    let key: StateKey = call.name(0)?;
    let to = documents::rollback_to(call.query())?;
    let condition = precondition(&call.head.headers, call.query())?;
    let command = RollbackDocument::new(key, to).only_if(condition);
    let done = call.koor().execute(&call.caller, command).await?.map(|written| {
        let revision = written.revision;
        json!({
            "key": written.key.to_string(), "version": revision.version, "hash": revision.hash,
            "rolled_back": to, "updated_at": revision.updated_at,
        })
    });
    response::committed(&done)
}

pub(crate) async fn delete(call: Call) -> Result<Answer, Failure> {
    let key: StateKey = call.name(0)?;
    documents::delete(&call, key.into()).await
}
