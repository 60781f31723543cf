//! Where the server is: shown, and kept in `settings.json` or in the user's own store.

use std::{
    env,
    path::{Path, PathBuf},
};

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::{
    context::Context,
    exit::{self, Failure},
    global::Global,
    output::{Column, Kind, Rows, Table},
    settings::{client, file, locate, origin::Origin, store::Store},
};

/// What is done with settings.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Write a setting to settings.json, for commands in this directory and below
    #[command(after_help = "\
The file is that of this directory or of the nearest parent that has one, up to the repository's root or the home
directory; else a new one here. What else is in it stays there. Only its owner may read it afterwards.

A token is only sent to the server it was set for: it stands beside that server, and goes when another server is set.
With --user it is kept outside of all projects, in your configuration directory: the place for the server's own token.

Examples:
  koor config set server http://build-box:9800
  koor config set token s3cret
  koor config set token s3cret --user --server http://build-box:9800
  koor config set token \"\"                     takes it out")]
    Set {
        /// Setting
        key: Key,
        /// New value; empty removes the setting
        value: String,
        /// Store the token in your configuration directory, for this server in every directory without an identity
        #[arg(long)]
        user: bool,
    },

    /// Show the effective settings and where they come from; tokens are hidden
    #[command(after_help = "Example:\n  koor config show --pretty")]
    Show,
}

/// What can be set.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Key {
    /// URL of the server
    Server,
    /// Token to send to the server
    Token,
}

const TABLE: Table = Table {
    rows: Rows::Fields,
    columns: &[
        Column("server", "/server", Kind::Name),
        Column("  from", "/server_from", Kind::Aside),
        Column("token", "/token", Kind::Text),
        Column("  from", "/token_from", Kind::Aside),
        Column("instance", "/instance_id", Kind::Text),
        Column("file", "/file", Kind::Text),
    ],
    empty: "",
};

/// Does what was typed.
///
/// # Errors
/// When the file, or what is to be written into it, is no good.
pub(crate) fn run(
    command: &ConfigCommand,
    global: &Global,
    context: &dyn Fn() -> Result<Context, Failure>,
) -> Result<(), Failure> {
    match command {
        ConfigCommand::Set { key: Key::Server, value, user: false } => set_server(value),
        ConfigCommand::Set { key: Key::Server, user: true, .. } => {
            Err(Failure::usage("--user is for a token: a server is set for a directory, or by KOOR_SERVER"))
        }
        ConfigCommand::Set { key: Key::Token, value, user } => set_token(value, *user, global),
        ConfigCommand::Show => show(&context()?),
    }
}

/// The file that is changed: the one that holds here, or a new one in this directory.
fn place() -> PathBuf {
    locate::find(&|name| env::var(name).ok()).unwrap_or_else(|| PathBuf::from(file::NAME))
}

/// A word alone is rather a slip than a host on port 80.
fn check_server(value: &str) -> Result<(), Failure> {
    let text = value.trim();
    let is_word =
        !text.is_empty() && !text.contains(['.', ':', '/']) && !text.eq_ignore_ascii_case("localhost");
    if is_word {
        return Err(Failure::usage(format_args!(
            "{text:?} is no URL of a server: if it is a host, write http://{text}:9800"
        )));
    }
    Ok(())
}

fn set_server(value: &str) -> Result<(), Failure> {
    check_server(value)?;
    let url = if value.is_empty() { None } else { Some(client::server_url(value).map_err(Failure::usage)?) };
    let place = place();
    let there = file::read_if_there(&place)?;
    let text = |key: &str| there.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let of_token = text("server").unwrap_or(client::DEFAULT_SERVER);
    let of_token = client::server_url(of_token).unwrap_or_else(|_| of_token.to_owned());
    let mut changes = vec![("server", url.as_deref())];
    let new = url.as_deref().unwrap_or(client::DEFAULT_SERVER);
    if text("token").is_some() && of_token != new {
        changes.push(("token", None));
        exit::warn(format_args!(
            "took out the token: it was set for {of_token}. Set one for {new} with `koor config set token TOKEN`"
        ));
    }
    change(&place, &changes)
}

fn set_token(token: &str, user: bool, global: &Global) -> Result<(), Failure> {
    client::check_token(token).map_err(Failure::usage)?;
    let environment = |name: &str| env::var(name).ok();
    let token = Some(token).filter(|token| !token.is_empty());
    let server = client::server_in_effect(global, &environment)?;
    if user {
        let file = Store::new(&environment).set(&server.value, token)?;
        let done = if token.is_some() { "kept the token" } else { "forgot the token" };
        exit::warn(format_args!("{done} for {} in {}", server.value, file.display()));
        return Ok(());
    }
    let place = place();
    let names_server = file::read_if_there(&place)?.get("server").is_some_and(Value::is_string);
    let mut changes = vec![("token", token)];
    // A token stands beside the server it is for.
    let beside = match server.origin {
        Origin::Flag => true,
        Origin::Environment => !names_server,
        Origin::File | Origin::Store | Origin::Default => false,
    };
    if beside && token.is_some() {
        changes.push(("server", Some(server.value.as_str())));
    }
    change(&place, &changes)
}

fn change(place: &Path, changes: &[(&str, Option<&str>)]) -> Result<(), Failure> {
    client::save(place, changes)?;
    // One of a parent is none that a person sees here.
    if place != Path::new(file::NAME) {
        exit::warn(format_args!("changed {}", place.display()));
    }
    Ok(())
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
        "file": settings.file.as_deref().map(|path| path.display().to_string()).unwrap_or_default(),
    });
    context.output.table(shown.to_string().as_bytes(), &TABLE)
}
