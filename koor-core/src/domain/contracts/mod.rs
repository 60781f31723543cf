//! Contracts: what an API promises, and whether a payload keeps it.

mod contract;
mod effort;
mod fields;
mod findings;
mod schema;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

pub use self::{
    contract::{Check, Contract},
    schema::Schema,
};
use crate::error::Invalid;

/// One place where a payload is not what was promised.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Violation {
    /// Where, as `request.address.city`.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

/// Which part of a call a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The body sent.
    #[default]
    Request,
    /// The body that comes back when all is well.
    Response,
    /// The parameters after the question mark.
    Query,
    /// The body that comes back when something is wrong.
    Error,
}

impl Direction {
    /// The word for it, which is also where the paths of its violations begin.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
            Self::Query => "query",
            Self::Error => "error",
        }
    }
}

impl FromStr for Direction {
    type Err = Invalid;

    fn from_str(word: &str) -> Result<Self, Invalid> {
        match word {
            "request" => Ok(Self::Request),
            "response" => Ok(Self::Response),
            "query" => Ok(Self::Query),
            "error" => Ok(Self::Error),
            _ => Err(Invalid::new(format!(
                "unknown direction {word:?} (use request, response, query, or error)"
            ))),
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
