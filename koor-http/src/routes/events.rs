//! Events: published, read back, waited for, followed.

use std::time::Duration;

use hyper::StatusCode;
use koor_core::{
    domain::{
        RawJson,
        events::{Event, EventFilter},
    },
    ids::{Cursor, Topic},
    page::{Limit, TimeRange},
    pattern::TopicFilter,
    schema::{Line, Needs},
    use_cases::{History, HistoryJson, PublishEvent, Waited},
};
use schemars::{JsonSchema, Schema, json_schema};
use serde::Deserialize;
use tokio::select;

use crate::{
    error::Failure,
    json_body::Kept,
    query_value::query,
    request::Call,
    response::{self, Json, Written},
    sse::{self, EventStream},
    ws::{self, Upgrade},
};

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(transform = Needs(&["topic"]))]
pub(crate) struct PublishBody {
    #[schemars(with = "Topic", transform = of_users)]
    topic: String,
    data: RawJson,
    #[schemars(with = "Option<Line>")]
    source: Option<String>,
}

/// Topics that begin with `$` are the server's own.
fn of_users(schema: &mut Schema) {
    *schema = json_schema!({"allOf": [schema.clone(), {"pattern": "^[^$]"}]});
}

pub(crate) async fn publish(call: Call, Kept(body): Kept<PublishBody>) -> Result<Written<Event>, Failure> {
    let PublishBody { topic, data, source } = body;
    let command = PublishEvent::new(Topic::new(topic)?, data, source)?;
    response::committed(&call.koor().execute(&call.caller, command).await?)
}

query! {
    struct HistoryQuery {
        /// How many at most, after filtering.
        last: Option<Limit>,
        /// A glob over topics.
        topic: TopicFilter,
        /// From this source.
        source: Option<String>,
        /// After this id, oldest first.
        after: Option<Cursor>,
    }
}

pub(crate) async fn history(
    call: Call,
    (query, range): (HistoryQuery, TimeRange),
) -> Result<Json<Vec<Event>>, Failure> {
    let HistoryQuery { last, topic: topics, source, after } = query;
    let filter = EventFilter { topics, source, range };
    let history = History { filter, after, limit: last.unwrap_or_default() };
    Ok(match call.koor().event_history_json(history).await? {
        HistoryJson::Whole(events) => Json::of(response::json_with(StatusCode::OK, &events)?),
        HistoryJson::Pieces(pieces) => response::json_pieces(pieces),
    })
}

/// How long a wait is, unless told.
const WAIT: Duration = Duration::from_secs(30);

/// How many events a wait answers at most, unless told.
const WAITED: u64 = 100;

query! {
    struct WaitQuery {
        /// After this cursor; without it, from now.
        since: Option<Cursor>,
        /// Globs over topics; any of them.
        pattern: TopicFilter,
        /// At most so long; 30s unless told.
        timeout: Option<Duration>,
        /// How many at most; 100 unless told.
        limit: Option<Limit>,
    }
}

pub(crate) async fn wait(call: Call, query: WaitQuery) -> Result<Json<Waited>, Failure> {
    let WaitQuery { since, pattern: topics, timeout, limit } = query;
    let wait = timeout.unwrap_or(WAIT);
    let limit = limit.map_or_else(|| Limit::new("limit", WAITED), Ok)?;
    let until = |wait| call.koor().wait_for_events(topics.clone(), since, wait, limit);
    let waited = select! {
        biased;
        waited = until(wait) => waited?,
        () = call.no_use_in_waiting() => until(Duration::ZERO).await?,
    };
    response::json(&waited)
}

query! {
    struct FollowQuery {
        /// Globs over topics; any of them.
        pattern: TopicFilter,
        /// After this cursor; without it, from now.
        since: Option<Cursor>,
    }
}

pub(crate) async fn subscribe(call: Call, query: FollowQuery) -> Result<Upgrade, Failure> {
    ws::accept(call, query.pattern, query.since).map(Upgrade)
}

pub(crate) async fn stream(call: Call, query: FollowQuery) -> Result<EventStream, Failure> {
    // A client that comes back asks for the same address, but knows better where it was.
    let since = sse::last_event_id(&call.head.headers)?.map(Cursor::new).or(query.since);
    Ok(EventStream(sse::open(&call, query.pattern, since)))
}
