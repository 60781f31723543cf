//! The registered instances.

use crate::{
    clock::Timestamp,
    domain::instances::{Instance, InstanceFilter},
    ids::{Hash, InstanceId},
    ports::StoreResult,
};

/// The read half of the instances.
pub trait InstanceRead {
    /// The instance of that id.
    fn instance(&mut self, id: InstanceId) -> StoreResult<Option<Instance>>;

    /// The instance whose token has that hash.
    fn instance_by_token(&mut self, token: Hash) -> StoreResult<Option<Instance>>;

    /// Matching instances, last seen first; those seen at the same moment, by id.
    fn instances(&mut self, filter: &InstanceFilter) -> StoreResult<Vec<Instance>>;

    /// How many are registered.
    fn instance_count(&mut self) -> StoreResult<u64>;
}

/// The whole of it. Tokens are kept as hashes only.
pub trait InstanceRegistry: InstanceRead {
    /// Keeps an instance under its id, new or changed. Its token stays what it is: none, for a new one.
    fn put_instance(&mut self, instance: &Instance) -> StoreResult<()>;

    /// Gives an instance a token; an older one stops working. An unknown instance is passed over.
    fn set_instance_token(&mut self, id: InstanceId, token: Hash) -> StoreResult<()>;

    /// Moves `last_seen` forward to that moment, never back. An unknown instance is passed over.
    fn touch_instance(&mut self, id: InstanceId, seen: Timestamp) -> StoreResult<()>;

    /// Forgets an instance and its token.
    fn remove_instance(&mut self, id: InstanceId) -> StoreResult<()>;
}
