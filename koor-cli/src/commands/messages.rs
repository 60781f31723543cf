//! Messages between agents.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::{
    commands::{coordination::wait_for, documents::Span},
    context::Context,
    exit::Failure,
    output::{Column, Kind, Rows, Table},
};

/// What is done with messages.
#[derive(Debug, Subcommand)]
pub(crate) enum MsgCommand {
    /// Send a message
    #[command(after_help = "\
A recipient is an agent, an agent of another project as project/name, or a group: stack:react, capability:review, or '*' for
everyone else.

Examples:
  koor msg send backend --body 'The form posts to /api/login now.'
  koor msg send 'stack:react' --subject 'new tokens' --body 'See docs/design.md.' --ack --urgent")]
    Send(Send),

    /// List the messages that came; marks nothing
    #[command(after_help = "Examples:\n  koor msg inbox\n  koor msg inbox --unread --wait 10m")]
    Inbox(Inbox),

    /// Print messages and mark them as read
    #[command(after_help = "Example:\n  koor msg read 41 42")]
    Read(Ids),

    /// Acknowledge messages
    #[command(after_help = "Example:\n  koor msg ack 41")]
    Ack(Ids),

    /// List the messages that this agent has sent
    #[command(after_help = "Example:\n  koor msg sent")]
    Sent,
}

/// What is sent.
#[derive(Debug, Args)]
pub(crate) struct Send {
    /// The agents and groups
    #[arg(required = true, value_name = "AGENT")]
    to: Vec<String>,
    /// What it says
    #[arg(long, value_name = "TEXT")]
    body: String,
    /// What it is about
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,
    /// Ask for an acknowledgement
    #[arg(long)]
    ack: bool,
    /// Show it before others
    #[arg(long)]
    urgent: bool,
    /// The message that it answers
    #[arg(long, value_name = "ID")]
    reply: Option<u64>,
    /// The project of recipients that name none, where this directory has no agent
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
}

/// What is listed.
#[derive(Debug, Args)]
pub(crate) struct Inbox {
    /// Only messages that have not been read
    #[arg(long)]
    unread: bool,
    /// Wait for an unread message, at most this long
    #[arg(long, value_name = "TIME")]
    wait: Option<Span>,
}

/// Which messages.
#[derive(Debug, Args)]
pub(crate) struct Ids {
    /// The ids of the messages
    #[arg(required = true, value_name = "ID")]
    ids: Vec<u64>,
}

const TABLE: Table = Table {
    rows: Rows::Whole,
    columns: &[
        Column("ID", "/id", Kind::Number),
        Column("FROM", "/from", Kind::Name),
        Column("SENT", "/created_at", Kind::Time),
        Column("READ", "/read_at", Kind::Time),
        Column("ACKED", "/acked_at", Kind::Time),
        Column("SUBJECT", "/subject", Kind::Text),
        Column("BODY", "/body", Kind::Text),
    ],
    empty: "no messages",
};

/// Does what was typed.
///
/// # Errors
/// When the server refuses, or can't be reached.
pub(crate) fn run(command: &MsgCommand, context: &Context) -> Result<(), Failure> {
    let client = &context.client;
    let base = "/api/messages";
    match command {
        MsgCommand::Send(Send { to, body, subject, ack, urgent, reply, project }) => {
            let body = json!({
                "to": to, "body": body, "subject": subject, "ack": ack, "urgent": urgent, "reply_to": reply,
                "workspace": project,
            });
            context.show(client.post(base).json(&body)?)
        }
        MsgCommand::Inbox(Inbox { unread, wait }) => {
            let unread = *unread || wait.is_some();
            let request = || {
                let request = client.get(base);
                Ok(if unread { request.query("unread", 1) } else { request })
            };
            let listed = wait_for(wait.as_ref().map(Span::get), request, |answer, last| {
                let body = answer.bytes()?;
                Ok((last || body.trim_ascii() != b"[]").then_some(body))
            })?;
            context.output.table(&listed, &TABLE)
        }
        MsgCommand::Read(Ids { ids }) => {
            // Printed first: what could not be printed has not been read.
            let mut messages: Vec<Value> = Vec::new();
            for id in ids {
                messages.push(client.get(base).segment(&id.to_string()).send()?.json()?);
            }
            let body = serde_json::to_vec(&messages).map_err(|error| Failure::caused_by(&error))?;
            context.output.table(&body, &TABLE)?;
            client.post(base).segment("read").json(&json!({"ids": ids}))?.send().map(drop)
        }
        MsgCommand::Ack(Ids { ids }) => {
            for id in ids {
                context.show(client.post(base).segment(&id.to_string()).segment("ack"))?;
            }
            Ok(())
        }
        MsgCommand::Sent => context.table(client.get(base).query("box", "sent"), &TABLE),
    }
}
