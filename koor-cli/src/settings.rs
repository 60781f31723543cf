//! What was typed, set in the environment and written in a file, resolved into what is meant.

pub(crate) mod client;
pub(crate) mod file;
pub(crate) mod locate;
pub(crate) mod origin;
pub(crate) mod serve;
pub(crate) mod session;
pub(crate) mod store;
mod tokens;
