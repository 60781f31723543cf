//! Stderr, written in the background: a request does not wait for its log line, and under load many lines are one write.
//!
//! Nothing is lost but by a crash of the machine or of the process: what people must see, warnings and errors, is
//! written before the call returns, and every other exit of the process writes the rest.

use std::{
    io::{self, Write},
    mem,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use super::START;

/// How long a line waits for others: no reader of a log notices so little, and it makes a hundred writes a second of
/// tens of thousands.
const GATHER: Duration = Duration::from_millis(10);

/// A thread that finds more than this waiting writes it: a reader that is too slow slows the server, and costs
/// no memory.
const MOST: usize = 1 << 20;

/// The log's end at stderr.
pub(super) static STDERR: Stderr =
    Stderr { waiting: Mutex::new(Vec::new()), more: Condvar::new(), writing: Mutex::new(Vec::new()) };

pub(super) struct Stderr {
    waiting: Mutex<Vec<u8>>,
    more: Condvar,
    /// Held while what waited is written, so that lines stay in order: the room for what is being written.
    writing: Mutex<Vec<u8>>,
}

impl Stderr {
    /// Starts the thread that writes.
    ///
    /// # Errors
    /// When there can be none.
    pub(super) fn start(&'static self) -> io::Result<()> {
        thread::Builder::new().name("log".into()).spawn(|| self.follow()).map(drop)
    }

    fn follow(&self) {
        loop {
            let mut waiting = lock(&self.waiting);
            while waiting.is_empty() {
                waiting = self.more.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
            drop(waiting);
            thread::sleep(GATHER);
            self.flush();
        }
    }

    /// Writes everything that waits.
    pub(super) fn flush(&self) {
        let mut lines = lock(&self.writing);
        mem::swap(&mut *lines, &mut *lock(&self.waiting));
        if !lines.is_empty() {
            // Without stderr, there is no place to report an error.
            drop(io::stderr().write_all(&lines));
            lines.clear();
        }
    }

    fn add(&self, line: &[u8]) -> usize {
        let mut waiting = lock(&self.waiting);
        let was_empty = waiting.is_empty();
        waiting.extend_from_slice(line);
        let length = waiting.len();
        drop(waiting);
        if was_empty {
            self.more.notify_one();
        }
        length
    }
}

/// A thread that panicked has left nothing half-done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes one line.
pub(super) struct Line {
    urgent: bool,
}

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if STDERR.add(line) > MOST || self.urgent {
            STDERR.flush();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for &'static Stderr {
    type Writer = Line;

    fn make_writer(&self) -> Line {
        Line { urgent: true }
    }

    fn make_writer_for(&self, metadata: &Metadata<'_>) -> Line {
        // A program that starts the server may wait for its first line.
        Line { urgent: *metadata.level() <= Level::WARN || metadata.target() == START }
    }
}
