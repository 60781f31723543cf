//! The identities of workspaces.

use std::collections::BTreeMap;

/// The instance that a workspace belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) id: String,
    /// The instance's own token; `None` where the server asks for none.
    pub(crate) token: Option<String>,
}

/// The identity of each workspace that has one, by its folder.
pub(crate) type Identities = BTreeMap<String, Identity>;
