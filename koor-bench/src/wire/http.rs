//! HTTP/1.1, as far as a server's small answers need it.

use super::{Exchange, find, number};

/// What came back.
#[derive(Clone, Copy)]
pub(crate) struct Status<'a> {
    pub(crate) code: u16,
    pub(crate) body: &'a [u8],
}

/// Asks by HTTP what `next` writes, and lets `check` look at each answer.
pub(crate) struct Http<N, C> {
    pub(crate) next: N,
    pub(crate) check: C,
}

impl<N, C> Exchange for Http<N, C>
where
    N: FnMut(&mut Vec<u8>),
    C: FnMut(Status<'_>),
{
    fn ask(&mut self, out: &mut Vec<u8>) {
        (self.next)(out);
    }

    fn answer(&mut self, bytes: &[u8]) -> Option<usize> {
        let (code, head, body) = head_of(bytes)?;
        let end = head + body;
        let body = bytes.get(head..end)?;
        (self.check)(Status { code, body });
        Some(end)
    }
}

/// Status, length of the head, and length of the body of an answer whose head is there.
pub(crate) fn head_of(bytes: &[u8]) -> Option<(u16, usize, usize)> {
    let head = find(bytes, b"\r\n\r\n")? + 4;
    let code = number(&bytes[9..]) as u16;
    let body = if code == 304 || code == 204 || code == 101 {
        0
    } else {
        let text = &bytes[..head];
        let at = find(text, b"ontent-length: ")
            .or_else(|| find(text, b"ontent-Length: "))
            .unwrap_or_else(|| panic!("no length: {}", String::from_utf8_lossy(text)));
        number(&text[at + 15..])
    };
    Some((code, head, body))
}

/// Writes a request with a JSON body, which may be empty.
pub(crate) fn request(out: &mut Vec<u8>, method: &str, path: &str, body: &[u8]) {
    request_with(out, method, path, "", body);
}

/// The same, as that instance.
pub(crate) fn request_as(out: &mut Vec<u8>, instance: &str, method: &str, path: &str, body: &[u8]) {
    request_with(out, method, path, &format!("X-Koor-Instance: {instance}\r\n"), body);
}

fn request_with(out: &mut Vec<u8>, method: &str, path: &str, headers: &str, body: &[u8]) {
    out.extend_from_slice(method.as_bytes());
    out.push(b' ');
    out.extend_from_slice(path.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\nHost: localhost\r\n");
    out.extend_from_slice(headers.as_bytes());
    if !body.is_empty() {
        let length = body.len();
        out.extend_from_slice(
            format!("Content-Type: application/json\r\nContent-Length: {length}\r\n").as_bytes(),
        );
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
}
