//! Contracts: what an API promises, and whether a payload keeps it.

mod contract;
mod document;
mod effort;
mod fields;
mod findings;
mod schema;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use self::document::{claims_to_be_contract, contract_parts};
pub(in crate::domain) use self::findings::type_name;
pub use self::{
    contract::{Check, Contract},
    schema::Schema,
};
use crate::domain::string_enum;

/// One place where a payload is not what was promised.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Violation {
    /// Where, as `request.address.city`.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

string_enum! {
    /// Which part of a call a payload is; the word for it is also where the paths of its violations begin.
    #[derive(Default)]
    Direction, "direction", {
        /// The body sent.
        #[default]
        Request = "request",
        /// The body that comes back when all is well.
        Response = "response",
        /// The parameters after the question mark.
        Query = "query",
        /// The body that comes back when something is wrong.
        Error = "error",
    }, "request, response, query, or error"
}
