//! Following the event log across broken connections.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use koor_core::clock::{Clock as _, SystemClock};
use tokio::{sync::mpsc, time::timeout};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::{
    connect::{Door, NoSocket, Socket},
    frame::{Frame, cursor_of_ping},
    pauses::Pauses,
};
use crate::exit::{Failure, warn};

/// After so long a silence the server is asked whether it is there; after twice as long it is taken for gone.
const QUIET: Duration = Duration::from_secs(30);

/// How long a last word may take.
const GOODBYE: Duration = Duration::from_millis(300);

/// An event on its way out.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) id: u64,
    pub(super) line: String,
}

/// One who follows: knows where it is in the log, whatever becomes of a connection.
#[derive(Debug)]
pub(super) struct Follower {
    pub(super) door: Door,
    /// Everything up to here has been handed on, or does not match.
    pub(super) cursor: u64,
    pub(super) out: mpsc::Sender<Event>,
}

/// How a connection ended.
enum End {
    /// By itself, and another one may do better.
    Lost(String),
    /// The receiver of events is closed.
    Unwanted,
}

impl Follower {
    /// Passes on every event until the receiver is closed.
    ///
    /// # Errors
    /// When the server refuses, and would do so again.
    pub(super) async fn follow(mut self) -> Result<(), Failure> {
        let mut pauses = Pauses::new();
        let mut trouble: Option<String> = None;
        loop {
            let why = match self.door.open(self.cursor).await {
                Ok(mut socket) => {
                    if trouble.take().is_some() {
                        warn(format_args!("connected again, going on after event {}", self.cursor));
                    }
                    let (end, heard) = self.hand_on(&mut socket).await;
                    if heard {
                        // A server that lets us in only to end at once is no better than one that is away.
                        pauses = Pauses::new();
                    }
                    match end {
                        End::Lost(why) => why,
                        End::Unwanted => {
                            // The server forgets us sooner for it; whether it hears is its own affair.
                            _ = timeout(GOODBYE, socket.close(None)).await;
                            return Ok(());
                        }
                    }
                }
                Err(NoSocket::NotNow(why)) => why,
                Err(NoSocket::Refused(failure)) => return Err(failure),
            };
            // Once for each reason: a server that is away for a night does not fill the screen.
            if trouble.as_ref() != Some(&why) {
                warn(format_args!("not connected: {why}; trying again until it works"));
                trouble = Some(why);
            }
            tokio::select! {
                () = SystemClock.sleep(pauses.next()) => {}
                () = self.out.closed() => return Ok(()),
            }
        }
    }

    /// Hands on what one connection brings; answers how it ended, and whether anything came at all.
    async fn hand_on(&mut self, socket: &mut Socket) -> (End, bool) {
        let (mut heard, mut asked) = (false, false);
        loop {
            let next = tokio::select! {
                next = timeout(QUIET, socket.next()) => next,
                () = self.out.closed() => return (End::Unwanted, heard),
            };
            let message = match next {
                Ok(Some(Ok(message))) => message,
                Ok(Some(Err(error))) => return (End::Lost(error.to_string()), heard),
                Ok(None) => return (End::Lost("the server closed the connection".to_owned()), heard),
                Err(_) if asked => return (End::Lost("the server is silent".to_owned()), heard),
                Err(_) => {
                    asked = true;
                    match timeout(QUIET, socket.send(Message::Ping(Bytes::new()))).await {
                        Ok(Ok(())) => continue,
                        Ok(Err(error)) => return (End::Lost(error.to_string()), heard),
                        Err(_) => return (End::Lost("the server is silent".to_owned()), heard),
                    }
                }
            };
            (heard, asked) = (true, false);
            match message {
                Message::Text(text) => match self.take(text.as_str()).await {
                    None => {}
                    Some(end) => return (end, heard),
                },
                Message::Ping(payload) => {
                    self.cursor = cursor_of_ping(&payload).unwrap_or(self.cursor).max(self.cursor);
                }
                Message::Close(Some(frame)) if !frame.reason.is_empty() => {
                    return (End::Lost(frame.reason.to_string()), heard);
                }
                Message::Close(_) => {
                    return (End::Lost("the server closed the connection".to_owned()), heard);
                }
                Message::Pong(_) | Message::Binary(_) | Message::Frame(_) => {}
            }
        }
    }

    /// Takes one frame; answers why it must be the last, if it must.
    async fn take(&mut self, text: &str) -> Option<End> {
        match Frame::read(text) {
            Some(Frame::Event { id, line }) => {
                if self.out.send(Event { id, line }).await.is_err() {
                    return Some(End::Unwanted);
                }
                self.cursor = id;
            }
            Some(Frame::Gap { missed: 0, resume_from }) => {
                warn(format_args!(
                    "gap: event {} is not of this server's log, which may have begun anew: going on with event \
                     {resume_from}; what came before it was not shown",
                    self.cursor
                ));
                self.cursor = resume_from.saturating_sub(1);
            }
            Some(Frame::Gap { missed, resume_from }) => {
                warn(format_args!(
                    "gap: up to {missed} events after event {} left the log before they could be shown: going on \
                     with event {resume_from}",
                    self.cursor
                ));
            }
            None => return Some(End::Lost("the server sent what is no event".to_owned())),
        }
        None
    }
}
