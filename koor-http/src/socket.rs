//! A socket that does not wait for ever: not for a head, not between requests, not for a peer that reads nothing. And
//! it lets no answer pass that says nothing.

use std::{
    future::poll_fn,
    io,
    mem::MaybeUninit,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::StatusCode;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};

use crate::request_body::{LINGER, LINGER_BYTES};

/// A head up to this size fits into the read buffer that each connection has anyway.
pub(crate) const SMALL_HEAD: usize = 8 << 10;

/// Whose turn it is on a connection. The number counts turns: even ones are the client's, odd ones the server's.
#[derive(Debug, Clone, Default)]
pub(crate) struct Turn(Arc<State>);

#[derive(Debug, Default)]
struct State {
    number: AtomicU32,
    /// Whether a request wants to know that the client has closed its side; it is only checked then.
    watched: AtomicBool,
    /// Whether the client is known to have ended.
    ended: AtomicBool,
    /// Whether an answer was begun that never came to its end.
    broken_off: AtomicBool,
    /// Whether what is read of a head counts among the large ones.
    large_head: AtomicBool,
}

impl Turn {
    /// A request's head is complete: the server is due to answer.
    pub(crate) fn to_server(&self) {
        // One task at a time moves this, so a load and a store will do.
        self.0.number.store(self.number() | 1, Relaxed);
    }

    /// The answer is given: the client is due to send something.
    pub(crate) fn to_client(&self) {
        let turn = self.number();
        self.0.number.store(turn.wrapping_add(turn & 1), Relaxed);
    }

    /// The answer will not be finished: the connection is reset, for clients to which its end is the end of the body.
    pub(crate) fn break_off(&self) {
        self.0.broken_off.store(true, Relaxed);
    }

    /// A head is whole that was counted among the large ones until now.
    pub(crate) fn ends_large_head(&self) -> bool {
        self.0.large_head.load(Relaxed) && self.0.large_head.swap(false, Relaxed)
    }

    /// Whether the client is due to send something.
    pub(crate) fn is_clients(&self) -> bool {
        self.number().is_multiple_of(2)
    }

    pub(crate) fn number(&self) -> u32 {
        self.0.number.load(Relaxed)
    }

    /// Answers when the client sends nothing any more. For the server's turn, and for the task of the connection: the
    /// socket looks whenever that task flushes it.
    pub(crate) async fn client_has_ended(&self) {
        struct Watch<'a>(&'a State);

        impl Drop for Watch<'_> {
            fn drop(&mut self) {
                self.0.watched.store(false, Relaxed);
            }
        }

        self.0.watched.store(true, Relaxed);
        let watch = Watch(&self.0);
        poll_fn(|_| if watch.0.ended.load(Relaxed) { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}

/// The timeouts of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    pub(crate) head: Duration,
    pub(crate) idle: Duration,
    pub(crate) write: Duration,
}

/// What a socket tells of itself, and asks for.
pub(crate) trait Owner: Unpin {
    /// The answer to a request that can't be read.
    fn refuse(&self, status: StatusCode) -> Vec<u8>;

    /// A head is not whole yet and takes up so much. The connection may be ended for it.
    fn grows_head(&self, bytes: usize);
}

/// A socket that ends by its timeouts.
pub(crate) struct Socket<O> {
    stream: TcpStream,
    turn: Turn,
    timeouts: Timeouts,
    reading: Reading,
    /// The most that was read for one head, or at once of a body. The buffer grew for that, and what the HTTP library keeps
    /// of it between requests does not get smaller.
    buffer: usize,
    alarm: Alarm,
    /// Since when the peer has taken nothing of what is to be sent.
    stuck: Option<Instant>,
    write_alarm: Alarm,
    owner: O,
    refusal: Option<Refusal>,
}

/// The answer to a request that can't be read, on its way. It is the last thing on its connection.
struct Refusal {
    bytes: Vec<u8>,
    written: usize,
    /// Until when what the client still sends is dropped; since the answer is complete.
    lingers: Option<Instant>,
    dropped: u64,
}

struct Reading {
    turn: u32,
    /// Since when it is waited for: only who waits looks at the clock.
    since: Option<Instant>,
    /// Whether some of the next head is here; a connection that was never used counts as one that owes its head.
    begun: bool,
    /// How much was read for the next head.
    held: usize,
    /// What the buffer was told to take up meanwhile.
    told: usize,
}

impl<O: Owner> Socket<O> {
    pub(crate) fn new(stream: TcpStream, turn: Turn, timeouts: Timeouts, owner: O) -> Self {
        let reading = Reading { turn: 0, since: None, begun: true, held: 0, told: 0 };
        Self {
            stream,
            turn,
            timeouts,
            reading,
            alarm: Alarm::default(),
            stuck: None,
            write_alarm: Alarm::default(),
            owner,
            buffer: 0,
            refusal: None,
        }
    }

