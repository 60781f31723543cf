//! The event log by WebSocket.

use std::{
    mem,
    ops::ControlFlow::{self, Break, Continue},
    sync::Arc,
    time::Duration,
};

use futures_util::{SinkExt as _, StreamExt as _};
use hyper::{
    HeaderMap, Request, StatusCode,
    header::{
        CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
        UPGRADE,
    },
    upgrade::{OnUpgrade, Upgraded},
};
use hyper_util::rt::TokioIo;
use koor_core::{Caller, Plane, Subscription, Told, ids::Cursor, pattern::TopicFilter};
use tokio::{
    io::AsyncWriteExt as _,
    select,
    time::{Instant, MissedTickBehavior, interval_at, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message, Utf8Bytes,
        handshake::derive_accept_key,
        protocol::{
            CloseFrame, Role, WebSocketConfig,
            frame::{
                FrameHeader,
                coding::{CloseCode, Data, OpCode},
            },
        },
    },
};

use crate::{
    error::Failure,
    request::Call,
    response::{self, Answer},
    shape::{Output, Reply, Schemas, Shape},
    shared::Shared,
};

/// Events in one write: enough that the write costs little beside them.
const BATCH: usize = 128;

/// What waits to be written is written when it is this much, full batch or not: each subscriber has its own copy.
const BURST: usize = 64 << 10;

/// What a subscriber has to say fits into this: it has nothing to say.
const LONGEST_MESSAGE: usize = 16 << 10;

/// One read. Most subscribers never send more than a pong, and each has a buffer of its own.
const READ_BUFFER: usize = 4 << 10;

/// How long a peer may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// An answer that becomes a WebSocket.
pub(crate) struct Upgrade(pub(crate) Answer);

impl Output for Upgrade {
    fn into_answer(self) -> Answer {
        self.0
    }

    fn describe(shape: &mut Shape, _: &mut Schemas) {
        shape.reply = Reply::Socket;
    }
}

/// Turns a request into a WebSocket.
pub(crate) fn accept(call: Call, topics: TopicFilter, since: Option<Cursor>) -> Result<Answer, Failure> {
    let headers = &call.head.headers;
    let asks = has_word(headers, &CONNECTION, "upgrade")
        && has_word(headers, &UPGRADE, "websocket")
        && headers.get(SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
    let key = headers.get(SEC_WEBSOCKET_KEY).filter(|_| asks && !call.is_head()).ok_or(Failure::NoUpgrade)?;
    let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes()));
    let accept = accept
        .map_err(|source| Failure::Internal { attempted: "accept a WebSocket", source: source.into() })?;
    // Before the answer: what is published after it must not be missed.
    let subscription = call.koor().subscribe(topics, since);
    let Call { caller, head, context, counted, .. } = call;
    let shared = Arc::clone(&context.shared);
    let counted = counted.then_some(caller);
    let upgrade = hyper::upgrade::on(Request::from_parts(head, ()));
    tokio::spawn(async move {
        select! {
            () = serve(shared, counted, upgrade, subscription) => {}
            () = context.cut_off() => {}
        }
    });
    let mut answer = response::empty(StatusCode::SWITCHING_PROTOCOLS);
    let headers = answer.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    Ok(answer)
}

/// Whether a header lists a word.
fn has_word(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    headers.get_all(name).iter().any(|value| {
        value.to_str().is_ok_and(|list| list.split(',').any(|item| item.trim().eq_ignore_ascii_case(word)))
    })
}

async fn serve(shared: Arc<Shared>, counted: Option<Caller>, upgrade: OnUpgrade, subscription: Subscription) {
    let upgraded = match upgrade.await {
        Ok(upgraded) => TokioIo::new(upgraded),
        Err(error) => {
            tracing::debug!(%error, "a WebSocket did not come about");
            return;
        }
    };
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .max_message_size(Some(LONGEST_MESSAGE))
        .max_frame_size(Some(LONGEST_MESSAGE));
    let socket = WebSocketStream::from_raw_socket(upgraded, Role::Server, Some(config)).await;
    let batch = Batch::default();
    let mut peer = Peer { shared, socket, subscription, batch, heard: Instant::now(), sent: 0 };
    match peer.follow().await {
        Ok(End::Closed) => {}
        Ok(End::Stopping) => peer.say_goodbye(CloseCode::Away, "the server is stopping").await,
        Ok(End::Failed) => peer.say_goodbye(CloseCode::Error, "internal error").await,
        // Subscribers go away without a word all the time.
        Err(error) => tracing::debug!(%error, "a WebSocket ended early"),
    }
    if let Some(caller) = counted {
        peer.shared.koor.count_call(&caller, Plane::Rest, peer.sent);
    }
}

