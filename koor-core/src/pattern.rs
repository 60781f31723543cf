//! Globs over topics.

use serde::{Deserialize, Serialize};

use crate::{error::Invalid, ids::Topic};

/// A glob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pattern(String);

impl Pattern {
    /// Stub.
    pub fn new(text: &str) -> Result<Self, Invalid> {
        Ok(Self(text.into()))
    }
    /// Stub.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Stub.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        None
    }
}

/// Which topics.
#[derive(Debug, Clone, Default)]
pub struct TopicFilter(Vec<Pattern>);

/// Which class of topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Clients'.
    User,
    /// The server's.
    System,
    /// All.
    Both,
}

impl TopicFilter {
    /// Stub.
    #[must_use]
    pub fn new(patterns: Vec<Pattern>) -> Self {
        Self(patterns)
    }
    /// Stub.
    #[must_use]
    pub fn patterns(&self) -> &[Pattern] {
        &self.0
    }
    /// Stub.
    #[must_use]
    pub fn matches(&self, topic: &Topic) -> bool {
        !topic.is_system()
    }
    /// Stub.
    #[must_use]
    pub fn class(&self) -> Class {
        Class::User
    }
}
