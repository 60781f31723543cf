//! The registered instances.

use crate::{
    domain::instances::{Instance, InstanceFilter},
    ids::{Hash, InstanceId},
    ports::StoreResult,
};

/// The instances.
pub trait InstanceRegistry {
    /// The instance of that id.
    fn instance(&mut self, id: InstanceId) -> StoreResult<Option<Instance>>;

    /// The instance whose token has that hash.
    fn instance_by_token(&mut self, token: Hash) -> StoreResult<Option<Instance>>;

    /// Matching instances, last seen first; those seen at the same moment, by id.
    fn instances(&mut self, filter: &InstanceFilter) -> StoreResult<Vec<Instance>>;

    /// The hash of each instance's token, by instance: for copies.
    fn instance_tokens(&mut self) -> StoreResult<Vec<(InstanceId, Hash)>>;

    /// How many are registered.
    fn instance_count(&mut self) -> StoreResult<u64>;
}

/// A change of the registry. Tokens are kept as hashes only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstanceChange {
    /// Keep an instance under its id, new or changed. Its token stays what it is: none, for a new one.
    Put(Instance),
    /// Give an instance a token; an older one stops working.
    SetToken {
        /// Which instance; it is there.
        id: InstanceId,
        /// The hash of its token.
        token: Hash,
    },
    /// Forget an instance, its token and its sessions.
    Remove(InstanceId),
}
