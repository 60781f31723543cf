//! The settings of `serve`, from flags, the environment and the config file.

mod flags;
mod layers;
mod parse;
mod setting;
mod sources;
mod store;
mod table;

use self::layers::Layers;
pub(crate) use self::{
    flags::ServeFlags,
    setting::{Kind, Setting},
    sources::Sources,
    store::StoreAddress,
    table::{SETTINGS, ServeSettings},
};
use crate::exit::Failure;

impl ServeSettings {
    /// Resolves the settings: a flag overrides the environment, which overrides the file.
    ///
    /// # Errors
    /// One line that names the first invalid setting.
    pub(crate) fn resolve(
        flags: ServeFlags,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        Self::read(&Layers::new(flags, environment, SETTINGS)?)
    }
}

#[cfg(test)]
mod tests;
