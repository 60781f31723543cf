//! The event log as Server-Sent Events.

use std::ops::ControlFlow;

use bytes::Bytes;
use hyper::{
    HeaderMap,
    header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue},
};
use koor_core::{Told, ids::Cursor, pattern::TopicFilter};
use schemars::JsonSchema;
use tokio::{
    select,
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval_at},
};

use crate::{
    body::{Body, Tally},
    error::Failure,
    request::Call,
    response::Answer,
    shape::{Output, Reply, Schemas, Shape},
};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Events in one write.
const BATCH: usize = 64;

/// What waits to be written is written when it is this much, full batch or not: each subscriber has its own copy.
const BURST: usize = 64 << 10;

/// The last event that a client saw before it lost the connection.
pub(crate) fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Failure> {
    let Some(value) = headers.get(LAST_EVENT_ID).filter(|value| !value.is_empty()) else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| Failure::invalid("Last-Event-ID must be the id of an event"))
}

/// An answer that is a stream of events.
pub(crate) struct EventStream(pub(crate) Answer);

/// An event of a stream.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct StreamedEvent {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<EventKind>,
    /// An Event, or a gap, as JSON.
    data: String,
}

#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
enum EventKind {
    Message,
    Gap,
}

impl Output for EventStream {
    fn into_answer(self) -> Answer {
        self.0
    }

    fn describe(shape: &mut Shape, schemas: &mut Schemas) {
        shape.reply = Reply::Stream(schemas.given::<StreamedEvent>());
    }
}

/// Opens a stream of events.
pub(crate) fn open(call: &Call, topics: TopicFilter, since: Option<Cursor>) -> Answer {
    let mut subscription = call.koor().subscribe(topics, since);
    // One piece waits at the most: the next is fetched when the one before is on its way, so that a slow reader is
    // caught up from the log instead of from memory.
    let (pieces, receiver) = mpsc::channel::<Bytes>(1);
    let context = call.context.clone();
    if !call.is_head() {
        tokio::spawn(async move {
            let shared = &*context.shared;
            let every = shared.settings.comment_every;
            let mut comment = interval_at(Instant::now() + every, every);
            comment.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let feed = async {
                while let Ok(room) = pieces.reserve().await {
                    let mut batch = Batch::default();
                    select! {
                        next = subscription.lend_next(BATCH, |told| batch.add(&told)) => match next {
                            Ok(false) => return,
                            Ok(true) => {}
                            Err(error) => {
                                tracing::error!(%error, "a stream of events cannot be read on");
                                return;
                            }
                        },
                        _ = comment.tick() => {
                            room.send(Bytes::from_static(b":\n\n"));
                            continue;
                        }
                        () = pieces.closed() => return,
                    }
                    shared.meters.delivered(batch.events);
                    if let Some(missed) = batch.missed {
                        shared.meters.gap(missed);
                    }
                    room.send(batch.out.into());
                    comment.reset();
                }
            };
            select! {
                () = feed => {}
                () = context.cut_off() => {}
            }
        });
    }
    let mut answer = Answer::new(Body::Feed(receiver, Tally::none()));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Proxies of nginx's kind hold back what they think is a page.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    answer
}

/// What goes out in one write.
#[derive(Default)]
struct Batch {
    out: Vec<u8>,
    events: u64,
    /// How many events a gap among it tells of.
    missed: Option<u64>,
}

impl Batch {
    /// Takes what a subscriber is told, until it is enough for a write.
    fn add(&mut self, told: &Told<'_>) -> ControlFlow<()> {
        match told {
            Told::Event(frame) => {
                self.events += 1;
                self.out.extend_from_slice(format!("id: {}\n", frame.event().id).as_bytes());
                add_data(&mut self.out, frame.json());
            }
            Told::Gap(gap) => {
                self.missed = Some(gap.missed);
                self.out.extend_from_slice(b"event: gap\n");
                // Two numbers: writing them cannot fail.
                add_data(&mut self.out, &serde_json::to_vec(gap).unwrap_or_default());
            }
        }
        if self.out.len() < BURST { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

/// Adds data line by line: what was sent with line ends in it is kept with them.
fn add_data(out: &mut Vec<u8>, data: &[u8]) {
    for line in data.split(|byte| matches!(byte, b'\n' | b'\r')) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use koor_core::Gap;

    use super::*;

    #[test]
    fn data_of_several_lines_is_sent_line_by_line() {
        let mut out = Vec::new();
        add_data(&mut out, b"{\n\"a\":1}");
        assert_eq!(out, b"data: {\ndata: \"a\":1}\n\n");
    }

    #[test]
    fn a_gap_is_an_event_of_its_own_kind() {
        let mut batch = Batch::default();
        assert!(batch.add(&Told::Gap(Gap { missed: 12, resume_from: 431 })).is_continue());
        let expected = "event: gap\ndata: {\"type\":\"gap\",\"missed\":12,\"resume_from\":431}\n\n";
        assert_eq!((&batch.out[..], batch.events, batch.missed), (expected.as_bytes(), 0, Some(12)));
    }
}
