//! A bare store, written to without a core around it: for the tests of adapters.

use std::sync::Arc;

use bytes::Bytes;

use super::FakeClock;
use crate::{
    caller::Caller,
    clock::Clock as _,
    command::{Command, CommandContext, Housekeeping},
    domain::{
        Actor, ContentType,
        state::{Document, Precondition, Revision},
    },
    error::Error,
    execute::{self, read},
    ids::{DocumentKey, Hash, StateKey, Version},
    ports::{FactSet, ReadTx, Store, StoreError, StoreResult},
    settings::Settings,
    use_cases::PutDocument,
};

/// Runs a command on a bare store, for a caller named `tester`, at the time at which a [`FakeClock`] begins.
///
/// # Errors
/// As the command and the store.
pub async fn execute<C: Command>(store: &dyn Store, command: C) -> Result<C::Output, Error> {
    let clock = Arc::new(FakeClock::default());
    let caller = Caller::server("tester");
    let settings = Arc::new(Settings::default());
    Ok(execute::execute(store.committer(), clock, settings, &caller, command).await?.output)
}

/// Makes changes without an audit entry.
///
/// # Errors
/// As `work` and the store.
pub async fn change<T: Send + 'static>(
    store: &dyn Store,
    work: impl Fn(&mut CommandContext<'_>) -> Result<T, Error> + Send + Sync + 'static,
) -> Result<T, Error> {
    execute(store, Housekeeping { reads: FactSet::default(), work }).await
}

/// Stores a state document; answers its version.
///
/// # Errors
/// As the store.
pub async fn put(store: &dyn Store, name: &str, value: &[u8]) -> StoreResult<Version> {
    let key = StateKey::new(name).unwrap();
    let put = PutDocument::state(key, value.to_vec(), ContentType::json()).unwrap();
    match execute(store, put.only_if(Precondition::default())).await {
        Ok(written) => Ok(written.revision.version),
        Err(Error::Store(error)) => Err(error),
        Err(refusal) => panic!("{refusal}"),
    }
}

/// The key of a state document.
#[must_use]
pub fn key(name: &str) -> DocumentKey {
    StateKey::new(name).unwrap().into()
}

/// A version of a document, as a command of `tester` would write it; a tombstone without a value.
#[must_use]
pub fn document(name: &str, version: u64, value: Option<&[u8]>) -> Document {
    let bytes = Bytes::copy_from_slice(value.unwrap_or_default());
    let revision = Revision {
        version: Version::new(version).unwrap(),
        hash: Hash::of(&bytes),
        content_type: ContentType::json(),
        size: bytes.len() as u64,
        updated_at: FakeClock::default().now(),
        updated_by: Actor::new("tester"),
        deleted: value.is_none(),
    };
    Document { key: key(name), revision, value: bytes }
}

/// Asks a question.
///
/// # Errors
/// As the store.
pub async fn ask<T: Send + 'static>(
    store: &dyn Store,
    question: impl FnOnce(&mut dyn ReadTx) -> StoreResult<T> + Send + 'static,
) -> StoreResult<T> {
    read(store, question).await
}

/// What the store said to a change that it could not make.
///
/// # Panics
/// When the change was made, or refused.
#[must_use]
pub fn store_error<T>(result: Result<T, Error>) -> StoreError {
    match result {
        Err(Error::Store(error)) => error,
        Err(refusal) => panic!("{refusal}"),
        Ok(_) => panic!("the change was made"),
    }
}
