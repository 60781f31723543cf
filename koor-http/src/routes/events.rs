//! Events: published, read back, waited for, followed.

use std::time::Duration;

use koor_core::{
    domain::{RawJson, events::EventFilter},
    ids::{Cursor, Topic},
    page::Limit,
    use_cases::PublishEvent,
    use_cases::{History, HistoryJson},
};
use serde::Deserialize;
use tokio::select;

use crate::{
    error::Failure,
    request::Call,
    response::{self, Answer},
    sse, ws,
};

#[derive(Default, Deserialize)]
#[serde(default)]
struct PublishBody {
    topic: String,
    data: RawJson,
    source: Option<String>,
}

pub(crate) async fn publish(mut call: Call) -> Result<Answer, Failure> {
    let PublishBody { topic, data, source } = call.object_kept().await?;
    let command = PublishEvent::new(Topic::new(topic)?, data, source)?;
    response::committed(&call.koor().execute(&call.caller, command).await?)
}

pub(crate) async fn history(call: Call) -> Result<Answer, Failure> {
    let query = call.query();
    let filter =
        EventFilter { topics: query.topics("topic")?, source: query.text("source")?, range: query.range()? };
    let after = query.number("after")?.map(Cursor::new);
    let history = History { filter, after, limit: query.limit("last")? };
    Ok(match call.koor().event_history_json(history).await? {
        HistoryJson::Whole(events) => response::json(&events)?,
        HistoryJson::Pieces(pieces) => response::json_pieces(pieces),
    })
}

/// How long a wait is, unless told.
const WAIT: Duration = Duration::from_secs(30);

/// How many events a wait answers at most, unless told.
const WAITED: u64 = 100;

pub(crate) async fn wait(call: Call) -> Result<Answer, Failure> {
    let query = call.query();
    let since = query.number("since")?.map(Cursor::new);
    let wait = query.span("timeout")?.unwrap_or(WAIT);
    let limit = Limit::new("limit", query.number("limit")?.unwrap_or(WAITED))?;
    let topics = query.topics("pattern")?;
    let until = |wait| call.koor().wait_for_events(topics.clone(), since, wait, limit);
    let waited = select! {
        biased;
        waited = until(wait) => waited?,
        () = call.no_use_in_waiting() => until(Duration::ZERO).await?,
    };
    response::json(&waited)
}

#[expect(clippy::unused_async, reason = "every route is async")]
pub(crate) async fn subscribe(call: Call) -> Result<Answer, Failure> {
    let query = call.query();
    let since = query.number("since")?.map(Cursor::new);
    let topics = query.topics("pattern")?;
    ws::accept(call, topics, since)
}

#[expect(clippy::unused_async, reason = "every route is async")]
pub(crate) async fn stream(call: Call) -> Result<Answer, Failure> {
    let query = call.query();
    let since = query.number("since")?;
    let topics = query.topics("pattern")?;
    // A client that comes back asks for the same address, but knows better where it was.
    let since = sse::last_event_id(&call.head.headers)?.or(since).map(Cursor::new);
    Ok(sse::open(&call, topics, since))
}
