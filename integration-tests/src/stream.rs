//! Bodies that come in pieces, and the events in them.

use std::{
    io::{BufRead as _, BufReader, Read},
    net::{Shutdown, TcpStream},
};

/// What one block of a stream of Server-Sent Events says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Block {
    /// The line `id`.
    pub id: Option<u64>,
    /// The line `event`.
    pub event: Option<String>,
    /// The lines `data`.
    pub data: String,
}

/// A stream of Server-Sent Events.
#[derive(Debug)]
pub struct Stream(BufReader<Chunks>);

impl Stream {
    /// What comes next there.
    pub(crate) fn new(reader: BufReader<TcpStream>) -> Self {
        Self(BufReader::new(Chunks::of(reader)))
    }

    /// Waits for a comment, before anything else comes.
    ///
    /// # Panics
    /// When something else comes.
    pub fn comment(&mut self) {
        let mut line = String::new();
        assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "the stream has ended");
        assert!(line.starts_with(':'), "{line:?}");
    }

    /// The next block that is no comment.
    ///
    /// # Panics
    /// When none comes.
    #[must_use]
    pub fn block(&mut self) -> Block {
        let mut block = Block::default();
        loop {
            let mut line = String::new();
            assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "the stream has ended");
            match line.trim_end().split_once(": ") {
                Some(("id", id)) => block.id = Some(id.parse().unwrap()),
                Some(("event", event)) => block.event = Some(event.to_owned()),
                Some(("data", data)) => block.data += data,
                _ if line == "\n" && block != Block::default() => return block,
                _ => assert!(line.starts_with(':') || line == "\n", "{line:?}"),
            }
        }
    }
}

/// The inside of a chunked body.
#[derive(Debug)]
pub(crate) struct Chunks {
    reader: BufReader<TcpStream>,
    left: usize,
    ended: bool,
}

impl Chunks {
    /// What comes next there is such a body.
    pub(crate) fn of(reader: BufReader<TcpStream>) -> Self {
        Self { reader, left: 0, ended: false }
    }
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.left == 0 && !self.ended {
            let mut line = String::new();
            if self.reader.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if line != "\r\n" {
                self.left = usize::from_str_radix(line.trim(), 16).unwrap();
                self.ended = self.left == 0;
            }
        }
        let most = buffer.len().min(self.left);
        let read = self.reader.read(&mut buffer[..most])?;
        self.left -= read;
        Ok(read)
    }
}

impl Drop for Chunks {
    fn drop(&mut self) {
        // A reader that stops early says so at once.
        drop(self.reader.get_ref().shutdown(Shutdown::Both));
    }
}
