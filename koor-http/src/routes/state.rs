//! State: any bytes, under any key.

use bytes::Bytes;
use hyper::header::CONTENT_TYPE;
use koor_core::{
    clock::Timestamp,
    domain::{Actor, ContentType, state::Precondition},
    ids::{Hash, StateKey, Version},
    page::Limit,
    use_cases::StateQuery,
    use_cases::{PutDocument, RollbackDocument},
};
use schemars::JsonSchema;
use serde::{Serialize, de::IgnoredAny};

use crate::{
    error::Failure,
    query_value::{Known, query},
    request::Call,
    response::{self, Json, Written},
    routes::documents,
};

/// A state value, without the value.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "StateEntry")]
pub(crate) struct Listed {
    key: StateKey,
    version: Version,
    content_type: ContentType,
    updated_at: Timestamp,
    hash: Hash,
    size: u64,
    updated_by: Actor,
}

query! {
    struct ListQuery {
        /// Keys that begin so.
        prefix: Option<String>,
        /// How many at most.
        limit: Option<Limit>,
        /// Keys after this one.
        after: Option<StateKey>,
    }
}

pub(crate) async fn list(call: Call, query: ListQuery) -> Result<Json<Vec<Listed>>, Failure> {
    let ListQuery { prefix, limit, after } = query;
    let query = StateQuery { prefix: prefix.unwrap_or_default(), after, limit };
    let found = call.koor().state_list(query).await?;
    let listed: Vec<_> = found
        .into_iter()
        .map(|(key, revision)| Listed {
            key,
            version: revision.version,
            content_type: revision.content_type,
            updated_at: revision.updated_at,
            hash: revision.hash,
            size: revision.size,
            updated_by: revision.updated_by,
        })
        .collect();
    response::json(&listed)
}

pub(crate) async fn get(
    call: Call,
    (query, Known): (documents::ReadQuery, Known),
) -> Result<documents::Document, Failure> {
    let key: StateKey = call.name(0)?;
    documents::read(&call, query, key.into()).await
}

/// What a PUT answers.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Put {
    key: String,
    version: Version,
    hash: Hash,
    content_type: ContentType,
    updated_at: Timestamp,
}

pub(crate) async fn put(
    call: Call,
    (body, condition): (Bytes, Precondition),
) -> Result<Written<Put>, Failure> {
    let key: StateKey = call.name(0)?;
    let content_type = content_type(&call, &body)?;
    // Hashing megabytes takes milliseconds: not on a thread that others wait for.
    let put = if body.len() > response::HEAVY {
        response::off_thread(move || Ok(PutDocument::state(key, body, content_type)?)).await?
    } else {
        PutDocument::state(key, body, content_type)?
    };
    let done = call.koor().execute(&call.caller, put.only_if(condition)).await?;
    response::committed(&done.map(|written| Put {
        key: written.key.to_string(),
        version: written.revision.version,
        hash: written.revision.hash,
        content_type: written.revision.content_type,
        updated_at: written.revision.updated_at,
    }))
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

/// A state value whose newest version is an older one again.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RolledBack")]
pub(crate) struct StateRollback {
    key: String,
    version: Version,
    hash: Hash,
    rolled_back: Version,
    updated_at: Timestamp,
}

pub(crate) async fn rollback(
    call: Call,
    (query, condition): (documents::RollbackQuery, Precondition),
) -> Result<Written<StateRollback>, Failure> {
    let key: StateKey = call.name(0)?;
    let to = query.to();
    let command = RollbackDocument::new(key, to).only_if(condition);
    let done = call.koor().execute(&call.caller, command).await?.map(|written| {
        let revision = written.revision;
        StateRollback {
            key: written.key.to_string(),
            version: revision.version,
            hash: revision.hash,
            rolled_back: to,
            updated_at: revision.updated_at,
        }
    });
    response::committed(&done)
}

pub(crate) async fn delete(
    call: Call,
    condition: Precondition,
) -> Result<Written<documents::DeletedVersion>, Failure> {
    let key: StateKey = call.name(0)?;
    documents::delete(&call, condition, key.into()).await
}
