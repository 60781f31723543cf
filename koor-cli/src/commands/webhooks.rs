//! Who is called when something happens.

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::{
    context::Context,
    exit::Failure,
    input,
    output::{Column, Kind, Rows, Table},
};

/// What is done with webhooks.
#[derive(Debug, Subcommand)]
pub(crate) enum WebhooksCommand {
    /// List webhooks
    #[command(after_help = "Example:\n  koor webhooks list")]
    List,

    /// Create a webhook
    #[command(after_help = "\
Examples:
  koor webhooks add --id chat --url https://hooks.example.com/koor --patterns 'agent.*,compliance.*'
  koor webhooks add --id ci --url http://localhost:7000/koor --secret-file ci.secret")]
    Add(Add),

    /// Delete a webhook
    #[command(after_help = "Example:\n  koor webhooks delete chat")]
    Delete(Which),

    /// Send a test event to a webhook
    #[command(after_help = "Example:\n  koor webhooks test chat")]
    Test(Which),

    /// Enable a webhook again; it resumes where it stopped
    #[command(after_help = "Example:\n  koor webhooks enable chat")]
    Enable(Which),

    /// List the last delivery attempts of a webhook
    #[command(after_help = "Example:\n  koor webhooks deliveries chat")]
    Deliveries(Which),
}

/// Which webhook.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Id of the webhook
    id: String,
}

/// What is made.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Id of the webhook
    #[arg(long, value_name = "ID")]
    id: String,
    /// URL to call
    #[arg(long, value_name = "URL")]
    url: String,
    /// Patterns of topics, separated by commas [default: *]
    #[arg(long, value_name = "PATTERNS", value_delimiter = ',')]
    patterns: Vec<String>,
    /// Secret that signs the calls
    #[arg(long, value_name = "SECRET", conflicts_with = "secret_file")]
    secret: Option<String>,
    /// File of the secret, hidden from `ps`; - is standard input
    #[arg(long, value_name = "PATH")]
    secret_file: Option<String>,
}

#[derive(Serialize)]
struct Webhook<'a> {
    id: &'a str,
    url: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    patterns: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

const TABLE: Table = Table {
    rows: Rows::Whole,
    columns: &[
        Column("ID", "/id", Kind::Name),
        Column("ACTIVE", "/active", Kind::State),
        Column("FAILED", "/fail_count", Kind::Number),
        Column("PENDING", "/pending", Kind::Number),
        Column("LAST FIRED", "/last_fired", Kind::Time),
        Column("PATTERNS", "/patterns", Kind::Text),
        Column("URL", "/url", Kind::Text),
        Column("LAST ERROR", "/last_error", Kind::Text),
    ],
    empty: "no webhooks",
};

const DELIVERIES: Table = Table {
    rows: Rows::Whole,
    columns: &[
        Column("AT", "/at", Kind::Time),
        Column("EVENT", "/event_id", Kind::Number),
        Column("ATTEMPT", "/attempt", Kind::Number),
        Column("STATUS", "/status", Kind::Number),
        Column("MS", "/duration_ms", Kind::Number),
        Column("ERROR", "/error", Kind::Text),
    ],
    empty: "no attempts",
};

/// Does what was typed.
///
/// # Errors
/// When the server refuses, or can't be reached.
pub(crate) fn run(command: &WebhooksCommand, context: &Context) -> Result<(), Failure> {
    let client = &context.client;
    let base = "/api/webhooks";
    match command {
        WebhooksCommand::List => context.table(client.get(base), &TABLE),
        WebhooksCommand::Add(Add { id, url, patterns, secret, secret_file }) => {
            let secret = match secret_file {
                Some(path) => Some(input::read_secret(path)?),
                None => secret.clone(),
            };
            context.show_write(client.post(base).json(&Webhook { id, url, patterns, secret })?)
        }
        WebhooksCommand::Delete(Which { id }) => context.show_write(client.delete(base).segment(id)),
        WebhooksCommand::Test(Which { id }) => context.show(client.post(base).segment(id).segment("test")),
        WebhooksCommand::Enable(Which { id }) => {
            context.show_write(client.post(base).segment(id).segment("enable"))
        }
        WebhooksCommand::Deliveries(Which { id }) => {
            context.table(client.get(base).segment(id).segment("deliveries"), &DELIVERIES)
        }
    }
}