/// Why a subscriber is followed no longer.
enum End {
    /// It said goodbye, or has been silent for too long.
    Closed,
    /// Nothing will follow.
    Stopping,
    /// The log can't be read.
    Failed,
}

/// Frames that go out in one write. Most subscribers are told the same, but what each is told is copied: it is a few
/// nanoseconds for each event, and a library that makes a message of each takes many times that.
#[derive(Default)]
struct Batch {
    frames: Vec<u8>,
    /// How many bytes of JSON are in them.
    bytes: u64,
    events: u64,
    /// How many events a gap among them tells of.
    missed: Option<u64>,
}

impl Batch {
    /// Takes what a subscriber is told, until it is enough for a write.
    fn add(&mut self, told: &Told<'_>) -> ControlFlow<()> {
        match told {
            Told::Event(frame) => {
                self.events += 1;
                self.text(frame.json());
            }
            Told::Gap(gap) => {
                self.missed = Some(gap.missed);
                // Two numbers: writing them cannot fail.
                self.text(&serde_json::to_vec(gap).unwrap_or_default());
            }
        }
        if self.frames.len() < BURST { Continue(()) } else { Break(()) }
    }

    fn text(&mut self, json: &[u8]) {
        let header = FrameHeader { opcode: OpCode::Data(Data::Text), ..FrameHeader::default() };
        // Writing to memory cannot fail.
        _ = header.format(json.len() as u64, &mut self.frames);
        self.frames.extend_from_slice(json);
        self.bytes += json.len() as u64;
    }
}

/// A subscriber.
struct Peer {
    shared: Arc<Shared>,
    socket: WebSocketStream<TokioIo<Upgraded>>,
    subscription: Subscription,
    /// What is to be written next.
    batch: Batch,
    /// When it last gave a sign of life.
    heard: Instant,
    sent: u64,
}

impl Peer {
    async fn follow(&mut self) -> Result<End, tungstenite::Error> {
        let every = self.shared.settings.ping_every;
        let mut ping = interval_at(Instant::now() + every, every);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            select! {
                // The next batch is fetched when the one before is written: a peer that reads slowly is caught up from
                // the log, and what waits for it never grows beyond a batch.
                next = self.subscription.lend_next(BATCH, |told| self.batch.add(&told)) => match next {
                    Ok(false) => return Ok(End::Stopping),
                    Ok(true) => self.send().await?,
                    Err(error) => {
                        tracing::error!(%error, "a WebSocket's events cannot be read on");
                        return Ok(End::Failed);
                    }
                },
                message = self.socket.next() => match message {
                    None => return Ok(End::Closed),
                    Some(Ok(Message::Close(_))) => {
                        // The answer to it goes out while the end is awaited.
                        _ = timeout(GOODBYE, self.socket.next()).await;
                        return Ok(End::Closed);
                    }
                    Some(Ok(_)) => self.heard = Instant::now(),
                    Some(Err(error)) => return Err(error),
                },
                _ = ping.tick() => {
                    if self.heard.elapsed() >= self.shared.settings.peer_timeout {
                        return Ok(End::Closed);
                    }
                    // Everything that matches up to there has been sent: a client that comes back from there is told of no
                    // gap among events that it never asked for.
                    let cursor = format!("cursor={}", self.subscription.cursor());
                    self.socket.send(Message::Ping(cursor.into())).await?;
                }
            }
        }
    }

    /// Writes the batch.
    async fn send(&mut self) -> Result<(), tungstenite::Error> {
        let begun = Instant::now();
        let Batch { frames, bytes, events, missed } = mem::take(&mut self.batch);
        if let Some(missed) = missed {
            self.shared.meters.gap(missed);
        }
        self.sent += bytes;
        // Past the library, whose answers to pings must not be in the middle of it.
        self.socket.flush().await?;
        let stream = self.socket.get_mut();
        stream.write_all(&frames).await?;
        stream.flush().await?;
        self.shared.meters.delivered(events);
        if begun.elapsed() >= self.shared.settings.ping_every {
            // It took its time, but it took what it was sent.
            self.heard = Instant::now();
        }
        Ok(())
    }

    async fn say_goodbye(&mut self, code: CloseCode, reason: &'static str) {
        let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
        let goodbye = async {
            self.socket.close(Some(frame)).await?;
            while self.socket.next().await.transpose()?.is_some() {}
            Ok::<_, tungstenite::Error>(())
        };
        // Whether the peer answers is its own affair.
        _ = timeout(GOODBYE, goodbye).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_in_a_list() {
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, HeaderValue::from_static("keep-alive, Upgrade"));
        assert!(has_word(&headers, &CONNECTION, "upgrade"));
        assert!(!has_word(&headers, &CONNECTION, "up"));
        assert!(!has_word(&headers, &UPGRADE, "websocket"));
    }
}
