//! Writing, deleting, rolling back and reading versioned documents.

mod commands;
mod queries;

pub use commands::{DeleteDocument, PutDocument, RollbackDocument, Written};
pub(super) use commands::{Payload, append, keep};
pub(super) use queries::check_wait;
pub use queries::{Diff, StateQuery};