    /// Writes our own answer in the place of the one that the HTTP library makes of a request that it can't read, which
    /// says nothing; `None` where `bytes` are something else.
    fn poll_refusal(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Option<Poll<io::Result<usize>>> {
        if self.refusal.is_none() {
            let bytes = self.owner.refuse(says_nothing(bytes)?);
            self.refusal = Some(Refusal { bytes, written: 0, lingers: None, dropped: 0 });
        }
        let refusal = self.refusal.as_mut()?;
        while refusal.written < refusal.bytes.len() {
            match Pin::new(&mut self.stream).poll_write(cx, &refusal.bytes[refusal.written..]) {
                Poll::Ready(Ok(0)) => return Some(Poll::Ready(Err(io::ErrorKind::WriteZero.into()))),
                Poll::Ready(Ok(written)) => refusal.written += written,
                Poll::Ready(Err(error)) => return Some(Poll::Ready(Err(error))),
                Poll::Pending => return Some(Poll::Pending),
            }
        }
        Some(Poll::Ready(Ok(bytes.len())))
    }

    /// Drops what a client still sends that was refused, for a while: a connection that is closed with unread bytes in
    /// it is reset, and takes the answer with it.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(refusal) = &mut self.refusal else { return Poll::Ready(Ok(())) };
        let until = *refusal.lingers.get_or_insert_with(|| Instant::now() + LINGER);
        let mut bytes = [MaybeUninit::uninit(); 8 << 10];
        while refusal.dropped < LINGER_BYTES {
            let mut buffer = ReadBuf::uninit(&mut bytes);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    refusal.dropped += buffer.filled().len() as u64;
                }
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return self.alarm.poll(cx, until).map(|_| Ok(())),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Checks whether the client has closed its side, for a request that waits.
    fn look_for_the_end(&mut self, cx: &mut Context<'_>) {
        let mut byte = [MaybeUninit::uninit()];
        let mut buffer = ReadBuf::uninit(&mut byte);
        let ended = match self.stream.poll_peek(cx, &mut buffer) {
            // A byte means that it is still there: it has sent its next request already.
            Poll::Ready(Ok(count)) => count == 0,
            Poll::Ready(Err(_)) => true,
            Poll::Pending => false,
        };
        if ended && !self.turn.0.ended.swap(true, Relaxed) {
            cx.waker().wake_by_ref();
        }
    }

    /// Tells of a large buffer in which a head is not whole yet, or is only waited for: more is to be read.
    fn before_read(&mut self) {
        if !self.turn.is_clients() {
            return;
        }
        self.begin_turn();
        // It grows by doubling.
        let takes = self.buffer.next_power_of_two();
        if takes > SMALL_HEAD.max(self.reading.told) {
            self.reading.told = takes;
            self.turn.0.large_head.store(true, Relaxed);
            self.owner.grows_head(takes);
        }
    }

    fn begin_turn(&mut self) {
        let turn = self.turn.number();
        if self.reading.turn != turn {
            self.reading = Reading { turn, since: None, begun: false, held: 0, told: 0 };
        }
    }

    /// Notes what a read brought, and fails one that brought nothing for too long.
    fn after_read(&mut self, cx: &mut Context<'_>, brought: usize) -> Poll<io::Result<()>> {
        self.buffer = self.buffer.max(brought);
        if !self.turn.is_clients() {
            return Poll::Pending;
        }
        self.begin_turn();
        if brought > 0 {
            if !self.reading.begun {
                self.reading.since = None;
                self.reading.begun = true;
            }
            self.reading.held += brought;
            self.buffer = self.buffer.max(self.reading.held);
            return Poll::Pending;
        }
        let timeouts = if self.reading.begun { self.timeouts.head } else { self.timeouts.idle };
        let since = *self.reading.since.get_or_insert_with(Instant::now);
        self.alarm.poll(cx, since + timeouts)
    }

    fn after_write<T>(&mut self, cx: &mut Context<'_>, wrote: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if wrote.is_ready() {
            self.stuck = None;
            return wrote;
        }
        let since = *self.stuck.get_or_insert_with(Instant::now);
        match self.write_alarm.poll(cx, since + self.timeouts.write) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }
}

impl<O> Drop for Socket<O> {
    fn drop(&mut self) {
        if self.turn.0.broken_off.load(Relaxed) {
            // Where that can't be asked for, chunks without a last one say the same to newer clients.
            _ = self.stream.set_zero_linger();
        }
    }
}

/// The longest that an answer of the HTTP library's own can be.
const LONGEST_OWN: usize = 160;

/// The status of an answer that the HTTP library makes itself of a head that it can't read: it has no headers but those
/// that frame it, and ours all have others.
fn says_nothing(bytes: &[u8]) -> Option<StatusCode> {
    if bytes.len() > LONGEST_OWN || !bytes.starts_with(b"HTTP/1.") {
        return None;
    }
    let head = std::str::from_utf8(bytes).ok()?.strip_suffix("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok().filter(StatusCode::is_client_error)?;
    let mut names = lines.map(|line| line.split(':').next().unwrap_or_default());
    let frames = |name: &str| ["connection", "content-length", "date"].contains(&name);
    names.all(|name| frames(&name.to_ascii_lowercase())).then_some(status)
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

impl<O: Owner> AsyncRead for Socket<O> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.before_read();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        match read {
            Poll::Ready(Err(_)) => read,
            Poll::Ready(Ok(())) if buffer.filled().len() == before => read,
            Poll::Ready(Ok(())) => {
                let brought = buffer.filled().len() - before;
                _ = this.after_read(cx, brought);
                read
            }
            Poll::Pending => this.after_read(cx, 0),
        }
    }
}

impl<O: Owner> AsyncWrite for Socket<O> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = match this.poll_refusal(cx, bytes) {
            Some(wrote) => wrote,
            None => Pin::new(&mut this.stream).poll_write(cx, bytes),
        };
        this.after_write(cx, wrote)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let refused = if let [bytes] = slices { this.poll_refusal(cx, bytes) } else { None };
        let wrote = match refused {
            Some(wrote) => wrote,
            None => Pin::new(&mut this.stream).poll_write_vectored(cx, slices),
        };
        this.after_write(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.turn.0.watched.load(Relaxed) {
            this.look_for_the_end(cx);
        }
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.turn.0.broken_off.load(Relaxed) {
            // Nothing that says the connection ended well.
            return Poll::Ready(Ok(()));
        }
        if this.refusal.as_ref().is_none_or(|refusal| refusal.lingers.is_none()) {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
        }
        this.poll_linger(cx)
    }
}
