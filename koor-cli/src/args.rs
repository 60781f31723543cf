//! The command line as it was typed.

use std::{ffi::OsString, path::Path};

use clap::{Args, Parser, Subcommand};

/// A coordination server for AI coding agents.
#[derive(Debug, Parser)]
#[command(name = "koor", version, disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Starts the server
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(ServeArgs),
}

const SERVE_EXAMPLES: &str = "\
Each of these can also be set in the environment (--data-dir as KOOR_DATA_DIR), or in the config file (as \"data_dir\").
A flag counts more than the environment, which counts more than the file.

Examples:
  koor serve
  koor serve --data-dir /var/lib/koor --bind 0.0.0.0:9800 --auth-token-file /etc/koor/token
  koor serve --bind localhost:0 --dashboard-bind \"\" --log-format json";

/// The flags of `serve`, as they were typed.
#[derive(Debug, Default, Args)]
pub(crate) struct ServeArgs {
    /// The config file, in JSON [default: ./settings.json, if it is there]
    #[arg(long, value_name = "PATH")]
    pub(crate) config: Option<std::path::PathBuf>,

    /// Where the API and MCP listen; port 0 picks one [default: localhost:9800]
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) bind: Option<String>,

    /// Where the dashboard listens; empty for no dashboard [default: localhost:9847]
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) dashboard_bind: Option<String>,

    /// Where the database is, `data.db` [default: .]
    #[arg(long, value_name = "PATH")]
    pub(crate) data_dir: Option<String>,

    /// What clients must show; without it, everybody who reaches the server may do everything
    #[arg(long, value_name = "TOKEN")]
    pub(crate) auth_token: Option<String>,

    /// A file that holds the token, out of sight of `ps`
    #[arg(long, value_name = "PATH")]
    pub(crate) auth_token_file: Option<String>,

    /// error, warn, info, debug or trace [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,

    /// text or json [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<String>,

    /// How many events of clients are kept [default: 1000]
    #[arg(long, value_name = "N")]
    pub(crate) event_retention: Option<String>,

    /// How many events of the server's own are kept [default: 10000]
    #[arg(long, value_name = "N")]
    pub(crate) change_retention: Option<String>,

    /// How many versions are kept before the current one; 0 keeps all [default: 0]
    #[arg(long, value_name = "N")]
    pub(crate) history_limit: Option<String>,

    /// After how much silence an instance is stale [default: 5m]
    #[arg(long, value_name = "TIME")]
    pub(crate) stale_after: Option<String>,

    /// How often contracts are checked [default: 5m]
    #[arg(long, value_name = "TIME")]
    pub(crate) compliance_every: Option<String>,

    /// The largest body of a request [default: 10MiB]
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_body: Option<String>,

    /// full: on disk before it is answered. normal: faster, and a power cut may take the last writes [default: full]
    #[arg(long, value_name = "HOW")]
    pub(crate) durability: Option<String>,

    /// A web origin, beyond the server's own, whose pages may call it; may be repeated
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) allow_origin: Vec<String>,

    /// A name, beyond localhost, under which a server on loopback may be called; may be repeated
    #[arg(long, value_name = "HOST")]
    pub(crate) allow_host: Vec<String>,

    /// A private host, address or range that webhooks may call although there is a token; may be repeated
    #[arg(long, value_name = "TARGET")]
    pub(crate) allow_outbound: Vec<String>,
}

/// Reads a command line. The name it was called by can stand for a command: `koor-server` for `koor serve`.
///
/// # Errors
/// When it can't be understood, or asks for help only.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let mut args: Vec<OsString> = args.into_iter().collect();
    let called = args.first().map(Path::new).and_then(Path::file_stem).and_then(|name| name.to_str());
    if called == Some("koor-server") {
        args.insert(1, "serve".into());
    }
    Cli::try_parse_from(args)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parsed(line: &[&str]) -> Cli {
        parse(line.iter().map(OsString::from)).unwrap()
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_name_of_the_original_server_starts_the_server() {
        for name in ["koor-server", "/usr/bin/koor-server", "koor-server.exe"] {
            let Command::Serve(args) = parsed(&[name, "--bind", "x:1"]).command;
            assert_eq!(args.bind.as_deref(), Some("x:1"));
        }
        let Command::Serve(args) = parsed(&["koor", "serve"]).command;
        assert_eq!(args.bind, None);
        assert!(parse(["koor".into()]).is_err());
    }

    #[test]
    fn an_empty_value_is_a_value() {
        let Command::Serve(args) =
            parsed(&["koor", "serve", "--dashboard-bind", "", "--auth-token="]).command;
        assert_eq!((args.dashboard_bind.as_deref(), args.auth_token.as_deref()), (Some(""), Some("")));
    }
}
