//! Registering instances and following whether they are alive.

mod commands;
mod queries;

pub use commands::{
    ActivateInstance, CheckLiveness, DeregisterInstance, InstanceDraft, RegisterInstance, Registered,
    RenewToken, SetCapabilities, SetIntent,
};
