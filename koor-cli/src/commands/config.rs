//! Where the server is: shown, and kept in `./settings.json`.

use clap::{Subcommand, ValueEnum};
use serde_json::json;

use crate::{
    context::Context,
    exit::Failure,
    output::{Column, Kind, Rows, Table},
    settings::client,
};

/// What is done with settings.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Writes a setting into ./settings.json, for every later command in this directory
    #[command(after_help = "\
What else is in the file stays there. Only its owner may read it afterwards.

Examples:
  koor config set server http://build-box:9800
  koor config set token s3cret
  koor config set token \"\"                     takes it out")]
    Set {
        /// What is set
        key: Key,
        /// What it is set to; empty takes it out
        value: String,
    },

    /// Shows what holds here, and where it comes from; a token is not shown
    #[command(after_help = "Example:\n  koor config show --pretty")]
    Show,
}

/// What can be set.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Key {
    /// The server's URL
    Server,
    /// What the server asks its callers for
    Token,
}

const TABLE: Table = Table {
    rows: Rows::Fields,
    columns: &[
        Column("server", "/server", Kind::Name),
        Column("  from", "/server_from", Kind::Time),
        Column("token", "/token", Kind::Text),
        Column("  from", "/token_from", Kind::Time),
        Column("instance", "/instance_id", Kind::Text),
    ],
    empty: "",
};

/// Does what was typed.
///
/// # Errors
/// When the file, or what is to be written into it, is no good.
pub(crate) fn run(
    command: &ConfigCommand,
    context: &dyn Fn() -> Result<Context, Failure>,
) -> Result<(), Failure> {
    match command {
        ConfigCommand::Set { key, value } => set(*key, value),
        ConfigCommand::Show => show(&context()?),
    }
}

fn set(key: Key, value: &str) -> Result<(), Failure> {
    let (key, value) = match key {
        Key::Server if value.is_empty() => ("server", None),
        Key::Server => ("server", Some(client::server_url(value).map_err(Failure::usage)?)),
        Key::Token if value.is_empty() => ("token", None),
        Key::Token => {
            client::check_token(value).map_err(Failure::usage)?;
            ("token", Some(value.to_owned()))
        }
    };
    client::save(&[(key, value.as_deref())])
}

fn show(context: &Context) -> Result<(), Failure> {
    let settings = &context.settings;
    let token = settings.token.as_ref();
    let shown = json!({
        "server": settings.server.value,
        "server_from": settings.server.origin.to_string(),
        "token": if token.is_some() { "(set)" } else { "" },
        "token_from": token.map(|token| token.origin.to_string()).unwrap_or_default(),
        "instance_id": settings.instance_id.as_deref().unwrap_or_default(),
    });
    context.output.table(shown.to_string().as_bytes(), &TABLE)
}
