//! What a command works with: settings, a client of the server, and the output.

use crate::{
    client::{Client, Request},
    exit::{self, Failure},
    global::Global,
    output::{Output, Table},
    settings::client::ClientSettings,
};

/// What a command works with.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) settings: ClientSettings,
    pub(crate) client: Client,
    pub(crate) output: Output,
}

impl Context {
    /// What the command line, the environment and `settings.json` say.
    ///
    /// # Errors
    /// One line that names the first setting that is no good.
    pub(crate) fn new(global: &Global) -> Result<Self, Failure> {
        let output = Output::new(global)?;
        let settings = ClientSettings::resolve(global, &|name| std::env::var(name).ok())?;
        if let Some(line) = &settings.left_out {
            exit::warn(line);
        }
        let client = Client::new(&settings);
        Ok(Self { settings, client, output })
    }

    /// Warns on stderr that a write is anonymous, where a directory has settings but no identity.
    pub(crate) fn warn_if_anonymous(&self) {
        let ClientSettings { file, instance_id, token, .. } = &self.settings;
        if let (Some(file), None, None) = (file, instance_id, token) {
            exit::warn(format_args!(
                "{} names no instance, so no one in particular writes this: `koor register NAME` gives this directory an \
                 identity",
                file.display()
            ));
        }
    }

    /// Sends a request that writes, and prints the JSON that comes back. Warns first if the write will name no one.
    ///
    /// # Errors
    /// As [`Context::show`].
    pub(crate) fn show_write(&self, request: Request<'_>) -> Result<(), Failure> {
        self.warn_if_anonymous();
        self.show(request)
    }

    /// Sends a request, and prints the JSON that comes back.
    ///
    /// # Errors
    /// When the server refuses or can't be reached, or the output can't be written.
    pub(crate) fn show(&self, request: Request<'_>) -> Result<(), Failure> {
        self.output.json(&request.send()?.bytes()?)
    }

    /// The same: as a table, if a person reads it.
    ///
    /// # Errors
    /// As [`Context::show`].
    pub(crate) fn table(&self, request: Request<'_>, table: &Table) -> Result<(), Failure> {
        self.output.table(&request.send()?.bytes()?, table)
    }
}
