//! What a question sees: the repositories, on one connection. `rows/<noun>.rs` has the methods.

use crate::{
    audit_tail::{AuditTail, Candidates, Field},
    conn::Conn,
};

/// A snapshot.
pub(crate) struct Snapshot<'c> {
    /// The connection that holds it.
    pub(crate) conn: &'c mut Conn,
    /// What the writer knows of the newest audit entries, where one writes beside the snapshot.
    pub(crate) audit_tail: Option<&'c AuditTail>,
}

impl Snapshot<'_> {
    /// Where the newest audit entries are that have this value, as far as that is known without asking.
    pub(crate) fn candidates(&self, field: Field, value: &str) -> Candidates {
        self.audit_tail.map_or_else(Candidates::none, |tail| tail.candidates(field, value))
    }
}
