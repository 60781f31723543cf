//! Contracts: what an API promises, and whether a payload keeps it.

use serde::{Deserialize, Serialize};

/// One place where a payload is not what was promised.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Violation {
    /// Where, as `request.address.city`.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

/// Stub.
#[derive(Debug)]
pub struct Contract {}
impl Contract {
    /// Stub.
    pub fn parse(_: &serde_json::Value) -> Result<Self, Vec<Violation>> {
        Ok(Self {})
    }
}
