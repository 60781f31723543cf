//! What every deletion answers.

use schemars::JsonSchema;
use serde::Serialize;

/// The name of what is gone.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Deleted {
    deleted: String,
}

impl Deleted {
    pub(crate) fn of(name: &impl ToString) -> Self {
        Self { deleted: name.to_string() }
    }
}
