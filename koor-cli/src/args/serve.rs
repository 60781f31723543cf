//! The flags of `serve`, as they are typed.

use clap::Args;

/// What stands below the help.
pub(crate) const EXAMPLES: &str = "\
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

    /// For how long a task is claimed where the claim does not say [default: 15m]
    #[arg(long, value_name = "TIME")]
    pub(crate) task_lease: Option<String>,

    /// For how long paths are leased where the lease does not say [default: 30m]
    #[arg(long, value_name = "TIME")]
    pub(crate) path_lease: Option<String>,

    /// For how long messages are kept after they were read [default: 30d]
    #[arg(long, value_name = "TIME")]
    pub(crate) message_retention: Option<String>,

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

    /// Listens beyond this machine although there is no token: whoever reaches the server may do everything
    #[arg(long)]
    pub(crate) insecure: bool,
}
