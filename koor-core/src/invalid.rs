//! Input that is refused.

/// Something a caller sent that cannot be. The text says what and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(String);

impl Invalid {
    /// A refusal with the given text, which a client will read as it stands.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}
