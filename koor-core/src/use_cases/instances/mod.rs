//! Registering instances and following whether they are alive.

mod commands;
mod queries;

pub use commands::{
    ActivateInstance, CheckLiveness, DeregisterInstance, RegisterInstance, Registered, RenewToken,
    SetCapabilities, SetIntent,
};
