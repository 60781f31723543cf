//! A socket that does not wait for ever: not for a head, not between requests, not for a peer that reads nothing.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};

/// Whose turn it is on a connection. The number counts turns: even ones are the client's, odd ones the server's.
#[derive(Debug, Clone, Default)]
pub(crate) struct Turn(Arc<AtomicU32>);

impl Turn {
    /// A request's head is complete: the server is due to answer.
    pub(crate) fn to_server(&self) {
        // One task at a time moves this, so a load and a store will do.
        self.0.store(self.0.load(Relaxed) | 1, Relaxed);
    }

    /// The answer is given: the client is due to send something.
    pub(crate) fn to_client(&self) {
        let turn = self.0.load(Relaxed);
        self.0.store(turn.wrapping_add(turn & 1), Relaxed);
    }
}

/// How long a socket waits for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) head: Duration,
    pub(crate) idle: Duration,
    pub(crate) write: Duration,
}

/// A socket with patience.
pub(crate) struct Socket {
    stream: TcpStream,
    turn: Turn,
    patience: Patience,
    reading: Reading,
    alarm: Alarm,
    /// Since when the peer has taken nothing of what is to be sent.
    stuck: Option<Instant>,
    write_alarm: Alarm,
}

struct Reading {
    turn: u32,
    since: Instant,
    /// Whether some of the next head is here; a connection that was never used counts as one that owes its head.
    begun: bool,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, turn: Turn, patience: Patience) -> Self {
        let reading = Reading { turn: 0, since: Instant::now(), begun: true };
        Self {
            stream,
            turn,
            patience,
            reading,
            alarm: Alarm::default(),
            stuck: None,
            write_alarm: Alarm::default(),
        }
    }

    /// Notes what a read brought, and fails one that brought nothing for too long.
    fn after_read(&mut self, cx: &mut Context<'_>, brought: bool) -> Poll<io::Result<()>> {
        let turn = self.turn.0.load(Relaxed);
        if turn % 2 == 1 {
            return Poll::Pending;
        }
        if self.reading.turn != turn {
            self.reading = Reading { turn, since: Instant::now(), begun: false };
        }
        if brought {
            if !self.reading.begun {
                self.reading.begun = true;
                self.reading.since = Instant::now();
            }
            return Poll::Pending;
        }
        let patience = if self.reading.begun { self.patience.head } else { self.patience.idle };
        self.alarm.poll(cx, self.reading.since + patience)
    }

    fn after_write<T>(&mut self, cx: &mut Context<'_>, wrote: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if wrote.is_ready() {
            self.stuck = None;
            return wrote;
        }
        let since = *self.stuck.get_or_insert_with(Instant::now);
        match self.write_alarm.poll(cx, since + self.patience.write) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }
}

/// A timer that is moved only when it must ring earlier, or has rung too early: moving it costs a lock.
#[derive(Default)]
struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    fn poll(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<io::Result<()>> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if Instant::now() >= deadline {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        match read {
            Poll::Ready(Err(_)) => read,
            Poll::Ready(Ok(())) if buffer.filled().len() == before => read,
            Poll::Ready(Ok(())) => {
                _ = this.after_read(cx, true);
                read
            }
            Poll::Pending => this.after_read(cx, false),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.after_write(cx, wrote)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.after_write(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
