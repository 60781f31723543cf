//! Options that every command takes.

use clap::{ArgAction, Args};

const SERVER: &str = "URL of the server [environment: KOOR_SERVER] [default: http://localhost:9800]";

const TOKEN: &str = "Token to send to the server [environment: KOOR_TOKEN]";

/// Options of every command; they may stand anywhere on the line.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    #[arg(long, global = true, value_name = "URL", help = SERVER)]
    pub(crate) server: Option<String>,

    #[arg(long, global = true, value_name = "TOKEN", help = TOKEN)]
    pub(crate) token: Option<String>,

    /// Print indented JSON
    #[arg(long, global = true)]
    pub(crate) pretty: bool,

    /// Print JSON even on a terminal
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Print tables even into a pipe
    #[arg(long, global = true)]
    pub(crate) table: bool,

    // One line for each flag, whichever of the two is asked: agents pay for every line.
    /// Print help
    #[arg(long, short, global = true, action = ArgAction::HelpShort)]
    help: Option<bool>,
}
