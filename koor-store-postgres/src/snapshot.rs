//! What a question sees: the repositories, on one connection. `rows/<noun>.rs` has the methods.

use crate::conn::Conn;

/// A snapshot.
pub(crate) struct Snapshot<'c> {
    /// The connection that holds it.
    pub(crate) conn: &'c mut Conn,
}
