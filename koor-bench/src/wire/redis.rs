//! RESP, as far as single answers need it.

use super::{Exchange, find, number};

/// Sends Redis the commands that `next` writes.
pub(crate) struct Redis<N>(pub(crate) N);

impl<N: FnMut(&mut Vec<u8>)> Exchange for Redis<N> {
    fn ask(&mut self, out: &mut Vec<u8>) {
        (self.0)(out);
    }

    fn answer(&mut self, bytes: &[u8]) -> Option<usize> {
        let line = find(bytes, b"\r\n")? + 2;
        match bytes[0] {
            b'+' | b':' => Some(line),
            b'$' if bytes[1] != b'-' => {
                let end = line + number(&bytes[1..]) + 2;
                (bytes.len() >= end).then_some(end)
            }
            _ => panic!("Redis answers {}", String::from_utf8_lossy(bytes)),
        }
    }
}

/// Writes a command.
pub(crate) fn command(out: &mut Vec<u8>, parts: &[&[u8]]) {
    out.extend_from_slice(format!("*{}\r\n", parts.len()).as_bytes());
    for part in parts {
        out.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
        out.extend_from_slice(part);
        out.extend_from_slice(b"\r\n");
    }
}
