//! The files in which MCP clients look for servers: where they are, what they say, and how an entry is put into one.

pub(crate) mod clients;
mod merge;
pub(crate) mod telemetry;

pub(crate) use self::merge::{MergeError, input, listed, merged, object_in, object_of, parsed, written};
