//! The event log: published to, read, waited for, followed.

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    commands::{documents::Span, subscribe},
    context::Context,
    exit::Failure,
    input::Input,
    output::{Column, Kind, Rows, Table},
};

/// What is done with events.
#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// Publish an event
    #[command(after_help = "\
Examples:
  koor events publish truck-wash.frontend.done --data '{\"task\": 7}'
  koor events publish truck-wash.backend.request --file question.json --source backend")]
    Publish(Publish),

    /// List events, newest first
    #[command(after_help = "\
Every filter combines with every other. With --after, the oldest come first.

Examples:
  koor events history --last 20
  koor events history --topic 'truck-wash.*' --from 2026-02-16
  koor events history --after 431 --source frontend")]
    History(History),

    /// Wait for events after a cursor, and print them with the next cursor
    #[command(after_help = "\
When the time is up, the events are an empty list and the exit code is 1. Without --since, it waits for what comes from
now on. A pattern that begins with $ asks for changes of Koor's own, such as '$state.changed'.

Examples:
  koor events wait 'truck-wash.*' --timeout 30s
  koor events wait 'truck-wash.*.done' '$state.changed' --since 431")]
    Wait(Wait),

    /// Print events as they are published; reconnects
    #[command(after_help = subscribe::EXAMPLES)]
    Subscribe(subscribe::SubscribeArgs),
}

/// What is published.
#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// Topic: names separated by dots
    topic: String,
    #[command(flatten)]
    input: OptionalInput,
    /// Name of the publisher [default: the instance of this directory]
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
}

/// The data of an event, which may have none.
#[derive(Debug, Args)]
#[group(required = false, multiple = false)]
struct OptionalInput {
    /// Data in JSON; - reads standard input
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    data: Option<String>,
    /// File of the data; - is standard input
    #[arg(long, value_name = "PATH")]
    file: Option<String>,
}

#[derive(Serialize)]
struct Event<'a> {
    topic: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
}

/// Which events.
#[derive(Debug, Args)]
pub(crate) struct History {
    /// Maximum number of events, newest first
    #[arg(long, value_name = "N")]
    last: Option<u64>,
    /// Only topics that match this pattern
    #[arg(long, value_name = "PATTERN")]
    topic: Option<String>,
    /// Only from this time on
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only up to this time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Only from this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only after this id, oldest first
    #[arg(long, value_name = "ID")]
    after: Option<u64>,
}

/// What is waited for.
#[derive(Debug, Args)]
pub(crate) struct Wait {
    /// Patterns of topics; an event needs to match one [default: every topic]
    #[arg(value_name = "PATTERN")]
    patterns: Vec<String>,
    /// Only events after this cursor [default: from now on]
    #[arg(long, value_name = "ID")]
    since: Option<u64>,
    /// Maximum time to wait
    #[arg(long, value_name = "TIME", default_value = "5m")]
    timeout: Span,
    /// Maximum number of events
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

const TABLE: Table = Table {
    rows: Rows::Whole,
    columns: &[
        Column("ID", "/id", Kind::Number),
        Column("TIME", "/created_at", Kind::Time),
        Column("TOPIC", "/topic", Kind::Name),
        Column("SOURCE", "/source", Kind::Text),
        Column("DATA", "/data", Kind::Text),
    ],
    empty: "no events",
};

/// Does what was typed.
///
/// # Errors
/// When the server refuses, or can't be reached, or the time is up.
pub(crate) fn run(command: &EventsCommand, context: &Context) -> Result<(), Failure> {
    match command {
        EventsCommand::Publish(Publish { topic, input, source }) => {
            let data = Input::maybe(input.data.as_ref(), input.file.as_ref()).map(|input| input.read_json());
            let event = Event { topic, data: data.transpose()?, source: source.as_deref() };
            if source.is_none() {
                context.warn_if_anonymous();
            }
            context.show(context.client.post("/api/events/publish").json(&event)?)
        }
        EventsCommand::History(which) => {
            let log = context.client.get("/api/events/history").queries("last", which.last);
            let log =
                log.queries("topic", &which.topic).queries("from", &which.from).queries("to", &which.to);
            context.table(log.queries("source", &which.source).queries("after", which.after), &TABLE)
        }
        EventsCommand::Wait(what) => wait(what, context),
        EventsCommand::Subscribe(args) => subscribe::run(args, &context.client),
    }
}

fn wait(what: &Wait, context: &Context) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Waited<'a> {
        #[serde(borrow)]
        events: Vec<&'a RawValue>,
    }
    let log = context.client.get("/api/events/wait").queries("pattern", &what.patterns);
    let log = log.queries("since", what.since).query("timeout", &what.timeout).queries("limit", what.limit);
    let body = log.patience(what.timeout.patience()).send()?.bytes()?;
    context.output.json(&body)?;
    match serde_json::from_slice(&body) {
        Ok(Waited { events }) if events.is_empty() => {
            Err(Failure::refused(format_args!("no event within {}", what.timeout)))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}
