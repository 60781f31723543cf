//! The bodies of answers.

use std::{
    error::Error as StdError,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use koor_core::ports::StoreResult;
use tokio::sync::mpsc;

/// Why a body ended early. The connection is reset then, so that no client takes the body for whole.
#[derive(Debug, thiserror::Error)]
#[error("the body could not be finished")]
pub struct BodyError {
    source: Box<dyn StdError + Send + Sync>,
}

impl BodyError {
    /// For that reason.
    pub fn new(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { source: source.into() }
    }
}

/// The body of what a mounted service answers.
pub type MountBody = UnsyncBoxBody<Bytes, BodyError>;

/// The body of an answer.
pub(crate) enum Body {
    /// All of it is here.
    Full(Bytes),
    /// None is sent, whatever the head says of its length.
    Empty,
    /// It comes piece by piece from the store.
    Pieces(mpsc::Receiver<StoreResult<Bytes>>, Tally),
    /// It comes piece by piece for as long as both sides want.
    Feed(mpsc::Receiver<Bytes>, Tally),
    /// It comes from a mounted service.
    Mounted(MountBody, Tally),
}

/// How much of a body was sent when it was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) bytes: u64,
    /// Whether it is known to be less than all of it.
    pub(crate) cut: bool,
}

/// Counts the bytes of a body that comes in pieces, and calls back when it is over.
pub(crate) struct Tally {
    sent: Sent,
    done: Option<Box<dyn FnOnce(Sent) + Send>>,
}

impl Tally {
    /// For a body that may end at any time.
    pub(crate) fn none() -> Self {
        Self { sent: Sent { bytes: 0, cut: false }, done: None }
    }

    /// For a body that is cut until its end was reached.
    pub(crate) fn to_the_end() -> Self {
        Self { sent: Sent { bytes: 0, cut: true }, done: None }
    }

    pub(crate) fn then(&mut self, done: impl FnOnce(Sent) + Send + 'static) {
        self.done = Some(Box::new(done));
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        if let Some(done) = self.done.take() {
            done(self.sent);
        }
    }
}

impl Body {
    /// The counter of a body that comes in pieces.
    pub(crate) fn tally(&mut self) -> Option<&mut Tally> {
        match self {
            Self::Full(_) | Self::Empty => None,
            Self::Pieces(_, tally) | Self::Feed(_, tally) | Self::Mounted(_, tally) => Some(tally),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Body")
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let (frame, tally) = match self.get_mut() {
            Self::Full(bytes) if bytes.is_empty() => return Poll::Ready(None),
            Self::Full(bytes) => return Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Empty => return Poll::Ready(None),
            Self::Pieces(pieces, tally) => {
                let piece = ready!(pieces.poll_recv(cx));
                (piece.map(|piece| piece.map(Frame::data).map_err(BodyError::new)), tally)
            }
            Self::Feed(pieces, tally) => {
                (ready!(pieces.poll_recv(cx)).map(|piece| Ok(Frame::data(piece))), tally)
            }
            Self::Mounted(body, tally) => (ready!(Pin::new(body).poll_frame(cx)), tally),
        };
        match &frame {
            Some(Ok(frame)) => tally.sent.bytes += frame.data_ref().map_or(0, |data| data.len() as u64),
            Some(Err(_)) => tally.sent.cut = true,
            None => tally.sent.cut = false,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(bytes) => bytes.is_empty(),
            Self::Empty => true,
            Self::Pieces(..) | Self::Feed(..) => false,
            Self::Mounted(body, _) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Empty => SizeHint::with_exact(0),
            Self::Pieces(..) | Self::Feed(..) => SizeHint::default(),
            Self::Mounted(body, _) => body.size_hint(),
        }
    }
}
