//! The protocol of `beanstalkd`, as far as jobs of a few bytes need it.

use super::{Exchange, find, number};

/// What is sent next.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Job {
    Put,
    Reserve,
    Delete(usize),
}

/// Sends what `next` says, and hands the number of each reserved job to `take`.
pub(crate) struct Beanstalk<N, T> {
    pub(crate) next: N,
    pub(crate) take: T,
}

impl<N: FnMut() -> Job, T: FnMut(usize)> Exchange for Beanstalk<N, T> {
    fn ask(&mut self, out: &mut Vec<u8>) {
        match (self.next)() {
            Job::Put => out.extend_from_slice(b"put 2 0 900 4\r\ntask\r\n"),
            Job::Reserve => out.extend_from_slice(b"reserve\r\n"),
            Job::Delete(id) => out.extend_from_slice(format!("delete {id}\r\n").as_bytes()),
        }
    }

    fn answer(&mut self, bytes: &[u8]) -> Option<usize> {
        let line = find(bytes, b"\r\n")? + 2;
        let text = &bytes[..line];
        if let Some(rest) = text.strip_prefix(b"RESERVED ") {
            let size = rest.iter().position(|byte| *byte == b' ').map_or(0, |at| number(&rest[at + 1..]));
            let end = line + size + 2;
            bytes.get(..end)?;
            (self.take)(number(rest));
            return Some(end);
        }
        let fine = text.starts_with(b"INSERTED") || text.starts_with(b"DELETED");
        assert!(fine, "beanstalkd answers {}", String::from_utf8_lossy(text));
        Some(line)
    }
}
